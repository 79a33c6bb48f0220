"""What one person does in Slack and sees there; the side of the simulation that tests and the demo use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.sandbox.slack.blocktree import Block, Element, find_element
from bot.sandbox.slack.changes import MessagePosted
from bot.sandbox.slack.events import Tab, events_of, home_opened
from bot.sandbox.slack.forms import (
    ANSWERS,
    Entries,
    answer,
    answers,
    complaints,
    dispatches,
    is_text,
    option,
    shortest_search,
    state_values,
)
from bot.sandbox.slack.installation import Reach
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel, ChannelKind
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.selections import Place, Selections
from bot.sandbox.slack.sending import Sending
from bot.sandbox.slack.typing_habits import as_from_a_phone, escaped, written
from bot.sandbox.slack.views import View

if TYPE_CHECKING:
    from bot.sandbox.slack.server import SlackServer


class Person:
    """Each deed waits for the app's acknowledgement, or for Slack to give it up; for what the app does later
    there is `SlackServer.wait_for`. A deed that a client would not offer at all raises LookupError.

    What is acted on is named by its action_id, or a button by its text; `block_id` where that is there twice.
    """

    def __init__(self, server: SlackServer, user_id: str) -> None:
        self.id = user_id
        self._server = server
        self._workspace = server.workspace
        self._sending = Sending(server, user_id)
        self._selections = Selections()

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

    def state_of(self, message: Message) -> dict[str, dict[str, Any]]:
        """What this person has chosen in it, as in `state.values`."""
        return state_values(message.all_blocks, self._selections.chosen(message))

    def reload(self) -> None:
        """The client is started anew: ephemerals are gone, and what was chosen in messages."""
        self._workspace.board.forget_whispered(self.id)
        self._selections.forget()

    def say(self, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """`text` as Slack keeps it: `<@U…>` is a mention. The app is not told; `write` does that."""
        place = self._readable(channel)
        bot = self._workspace.app.user_id
        with_app = place.kind is ChannelKind.DIRECT and bot in place.members
        if with_app and not self._workspace.app.may_be_written_to:
            raise LookupError("the app's manifest has no Messages tab that takes messages")
        return self._workspace.say(self.id, channel, text, thread_ts)

    async def write(self, channel: str, text: str, thread_ts: str | None = None) -> Reply:
        """`text` as typed: `@name` and `#name` become mentions. The app is told what it has subscribed to;
        without `delivery` in the reply it was told nothing. `message` is what was written."""
        message = self.say(channel, written(text, *self._names()), thread_ts)
        reply = await self._sending.told(events_of(self._workspace, MessagePosted(message=message)))
        return replace(reply, message=message)

    async def command(
        self, line: str, *, channel: str, phone: bool = False, in_thread: bool = False
    ) -> Reply:
        """`line`: the whole of it, "/gpu create 4090", as typed; Slack's escaping is added. In a thread it is
        Slack itself that refuses."""
        place = self._readable(channel)
        if in_thread:
            return self._sending.failed(Reply(error="not_supported_in_threads"), line)
        command, _, text = line.partition(" ")
        text = escaped(as_from_a_phone(text) if phone else text, *self._names())
        delivery = self._server.payloads.command(self.id, place, command, text)
        return await self._sending.command(delivery, place, line)

    async def press(self, where: Place, button: str, *, block_id: str | None = None) -> Reply:
        """A message from before an edit has the buttons of then."""
        block, element = find_element(_blocks(where), button, block_id)
        keys = ("text", "value", "style", "url")
        choice = {key: element[key] for key in keys if key in element}
        return await self._act(where, block, element, choice)

    async def choose(self, where: Place, action_id: str, value: Any, *, block_id: str | None = None) -> Reply:
        """In a menu, a date picker, checkboxes ...; a text is finished with the enter key. `value` as for
        `forms.answer`; of an external select an option that `search` has found. Reaches the app at once,
        except in an input block that does not dispatch: then the reply has no `delivery`."""
        block, element = find_element(_blocks(where), action_id, block_id)
        offering = self._selections.with_options(where, block, element)
        if element["type"] not in ANSWERS:
            return await self._act(where, block, element, {"selected_option": option(offering, value)})
        return await self._put(where, block, element, answer(offering, value), entered=True)

    async def type_into(
        self, where: Place, action_id: str, text: str, *, block_id: str | None = None
    ) -> Reply:
        """The whole of the text as it is now, one more character typed; without the enter key."""
        block, element = find_element(_blocks(where), action_id, block_id)
        if not is_text(element):
            raise LookupError(f"nothing can be typed into {element['action_id']!r}")
        return await self._put(where, block, element, answer(element, text), entered=False)

    async def search(
        self, where: Place, action_id: str, typed: str, *, block_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The options that the app offers in an external select; none if it does not answer properly, or is
        not even asked, because too little is typed."""
        block, element = find_element(_blocks(where), action_id, block_id)
        if len(typed) < shortest_search(element):
            return []
        payloads = self._server.payloads
        if isinstance(where, View):
            delivery = payloads.suggestion(self._present(where), block, element, typed)
        else:
            delivery = payloads.message_suggestion(self.id, where, block, element, typed)
        options = await self._sending.suggestion(delivery, element["action_id"])
        self._selections.load(where, block, element, options)
        return options

    def fill(self, view: View, values: Mapping[str, Any]) -> View:
        """Types and chooses without submitting, and without telling the app. `values` by block_id or
        action_id, as for `forms.answer`."""
        view = self._open(view)
        typed = answers(view.blocks, values, lambda *found: self._selections.with_options(view, *found))
        return self._filled(view, typed)

    async def submit(self, view: View | None = None, values: Mapping[str, Any] | None = None) -> Reply:
        """The topmost modal, or `view`. What is not in `values` stays as it is there."""
        view = self.fill(self._open(view), values or {})
        if view.type != "modal":
            raise LookupError("only a modal can be submitted")
        wrong = complaints(view.blocks, view.values)
        if wrong:
            return Reply(error="form_incomplete", errors=wrong, view=view)
        return await self._sending.submission(self._server.payloads.view_submission(view), view)

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
        return await self._sending.sent(self._server.payloads.view_closed(view, is_cleared=clears))

    async def home(self, tab: Tab = "home") -> Reply:
        """Opens the app's page at a tab. The Home tab is drawn anew: nothing is chosen in it any more."""
        app = self._workspace.app
        if not (app.has_home_tab if tab == "home" else app.has_messages_tab):
            raise LookupError(f"the app's manifest has no {tab.capitalize()} tab")
        if tab == "home" and self.home_view is not None and self.home_view.typed:
            self._workspace.reset_view(self.home_view)
        return await self._sending.told(home_opened(self._workspace, self.id, tab))

    async def mention(self, channel: str, text: str, thread_ts: str | None = None) -> Reply:
        """`text` as Slack keeps it; the mention of the app is put before it."""
        message = self.say(channel, f"<@{self._workspace.app.user_id}> {text}", thread_ts)
        reply = await self._sending.told(events_of(self._workspace, MessagePosted(message=message)))
        return replace(reply, message=message)

    async def shortcut(self, callback_id: str, message: Message | None = None) -> Reply:
        """By its callback_id or its name; a global one, or one on `message`."""
        reach: Reach = "global" if message is None else "message"
        shortcut = self._workspace.app.shortcut(callback_id, reach)
        if message is not None:
            self._readable(message.channel)
            if message.is_ephemeral:
                raise LookupError("an ephemeral message has no shortcuts")
        delivery = self._server.payloads.shortcut(self.id, shortcut.callback_id, message)
        return await self._sending.interaction(delivery, shortcut.name)

    async def _put(
        self, where: Place, block: Block, element: Element, entry: dict[str, Any], *, entered: bool
    ) -> Reply:
        if isinstance(where, View):
            where = self._filled(where, {(block["block_id"], element["action_id"]): entry})
        else:
            self._selections.choose(where, block, element, entry)
        if not dispatches(block, element, entered=entered):
            return Reply(view=self.view)
        return await self._act(where, block, element, entry)

    async def _act(self, where: Place, block: Block, element: Element, choice: dict[str, Any]) -> Reply:
        payloads = self._server.payloads
        if isinstance(where, View):
            delivery = payloads.view_action(self._present(where), block, element, choice)
        else:
            self._readable(where.channel)
            chosen = self._selections.chosen(where)
            delivery = payloads.message_action(self.id, where, block, element, choice, chosen)
        return await self._sending.interaction(delivery, element["action_id"])

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

    def _names(self) -> tuple[dict[str, str], dict[str, str]]:
        """Of people and of channels, to their ids."""
        users = {user.name: user.id for user in self._workspace.users.values()}
        return users, {channel.name: channel.id for channel in self._workspace.channels.values()}


def _blocks(where: Place) -> tuple[Block, ...]:
    return where.blocks if isinstance(where, View) else where.all_blocks
