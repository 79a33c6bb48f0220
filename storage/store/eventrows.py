"""Writing events and what is to be told of them, in the transaction of the change."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import bindparam, insert, select

from storage.columns import leniently
from storage.records import DeliveryState, Instance, NewEvent, Notify, Target, TargetKind
from storage.store.transaction import Transaction
from storage.tables import deliveries, events, people, targets

_INSERT_EVENT = insert(events)
_INSERT_DELIVERY = insert(deliveries)
_NOTIFY = select(leniently(people.c.notify)).where(people.c.user_id == bindparam("user_id"))


def write_event(
    transaction: Transaction, instance: Instance, event: NewEvent, told: tuple[Target, ...]
) -> None:
    """`instance` is as of the event; its `sequence` is already the event's."""
    row = {
        "id": uuid.uuid4().hex,
        "instance_id": instance.id,
        "sequence": instance.sequence,
        "kind": event.kind,
        "at": event.at,
        "fact": event,
        "instance": instance,
    }
    transaction.connection.execute(_INSERT_EVENT, row)
    if told:
        told = (*told, *_told_directly(transaction, instance, told))
        dead = _disabled(transaction, told)
        rows = [_delivery(transaction, row, target, dead=target in dead) for target in told]
        transaction.connection.execute(_INSERT_DELIVERY, rows)


def _told_directly(
    transaction: Transaction, instance: Instance, told: tuple[Target, ...]
) -> tuple[Target, ...]:
    """The requester, where they chose to be told so and there is a notice at all."""
    if instance.requester is None or all(target.kind is not TargetKind.NOTICE for target in told):
        return ()
    notify = transaction.connection.scalar(_NOTIFY, {"user_id": instance.requester})
    if notify not in (Notify.DIRECT, Notify.BOTH):
        return ()
    return (Target(kind=TargetKind.DIRECT, address=instance.requester),)


def _disabled(transaction: Transaction, told: tuple[Target, ...]) -> frozenset[Target]:
    webhooks = {target.address: target for target in told if target.kind is TargetKind.WEBHOOK}
    if not webhooks:
        return frozenset()
    disabled = select(targets.c.address).where(
        targets.c.address.in_(webhooks), targets.c.disabled_at.is_not(None)
    )
    return frozenset(webhooks[address] for address in transaction.connection.scalars(disabled))


def _delivery(
    transaction: Transaction, event: dict[str, Any], target: Target, *, dead: bool
) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "event_id": event["id"],
        "instance_id": event["instance_id"],
        "sequence": event["sequence"],
        "target_kind": target.kind,
        "target_address": target.address,
        "state": DeliveryState.DEAD if dead else DeliveryState.PENDING,
        "attempts": 0,
        "last_error": "The target is disabled." if dead else None,
        "created_at": transaction.now,
        "due_at": None if dead else transaction.now,
    }
