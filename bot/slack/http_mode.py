"""HTTP mode: what Slack signed is handed to Bolt; what anybody else sends goes no further.

Signatures as in docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.metrics import Metrics


class HttpMode:
    """Checked here and not by Bolt, which reads a body before it knows who wrote it."""

    def __init__(
        self,
        app: AsyncApp,
        signing_secret: str,
        *,
        clock: Callable[[], datetime],
        metrics: Metrics | None = None,
    ) -> None:
        self._verifier = SignatureVerifier(signing_secret, clock=_Seconds(clock))
        self._metrics = metrics or Metrics()
        self._bolt = AsyncSlackRequestHandler(app)

    async def handle(self, request: Request) -> Response:
        began = self._metrics.start()
        body = await request.body()
        if _is_ssl_check(body):
            return Response()
        if not self._is_signed(body, request):
            return JSONResponse({"error": "invalid request"}, status_code=401)
        answer = await self._bolt.handle(request)
        self._metrics.acknowledged("http", began)
        return answer

    def _is_signed(self, body: bytes, request: Request) -> bool:
        try:
            return self._verifier.is_valid_request(body, request.headers)
        except (ValueError, OverflowError, TypeError):
            return False  # a timestamp that is no number, or none for a clock; a signature that is not ASCII


class _Seconds(Clock):
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock().timestamp()


def _is_ssl_check(body: bytes) -> bool:
    """Slack looks at the certificate now and then, without a signature. Nothing is done for it."""
    return parse_qs(body).get(b"ssl_check") == [b"1"]
