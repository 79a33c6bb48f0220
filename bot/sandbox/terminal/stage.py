"""Who types, where, and what each line does: the people of the workspace, played by who watches."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import assert_never

from bot.sandbox.slack.blocktree import Element, find_element
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.terminal import deeds
from bot.sandbox.terminal.fate import Fate
from bot.sandbox.terminal.modal import answers_for
from bot.sandbox.terminal.scene import Scene
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
        self._person = slack.person(person)
        self._channel = self._everybodys = channel

    @property
    def who_and_where(self) -> str:
        name = self._workspace.user(self._person.id).name
        return f"{name} in {self._place(self._workspace.channels[self._channel])}"

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
                await self._fill(values)
            case deeds.CloseForm():
                await self._person.close_view(self._form())
            case deeds.Become(name=name):
                self._become(name)
            case deeds.Go(channel=name):
                self._go(name)
            case deeds.OfInstance() | deeds.OfCloud():
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
        self._scene.typed(self._person.id, self._channel, line)
        await self._and_the_answer(lambda: self._person.command(line, channel=self._channel))

    async def _press(self, button: str, name: str | None) -> None:
        message, element = self._find_button(button, name)
        label = str(element["text"]["text"])
        self._scene.pressed(self._person.id, label, _confirmation(element))
        await self._and_the_answer(lambda: self._person.press(message, element["action_id"]))

    async def _fill(self, values: tuple[tuple[str, str], ...]) -> None:
        view = self._form()
        answers = answers_for(view.blocks, values)
        self._scene.sent(self._person.id, values)
        reply = await self._and_the_answer(lambda: self._person.submit(view, answers))
        if reply.errors:
            self._scene.complained(reply.errors)

    def _form(self) -> View:
        view = self._person.view
        if view is None:
            raise LookupError("No form is open. /gpu create opens one.")
        return view

    async def _and_the_answer(self, deed: Callable[[], Awaitable[Reply]]) -> Reply:
        """What is said after the acknowledgement is waited for, so that a script reads as it happened."""
        user = self._person.id
        before = self._scene.private[user]
        reply = await deed()
        if reply.ok and not reply.errors:
            with contextlib.suppress(TimeoutError):
                await self._slack.wait_for(lambda: self._scene.private[user] > before, _ANSWERED_WITHIN)
        return reply

    def _find_button(self, label: str, name: str | None) -> tuple[Message, Element]:
        messages = list(self._with_buttons(name))
        for message in messages:
            wanted = [text for text in message.buttons if text.casefold() == label.casefold()]
            if wanted:
                return message, find_element(message.all_blocks, wanted[0])[1]
        known = dict.fromkeys(text for message in messages for text in message.buttons)
        of_it = f" of {name}" if name else ""
        raise LookupError(f"No button {label}{of_it} here. There is: {', '.join(known) or 'none yet'}.")

    def _with_buttons(self, name: str | None) -> Iterator[Message]:
        """Newest first. Those that all see go first: an answer to one person shows how things were then."""
        seen = [message for message in reversed(self._person.sees(self._channel)) if message.buttons]
        for message in sorted(seen, key=lambda message: message.is_ephemeral):
            if name is None or name.casefold() in _words(message):
                yield message

    def _become(self, name: str) -> None:
        people = {
            user.name: user for user in self._workspace.users.values() if not user.is_bot | user.deleted
        }
        if name not in people:
            raise LookupError(f"Nobody here is called {name}. There are: {', '.join(people)}.")
        user = people[name]
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


def _words(message: Message) -> set[str]:
    return set(message.words.casefold().replace("*", " ").replace("`", " ").split())


def _confirmation(element: Element) -> tuple[str, ...]:
    asked = element.get("confirm")
    if asked is None:
        return ()
    texts = {part: str(asked[part]["text"]) for part in ("title", "text", "confirm", "deny")}
    return (texts["title"], texts["text"], f"[ {texts['confirm']} ] pressed, not [ {texts['deny']} ]")


def _sentence(error: LookupError) -> str:
    return str(error.args[0]) if error.args else "That is not to be found here."
