"""The flat error bodies of the real service."""

from __future__ import annotations

from typing import Any

_REASONS = {
    400: "REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "RESOURCE_NOT_FOUND",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_NOT_AVAILABLE",
}


class RefusalError(Exception):
    """A request that the cloud refuses, with what it answers."""

    def __init__(self, reason: str, message: str, *, status_code: int = 400) -> None:
        super().__init__(f"{reason}: {message}")
        self.status_code = status_code
        self.body = error_body(status_code, reason, message)


class MissingInstanceError(RefusalError):
    """Documented as 400, seen by clients as 404: the server is told which of them to answer."""

    def __init__(self, status_code: int = 400) -> None:
        super().__init__("RESOURCE_NOT_FOUND", "instance not found", status_code=status_code)


def error_body(status_code: int, reason: str | None = None, message: str | None = None) -> dict[str, Any]:
    reason = reason or _REASONS.get(status_code, "UNKNOWN")
    words = message or reason.replace("_", " ").lower()
    return {"code": status_code, "reason": reason, "message": words, "metadata": {}}


def gateway_page(status_code: int, words: str) -> str:
    """What a proxy says instead of the service behind it."""
    title = f"{status_code} {words}"
    return f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"


def invalid(message: str) -> RefusalError:
    return RefusalError("VALIDATOR_PARAM", message)


def no_resource() -> RefusalError:
    return RefusalError("INSUFFICIENT_RESOURCE", "insufficient resource, please choose another product")


def no_balance() -> RefusalError:
    return RefusalError("BALANCE_NOT_ENOUGH", "balance not enough")


def invalid_state_change() -> RefusalError:
    return RefusalError("REQUEST", "invalid state change")
