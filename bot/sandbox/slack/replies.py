"""What a person gets back from the app, or from Slack in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.sandbox.slack.delivery import Ack, Delivery
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`delivery` and `ack` are None when the app was not asked: Slack's own client refused, or there was
    nothing to ask it.

    `error`: operation_timeout, dispatch_failed, invalid_command_response, invalid_response (to a view),
    not_supported_in_threads, form_incomplete.
    `message`: what the ack showed, or what the person wrote. `view`: the person's topmost modal afterwards.
    `errors`: complaints by block_id.
    """

    delivery: Delivery | None = None
    ack: Ack | None = None
    error: str | None = None
    message: Message | None = None
    view: View | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def text(self) -> str:
        return self.message.text if self.message else ""

    @property
    def words(self) -> str:
        """All that the shown message says, blocks included."""
        return self.message.words if self.message else ""

    @property
    def took(self) -> timedelta:
        return self.ack.took if self.ack else timedelta(0)

    @property
    def payload(self) -> dict[str, Any]:
        return self.delivery.payload if self.delivery else {}

    @property
    def envelope_id(self) -> str:
        """For SlackServer.redeliver."""
        return self.delivery.envelope_id if self.delivery else ""

    @property
    def trigger_id(self) -> str:
        return str(self.payload.get("trigger_id", ""))

    @property
    def response_url(self) -> str:
        return str(self.payload.get("response_url", ""))
