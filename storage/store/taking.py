"""Leasing what is due, and giving back at once what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from sqlalchemy import Table, update

from storage.store.transaction import FREED, Transaction, key_of
from storage.store.unreadable import LeftAlone

V = TypeVar("V")


def take(
    transaction: Transaction,
    table: Table,
    left: LeftAlone,
    claim: Callable[[Collection[str]], Mapping[str, str]],
    read: Callable[[Mapping[str, str]], tuple[list[V], dict[str, str]]],
) -> tuple[V, ...]:
    """`claim`: tokens by key of what it leased, less these keys. `read`: what they are, and why not.

    Empty only where nothing that can be read is due, however much else is.
    """
    while tokens := claim(left.keys(transaction.now)):
        found, unread = read(tokens)
        left.forget(tokens.keys() - unread.keys())
        if unread:
            left.note(unread, transaction.now)
            _give_back(transaction, table, unread)
        if found:
            return tuple(found)
    return ()


def _give_back(transaction: Transaction, table: Table, keys: Collection[str]) -> None:
    """Due as before, for whoever can read it."""
    transaction.connection.execute(update(table).where(key_of(table).in_(keys)).values(FREED))
