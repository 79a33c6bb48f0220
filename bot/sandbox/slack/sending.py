"""What one person's deed comes to: it is delivered, the answer is shown, and a failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.sandbox.slack.answers import settle_submission, show_command_answer
from bot.sandbox.slack.blocklint import lint_options
from bot.sandbox.slack.changes import InteractionFailed
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.views import View

if TYPE_CHECKING:
    from bot.sandbox.slack.server import SlackServer


class Sending:
    def __init__(self, server: SlackServer, user_id: str) -> None:
        self._user_id = user_id
        self._server = server
        self._workspace = server.workspace

    async def sent(self, delivery: Delivery) -> Reply:
        ack = await self._server.deliver(delivery)
        return Reply(delivery=delivery, ack=ack, error=ack.error, view=self._top)

    async def told(self, events: Iterable[dict[str, Any]]) -> Reply:
        """All of them; the reply is that to the first, and of none where the app hears nothing."""
        deliveries = [self._server.payloads.event(event) for event in events]
        replies = await asyncio.gather(*map(self.sent, deliveries))
        return replies[0] if replies else Reply(view=self._top)

    async def command(self, delivery: Delivery, place: Channel, line: str) -> Reply:
        reply = await self.sent(delivery)
        if reply.error or reply.ack is None:
            return self.failed(reply, line)
        try:
            message = show_command_answer(
                self._workspace, self._server.inspector, self._user_id, place, reply.ack.payload
            )
        except SlackError:
            return self.failed(replace(reply, error="invalid_command_response", view=self._top), line)
        return replace(reply, message=message, view=self._top)

    async def interaction(self, delivery: Delivery, what: str) -> Reply:
        """One whose ack carries nothing."""
        reply = await self.sent(delivery)
        if reply.ack and reply.ack.payload:
            self._server.inspector.record(f"answer to {reply.payload['type']}", "Slack ignores what it says")
        return reply if reply.ok else self.failed(reply, what)

    async def submission(self, delivery: Delivery, view: View) -> Reply:
        reply = await self.sent(delivery)
        if reply.error or reply.ack is None:
            return self.failed(reply, view.title)
        current = self._workspace.views.find(view.id)
        if current is None:
            return reply  # Closed while the app was thinking: nothing is left to settle.
        try:
            errors = settle_submission(self._workspace, self._server.inspector, current, reply.ack.payload)
        except SlackError:
            return self.failed(replace(reply, error="invalid_response", view=self._top), view.title)
        return replace(reply, view=self._top, errors=errors)

    async def suggestion(self, delivery: Delivery, what: str) -> list[dict[str, Any]]:
        """The options that come back, those of groups too; none of a faulty answer."""
        reply = await self.sent(delivery)
        if reply.error or reply.ack is None:
            self.failed(reply, what)
            return []
        answer = reply.ack.payload
        findings = lint_options(answer)
        for finding in findings:
            self._server.inspector.record("answer to block_suggestion", finding)
        if findings:
            return []
        groups = answer.get("option_groups", [])
        return [*answer.get("options", []), *(item for group in groups for item in group["options"])]

    def failed(self, reply: Reply, what: str) -> Reply:
        failure = InteractionFailed(user=self._user_id, what=what, error=str(reply.error))
        self._workspace.feed.publish(failure)
        return reply

    @property
    def _top(self) -> View | None:
        return self._workspace.views.top(self._user_id)
