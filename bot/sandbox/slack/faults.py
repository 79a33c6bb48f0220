"""Faults to order: the next calls of a method go wrong in a chosen way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

ANY_METHOD = "*"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """`{"ok": false, "error": code}`; nothing happens."""

    code: str


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """An answer that is not Slack's, as of a proxy; nothing happens."""

    status_code: int


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After; nothing happens."""

    retry_after: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DropReply:
    """It happens, and the connection breaks before the answer."""


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """The connection breaks; nothing happens."""


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer until the server closes; nothing happens, unless `after_acting`."""

    after_acting: bool = False


Fault = ErrorCode | HttpStatus | RateLimited | DropReply | CloseConnection | Hang


@dataclass(slots=True)
class FaultBook:
    _ordered: dict[str, deque[Fault]] = field(default_factory=dict)

    def order(self, method: str, fault: Fault, times: int = 1) -> None:
        """For the next `times` calls of a Web API method, of "response_url", or of ANY_METHOD; queues up."""
        self._ordered.setdefault(method, deque()).extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        for name in (method, ANY_METHOD):
            if queue := self._ordered.get(name):
                return queue.popleft()
        return None

    def clear(self) -> None:
        self._ordered.clear()
