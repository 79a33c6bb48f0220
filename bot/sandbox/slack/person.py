"""What one person does in Slack and sees there; the side of the simulation that tests and the demo use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.sandbox.slack.answers import settle_submission, show_command_answer
from bot.sandbox.slack.blocklint import lint_options
from bot.sandbox.slack.blocktree import Block, Element, find_element
from bot.sandbox.slack.changes import InteractionFailed
from bot.sandbox.slack.delivery import Ack, Delivery
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.forms import ANSWERS, Entries, answer, answers, complaints, option
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel, ChannelKind
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.typing_habits import as_from_a_phone, escaped
from bot.sandbox.slack.views import View

if TYPE_CHECKING:
    from bot.sandbox.slack.server import SlackServer


class Person:
    """Each deed waits for the app's acknowledgement, or for Slack to give it up; for what the app does later
    there is `SlackServer.wait_for`. A deed that a client would not offer at all raises LookupError."""

    def __init__(self, server: SlackServer, user_id: str) -> None:
        self.id = user_id
        self._server = server
        self._workspace = server.workspace

    @property
    def view(self) -> View | None:
        """The topmost open modal, as it is now."""
        return self._workspace.views.top(self.id)

    @property
    def home_view(self) -> View | None:
        """The Home tab, as last published."""
        return self._workspace.views.home(self.id)

    @property
    def direct_channel(self) -> str:
        """The id of the conversation with the app, begun if there is none."""
        return self._workspace.direct_channel({self._workspace.app.user_id, self.id}).id

    def sees(self, channel: str) -> list[Message]:
        """The messages there, replies among them, and this person's own ephemerals, the oldest first."""
        self._readable(channel)
        return self._workspace.board.seen_by(self.id, channel)

    def dms(self) -> list[Message]:
        """The conversation with the app."""
        return self.sees(self.direct_channel)

    def reload(self) -> None:
        """The client is started anew: ephemerals are gone."""
        self._workspace.board.forget_whispered(self.id)

    def say(self, channel: str, text: str, thread_ts: str | None = None) -> Message:
        self._readable(channel)
        return self._workspace.say(self.id, channel, text, thread_ts)

    async def command(
        self, line: str, *, channel: str, phone: bool = False, in_thread: bool = False
    ) -> Reply:
        """`line`: the whole of it, "/gpu create 4090", as typed; Slack's escaping is added. In a thread it is
        Slack itself that refuses."""
        place = self._readable(channel)
        if in_thread:
            return self._failed(Reply(error="not_supported_in_threads"), line)
        command, _, text = line.partition(" ")
        text = self._escaped(as_from_a_phone(text) if phone else text)
        delivery = self._server.payloads.command(self.id, place, command, text)
        ack = await self._server.deliver(delivery)
        reply = Reply(delivery=delivery, ack=ack, error=ack.error, view=self.view)
        if ack.error:
            return self._failed(reply, line)
        return self._shown(reply, ack, place, line)

    async def press(self, where: Message | View, button: str) -> Reply:
        """`button`: its action_id or its text. A message from before an edit has the buttons of then."""
        block, element = find_element(_blocks(where), button)
        keys = ("text", "value", "style", "url")
        choice = {key: element[key] for key in keys if key in element}
        return await self._act(where, block, element, choice)

    async def choose(self, where: Message | View, action_id: str, value: Any) -> Reply:
        """In a menu, a date picker, checkboxes ...; `value` as for `forms.answer`."""
        block, element = find_element(_blocks(where), action_id)
        if element["type"] not in ANSWERS:
            return await self._act(where, block, element, {"selected_option": option(element, value)})
        choice = answer(element, value)
        if isinstance(where, View):
            where = self._filled(where, {(block["block_id"], element["action_id"]): choice})
        return await self._act(where, block, element, choice)

    async def search(self, view: View, action_id: str, typed: str) -> list[dict[str, Any]]:
        """The options that the app offers in an external select; none if it does not answer properly."""
        block, element = find_element(view.blocks, action_id)
        ack = await self._server.deliver(self._server.payloads.suggestion(view, block, element, typed))
        findings = [] if ack.error else lint_options(ack.payload)
        for finding in findings:
            self._server.inspector.record("answer to block_suggestion", finding)
        groups = ack.payload.get("option_groups", [])
        offered = [*ack.payload.get("options", []), *(item for group in groups for item in group["options"])]
        return [] if findings else offered

    def fill(self, view: View, values: Mapping[str, Any]) -> View:
        """Types and chooses without submitting. `values` by block_id or action_id, as for `forms.answer`."""
        return self._filled(view, answers(self._open(view).blocks, values))

    async def submit(self, view: View | None = None, values: Mapping[str, Any] | None = None) -> Reply:
        """The topmost modal, or `view`. What is not in `values` stays as it is there."""
        view = self.fill(self._open(view), values or {})
        if view.type != "modal":
            raise LookupError("only a modal can be submitted")
        wrong = complaints(view.blocks, view.values)
        if wrong:
            return Reply(error="form_incomplete", errors=wrong, view=view)
        delivery = self._server.payloads.view_submission(view)
        ack = await self._server.deliver(delivery)
        reply = Reply(delivery=delivery, ack=ack, error=ack.error, view=self.view)
        if ack.error:
            return self._failed(reply, view.title)
        return self._settled(reply, ack, view)

    async def close_view(self, view: View | None = None) -> Reply:
        """The app is told only if the view wants it."""
        view = self._open(view)
        clears = bool(view.definition.get("clear_on_close"))
        if clears:
            self._workspace.close_views(self.id)
        else:
            self._workspace.close_view(view)
        if not view.definition.get("notify_on_close"):
            return Reply(view=self.view)
        delivery = self._server.payloads.view_closed(view, is_cleared=clears)
        return await self._sent(delivery)

    async def home(self) -> Reply:
        """Opens the Home tab."""
        return await self._sent(self._server.payloads.home_opened(self.id))

    async def mention(self, channel: str, text: str, thread_ts: str | None = None) -> Reply:
        message = self.say(channel, f"<@{self._workspace.app.user_id}> {text}", thread_ts)
        return await self._sent(self._server.payloads.mention(message))

    async def shortcut(self, callback_id: str, message: Message | None = None) -> Reply:
        delivery = self._server.payloads.shortcut(self.id, callback_id, message)
        return self._noted(await self._sent(delivery), callback_id)

    async def _act(
        self, where: Message | View, block: Block, element: Element, choice: dict[str, Any]
    ) -> Reply:
        payloads = self._server.payloads
        if isinstance(where, View):
            delivery = payloads.view_action(self._present(where), block, element, choice)
        else:
            self._readable(where.channel)
            delivery = payloads.message_action(self.id, where, block, element, choice)
        reply = await self._sent(delivery)
        if reply.ack and reply.ack.payload:
            self._server.inspector.record("answer to block_actions", "Slack ignores what it says")
        return self._noted(reply, element["action_id"])

    async def _sent(self, delivery: Delivery) -> Reply:
        ack = await self._server.deliver(delivery)
        return Reply(delivery=delivery, ack=ack, error=ack.error, view=self.view)

    def _shown(self, reply: Reply, ack: Ack, place: Channel, line: str) -> Reply:
        inspector = self._server.inspector
        try:
            message = show_command_answer(self._workspace, inspector, self.id, place, ack.payload)
        except SlackError:
            failure = Reply(
                delivery=reply.delivery, ack=ack, error="invalid_command_response", view=self.view
            )
            return self._failed(failure, line)
        return Reply(delivery=reply.delivery, ack=ack, message=message, view=self.view)

    def _settled(self, reply: Reply, ack: Ack, view: View) -> Reply:
        current = self._workspace.views.find(view.id)
        if current is None:
            return reply  # Closed while the app was thinking: nothing is left to settle.
        try:
            errors = settle_submission(self._workspace, self._server.inspector, current, ack.payload)
        except SlackError:
            failure = Reply(delivery=reply.delivery, ack=ack, error="invalid_response", view=self.view)
            return self._failed(failure, view.title)
        return Reply(delivery=reply.delivery, ack=ack, view=self.view, errors=errors)

    def _noted(self, reply: Reply, what: str) -> Reply:
        return reply if reply.ok else self._failed(reply, what)

    def _failed(self, reply: Reply, what: str) -> Reply:
        failure = InteractionFailed(user=self.id, what=what, error=str(reply.error))
        self._workspace.feed.publish(failure)
        return reply

    def _open(self, view: View | None) -> View:
        if view is None:
            view = self.view
        if view is None:
            raise LookupError(f"{self.id} has no modal open")
        return self._present(view)

    def _present(self, view: View) -> View:
        current = self._workspace.views.find(view.id)
        if current is None or current.user != self.id:
            raise LookupError(f"{self.id} has no view {view.id} {view.title!r} open")
        return current

    def _filled(self, view: View, typed: Entries) -> View:
        current = self._present(view)
        return self._workspace.fill_view(current, typed) if typed else current

    def _readable(self, channel_id: str) -> Channel:
        channel = self._workspace.channels.get(channel_id)
        if channel is None or (channel.kind is not ChannelKind.PUBLIC and self.id not in channel.members):
            raise LookupError(f"{self.id} sees no channel {channel_id}")
        return channel

    def _escaped(self, text: str) -> str:
        users = {user.name: user.id for user in self._workspace.users.values()}
        channels = {channel.name: channel.id for channel in self._workspace.channels.values()}
        return escaped(text, users, channels)


def _blocks(where: Message | View) -> tuple[Block, ...]:
    return where.blocks if isinstance(where, View) else where.all_blocks
