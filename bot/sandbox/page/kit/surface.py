"""Where blocks are drawn: a message, or a view with what was typed into it and what is wrong with that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from markupsafe import Markup

from bot.sandbox.page.kit.address import Address, InView, Where, option_address
from bot.sandbox.page.kit.choices import Choice, Choices, Group
from bot.sandbox.page.kit.markdown import markdown
from bot.sandbox.page.kit.richtext import rich_text
from bot.sandbox.page.kit.texts import Texts
from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.forms import ANSWERS, dispatches, initial_answer, is_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """`at`: for the server. `entry`: what is chosen or typed now, as in `state.values`.

    `enters`: the enter key tells the app what is typed, instead of sending the form.
    `form`: the id of the form that it belongs to; "" for none.
    `describes`, `is_wrong`: for assistive technology.
    """

    element: Element
    at: str
    entry: Mapping[str, Any] = field(default_factory=dict)
    enters: bool = False
    form: str = ""
    is_optional: bool = True
    label: str = ""
    describes: str = ""
    is_wrong: bool = False

    @property
    def typed(self) -> str:
        value = self.entry.get(ANSWERS[self.element["type"]][0])
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """`values`: of `state.values`. `complaints`: by block_id. `form`: as of `Control`."""

    texts: Texts
    choices: Choices
    where: Where
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    complaints: Mapping[str, str] = field(default_factory=dict)
    form: str = ""

    def text(self, text: Mapping[str, Any]) -> Markup:
        return self.texts.of(text)

    def words(self, text: Mapping[str, Any] | None) -> str:
        return self.texts.words(text) if text else ""

    def rich(self, block: Block) -> Markup:
        return rich_text(block, self.texts)

    def markdown(self, text: str) -> Markup:
        return markdown(text)

    def offered(self, element: Element) -> tuple[Group, ...]:
        return self.choices.offered(element)

    def chosen(self, control: Control) -> tuple[Choice, ...]:
        return self.choices.chosen(control.element, control.entry)

    def option_at(self, control: Control, value: str) -> str:
        return option_address(control.at, value)

    def id_of(self, block: Block, part: str) -> str:
        """Only a view's: a message may be drawn twice, in its channel and in its thread."""
        return f"{part}-{self.where.view_id}-{block['block_id']}" if isinstance(self.where, InView) else ""

    def complaint(self, block: Block) -> str:
        return self.complaints.get(block["block_id"], "")

    def control(self, block: Block, element: Element) -> Control:
        known = self.values.get(block["block_id"], {}).get(element["action_id"])
        has_state = element["type"] in ANSWERS
        address = Address(where=self.where, block_id=block["block_id"], action_id=element["action_id"])
        return Control(
            element=element,
            at=str(address),
            entry=(known or initial_answer(element)) if has_state else {},
            enters=is_text(element) and dispatches(block, element, entered=True),
            form=self.form,
            label=self.words(element.get("placeholder")),
        )

    def answer(self, block: Block) -> Control:
        """The control of an input block."""
        hint = self.id_of(block, "hint") if "hint" in block else ""
        error = self.id_of(block, "error") if self.complaint(block) else ""
        return replace(
            self.control(block, block["element"]),
            is_optional=bool(block.get("optional")),
            label=self.words(block["label"]),
            describes=" ".join(filter(None, (error, hint))),
            is_wrong=bool(self.complaint(block)),
        )
