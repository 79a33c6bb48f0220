"""Turns what is raised while a request is handled into answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from bot.errors import BotError
from bot.web.errors import Fault, answer, fault, invalid, told
from storage.errors import DatabaseUnavailable

_READING = frozenset({"GET", "HEAD"})
_CLEARER = {
    "Not Found": "There is nothing at this address; /docs lists what there is.",
    "Method Not Allowed": "This address does not take that method.",
    "There was an error parsing the body": "body: is not JSON",
}
"""In place of the framework's own words."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Refused(HTTPException):
    """Raised where a route finds a fault. An HTTPException: while a body is read only those get through."""

    def __init__(self, refusal: Fault) -> None:
        super().__init__(refusal.status_code, refusal.message)
        self.fault = refusal


def install_handlers(app: FastAPI, clock: Callable[[], datetime]) -> None:
    async def tell(request: Request, error: Exception) -> Response:
        found = _fault_of(error)
        if found is None:
            raise error
        if found.status_code == 405:
            found = replace(found, headers={"Allow": ", ".join(_allowed(request))})
        return answer(found, request.scope, clock())

    async def tell_outage(request: Request, _error: Exception) -> Response:
        """The database says so in the log by itself, once. Whether a change was committed, nobody knows."""
        text = "The database does not work at the moment. Please try again."
        outage = replace(fault(503, text), is_certain=request.method in _READING)
        return answer(outage, request.scope, clock())

    for kind in (BotError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, tell)
    app.add_exception_handler(DatabaseUnavailable, tell_outage)


def _allowed(request: Request) -> Iterator[str]:
    """At this address. Each method is a route of its own, and one that refuses names no other."""
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method


def _fault_of(error: Exception) -> Fault | None:
    match error:
        case RequestValidationError():
            return invalid(error.errors())
        case Refused():
            return error.fault
        case HTTPException():
            headers = dict(error.headers or {})
            return fault(error.status_code, _CLEARER.get(error.detail, error.detail), **headers)
        case _:
            return told(error) if isinstance(error, BotError) else None
