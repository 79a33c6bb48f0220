"""What is answered to whoever typed or pressed, and to nobody else (ephemeral)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

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
from bot.messages import history as happened
from bot.messages.blocks import Message, actions, button, context, message, section
from bot.messages.connecting import connect
from bot.messages.help import help_message
from bot.messages.listing import instance_list
from bot.messages.mrkdwn import bold, code, mention, with_people
from bot.messages.notices import again_command
from bot.quotes import Ticket
from storage.records import Instance, NewEvent, State, Wish

__all__ = [
    "acted",
    "connect",
    "created",
    "error",
    "help_message",
    "instance_list",
    "launched_before",
    "not_in_channel",
    "press_for_form",
    "stale",
    "status",
    "unexpected",
]

_MOST_COMMAND = 1500

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
        return _said(f":information_source: {bold(i.name)} {wording.IS[i.state]} already. Nothing to do.")
    doing, then = _WISHED[verb]
    return _said(f":hourglass_flowing_sand: {doing} {bold(i.name)}. {then}")


def status(
    i: Instance, now: datetime, *, usual: timedelta | None = None, history: Sequence[NewEvent] = ()
) -> Message:
    """The card's content, and what only matters to who asks.

    `usual`: how long what is under way usually takes. `history`: the latest events, most recent first.
    """
    latest = happened.what_happened(history[0]) if history else None
    text = card.spoken(i, now=now)
    return message(
        f"{text} Latest: {latest}." if latest else text,
        *card.body(i, now=now, usual=usual),
        happened.latest(history),
        context(_small_print(i), block_id="details"),
        buttons.row(i, place="status"),
    )


def stale(i: Instance, verb: str, *, now: datetime) -> Message:
    """For a button that no longer fits: `verb` is what it says on it. Nothing was changed."""
    pressed = (
        f":information_source: You pressed *{verb.capitalize()}*, but {bold(i.name)} {wording.IS[i.state]}, "
        "so nothing was changed."
    )
    now_so = status(i, now)
    return message(f"{pressed} {now_so['text']}", section(pressed, block_id="pressed"), *now_so["blocks"])


def launched_before(i: Instance, now: datetime) -> Message:
    """For a quote that was bought already: nothing is bought twice."""
    said = f":information_source: This was launched already, as {bold(i.name)}. This is how it is now:"
    if i.state in (State.FAILED, State.DELETED):
        said = (
            f":information_source: This was launched already, as {bold(i.name)}. "
            f"To rent another: {code(again_command(i.request), _MOST_COMMAND)}. This is how that one is now:"
        )
    now_so = status(i, now)
    return message(f"{said} {now_so['text']}", section(said, block_id="launched"), *now_so["blocks"])


def press_for_form(ticket: Ticket) -> Message:
    """Where only the press of a button can open the form. `ticket`: what was typed so far."""
    text = "I need a little more than that. Fill in the form, and see what it costs before you launch."
    value = ticket.value() or replace(ticket, line="/gpu create").value() or ""
    row = actions([button("Open the form", "gpu:change", value, style="primary")], block_id="gpu:form")
    return message(text, section(text, block_id="answer"), row)


def error(error: BotError, *, reference: str | None = None) -> Message:
    """What was wrong, and what to type instead. `reference`: what the logs have as well."""
    headline = f"{_sign(error)} {with_people(str(error) or 'That did not work.', 1200)}"
    return _said("\n".join([headline, *_ways_out(error, reference)]))


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
    parts = [f"Id {code(i.id)}", source, f"{r.disk_gb} GB disk"]
    if i.novita_id is not None:
        parts.append(f"at Novita {code(i.novita_id)}")
    if i.status is not None and i.state not in wording.UNDER_WAY:
        parts.insert(0, f"Novita says {code(i.status, 60)}")
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
