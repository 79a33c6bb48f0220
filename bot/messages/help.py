"""The help, from the table of verbs and flags."""

from __future__ import annotations

from collections.abc import Iterator

from bot.grammar.helptexts import Entry, Group, help_text
from bot.messages.blocks import Block, Message, actions, button, context, message, section
from bot.messages.mrkdwn import code, escape


def help_message(verb: str | None = None) -> Message:
    """`verb`: a name or alias that the table has; None: the overview."""
    text = help_text(verb)
    return message(
        f"Help: {escape(text.title)}",
        section(f"*{escape(text.title)}*" if verb is None else code(text.title, 400), block_id="title"),
        *(block for group in text.groups for block in _blocks(group)),
        context(" ".join(map(escape, text.notes)), block_id="notes"),
        _first_steps() if verb is None else None,
    )


def _blocks(group: Group) -> Iterator[Block]:
    entries, examples = map(_line, group.entries), [code(example, 200) for example in group.examples]
    if group.title:
        lines = (f"*{escape(group.title)}*", *entries, f"For example {' or '.join(examples)}")
        yield section("\n".join(lines), block_id=f"task:{group.title}")
        return
    if group.entries:
        yield section("\n".join(entries), block_id="entries")
    yield section("\n".join(("*Examples*", *examples)), block_id="examples")


def _line(entry: Entry) -> str:
    return f"{code(entry.usage, 400)}  {escape(entry.purpose)}"


def _first_steps() -> Block | None:
    rent = button("Rent a GPU", "gpu:create", "new", style="primary")
    return actions([rent, button("What can be had", "gpu:offers", "all")], block_id="gpu:help")
