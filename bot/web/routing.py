"""What routes have in common: how they describe their errors, what a body must be, who repeats what."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel
from starlette.requests import Request

from bot.asking import Origin
from bot.web.errors import fault
from bot.web.handlers import Refused

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="The same request may then be sent again within 24 hours: it acts once, and is answered "
        "as the first time. With another request the key is refused (422).",
    ),
]


_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}}


def failures(*status_codes: int) -> dict[int | str, dict[str, Any]]:
    """`default` is there so that no 422 of the framework's, which is never sent, is described.

    By reference: of a model the framework would make a validator for each code of each route, at every start.
    """
    described = {code: HTTPStatus(code).phrase for code in status_codes}
    return {code: {"description": said, "content": _ERROR} for code, said in described.items()} | {
        "default": {"description": "Any other error", "content": _ERROR}
    }


async def require_json(request: Request) -> None:
    """A web page can send text or a form anywhere without being asked; JSON it cannot."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if re.fullmatch(r"application/(.+\+)?json", media_type):
        return
    if await request.body():
        raise Refused(fault(415, "Send JSON, with the header Content-Type: application/json."))


def origin_of(
    request: Request, key: str | None, body: BaseModel | None = None, channel: str | None = None
) -> Origin:
    return Origin(
        # Not per key of API_KEYS: a retry after a rotation is still the same request.
        key=None if key is None else f"rest:{key}",
        fingerprint=None if key is None else _fingerprint(request, body),
        correlation_id=request.scope["state"]["correlation_id"],
        channel=channel,
    )


def _fingerprint(request: Request, body: BaseModel | None) -> str:
    """Of what was understood, so that blanks, nulls and unknown fields make no other request."""
    understood = "" if body is None else body.model_dump_json(exclude_none=True)
    return hashlib.sha256(f"{request.method} {request.url.path} {understood}".encode()).hexdigest()
