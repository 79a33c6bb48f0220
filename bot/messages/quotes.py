"""The price before anything is rented, to whoever asked and to nobody else: it repeats what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from bot.grammar.commands import Create, Offers, render
from bot.matching import region_word
from bot.messages import wording
from bot.messages.blocks import (
    MOST_CHARACTERS,
    Block,
    Message,
    actions,
    button,
    context,
    fields,
    message,
    preformatted,
    rich_line,
    rich_text,
    section,
    size,
)
from bot.messages.mrkdwn import bold, clean, code, escape, plain, rate, usd
from bot.quotes import Priced, Quote, Ticket
from storage.cloud import BillingMode, Offer

_MOST_IN_SMALL = 1_000
"""Characters of a command in small print."""
_MOST_TO_COPY = 4_000
_MOST_PLACES = 4
_FREE_DISK_GB = 60
"""In the price of the GPU; beyond it Novita bills the container disk per GB and day (its pricing guide)."""

_LOSSES = {
    BillingMode.SPOT: "When Novita takes it back, usually an hour after a warning: all on its disk.",
    BillingMode.ON_DEMAND: "While it runs: nothing. It is yours until you stop it.",
}


def quote_card(quote: Quote, *, needs_template: bool = False) -> Message:
    """`needs_template`: neither a template nor an image is known, so it cannot be launched as it is."""
    text = _headline(quote)
    head = [section(text, block_id="quote"), *_particulars(quote, needs_template=needs_template)]
    end = list(_end(quote, needs_template=needs_template))
    return message(text, *head, *_alternatives(quote, MOST_CHARACTERS - size(head) - size(end)), *end)


def cancelled() -> Message:
    text = "Nothing was rented."
    return message(text, context(text, block_id="cancelled"))


def what(offer: Offer) -> str:
    """`RTX 4090 24GB ×1`, not escaped."""
    return f"{plain(offer.product_name, 80)} ×{offer.gpu_count}"


def in_short(offer: Offer) -> str:
    """`RTX 4090 24GB ×1, spot, $0.35/h`, not escaped."""
    return f"{what(offer)}, {wording.BILLING_MODES[offer.billing_mode]}, {rate(offer.usd_per_hour)}"


def a_day(usd_per_hour: Decimal) -> str:
    return f"{usd(usd_per_hour * 24)} a day"


def stock(priced: Priced) -> str | None:
    return wording.STOCK.get(priced.stock or "")


def places(regions: Iterable[str], most: int) -> str:
    """`US-CA-06, CN-HK-01 +2`"""
    words = [clean(region_word(region), 40) for region in regions]
    more = f" +{len(words) - most}" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _headline(quote: Quote) -> str:
    """All that a notification and a screen reader need."""
    if quote.best is None:
        return f":warning: {clean(quote.missing or 'It cannot be had now.', 800)} Nothing is rented."
    offer = quote.best.offer
    mode, price = wording.BILLING_MODES[offer.billing_mode], offer.usd_per_hour
    return (
        f":receipt: {bold(what(offer))} in {clean(offer.region, 80)}, {mode}: *{rate(price)}*, "
        f"{a_day(price)}. Nothing is rented yet."
    )


def _particulars(quote: Quote, *, needs_template: bool) -> Iterator[Block | None]:
    if quote.best is not None:
        yield fields(_facts(quote, quote.best, needs_template=needs_template), block_id="particulars")
        yield context("\n".join(_losses(quote.best.offer.billing_mode)), block_id="losses")


def _facts(quote: Quote, best: Priced, *, needs_template: bool) -> Iterator[str]:
    offer, r = best.offer, quote.request
    yield f"*Price*\n{rate(offer.usd_per_hour)}{_each(offer)}"
    yield f"*A day (24 h)*\n{usd(offer.usd_per_hour * 24)}"
    if quote.limit_usd_per_hour is not None:
        yield f"*At most*\nnot above {rate(quote.limit_usd_per_hour)}, whatever happens"
    others = best.regions[1:]
    elsewhere = f"\nelse {places(others, _MOST_PLACES)}" if others else ""
    yield f"*Region*\n{clean(offer.region, 80)}{elsewhere}"
    yield f"*Billing*\n{wording.BILLING_MODES[offer.billing_mode]}"
    if (left := stock(best)) is not None:
        yield f"*Stock*\n{left}"
    if needs_template:
        yield "*Template*\nstill to be chosen"
    elif r.image is not None:
        yield f"*Image*\n{code(r.image, 200)}"
    else:
        yield f"*Template*\n{code(r.template or '', 200)}"
    dear = f", billed apart above {_FREE_DISK_GB} GB" if r.disk_gb > _FREE_DISK_GB else ""
    yield f"*Disk*\n{r.disk_gb} GB{dear}"
    if quote.asked.name is not None:
        yield f"*Name*\n{clean(quote.asked.name, 80)}"


def _each(offer: Offer) -> str:
    return f" ({rate(offer.usd_per_gpu_hour)} each)" if offer.gpu_count > 1 else ""


def _losses(mode: BillingMode) -> Iterator[str]:
    """Novita's own pages promise nothing of a container disk after a stop, so neither does this."""
    yield "*What you can lose*"
    yield "On stop: perhaps what is on its disk; and somebody else may rent the GPU meanwhile."
    yield "On delete: all on its disk, for good."
    yield _LOSSES[mode]
    yield "Keep what matters elsewhere, such as on a network volume."


