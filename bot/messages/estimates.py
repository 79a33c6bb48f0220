"""What the form would cost as it is filled now, and the same as a command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from bot.grammar.commands import Create, render
from bot.messages import wording
from bot.messages.blocks import Block, context, section
from bot.messages.mrkdwn import clean, code, escape, rate
from bot.messages.quotes import a_day, stock, what
from bot.quotes import Quote
from storage.cloud import Offer

_MOST_COMMAND = 2_000
"""Characters; a longer one is not shown, since half a command is none."""


def estimated(quote: Quote | None, typed: Create) -> Block:
    """`quote`: None where it cannot be told yet. `typed`: what the fields hold."""
    return section("\n".join(_sentences(quote, typed)), block_id="estimate")


def as_command(typed: Create) -> Iterator[Block]:
    """The same as the fields, to copy next time."""
    line = render(replace(typed, yes=False))
    if len(escape(line)) <= _MOST_COMMAND:
        yield context(f"The same as a command: {code(line, _MOST_COMMAND)}", block_id="command")


def price_of(quote: Quote | None) -> Decimal | None:
    """USD per hour for the whole instance; None: it cannot be told, or not be had."""
    return None if quote is None or quote.best is None else quote.best.offer.usd_per_hour


def dearer_now(usd_per_hour: Decimal) -> str:
    """Above a form whose price is another than the one that was shown in it. Plain text."""
    return f"It costs {rate(usd_per_hour)} now. Press Launch again to rent it at that price."


def _sentences(quote: Quote | None, typed: Create) -> Iterator[str]:
    if quote is None:
        yield (
            "Choose a GPU, and its price shows here." if typed.gpu is None else "Its price is not known yet."
        )
        return
    if quote.best is None:
        yield f":warning: {clean(quote.missing or 'It cannot be had now.', 800)}"
        for other in quote.alternatives[:1]:
            yield f"Instead: {_offer(other.offer)}, {rate(other.offer.usd_per_hour)}."
        return
    offer = quote.best.offer
    left = stock(quote.best)
    yield f"About *{rate(offer.usd_per_hour)}*, {a_day(offer.usd_per_hour)}: {_offer(offer)}" + (
        f", {left}." if left else "."
    )
    if quote.limit_usd_per_hour is not None:
        yield f"Not above {rate(quote.limit_usd_per_hour)}, whatever happens."


def _offer(offer: Offer) -> str:
    mode = wording.BILLING_MODES[offer.billing_mode]
    return f"{clean(what(offer), 90)} in {clean(offer.region, 80)}, {mode}"
