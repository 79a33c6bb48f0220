"""What people do to instances: ask for one, wish something of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import func, select

from storage.errors import NameInUse
from storage.records import Instance, NewCard, NewEvent, Target
from storage.store.cardrows import add_card
from storage.store.eventrows import write_event
from storage.store.finding import Find, find_instance, free_name
from storage.store.keys import RequestKey, keep_answer, served, take_key
from storage.store.rows import Change, differences, insert_instance, write_change
from storage.store.transaction import FREED, Transaction

Decide = Callable[[Instance], tuple[Instance, NewEvent | None]]
"""Pure: an instance as it is -> as wished, and what is to be recorded. May raise anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    instance: Instance
    repeated: bool
    """True: the request key was known, and nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    instance: Instance
    due_after: timedelta
    event: NewEvent
    key: RequestKey | None
    card: NewCard | None
    targets: tuple[Target, ...]
    unique_name: bool


def add_instance(transaction: Transaction, wanted: Addition) -> Instance:
    # The key first: a second bearer waits here for the first, before anything else is looked at.
    if wanted.key is not None and not take_key(transaction, wanted.key, wanted.instance.id):
        return _served(transaction, wanted.key)
    if wanted.unique_name:
        _check_name(transaction, wanted.instance.name)
    instance = replace(wanted.instance, sequence=1)
    insert_instance(transaction, instance, due_at=transaction.now + wanted.due_after)
    write_event(transaction, instance, wanted.event, wanted.targets)
    if wanted.card is not None:
        add_card(transaction, instance.id, wanted.card)
    if wanted.key is not None:
        keep_answer(transaction, wanted.key, instance)
    return instance


def record_wish(transaction: Transaction, find: Find, key: RequestKey | None, decide: Decide) -> Wished:
    if key is not None and (earlier := served(transaction, key)) is not None:
        return Wished(instance=earlier, repeated=True)
    before = find_instance(transaction.connection, find, lock=True)
    after, event = decide(before)
    if key is not None and not take_key(transaction, key, before.id):
        return Wished(instance=_served(transaction, key), repeated=True)
    written = _write_wish(transaction, before, after, event)
    if key is not None:
        keep_answer(transaction, key, written)
    return Wished(instance=written, repeated=False)


def _write_wish(
    transaction: Transaction, before: Instance, after: Instance, event: NewEvent | None
) -> Instance:
    values = differences(before, after)
    if not values and event is None:
        return before
    lease = {**FREED, "due_at": transaction.now}
    change = Change(values=values, lease=lease, event=event, acted=True, newer=True)
    return write_change(transaction, before, change)


def _served(transaction: Transaction, key: RequestKey) -> Instance:
    instance = served(transaction, key)
    assert instance is not None  # noqa: S101 - a key goes only together with its instance
    return instance


def _check_name(transaction: Transaction, name: str) -> None:
    if transaction.connection.dialect.name == "postgresql":
        # Two creates of one name wait for each other; SQLite has one writer anyway.
        lock = func.pg_advisory_xact_lock(func.hashtextextended(name.lower(), 0))
        transaction.connection.execute(select(lock))
    if (free := free_name(transaction.connection, name)) is not None:
        raise NameInUse(name, free=free)
