"""An instance among others, in a list or in App Home: a few lines and its buttons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from bot.costs import cost_so_far
from bot.messages import buttons, progress, wording
from bot.messages.blocks import Block, button, section
from bot.messages.links import links
from bot.messages.mrkdwn import bold, clean, mention, rate, usd
from storage.records import Instance


def rent_button() -> Block:
    return button("Rent a GPU", "gpu:create", "new", style="primary")


def offers_button() -> Block:
    return button("What can be had", "gpu:offers", "all")


def list_entry(i: Instance, *, everybody: bool, now: datetime) -> Iterator[Block]:
    """`everybody`: whose it is needs saying."""
    lines = [_first_line(i), *_second_line(i, now, whose=everybody), *_warning(i)]
    yield from _entry(i, lines, place="list")


def home_entry(i: Instance, *, now: datetime) -> Iterator[Block]:
    lines = [_first_line(i), *_second_line(i, now, whose=False), links(i), *_warning(i)]
    yield from _entry(i, filter(None, lines), place="home")


def spoken(i: Instance) -> str:
    """`my-train is running`: for the plain text of many."""
    return f"{clean(i.name, 100)} {wording.IS[i.state]}"


def billed(instances: Iterable[Instance]) -> str | None:
    """`3 are billed now, $1.08/h together`; None: not one, or only one, which says it itself."""
    prices = billed_prices(instances)
    if len(prices) < 2:
        return None
    return f"{len(prices)} are billed now, {rate(sum(prices, Decimal(0)))} together"


def billed_prices(instances: Iterable[Instance]) -> list[Decimal]:
    """USD per hour, of each that is billed now."""
    return [i.offer.usd_per_hour for i in instances if i.billing_since is not None and i.offer is not None]


def _entry(i: Instance, lines: Iterable[str], *, place: str) -> Iterator[Block]:
    yield section("\n".join(lines), block_id=f"gpu:line:{i.id}"[:255])
    row = buttons.row(i, place=place)
    if row is not None:
        yield row


def _first_line(i: Instance) -> str:
    return f"{wording.state_line(i)}  {bold(i.name)}  {wording.summary(i)}"


def _second_line(i: Instance, now: datetime, *, whose: bool) -> Iterator[str]:
    facts = []
    if whose:
        facts.append(f"of {mention(i.requester)}")
    if (doing := progress.doing(i)) is not None:
        facts.append(f"now {doing}")
    if (since := wording.usable_since(i)) is not None:
        facts.append(since)
    if i.bound_at is not None:
        facts.append(f"{usd(cost_so_far(i, now))} so far")
    if i.error is not None:
        facts.append(wording.failure_in_short(i.error))
    if facts:
        yield " · ".join(facts)


def _warning(i: Instance) -> Iterator[str]:
    if (warning := wording.reclaim_warning(i) or wording.delay(i)) is not None:
        yield warning
