"""What is answered to whoever typed or pressed, and to nobody else (ephemeral)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from bot.errors import (
    BotError,
    NameTaken,
    NotAllowed,
    NovitaUnavailable,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
)
from bot.messages import buttons, card, wording
from bot.messages.blocks import Message, context, message, section
from bot.messages.connecting import connect
from bot.messages.help import help_message
from bot.messages.listing import instance_list
from bot.messages.mrkdwn import bold, code, date, mention, with_people
from storage.records import Instance, Wish

__all__ = [
    "acted",
    "connect",
    "created",
    "error",
    "help_message",
    "instance_list",
    "not_in_channel",
    "status",
    "unexpected",
]

_WISHED = {
    Wish.CREATE: ("Creating", "I'll post here when it is usable."),
    Wish.START: ("Starting", "I'll post here when it is usable."),
    Wish.STOP: ("Stopping", "I'll post here when it has stopped."),
    Wish.RESTART: ("Restarting", "I'll post here when it is usable again."),
    Wish.DELETE: ("Deleting", "I'll post here when it is gone."),
    Wish.REMOVE: ("Removing", "Its GPU bills no longer once it is gone."),
}


def created(i: Instance) -> Message:
    doing, then = _WISHED[Wish.CREATE]
    return _said(f":hourglass_flowing_sand: {doing} {bold(i.name)}: {wording.summary(i)}. {then}")


def acted(i: Instance, verb: Wish, *, nothing_to_do: bool = False) -> Message:
    """`nothing_to_do`: it was so already, or is on its way there."""
    if nothing_to_do:
        _, word = wording.STATES[i.state]
        return _said(f":information_source: {bold(i.name)} is {word.lower()} already. Nothing to do.")
    doing, then = _WISHED[verb]
    return _said(f":hourglass_flowing_sand: {doing} {bold(i.name)}. {then}")


def status(i: Instance, now: datetime) -> Message:
    """The card's content, and what only matters to who asks."""
    row = buttons.row(i, place="status")
    return message(
        card.headline(i), *card.body(i, now=now), context(_small_print(i), block_id="details"), row
    )


def error(error: BotError, *, reference: str | None = None) -> Message:
    """What was wrong, and what to type instead. `reference`: what the logs have as well."""
    headline = f"{_sign(error)} {with_people(str(error) or 'That did not work.', 1200)}"
    return message(headline, section("\n".join([headline, *_ways_out(error, reference)]), block_id="error"))


def unexpected(reference: str) -> Message:
    return _said(
        f":x: Something went wrong on my side. Please try again; if it stays, tell whoever runs this bot the "
        f"reference {code(reference, 60)}. The logs have it too."
    )


def not_in_channel(channel: str, *, bot: str | None = None) -> Message:
    """`channel`: id of where I was called and cannot post; `bot`: my user id, where it is known."""
    direct = "I write to you directly instead."
    if not re.fullmatch(r"[CG][A-Z0-9]+", channel):
        return _said(f":information_source: I cannot post in this conversation. {direct}")
    me = mention(bot) if bot is not None else "@ and my name"
    return _said(
        f":information_source: I am not a member of <#{channel}>, so I cannot post there. {direct} "
        f"To change that, type /invite {me} in the channel."
    )


def _said(text: str) -> Message:
    return message(text, section(text, block_id="answer"))


def _small_print(i: Instance) -> str:
    r = i.request
    source = (
        f"image {code(r.image, 200)}" if r.image is not None else f"template {code(r.template or '', 200)}"
    )
    parts = [f"Id {code(i.id)}", source, f"{r.disk_gb} GB disk", f"created {date(i.created_at)}"]
    if i.novita_id is not None:
        parts.append(f"at Novita {code(i.novita_id)}")
    if i.status is not None:
        parts.append(f"Novita says {code(i.status, 60)}")
    return " · ".join(parts)


def _sign(error: BotError) -> str:
    match error:
        case NotAllowed():
            return ":lock:"
        case TryAgain() | NovitaUnavailable():
            return ":hourglass:"
        case _:
            return ":warning:"


def _ways_out(error: BotError, reference: str | None) -> Iterator[str]:
    match error:
        case (
            ProductNotFound(nearest=nearest)
            | TemplateNotFound(nearest=nearest)
            | RegionNotFound(nearest=nearest)
        ):
            if nearest:
                yield f"Nearest: {', '.join(code(name, 80) for name in nearest[:5])}"
        case NameTaken(free=free):
            yield f"This one is free: {code(free)}"
        case _:
            pass
    if error.hint and not isinstance(error, NameTaken):
        yield f"Try: {code(error.hint, 1000)}"
    if reference is not None:
        yield f"Reference: {code(reference, 60)}"
