"""Every error as REST tells it: one body for all, and which status code goes with what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from bot.errors import (
    BotError,
    CatalogError,
    DeliveryNotFound,
    ForbiddenReceiver,
    InstanceNotFound,
    InvalidState,
    KeyReused,
    NameTaken,
    NotAllowed,
    NovitaError,
    NovitaUnavailable,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
    UsageError,
)
from bot.web.schemas import DetailOut, ErrorDetails, ErrorOut

_CODES = {
    400: "VALIDATION_ERROR",
    401: "AUTHENTICATION_ERROR",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_UNAVAILABLE",
}
_RETRYABLE = frozenset({408, 429, 503})
"""Not 500 and 502: nobody knows whether a create was recorded before it broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    status_code: int
    code: str
    message: str
    details: tuple[DetailOut, ...] = ()
    retry_after: timedelta | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_certain: bool = True
    """Nothing was done. Where that is not known, nobody is told to send it again."""


def fault(status_code: int, message: str, **headers: str) -> Fault:
    """With the usual code of that status; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    code = _CODES.get(status_code, "INTERNAL_ERROR")
    return Fault(status_code=status_code, code=code, message=message, headers=named)


def told(error: BotError) -> Fault | None:
    """None: it is none of those that are expected here. Hints are left out: they are Slack commands."""
    retry_after = error.retry_after if isinstance(error, NovitaUnavailable) else None
    match error:
        case UsageError():
            status_code = 400
        case NotAllowed():
            status_code = 403
        case InstanceNotFound() | DeliveryNotFound() | CatalogError():
            status_code = 404
        case InvalidState() | NameTaken():
            status_code = 409
        case KeyReused():
            status_code = 422
        case TryAgain() | NovitaUnavailable():
            status_code = 503
        case NovitaError():
            # Novita's own codes would read as ours: its 401 is no fault of this caller's key.
            return Fault(status_code=502, code=NovitaError.code, message=str(error))
        case _:
            return None
    return Fault(
        status_code=status_code,
        code=error.code,
        message=str(error),
        details=_details(error),
        retry_after=retry_after,
    )


def invalid(errors: Sequence[Mapping[str, Any]]) -> Fault:
    """Of pydantic's errors, whose `loc` begins with where the value was: body, query or path."""
    reasons = {_field(error): _reason(error) for error in errors}
    details = tuple(DetailOut(field=name, reason=reason) for name, reason in reasons.items())
    message = "; ".join(f"{detail.field}: {detail.reason}" for detail in details)
    return Fault(status_code=400, code="VALIDATION_ERROR", message=message, details=details)


def missing(name: str, reason: str) -> Fault:
    return invalid([{"loc": ("body", name), "msg": reason}])


def answer(fault: Fault, scope: Scope, now: datetime) -> Response:
    """`scope` carries the ids that the outermost layer gave the request."""
    state = scope["state"]
    seconds = None if fault.retry_after is None else math.ceil(fault.retry_after.total_seconds())
    body = ErrorOut(
        error=ErrorDetails(
            code=fault.code,
            message=fault.message,
            details=list(fault.details) or None,
            timestamp=now,
            request_id=state["request_id"],
            correlation_id=state["correlation_id"],
            retryable=True if fault.is_certain and fault.status_code in _RETRYABLE else None,
            retry_after=seconds,
        )
    )
    headers = dict(fault.headers) if seconds is None else {**fault.headers, "Retry-After": str(seconds)}
    content = body.model_dump_json(by_alias=True, exclude_none=True)
    return Response(content, fault.status_code, headers, "application/json")


def _details(error: BotError) -> tuple[DetailOut, ...]:
    match error:
        case ForbiddenReceiver():
            return (DetailOut(field="webhookUrl", reason=str(error)),)
        case ProductNotFound():
            name = "productName"
        case TemplateNotFound():
            name = "templateId"
        case RegionNotFound():
            name = "region"
        case _:
            return ()
    if not error.nearest:
        return ()
    return (DetailOut(field=name, reason=f"nearest: {', '.join(error.nearest)}"),)


def _field(error: Mapping[str, Any]) -> str:
    # The rest of the path is pydantic's own, such as the place in a comma list.
    where, *path = error["loc"]
    return str(path[0]) if path and isinstance(path[0], str) else str(where)


def _reason(error: Mapping[str, Any]) -> str:
    if error.get("type") == "json_invalid":
        return f"is not JSON: {error['ctx']['error']} at character {error['loc'][1]}"
    return str(error["msg"]).removeprefix("Value error, ")
