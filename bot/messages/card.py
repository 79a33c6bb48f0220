"""The one message of an instance in its channel, edited in place. An edit notifies nobody.

No connection command, password or token: everybody in the channel reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.costs import cost_so_far
from bot.messages import buttons, progress, wording
from bot.messages.blocks import Block, Message, context, fields, message, section
from bot.messages.links import links
from bot.messages.mrkdwn import bold, clean, date, usd
from storage.records import Instance, Outcome, State, Wish


def card(i: Instance, *, now: datetime, usual: timedelta | None = None) -> Message:
    """`now` is shown beside cost and time, so that nobody takes an old figure for a live one.

    `usual`: how long what is under way usually takes.
    """
    return message(spoken(i, now=now), *body(i, now=now, usual=usual), buttons.row(i, place="card"))


def spoken(i: Instance, *, now: datetime) -> str:
    """All that matters as one text: for notifications, screen readers, and where blocks are refused."""
    doing = progress.doing(i)
    cost = None if i.bound_at is None else f"It has cost {_cost(i, now)}."
    parts = [f"{headline(i)}.", f"Now {doing}." if doing else None, cost, *_remarks(i)]
    return " ".join(filter(None, parts))


def headline(i: Instance) -> str:
    emoji, word = wording.STATES[i.state]
    return f"{emoji} {word}: {clean(i.name, 100)}, {wording.summary(i)}"


def body(i: Instance, *, now: datetime, usual: timedelta | None = None) -> Iterator[Block | None]:
    """All but the buttons."""
    yield section(f"{wording.state_line(i)}  {bold(i.name)}", block_id="state")
    yield _progress(i, now, usual)
    yield fields(_facts(i, now), block_id="facts")
    open_links = links(i)
    yield section(open_links, block_id="links") if open_links else None
    remarks = "\n".join(_remarks(i))
    yield section(remarks, block_id="remarks") if remarks else None
    yield context(" · ".join(_details(i)), block_id="people")


def _progress(i: Instance, now: datetime, usual: timedelta | None) -> Block | None:
    steps = progress.steps(i)
    if steps is None:
        return None
    return section(f"{steps}\n{progress.timing(i, now, usual)}", block_id="progress")


def _facts(i: Instance, now: datetime) -> Iterator[str]:
    yield f"*GPU*\n{wording.gpus(i)}"
    if (place := wording.region(i)) is not None:
        yield f"*Region*\n{place}"
    price = wording.price(i)
    mode = wording.billing_mode(i)
    yield f"*Billing*\n{mode}" if price is None else f"*Price*\n{price}, {mode}"
    if i.bound_at is not None:
        yield f"*Cost*\n{_cost(i, now)}"


def _cost(i: Instance, now: datetime) -> str:
    """So far. What is not billed any more is as of any time."""
    cost = usd(cost_so_far(i, now))
    return cost if i.billing_since is None else f"{cost} as of {date(now)}"


def _details(i: Instance) -> Iterator[str]:
    yield f"Asked for {wording.by_whom(i.requester)} {date(i.created_at)}"
    if (wish := _latest_wish(i)) is not None:
        yield wish
    if (since := wording.usable_since(i)) is not None:
        yield since


def _latest_wish(i: Instance) -> str | None:
    """Who asked for what; nothing where it was the create, which the line begins with."""
    verb = i.wish or _fulfilled(i)
    if verb in (Wish.CREATE, Wish.REMOVE):
        return None
    if verb is not None:
        return f"{verb.value} asked {wording.by_whom(i.wished_by)}"
    changed = i.wished_by not in (None, i.requester)
    return f"latest change asked {wording.by_whom(i.wished_by)}" if changed else None


def _fulfilled(i: Instance) -> Wish | None:
    """The wish that led here. It is spent, but what came of it tells, where no other reason is given."""
    led = {State.STOPPED: Wish.STOP, State.DELETED: Wish.DELETE}
    return led.get(i.state) if i.reason is None else None


def _remarks(i: Instance) -> Iterator[str]:
    for remark in (wording.delay(i), wording.reclaim_warning(i), _refusal(i)):
        if remark is not None:
            yield remark
    if i.error is not None:
        yield f":x: {wording.failure(i.error)}"
    if i.reason is not None:
        yield f":information_source: {wording.REASONS[i.reason]}"
    if i.status_error is not None and i.state in wording.UNDER_WAY:
        yield f":information_source: Novita reports: {clean(i.status_error, 300)}"
    if i.wish is Wish.REMOVE:
        yield f":information_source: {wording.MONEY_STOPS}"


def _refusal(i: Instance) -> str | None:
    if i.refusal is None:
        return None
    if i.outcome is Outcome.UNKNOWN and i.call is Wish.CREATE:
        return (
            ":mag: Novita's answer got lost. Whether it was created shows in its list; it is not asked twice."
        )
    again = f" Next try: {date(i.retry_at)}." if i.retry_at is not None else ""
    return f":warning: It did not get through yet: {wording.failure(i.refusal)}{again}"
