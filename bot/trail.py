"""An instance's trail in the log: its ids on every line that it causes, a line for each thing that happened.

Each of these is called where the fact has just been committed, and nowhere else: once for each fact.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import structlog

from storage.cloud import Offer
from storage.records import EventKind, Instance, NewEvent, Wish

log = structlog.get_logger(__name__)

T = TypeVar("T")

REST = "rest"
"""Stands for the Slack user id of somebody who came by REST."""


def about(i: Instance) -> dict[str, str]:
    ids = {"instance": i.id, "name": i.name, "requester": i.requester or REST}
    return ids if i.correlation_id is None else {**ids, "correlation_id": i.correlation_id}


async def lines_about(i: Instance, work: Awaitable[T]) -> T:
    """`work`, with the ids of `i` on each of its lines and on none of anybody else's."""
    structlog.contextvars.clear_contextvars()  # of whoever woke us: this is a task of its own
    with structlog.contextvars.bound_contextvars(**about(i)):
        return await work


def requested(i: Instance, verb: Wish, actor: str | None) -> None:
    """A wish is on disk. `actor`: Slack user id; None: by REST."""
    log.info("instance.requested", **about(i), verb=verb, actor=actor or REST)


def happened(event: NewEvent, **more: object) -> None:
    """An event is on disk, settled by whoever works under `lines_about`."""
    seconds = None if event.elapsed is None else round(event.elapsed.total_seconds(), 1)
    facts = {
        "reason": event.reason,
        "code": None if event.error is None else event.error.code,
        "why": event.note if event.error is None else event.error.message,
        "verb": event.verb,
        "actor": event.actor,
        "seconds": seconds,
        **more,
    }
    bad = event.error is not None or event.kind is EventKind.LATE_REMOVED
    tell = log.warning if bad else log.info
    tell(event.kind.value, **{name: value for name, value in facts.items() if value is not None})


def changed(before: Instance, after: Instance) -> None:
    """A new state that is no event, such as `starting` once its GPU is known."""
    if before.state is not after.state:
        log.info("instance.changed", before=before.state, state=after.state, novita_id=after.novita_id)


def begun(attempt: int, offer: Offer) -> None:
    """A create is about to be sent."""
    log.info(
        "create.begun",
        attempt=attempt,
        product=offer.product_name,
        product_id=offer.product_id,
        region=offer.region,
        billing_mode=offer.billing_mode,
        gpu_count=offer.gpu_count,
        usd_per_hour=offer.usd_per_hour,
    )