def _alternatives(quote: Quote, room: int) -> Iterator[Block]:
    """As many as there is room for."""
    title = "*Other ways*" if quote.best is not None else "*What can be had instead*"
    blocks = [section(title, block_id="others")]
    for number, other in enumerate(quote.alternatives):
        more = section(_other(quote, other), block_id=f"other:{number}", accessory=_take(quote, other))
        if size([*blocks, more]) > room:
            break
        blocks.append(more)
    if len(blocks) > 1:
        yield from blocks
    elif quote.best is None:
        yield section(f"Try again later, or see what can be had: {code(render(Offers()))}", block_id="others")


def _other(quote: Quote, other: Priced) -> str:
    offer = other.offer
    mode, price = wording.BILLING_MODES[offer.billing_mode], offer.usd_per_hour
    parts = [f"*{rate(price)}*", a_day(price), _saved(quote, price), stock(other)]
    return f"{bold(what(offer))} in {clean(offer.region, 80)}, {mode}\n{' · '.join(filter(None, parts))}"


def _saved(quote: Quote, price: Decimal) -> str | None:
    if quote.best is None or price >= quote.best.offer.usd_per_hour:
        return None
    return f"{rate(quote.best.offer.usd_per_hour - price)} less"


def _take(quote: Quote, other: Priced) -> Block | None:
    offer = other.offer
    value = _ticket(quote, other.command, offer.usd_per_hour)
    if value is None:
        return None
    return button("Take this", "gpu:requote", value, spoken=f"Take {in_short(offer)}")


def _end(quote: Quote, *, needs_template: bool) -> Iterator[Block]:
    price = None if quote.best is None else quote.best.offer.usd_per_hour
    value = _ticket(quote, quote.asked, price)
    if quote.best is not None:
        yield from _in_one_go(quote.asked, needs_template=needs_template, to_copy=value is None)
    row = actions(_buttons(quote, value, needs_template=needs_template), block_id="gpu:quote")
    if row is not None:
        yield row


def _buttons(quote: Quote, value: str | None, *, needs_template: bool) -> Iterator[Block]:
    match value, quote.best:
        case None, _:
            pass
        case str(), None:
            yield button("Change", "gpu:change", value)
        case str(), _ if needs_template:
            yield button("Choose a template", "gpu:change", value, style="primary")
        case str(), _:
            yield button("Launch", "gpu:launch", value, style="primary")
            yield button("Change", "gpu:change", value)
    # It rents nothing, so it carries no command that would have to fit.
    never_mind = Ticket(key=quote.key, line=render(Create())).value()
    if never_mind is not None:
        yield button("Cancel", "gpu:cancel", never_mind)


def _ticket(quote: Quote, command: Create, usd_per_hour: Decimal | None) -> str | None:
    return Ticket(key=quote.key, line=render(replace(command, yes=False)), usd_per_hour=usd_per_hour).value()


def _in_one_go(asked: Create, *, needs_template: bool, to_copy: bool) -> Iterator[Block]:
    """The command that launches the same without a question, so that people learn it."""
    template = "TEMPLATE" if needs_template else asked.template
    line = render(replace(asked, template=template, yes=True))
    if to_copy and len(line) <= _MOST_TO_COPY:
        yield rich_text(rich_line("This is too long for a button. To launch it, copy:"), preformatted(line))
    elif len(escape(line)) <= _MOST_IN_SMALL:
        yield context(f"To launch it at once next time: {code(line, _MOST_IN_SMALL)}", block_id="command")
