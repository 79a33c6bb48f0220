"""App Home: one's own instances, what they cost, and where to begin. Each person sees only their own.

Everything is as of one moment, which is shown: a view does not move by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.costs import cost_so_far
from bot.messages import buttons, entries, wording
from bot.messages.blocks import (
    Block,
    actions,
    button,
    context,
    divider,
    header,
    plain_text,
    section,
)
from bot.messages.mrkdwn import bold, clean, code, date, mention, rate, usd
from bot.messages.notices import again_command
from storage.records import Instance, Notify, Totals

HOME_ID = "gpu_home"
MOST_INSTANCES = 20
MOST_FAILURES = 5
_MOST_COMMAND = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFacts:
    user_id: str
    instances: tuple[Instance, ...]
    """Mine, newest first; at most twenty are shown."""
    total: int
    """How many I have."""
    failures: tuple[Instance, ...]
    """Mine that failed recently, newest first; not shown a second time among the others."""
    mine: Totals
    """Of all that I have, shown or not."""
    team: Totals
    notify: Notify
    now: datetime


def home(facts: HomeFacts) -> dict[str, Any]:
    blocks = [
        *_top(facts),
        *(_instances(facts) if facts.total else _welcome(facts.user_id)),
        *_failures(facts),
        *_team(facts.team),
        *_notify(facts.notify),
    ]
    return _view(blocks)


def stranger_home() -> dict[str, Any]:
    said = (
        "This bot rents GPUs for the members of this workspace. Guests and people of other workspaces cannot "
        "use it. If you need a GPU, ask whoever invited you here."
    )
    return _view([header("GPUs"), section(f":lock: {said}")])


def home_later(why: str) -> dict[str, Any]:
    """In the place of one that cannot be shown now. `why`: a sentence, in plain text."""
    refresh = actions([button("Refresh", "gpu:refresh", "home", style="primary")], block_id="gpu:begin")
    said = section(f":hourglass: {clean(why, 600)}", block_id="later")
    return _view([header("My GPUs", block_id="title"), said, *([refresh] if refresh else [])])


def _view(blocks: list[Block]) -> dict[str, Any]:
    return {"type": "home", "callback_id": HOME_ID, "blocks": blocks}


def _top(facts: HomeFacts) -> Iterator[Block]:
    yield header("My GPUs", block_id="title")
    if facts.total:
        yield section(_in_short(facts), block_id="short")
    row = actions(
        [entries.rent_button(), entries.offers_button(), button("Refresh", "gpu:refresh", "home")],
        block_id="gpu:begin",
    )
    if row is not None:
        yield row
    yield context(f"As of {date(facts.now)}. Press *Refresh* for the figures of now.", block_id="as_of")
    yield divider()


def _in_short(facts: HomeFacts) -> str:
    mine = facts.mine
    price = f"{rate(mine.usd_per_hour)} just now" if mine.usd_per_hour else "nothing is billed just now"
    below = (*_shown(facts), *facts.failures[:MOST_FAILURES])
    spent = sum((cost_so_far(i, facts.now) for i in below), Decimal(0))
    return f"*{mine.running} running* · {price} · {usd(spent)} spent so far on those below"


def _shown(facts: HomeFacts) -> tuple[Instance, ...]:
    failed = {i.id for i in facts.failures[:MOST_FAILURES]}
    return tuple(i for i in facts.instances if i.id not in failed)[:MOST_INSTANCES]


def _instances(facts: HomeFacts) -> Iterator[Block]:
    shown = _shown(facts)
    for i in shown:
        yield from entries.home_entry(i, now=facts.now)
    named = {i.id for i in (*shown, *facts.failures[:MOST_FAILURES])}
    if facts.total > len(named):
        yield context(f"and {facts.total - len(named)} more: `/gpu list` shows them all", block_id="more")


def _welcome(user_id: str) -> Iterator[Block]:
    yield section(
        f"Welcome, {mention(user_id)}. *You have no GPU yet.* Three steps, to be typed in any channel:",
        block_id="welcome",
    )
    steps = (
        "*1. Look what can be had*, cheapest first: `/gpu offers` or `/gpu offers 4090`",
        "*2. Rent one:* `/gpu create 4090 my-train`. You see its price, and I call you when it is usable.",
        "*3. Use it, and stop paying when you are done:* `/gpu ssh my-train`, then `/gpu stop my-train`",
    )
    yield section("\n".join(steps), block_id="steps")
    yield context("More: `/gpu help`", block_id="more")


def _failures(facts: HomeFacts) -> Iterator[Block]:
    failures = facts.failures[:MOST_FAILURES]
    if failures:
        yield divider()
        yield section("*Failed lately*", block_id="failures")
    for i in failures:
        yield section("\n".join(_failure_lines(i)), block_id=f"gpu:line:{i.id}"[:255])
        if (row := buttons.row(i, place="failure")) is not None:
            yield row


def _failure_lines(i: Instance) -> Iterator[str]:
    asked = f"{wording.summary(i)}, asked for {date(i.created_at)}"
    yield f"{wording.state_line(i)}  {bold(i.name)}  {asked}"
    if i.error is not None:
        yield wording.failure(i.error)
    yield f"To try again: {code(again_command(i.request), _MOST_COMMAND)}"


def _team(team: Totals) -> Iterator[Block]:
    counted = ", ".join(
        f"{count} {word}"
        for count, word in (
            (team.running, "running"),
            (team.under_way, "starting or stopping"),
            (team.stopped, "stopped"),
        )
        if count
    )
    said = f"{counted}; {rate(team.usd_per_hour)} in all" if counted else "nobody has an instance just now"
    yield divider()
    everybodys = button("See everybody's", "gpu:list_all", "all")
    yield section(f"*The whole team:* {said}", block_id="gpu:team", accessory=everybodys)


_CHOICES = {
    Notify.THREAD: ("Mention me in its thread", "Below its message in the channel. The usual."),
    Notify.DIRECT: ("Write to me directly", "A direct message; its thread mentions nobody."),
    Notify.BOTH: ("Both", "A mention in its thread, and a direct message."),
    Notify.QUIET: ("Do not call me", "Its thread has the news whenever you look."),
}


def _notify(chosen: Notify) -> Iterator[Block]:
    options = {wish: _option(wish, *words) for wish, words in _CHOICES.items()}
    choice = {
        "type": "radio_buttons",
        "action_id": "gpu:notify",
        "options": list(options.values()),
        "initial_option": options[chosen],
    }
    said = "*When an instance of mine is usable, stops or fails*"
    yield divider()
    # The choice is part of the block's id: in a block of the same id Slack keeps what was clicked there last.
    yield section(said, block_id="notify")
    row = actions([choice], block_id=f"gpu:notify:{chosen.value}")
    if row is not None:
        yield row


def _option(value: Notify, label: str, description: str) -> Block:
    return {
        "text": plain_text(label, 75),
        "description": plain_text(description, 75),
        "value": value.value,
    }
