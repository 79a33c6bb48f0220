"""The words for states, verbs and reasons: one place, so that card, notices and answers speak alike."""

from __future__ import annotations

from bot.grammar.commands import SLASH
from bot.messages.mrkdwn import clean, code, date, mention, rate
from storage.cloud import BillingMode
from storage.records import Failure, Instance, Reason, State, Wish

STATES = {
    State.CREATING: (":hourglass_flowing_sand:", "Creating"),
    State.STARTING: (":arrows_counterclockwise:", "Starting"),
    State.RUNNING: (":large_green_circle:", "Running"),
    State.STOPPING: (":hourglass:", "Stopping"),
    State.STOPPED: (":black_square_for_stop:", "Stopped"),
    State.FAILED: (":x:", "Failed"),
    State.DELETING: (":hourglass:", "Deleting"),
    State.DELETED: (":wastebasket:", "Deleted"),
}

IS = {
    State.CREATING: "is being created",
    State.STARTING: "is starting",
    State.RUNNING: "is running",
    State.STOPPING: "is stopping",
    State.STOPPED: "is stopped",
    State.FAILED: "has failed",
    State.DELETING: "is being deleted",
    State.DELETED: "is deleted",
}
"""The state in a sentence."""

UNDER_WAY = frozenset({State.CREATING, State.STARTING, State.STOPPING, State.DELETING})

BILLING_MODES = {BillingMode.SPOT: "spot", BillingMode.ON_DEMAND: "on demand"}

STOCK = {"none": "none left", "low": "few left", "normal": "some left", "high": "plenty"}
"""Novita's words for it; an unknown one is not repeated."""

REASONS = {
    Reason.STOPPED_OUTSIDE: "It was stopped outside this bot: at Novita's console, or for want of balance.",
    Reason.STARTED_OUTSIDE: "It was started outside this bot.",
    Reason.DELETED_OUTSIDE: "It was deleted outside this bot.",
    Reason.RECLAIMED: "Novita took the spot GPU back.",
    Reason.STARTUP_TIMEOUT: "It was not usable in time, so it is stopped.",
    Reason.START_FAILED: "Novita could not start it.",
}

DONE = {
    Wish.CREATE: "created",
    Wish.START: "started",
    Wish.STOP: "stopped",
    Wish.RESTART: "restarted",
    Wish.DELETE: "deleted",
    Wish.REMOVE: "removed",
}

MONEY_STOPS = "The GPU is being removed so that it bills no longer."

_ENDS = (".", "!", "?", "…")


def state_line(i: Instance) -> str:
    """Emoji and word: colour alone says nothing to many."""
    emoji, word = STATES[i.state]
    return f"{emoji} *{word}*"


def gpus(i: Instance) -> str:
    """As rented; as asked for, where nothing is rented yet."""
    name = i.request.gpu if i.offer is None else i.offer.product_name
    count = i.request.gpu_count if i.offer is None else i.offer.gpu_count
    return f"{clean(name, 80)} ×{count}"


def region(i: Instance) -> str | None:
    return None if i.offer is None else clean(i.offer.region, 80)


def region_in_short(i: Instance) -> str | None:
    """`US-CA-06` of `US-CA-06 (California)`."""
    return None if i.offer is None else clean(i.offer.region.split(" (", 1)[0], 40)


def usable_since(i: Instance) -> str | None:
    """Only while it is: before a stop or restart takes effect the time is still kept."""
    if i.usable_at is None or i.state is not State.RUNNING:
        return None
    return f"usable since {date(i.usable_at)}"


def billing_mode(i: Instance) -> str:
    return BILLING_MODES[i.request.billing_mode if i.offer is None else i.offer.billing_mode]


def price(i: Instance) -> str | None:
    return None if i.offer is None else rate(i.offer.usd_per_hour)


def summary(i: Instance) -> str:
    """`RTX 4090 24GB ×1 in US-CA-06, spot, $0.35/h`, as far as it is known."""
    place = region(i)
    where = f" in {place}" if place else ""
    return ", ".join(filter(None, (f"{gpus(i)}{where}", billing_mode(i), price(i))))


def failure(error: Failure) -> str:
    message = clean(error.message, 600)
    return f"{code(error.code, 60)}: {message if message.endswith(_ENDS) else f'{message}.'}"


def failure_in_short(error: Failure) -> str:
    """For a line among many."""
    return f"{code(error.code, 60)}: {clean(error.message, 120)}"


def by_whom(user_id: str | None) -> str:
    return "through the REST API" if user_id is None else f"by {mention(user_id)}"


def command(verb: str, i: Instance) -> str:
    """To copy, such as `/gpu start my-train`."""
    return code(f"{SLASH} {verb} {i.name}", 130)


def delay(i: Instance) -> str | None:
    if i.delayed_since is None:
        return None
    since = date(i.delayed_since)
    return f":hourglass: Novita has not been answering since {since}; this goes on by itself when it does."


def reclaim_warning(i: Instance) -> str | None:
    """Only while there is something to save."""
    if i.reclaim_at is None or i.state is not State.RUNNING:
        return None
    when = date(i.reclaim_at)
    return (
        f":warning: *Novita takes this spot GPU back: {when}.* What is on the container disk will be lost. "
        "Save it to a network volume before that."
    )
