"""What keeps the demo on this machine, though a request may name a webhook anywhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bot.sinks.verdicts import Dead, Verdict
from bot.sinks.webhook import WebhookSink
from bot.units import is_loopback
from storage.records import Delivery


class ConfinedWebhooks:
    """A sink as `bot.deliveries` needs it: sends to loopback, and gives up whatever goes elsewhere."""

    def __init__(self, sink: WebhookSink) -> None:
        self._sink = sink

    async def send(self, delivery: Delivery) -> Verdict:
        if is_loopback(urlsplit(delivery.target.address).hostname or ""):
            return await self._sink.send(delivery)
        return Dead(reason="the demo reaches nothing outside this machine")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)
