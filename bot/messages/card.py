"""The one message of an instance in its channel, edited in place. An edit notifies nobody.

No connection string and no password: everybody in the channel reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.costs import cost_so_far
from bot.messages import buttons, wording
from bot.messages.blocks import Block, Message, fields, message, section
from bot.messages.mrkdwn import bold, clean, code, date, mention, usd
from storage.records import Instance, Outcome, State, Wish


def card(i: Instance, *, now: datetime) -> Message:
    """`now` is shown beside the cost, so that nobody takes an old figure for a live one."""
    return message(headline(i), *body(i, now=now), buttons.row(i, place="card"))


def headline(i: Instance) -> str:
    emoji, word = wording.STATES[i.state]
    return f"{emoji} {word}: {clean(i.name, 100)}, {wording.summary(i)}"


def body(i: Instance, *, now: datetime) -> Iterator[Block | None]:
    """All but the buttons."""
    yield section(f"{wording.state_line(i)}  {bold(i.name)}", block_id="state")
    yield fields(_facts(i, now), block_id="facts")
    remarks = "\n".join(_remarks(i))
    yield section(remarks, block_id="remarks") if remarks else None


def _facts(i: Instance, now: datetime) -> Iterator[str]:
    yield f"*GPU*\n{wording.gpus(i)}"
    if (place := wording.region(i)) is not None:
        yield f"*Region*\n{place}"
    if (price := wording.price(i)) is not None:
        yield f"*Price*\n{price}"
    yield f"*Billing*\n{wording.billing_mode(i)}"
    if i.usable_at is not None:
        yield f"*Started*\n{date(i.usable_at)}"
    if i.bound_at is not None:
        yield f"*Cost*\n{usd(cost_so_far(i, now))} as of {date(now)}"
    if i.state in wording.UNDER_WAY and i.status is not None:
        yield f"*Novita says*\n{code(i.status, 60)}"
    yield f"*Requested by*\n{mention(i.requester)}"
    if (wish := _latest_wish(i)) is not None:
        yield f"*Latest wish*\n{wish}"


def _latest_wish(i: Instance) -> str | None:
    """Who asked for what; nothing where it was the create, which `Requested by` says."""
    verb = i.wish or _fulfilled(i)
    if verb in (Wish.CREATE, Wish.REMOVE):
        return None
    if verb is not None:
        return f"{verb.value} asked by {mention(i.wished_by)}"
    return f"asked by {mention(i.wished_by)}" if i.wished_by not in (None, i.requester) else None


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
