"""The Web API over HTTP: tokens, faults, limits, and the answers in Slack's form. And the response_urls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, assert_never

from aiohttp import web

from bot.sandbox.slack.arguments import Arguments, read_arguments
from bot.sandbox.slack.chatmethods import CHAT_METHODS, Answer, Method
from bot.sandbox.slack.directorymethods import DIRECTORY_METHODS
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.faults import (
    CloseConnection,
    DropReply,
    ErrorCode,
    Fault,
    FaultBook,
    Hang,
    HttpStatus,
    RateLimited,
)
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.journal import RESPONSE_URL, Call, Journal
from bot.sandbox.slack.ratelimits import RateLimits
from bot.sandbox.slack.responseurls import respond
from bot.sandbox.slack.scopes import SCOPE_OF_METHOD, demand
from bot.sandbox.slack.signals import Signal
from bot.sandbox.slack.viewmethods import VIEW_METHODS
from bot.sandbox.slack.workspace import Workspace

METHODS: dict[str, Method] = {**DIRECTORY_METHODS, **CHAT_METHODS, **VIEW_METHODS}
CONNECT = "apps.connections.open"


@dataclass(slots=True, kw_only=True)
class WebApi:
    """`connect` gives the address for a new Socket Mode connection."""

    workspace: Workspace
    inspector: Inspector
    signal: Signal
    bot_token: str
    app_token: str
    connect: Callable[[], str]
    journal: Journal = field(default_factory=Journal)
    faults: FaultBook = field(default_factory=FaultBook)
    rate_limits: RateLimits | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments, unreadable = await _read(request)
        token = _token(request, arguments)
        call = self._written_down(request, method, arguments)

        def act() -> web.Response:
            if unreadable:
                return _refusal(call, unreadable)
            wait = self.rate_limits and self.rate_limits.wait(
                method, str(arguments.values.get("channel", ""))
            )
            return _slow_down(call, wait) if wait else self._answer(call, method, arguments, token)

        return await self._under(self.faults.take(method), request, call, act)

    async def handle_response_url(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/")
        arguments, unreadable = await _read(request)
        call = self._written_down(request, RESPONSE_URL, arguments)

        def act() -> web.Response:
            wait = self.rate_limits and self.rate_limits.wait(RESPONSE_URL, path)
            if wait:
                return _slow_down(call, wait)
            try:
                if unreadable:
                    raise unreadable
                respond(self.workspace, self.inspector, path, arguments)
            except SlackError as error:
                return _refusal(call, error)
            return web.Response(text="ok")

        return await self._under(self.faults.take(RESPONSE_URL), request, call, act)

    def _written_down(self, request: web.Request, method: str, arguments: Arguments) -> Call:
        call = Call(method=method, verb=request.method, arguments=arguments.values, at=self.workspace.clock())
        self.journal.add(call)
        self.signal.notify()
        return call

    async def _under(
        self, fault: Fault | None, request: web.Request, call: Call, act: Callable[[], web.Response]
    ) -> web.Response:
        match fault:
            case None:
                return act()
            case ErrorCode(code):
                return _refusal(call, SlackError(code))
            case HttpStatus(status_code):
                call.error = f"HTTP {status_code}"
                return web.Response(status=status_code, text="<html></html>", content_type="text/html")
            case RateLimited(retry_after):
                return _slow_down(call, retry_after)
            case DropReply():
                act()
            case CloseConnection():
                pass
            case Hang(after_acting):
                if after_acting:
                    act()
                await self.closing.wait()
            case _:
                assert_never(fault)
        return _broken_off(request, call)

    def _answer(self, call: Call, method: str, arguments: Arguments, token: str) -> web.Response:
        try:
            self._check_token(method, token)
            answer = self._called(method, arguments)
        except SlackError as error:
            return _refusal(call, error)
        self.signal.notify()
        return web.json_response({"ok": True, **answer})

    def _called(self, method: str, arguments: Arguments) -> Answer:
        if method == CONNECT:
            return {"url": self.connect()}
        if method not in METHODS:
            self.inspector.record(method, "there is no such method here")
            raise SlackError("unknown_method")
        demand(self.workspace.app.scopes, SCOPE_OF_METHOD.get(method))
        return METHODS[method](self.workspace, self.inspector, arguments)

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in {self.bot_token, self.app_token}:
            raise SlackError("invalid_auth")
        if token != (self.app_token if method == CONNECT else self.bot_token):
            raise SlackError("not_allowed_token_type")


async def _read(request: web.Request) -> tuple[Arguments, SlackError | None]:
    try:
        return await read_arguments(request), None
    except SlackError as error:
        return Arguments({}), error


def _token(request: web.Request, arguments: Arguments) -> str:
    """Taken out of the arguments, so that no journal shows it."""
    in_arguments = arguments.values.pop("token", "")
    in_header = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return in_header or str(in_arguments)


def _refusal(call: Call, error: SlackError) -> web.Response:
    call.error = error.code
    body: dict[str, Any] = {"ok": False, "error": error.code, **error.details}
    if error.messages:
        body |= {"errors": error.messages, "response_metadata": {"messages": error.messages}}
    return web.json_response(body, status=_status_code(call, error.code))


def _status_code(call: Call, code: str) -> int:
    """The Web API says 200 to a refusal, a response_url does not."""
    if call.method != RESPONSE_URL:
        return 200
    return 404 if code.endswith("_url") else 400


def _slow_down(call: Call, wait: timedelta) -> web.Response:
    call.error = "ratelimited"
    seconds = str(int(wait.total_seconds()))
    body = json.dumps({"ok": False, "error": "ratelimited"})
    return web.Response(
        status=429, text=body, content_type="application/json", headers={"Retry-After": seconds}
    )


def _broken_off(request: web.Request, call: Call) -> web.Response:
    """aiohttp finds the transport closed and writes nothing."""
    call.error = "connection broken"
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
