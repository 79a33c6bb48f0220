"""The list of instances: a line and a row of buttons each, as many as one message holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from bot.costs import cost_so_far
from bot.messages import buttons, wording
from bot.messages.blocks import (
    MOST_BLOCKS,
    MOST_CHARACTERS,
    Block,
    Message,
    actions,
    button,
    context,
    message,
    section,
    size,
)
from bot.messages.mrkdwn import bold, date, mention, rate, usd
from storage.records import Instance

_ROOM_AT_END = 800
"""Characters for the last line; it needs a block of its own too."""


def instance_list(instances: Sequence[Instance], *, everybody: bool, total: int, now: datetime) -> Message:
    """`instances`: as many as were looked up, in the order to show; `total`: how many there are."""
    if not instances:
        return _none(everybody=everybody)
    title = "Everybody's instances" if everybody else "My instances"
    shown, blocks = 0, [section(f"*{title}* ({total})", block_id="title")]
    for i in instances:
        more = [*blocks, *_entry(i, everybody=everybody, now=now)]
        if len(more) >= MOST_BLOCKS or size(more) > MOST_CHARACTERS - _ROOM_AT_END:
            break
        shown, blocks = shown + 1, more
    return message(f"{title}: {total}", *blocks, _last_line(instances, shown, total))


def _none(*, everybody: bool) -> Message:
    text = "Nobody has an instance." if everybody else "You have no instance."
    create = actions([button("Rent a GPU", "gpu:create", "new", style="primary")], block_id="gpu:none")
    return message(text, section(f"{text} Rent one with `/gpu create`.", block_id="title"), create)


def _entry(i: Instance, *, everybody: bool, now: datetime) -> Iterator[Block]:
    yield section("\n".join(_lines(i, everybody=everybody, now=now)), block_id=f"gpu:line:{i.id}"[:255])
    row = buttons.row(i, place="list")
    if row is not None:
        yield row


def _lines(i: Instance, *, everybody: bool, now: datetime) -> Iterator[str]:
    yield f"{wording.state_line(i)}  {bold(i.name)}  {wording.summary(i)}"
    facts = []
    if everybody:
        facts.append(f"of {mention(i.requester)}")
    if i.usable_at is not None:
        facts.append(f"started {date(i.usable_at)}")
    if i.bound_at is not None:
        facts.append(f"{usd(cost_so_far(i, now))} so far")
    if i.error is not None:
        facts.append(wording.failure_in_short(i.error))
    if facts:
        yield " · ".join(facts)
    if (warning := wording.reclaim_warning(i) or wording.delay(i)) is not None:
        yield warning


def _last_line(instances: Sequence[Instance], shown: int, total: int) -> Block | None:
    parts = []
    if total > shown:
        parts.append(f"and {total - shown} more; `/gpu status NAME` shows any of them")
    billed = [i.offer.usd_per_hour for i in instances if i.billing_since is not None and i.offer is not None]
    if len(billed) > 1 and total == len(instances):
        parts.append(f"{len(billed)} are billed now, {rate(sum(billed, Decimal(0)))} together")
    return context(". ".join(parts), block_id="end") if parts else None
