"""Filling in: the open form as a whole, or one field of it, of the Home tab or of a message."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.forms import dispatches, is_external, stateful
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.selections import Place
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.terminal.modal import answers_for, searched, value_for
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.targets import menu, names_of

Deed = Callable[[], Awaitable[Reply]]


class Fields:
    """`and_the_answer` does a deed and waits for what the bot makes of it; `within`: seconds."""

    def __init__(
        self,
        slack: SlackServer,
        person: Person,
        scene: Scene,
        and_the_answer: Callable[[Deed], Awaitable[Reply]],
        *,
        within: float,
    ) -> None:
        self._slack = slack
        self._person = person
        self._scene = scene
        self._and_the_answer = and_the_answer
        self._within = within

    def form(self) -> View:
        """The newest version of the one on top. Raises LookupError."""
        view = self._person.view
        if view is None:
            raise LookupError("No form is open. /gpu create opens one.")
        return view

    async def fill(self, values: Sequence[tuple[str, str]]) -> None:
        """And send it. A field that tells the bot at once goes first: the form may change on it."""
        if values:
            await self._with_fields()
        rest = [pair for pair in values if not await self._told_at_once(*pair)]
        view = self.form()
        answers = answers_for(view.blocks, rest, await self._found(view, rest))
        self._scene.sent(self._person.id, values)
        reply = await self._and_the_answer(lambda: self._person.submit(view, answers))
        if reply.errors:
            self._scene.complained(reply.errors)

    async def choose(self, field: str, value: str, places: Sequence[Place]) -> None:
        if isinstance(next(iter(places), None), View) and self._person.view is not None:
            await self._with_fields()
            places = [self.form(), *places[1:]]
        await self._choose(*menu(field, places), value)

    async def _told_at_once(self, field: str, value: str) -> bool:
        view = self.form()
        for block, element in stateful(view.blocks):
            if field in names_of(element) and block["type"] == "input" and dispatches(block, element):
                await self._choose(view, block, element, value)
                return True
        return False

    async def _choose(self, place: Place, block: Block, element: Element, typed: str) -> None:
        block_id, action_id = block["block_id"], element["action_id"]
        options = await self._loaded(place, block, element, typed)
        value = value_for(options, typed)
        shown = value["text"]["text"] if isinstance(value, dict) else typed
        self._scene.does(self._person.id, f"chooses {action_id}: {shown}")
        await self._and_the_answer(lambda: self._person.choose(place, action_id, value, block_id=block_id))

    async def _with_fields(self) -> None:
        """A form that is yet to be filled by the bot itself is waited for."""

        def is_ready() -> bool:
            view = self._person.view
            return view is None or any(stateful(view.blocks))

        with contextlib.suppress(TimeoutError):
            await self._slack.wait_for(is_ready, self._within)

    async def _found(self, view: View, values: Iterable[tuple[str, str]]) -> dict[str, Element]:
        """The external selects among the fields with what the bot offers for the typed letters."""
        return {
            element["action_id"]: await self._loaded(view, block, element, typed)
            for field, typed in values
            for block, element in stateful(view.blocks)
            if field in names_of(element) and is_external(element)
        }

    async def _loaded(self, place: Place, block: Block, element: Element, typed: str) -> Element:
        if not is_external(element):
            return element
        searches = [
            await self._person.search(place, element["action_id"], part, block_id=block["block_id"])
            for part in searched(element, typed)
        ]
        options = {option["value"]: option for found in searches for option in found}
        return {**element, "options": list(options.values())}
