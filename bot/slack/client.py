"""The client of Slack's Web API, counting what it calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.metrics import Metrics
from bot.units import is_loopback


class SlackClient(AsyncWebClient):
    """Tries once: what has to be repeated, the outbox repeats."""

    def __init__(self, *, bot_token: str, base_url: str, metrics: Metrics) -> None:
        super().__init__(token=bot_token, base_url=base_url, timeout=10, retry_handlers=[])
        self._metrics = metrics
        if is_loopback(urlsplit(base_url).hostname or ""):
            self.proxy = None  # one from the environment leads away from this machine

    async def api_call(self, api_method: str, **how: Any) -> AsyncSlackResponse:
        """Every method of the SDK ends here."""
        word = "unavailable"  # also where our own time ran out
        try:
            answer = await super().api_call(api_method, **how)
            word = "ok"
        except SlackApiError as error:
            word = _word(error)
            raise
        finally:
            self._metrics.slack_called(api_method, word)
        return answer


def _word(error: SlackApiError) -> str:
    answer = error.response  # aiohttp's own where the body was no JSON
    status = answer.status_code if isinstance(answer, AsyncSlackResponse) else answer.status
    if status == 429:
        return "rate_limited"
    return "refused" if status < 500 else "unavailable"
