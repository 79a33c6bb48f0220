"""A receiver of webhooks, as somebody's own program would be: it checks each signature and says 200."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    event: str
    status: str
    sequence: int
    verified: bool
    body: str


class Receiver:
    def __init__(self, secret: str, told: Callable[[Arrival], None]) -> None:
        """`secret`: `whsec_` and base64."""
        self._webhook = Webhook(secret)
        self._told = told
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        text = await request.text()
        verified = self._is_genuine(text, dict(request.headers))
        self._told(_read(text, verified=verified))
        return web.Response(status=200 if verified else 401)

    def _is_genuine(self, text: str, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(text, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            return False
        return True


def _read(text: str, *, verified: bool) -> Arrival:
    """Whatever it is, as far as it can be read: one that is not signed may be anything."""
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = None
    fields = body if isinstance(body, dict) else {}
    sequence = fields.get("sequence")
    return Arrival(
        event=str(fields.get("event", "unreadable")),
        status=str(fields.get("status", "unknown")),
        sequence=sequence if isinstance(sequence, int) else 0,
        verified=verified,
        body=" ".join(text.split()),
    )
