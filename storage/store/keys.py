"""Request keys: a request that comes twice acts once."""

from __future__ import annotations

from sqlalchemy import bindparam, text

from storage.columns import Moment
from storage.records import Instance
from storage.store.rows import read_instance, select_instances
from storage.store.transaction import Transaction
from storage.tables import instances, requests

# Waits for another bearer of the key; one statement for both databases.
_TAKE = text(
    """
    INSERT INTO requests (key, instance_id, created_at) VALUES (:key, :instance_id, :now)
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("now", type_=Moment()))
_SERVED = select_instances(instances.c.id == requests.c.instance_id, requests.c.key == bindparam("key"))


def take_key(transaction: Transaction, key: str, instance_id: str) -> bool:
    """False: the key has been used."""
    values = {"key": key, "instance_id": instance_id, "now": transaction.now}
    return transaction.change(_TAKE, values) == 1


def served(transaction: Transaction, key: str) -> Instance | None:
    """The instance of the earlier request with this key."""
    row = transaction.connection.execute(_SERVED, {"key": key}).first()
    return None if row is None else read_instance(row)
