"""What can be had now, a page at a time: a line for each GPU and billing mode, with a button to rent it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from zlib import crc32

from bot.grammar.commands import Offers, render
from bot.matching import region_word
from bot.messages import wording
from bot.messages.blocks import (
    MOST_CHARACTERS,
    Block,
    Message,
    actions,
    button,
    confirmation,
    context,
    message,
    section,
    size,
)
from bot.messages.mrkdwn import bold, clean, code, date, rate
from bot.messages.quotes import a_day, in_short, places, stock, what
from bot.quotes import MOST_VALUE, Priced, Ticket

OFFERS_PAGE = 15
_MOST_PLACES = 3
_ROOM_AT_END = 1_500
"""Characters for the last line and the two buttons that turn the page."""


def offers_list(  # noqa: PLR0913 - what there is, what was asked, and how it is shown
    rows: Sequence[Priced],
    *,
    asked: Offers,
    key: str,
    offset: int = 0,
    launches_at_once: bool,
    now: datetime,
) -> Message:
    """`launches_at_once`: a template is known, so a press rents it; else it opens the form.

    `key`: each line's button makes one instance, however often it is pressed.
    """
    if not rows:
        return _none(asked)
    first = max(0, min(offset, len(rows) - 1))
    blocks = [section(_title(rows, asked, now), block_id="title")]
    last = first
    for number, row in enumerate(rows[first : first + OFFERS_PAGE], first):
        line = section(
            _line(row),
            block_id=f"offer:{number}",
            accessory=_launch(row, key, at_once=launches_at_once),
        )
        if size([*blocks, line]) > MOST_CHARACTERS - _ROOM_AT_END:
            break
        blocks, last = [*blocks, line], number + 1
    cheapest = min(rows, key=lambda row: row.offer.usd_per_hour)
    summary = (
        f"What can be had now: {len(rows)}, from {rate(cheapest.offer.usd_per_hour)} ({_kind(cheapest)})"
    )
    return message(summary, *blocks, *_end(rows, asked, key, first, last))


def _none(asked: Offers) -> Message:
    wanted = "Nothing" if asked.gpu is None else f"No {clean(asked.gpu, 100)}"
    most = "" if asked.max_usd_per_hour is None else f" for {rate(asked.max_usd_per_hour)} or less"
    text = f":information_source: {wanted} can be had{most} now."
    return message(text, section(f"{text}\n{_way_out(asked)}", block_id="title"))


def _way_out(asked: Offers) -> str:
    if asked.max_usd_per_hour is not None:
        dearer = Offers(gpu=asked.gpu, gpu_count=asked.gpu_count)
        return f"At any price: {code(render(dearer), 300)}"
    if asked.gpu is not None:
        return f"All that can be had: {code(render(Offers()))}"
    return "Try again in some minutes."


def _title(rows: Sequence[Priced], asked: Offers, now: datetime) -> str:
    count = asked.gpu_count or 1
    each = "for one GPU" if count == 1 else f"for {count} GPUs together"
    return f"*What can be had now* ({len(rows)})\nPrices are {each}, cheapest first, as of {date(now)}."


def _line(row: Priced) -> str:
    offer = row.offer
    name = what(offer) if offer.gpu_count > 1 else offer.product_name
    facts = [*_places(row), stock(row)]
    mode = wording.BILLING_MODES[offer.billing_mode]
    return f"{bold(name, 80)}, {mode}, *{rate(offer.usd_per_hour)}*\n{' · '.join(filter(None, facts))}"


def _places(row: Priced) -> Iterator[str]:
    """Where it has this price; where the command leaves something out, it is dearer there."""
    regions = row.regions or (row.offer.region,)
    here = [r for r in regions if not row.command.regions or region_word(r) in row.command.regions]
    yield places(here, _MOST_PLACES)
    if elsewhere := [region for region in regions if region not in here]:
        yield f"dearer in {places(elsewhere, _MOST_PLACES)}"


def _kind(row: Priced) -> str:
    return f"{clean(row.offer.product_name, 80)}, {wording.BILLING_MODES[row.offer.billing_mode]}"


def _launch(row: Priced, key: str, *, at_once: bool) -> Block | None:
    line = render(row.command)
    # Told apart by what it is, not by its place: a page may be made anew when prices have moved.
    ticket = Ticket(
        key=f"{key}.{crc32(line.encode(errors='surrogatepass'))}",
        line=line,
        usd_per_hour=row.offer.usd_per_hour,
    )
    value = ticket.value()
    if value is None:
        return None
    if not at_once:
        return button("Launch …", "gpu:change", value, spoken=f"Launch {in_short(row.offer)}")
    price = row.offer.usd_per_hour
    asked = confirmation(
        title=f"Rent {what(row.offer)}?",
        text=f"{wording.BILLING_MODES[row.offer.billing_mode].capitalize()}, {rate(price)}, {a_day(price)}, "
        f"until you stop it.{_limit(row)}",
        confirm="Rent it",
        deny="Not now",
        style="primary",
    )
    return button("Launch", "gpu:launch", value, confirm=asked, spoken=f"Launch {in_short(row.offer)}")


def _limit(row: Priced) -> str:
    limit = row.limit_usd_per_hour
    return "" if limit is None else f" Not above {rate(limit)}, whatever happens."


def _end(rows: Sequence[Priced], asked: Offers, key: str, first: int, last: int) -> Iterator[Block]:
    example = code(render(rows[first].command), 400)
    shown = f"{first + 1}–{last} of {len(rows)}. " if last - first < len(rows) else ""
    yield context(f"{shown}To rent by command: {example}", block_id="end")
    turns = []
    if first > 0:
        turns.append(_turn("Previous", "previous", asked, key, max(0, first - OFFERS_PAGE)))
    if last < len(rows):
        turns.append(_turn("Next", "next", asked, key, last))
    if (row := actions(filter(None, turns), block_id="gpu:offers_page")) is not None:
        yield row


def _turn(label: str, which: str, asked: Offers, key: str, offset: int) -> Block | None:
    """Action ids are unique in a block, so each says which way it turns."""
    value = json.dumps({"line": render(asked), "offset": offset, "key": key}, ensure_ascii=False)
    return button(label, f"gpu:offers_page:{which}", value) if len(value) <= MOST_VALUE else None
