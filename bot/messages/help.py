"""The help, from the table of verbs and flags."""

from __future__ import annotations

from bot.grammar.usage import Entry, help_text
from bot.messages.blocks import Message, actions, button, context, message, section
from bot.messages.mrkdwn import code, escape


def help_message(verb: str | None = None) -> Message:
    """`verb`: a name or alias that the table has; None: the overview."""
    text = help_text(verb)
    create = button("Rent a GPU", "gpu:create", "new", style="primary") if verb is None else None
    return message(
        f"Help: {escape(text.title)}",
        section(f"*{escape(text.title)}*" if verb is None else code(text.title, 400), block_id="title"),
        section("\n".join(map(_line, text.entries)), block_id="entries") if text.entries else None,
        section(
            "\n".join(["*Examples*", *(code(example, 200) for example in text.examples)]), block_id="examples"
        ),
        context(" ".join(map(escape, text.notes)), block_id="notes"),
        actions([create] if create else [], block_id="gpu:help"),
    )


def _line(entry: Entry) -> str:
    return f"{code(entry.usage, 400)}  {escape(entry.purpose)}"
