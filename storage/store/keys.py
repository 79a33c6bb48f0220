"""Request keys: a request that comes twice acts once. A key is known for a day.

A program's key goes with a fingerprint of its request; the instance is then kept as it was answered, so that
a repetition gets the same answer. Other repetitions are shown the instance as it is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, bindparam, delete, select, text, update

from storage.columns import Moment, leniently
from storage.errors import KeyReused
from storage.records import Instance
from storage.store.rows import COLUMNS, read_instance
from storage.store.transaction import Transaction
from storage.store.unreadable import refuse_unread
from storage.tables import instances, requests

KNOWN_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    text: str
    fingerprint: str | None = None
    """Digest of a program's request; None: a person's, which is never another one."""


# Waits for another bearer of the key; one statement for both databases.
_TAKE = text(
    """
    INSERT INTO requests (key, instance_id, created_at, fingerprint)
    VALUES (:key, :instance_id, :now, :fingerprint)
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("now", type_=Moment()))
_FORGET = delete(requests).where(
    requests.c.key == bindparam("key"), requests.c.created_at <= bindparam("before")
)
_SERVED: Select[Any] = (
    select(*COLUMNS, requests.c.fingerprint, leniently(requests.c.answer))
    .join_from(requests, instances, instances.c.id == requests.c.instance_id)
    .where(requests.c.key == bindparam("key"), requests.c.created_at > bindparam("since"))
)
_KEEP = update(requests).where(requests.c.key == bindparam("row_key"))


def take_key(transaction: Transaction, key: RequestKey, instance_id: str) -> bool:
    """False: the key has been used."""
    transaction.connection.execute(_FORGET, {"key": key.text, "before": transaction.now - KNOWN_FOR})
    values = {
        "key": key.text,
        "instance_id": instance_id,
        "now": transaction.now,
        "fingerprint": key.fingerprint,
    }
    return transaction.change(_TAKE, values) == 1


def keep_answer(transaction: Transaction, key: RequestKey, instance: Instance) -> None:
    """Of a key that was just taken."""
    if key.fingerprint is not None:
        transaction.connection.execute(_KEEP, {"row_key": key.text, "answer": instance})


def served(transaction: Transaction, key: RequestKey) -> Instance | None:
    """The instance of the earlier request with this key.

    Raises KeyReused where that was another request, Unreadable.
    """
    since = transaction.now - KNOWN_FOR
    row = transaction.connection.execute(_SERVED, {"key": key.text, "since": since}).first()
    if row is None:
        return None
    if row.fingerprint != key.fingerprint:
        raise KeyReused
    refuse_unread(("answer",), (row.answer,))
    return row.answer or read_instance(row)


def forget_keys(transaction: Transaction) -> int:
    """Those that are known no longer."""
    old = delete(requests).where(requests.c.created_at <= transaction.now - KNOWN_FOR)
    return transaction.change(old)
