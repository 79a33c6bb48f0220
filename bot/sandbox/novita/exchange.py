"""One request and its answer, with the fault that was ordered for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, assert_never

from aiohttp import web

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.faults import (
    Body,
    Drop,
    Fault,
    Hang,
    InvisibleFor,
    LateEffect,
    LateStatus,
    RateLimited,
    Slow,
    Status,
)
from bot.sandbox.novita.refusals import MissingInstanceError, RefusalError, error_body, gateway_page
from bot.sandbox.novita.views import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    cloud: Cloud
    work: Callable[[], Json]
    """Raises RefusalError."""
    not_found_status: int
    closing: asyncio.Event
    """Ends every wait when the server closes."""

    async def answer(self, fault: Fault | None) -> web.Response | None:
        """None: the connection is to be closed without a word."""
        match fault:
            case None:
                return self._worked()
            case Slow(seconds=seconds):
                return await self._after(seconds)
            case Hang(seconds=seconds, after_effect=after_effect):
                self._work_if(wanted=after_effect)
                await self._wait(seconds)
                return None
            case Drop(after_effect=after_effect):
                self._work_if(wanted=after_effect)
                return None
            case LateEffect() | InvisibleFor():
                return self._delayed(fault)
            case Status() | LateStatus() | RateLimited() | Body():
                return self._said(fault)
            case _:
                assert_never(fault)

    def _delayed(self, fault: LateEffect | InvisibleFor) -> web.Response | None:
        match fault:
            case LateEffect(delay=delay, code=code):
                self.cloud.after(delay, self.work)
                return None if code is None else refused(code)
            case InvisibleFor(delay=delay):
                return self._hidden(delay)
            case _:
                assert_never(fault)

    def _said(self, fault: Status | LateStatus | RateLimited | Body) -> web.Response:
        match fault:
            case Status(code=code, body=body, headers=headers):
                return refused(code, body, headers)
            case LateStatus(code=code, body=body, headers=headers):
                self._work_if(wanted=True)
                return refused(code, body, headers)
            case RateLimited(retry_after=seconds):
                return refused(429, None, () if seconds is None else (("Retry-After", f"{seconds:g}"),))
            case Body(text=text, content_type=content_type, status=status, after_effect=after_effect):
                self._work_if(wanted=after_effect)
                return web.Response(text=text, content_type=content_type, status=status)
            case _:
                assert_never(fault)

    def _worked(self) -> web.Response:
        try:
            return web.json_response(self.work())
        except MissingInstanceError:
            return refused(self.not_found_status, MissingInstanceError(self.not_found_status).body)
        except RefusalError as refusal:
            return refused(refusal.status_code, refusal.body)

    def _work_if(self, *, wanted: bool) -> None:
        """The answer is lost, be it yes or no."""
        if wanted:
            self._worked()

    def _hidden(self, delay: timedelta) -> web.Response:
        try:
            created = self.work()
        except RefusalError as refusal:
            return refused(refusal.status_code, refusal.body)
        self.cloud.hide(created["id"], delay)
        return web.json_response(created)

    async def _after(self, seconds: float) -> web.Response | None:
        """Work whose turn never came, because the server closed, is not done."""
        await self._wait(seconds)
        return None if self.closing.is_set() else self._worked()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        except TimeoutError:
            return


def refused(
    code: int,
    body: dict[str, Any] | str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> web.Response:
    if body is None:
        body = gateway_page(code, HTTPStatus(code).phrase) if code in {502, 504} else error_body(code)
    if isinstance(body, dict):
        return web.json_response(body, status=code, headers=headers)
    content_type = "text/html" if body.startswith("<") else "text/plain"
    return web.Response(text=body, status=code, headers=headers, content_type=content_type)
