"""Who types, where, and what each line does: the people of the workspace, played by who watches."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import assert_never

from bot.sandbox.novita.deeds import OfCloud, OfInstance, OfNextCreate, OfStock
from bot.sandbox.novita.fate import Fate
from bot.sandbox.slack.blocktree import Element
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.selections import Place
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.terminal import deeds
from bot.sandbox.terminal.fields import Fields
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.targets import pressed, words
from bot.sandbox.terminal.words import HELP

_ANSWERED_WITHIN = 3.0
"""Seconds: what comes after an acknowledgement. A script goes on without it."""


class Stage:
    """`play` does one line after the other; False ends the demo."""

    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        slack: SlackServer,
        scene: Scene,
        fate: Fate,
        *,
        settled: Callable[[], Awaitable[str]],
        person: str,
        channel: str,
        typed_by_hand: bool,
    ) -> None:
        """`settled` returns once nothing is under way, or says what still is when it no longer waits.

        `person` and `channel`: ids of who types at first, and where; the channel is one that all may read.
        """
        self._typed_by_hand = typed_by_hand
        self._slack = slack
        self._workspace = slack.workspace
        self._scene = scene
        self._fate = fate
        self._settled = settled
        self._person: Person = slack.person(person)
        self._channel = self._everybodys = channel

    @property
    def who_and_where(self) -> str:
        name = self._workspace.user(self._person.id).name
        here = self._place(self._workspace.channels[self._channel])
        return f"{name} in {'Home' if self._is_at_home else here}"

    @property
    def prompt(self) -> str:
        return f"{self.who_and_where} › "

    async def play(self, deed: deeds.Deed) -> bool:
        try:
            return await self._play(deed)
        except LookupError as error:
            self._scene.hint(_sentence(error))
            return True

    async def _play(self, deed: deeds.Deed) -> bool:  # noqa: C901, PLR0912 - one case a deed
        match deed:
            case deeds.Command(line=line):
                await self._command(line)
            case deeds.Press(button=button, name=name):
                await self._press(button, name)
            case deeds.Fill(values=values):
                await self._fields.fill(values)
            case deeds.Choose(field=field, value=value):
                await self._fields.choose(field, value, self._places(None))
            case deeds.CloseForm():
                await self._person.close_view(self._fields.form())
            case deeds.OpenHome():
                await self._open_home()
            case deeds.Say(text=text):
                await self._say(text)
            case deeds.Reply(text=text):
                card = self._card(None)
                await self._say(text, card.thread_ts or card.ts)
            case deeds.UseShortcut(name=name, of=of):
                await self._use_shortcut(name, of)
            case deeds.Become(name=name):
                self._become(name)
            case deeds.Go(channel=name):
                self._go(name)
            case OfInstance() | OfCloud() | OfStock() | OfNextCreate():
                self._scene.novita(await self._fate.play(deed))
            case deeds.Wait():
                await self._wait()
            case deeds.Help():
                self._scene.lines(*HELP.splitlines())
            case deeds.Caption(text=text):
                self._scene.caption(text)
            case deeds.Unknown(hint=hint):
                self._scene.hint(hint)
            case deeds.Quit():
                return False
            case _:
                assert_never(deed)
        return True

    async def _command(self, line: str) -> None:
        self._leave_home()
        self._scene.typed(self._person.id, self._channel, line)
        await self._and_the_answer(lambda: self._person.command(line, channel=self._channel))

    async def _press(self, button: str, name: str | None) -> None:
        target = pressed(button, name, self._places(name))
        self._scene.pressed(self._person.id, target.label, _confirmation(target.element))
        where, action_id, block_id = target.place, target.element["action_id"], target.block["block_id"]
        value = target.value

        async def deed() -> Reply:
            if value is None:
                return await self._person.press(where, action_id, block_id=block_id)
            return await self._person.choose(where, action_id, value, block_id=block_id)

        await self._and_the_answer(deed)

    async def _open_home(self) -> None:
        before = self._person.home_view
        self._scene.does(self._person.id, "opens the Home tab")
        reply = await self._person.home()
        if reply.ok and reply.delivery is not None:
            with contextlib.suppress(TimeoutError):
                await self._slack.wait_for(lambda: self._hash_of_home() != _hash(before), _ANSWERED_WITHIN)
        view = self._person.home_view
        self._scene.home_of = self._person.id
        if view is None:
            self._scene.hint("The Home tab is empty: the bot has put nothing there.")
        else:
            self._scene.home(self._person.id, view)

    def _hash_of_home(self) -> str:
        return _hash(self._person.home_view)

    async def _say(self, text: str, thread_ts: str | None = None) -> None:
        self._leave_home()
        reply = await self._and_the_answer(
            lambda: self._person.write(self._channel, text, thread_ts), in_public=True
        )
        if reply.delivery is None:
            app = self._workspace.app.name
            self._scene.hint(
                f"The bot is not told of this. Call it: say @{app} status, in a channel with it."
            )

    async def _use_shortcut(self, name: str, of: str | None) -> None:
        message = None if of is None else self._card(of)
        app = self._workspace.app
        shortcut = app.shortcut(name, "global" if message is None else "message")
        on = "" if of is None else f" on {of}"
        self._scene.does(self._person.id, f"uses the shortcut {shortcut.name}{on}")
        await self._and_the_answer(lambda: self._person.shortcut(shortcut.callback_id, message))

    @property
    def _fields(self) -> Fields:
        return Fields(self._slack, self._person, self._scene, self._and_the_answer, within=_ANSWERED_WITHIN)

    async def _and_the_answer(
        self, deed: Callable[[], Awaitable[Reply]], *, in_public: bool = False
    ) -> Reply:
        """What is said after the acknowledgement is waited for, so that a script reads as it happened.
        `in_public`: the answer may be for all."""
        user = self._person.id

        def heard() -> int:
            return self._scene.private[user] + (self._scene.public if in_public else 0)

        before = heard()
        reply = await deed()
        if reply.ok and not reply.errors and reply.delivery is not None:
            with contextlib.suppress(TimeoutError):
                await self._slack.wait_for(lambda: heard() > before, _ANSWERED_WITHIN)
        return reply

    def _places(self, name: str | None) -> list[Place]:
        """Where something can be acted on: what is on top first, then the newest."""
        form, home = self._person.view, self._person.home_view if self._is_at_home else None
        return [*([form] if form else []), *([home] if home else []), *self._messages(name)]

    def _messages(self, name: str | None) -> Iterator[Message]:
        """Newest first. Those that all see go first: an answer to one person shows how things were then."""
        seen = [message for message in reversed(self._person.sees(self._channel)) if message.all_blocks]
        for message in sorted(seen, key=lambda message: message.is_ephemeral):
            if name is None or name.casefold() in words(message):
                yield message

    def _card(self, name: str | None) -> Message:
        """The newest one that all see; with a `name`, that of an instance."""
        app = self._workspace.app.id
        cards = [m for m in self._messages(name) if m.app_id == app and not m.is_ephemeral]
        for card in sorted(cards, key=lambda message: message.thread_ts is not None):
            return card
        raise LookupError(f"There is no card{f' of {name}' if name else ''} here.")

    @property
    def _is_at_home(self) -> bool:
        return self._scene.home_of == self._person.id

    def _leave_home(self) -> None:
        self._scene.home_of = None

    def _become(self, name: str) -> None:
        people = {
            user.name: user for user in self._workspace.users.values() if not user.is_bot | user.deleted
        }
        if name not in people:
            raise LookupError(f"Nobody here is called {name}. There are: {', '.join(people)}.")
        user = people[name]
        self._leave_home()
        self._person = self._slack.person(user.id)
        if user.id not in self._workspace.channels[self._channel].members:
            self._channel = self._everybodys
        is_guest = user.is_restricted or user.is_ultra_restricted
        role = "a guest" if is_guest else "from another workspace" if user.is_stranger else "a member"
        self._scene.note(f"You are {user.real_name} now, {role}.")

    def _go(self, name: str) -> None:
        channels = {c.name: c.id for c in self._workspace.channels.values() if self._may_write(c)}
        channels["dm"] = self._person.direct_channel
        if name not in channels:
            raise LookupError(f"There is no #{name} for you. There is: {', '.join(channels)}.")
        self._leave_home()
        self._channel = channels[name]
        is_there = self._workspace.app.user_id in self._workspace.channels[self._channel].members
        bot = "" if is_there else " The bot is not."
        self._scene.note(f"You are in {self._place(self._workspace.channels[self._channel])} now.{bot}")

    def _may_write(self, channel: Channel) -> bool:
        return bool(channel.name) and self._person.id in channel.members and not channel.is_archived

    async def _wait(self) -> None:
        still = await self._settled()
        if still:
            self._scene.hint(still)
        elif self._typed_by_hand:
            self._scene.note("Nothing is under way.")

    @staticmethod
    def _place(channel: Channel) -> str:
        return f"#{channel.name}" if channel.name else "dm"


def _hash(view: View | None) -> str:
    return "" if view is None else view.hash


def _confirmation(element: Element) -> tuple[str, ...]:
    asked = element.get("confirm")
    if asked is None:
        return ()
    texts = {part: str(asked[part]["text"]) for part in ("title", "text", "confirm", "deny")}
    return (texts["title"], texts["text"], f"[ {texts['confirm']} ] pressed, not [ {texts['deny']} ]")


def _sentence(error: LookupError) -> str:
    return str(error.args[0]) if error.args else "That is not to be found here."
