"""Leasing what is due, and giving back at once what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from sqlalchemy import Table, update

from storage.store.transaction import FREED, Transaction, key_of, rows_of
from storage.store.unreadable import LeftAlone

V = TypeVar("V")


def take(
    transaction: Transaction,
    left: LeftAlone,
    at_work: Iterable[str],
    claim: Callable[[Collection[str]], Mapping[str, str]],
    read: Callable[[Mapping[str, str]], tuple[list[V], dict[str, str]]],
) -> tuple[V, ...]:
    """`claim`: tokens by key of what it leased, less these keys. `read`: what they are, and why not.
    `at_work`: tokens of what this process has in flight. Such a lease may have lapsed while it stood still,
    and what it does is not begun once more beside itself.

    Empty only where nothing that can be read is due, however much else is.
    """
    mine = rows_of(at_work)
    while tokens := claim([*left.keys(transaction.now), *mine]):
        found, unread = read(tokens)
        left.forget(tokens.keys() - unread.keys())
        if unread:
            left.note(unread, transaction.now)
            _give_back(transaction, left.table, unread)
        if found:
            return tuple(found)
    return ()


def _give_back(transaction: Transaction, table: Table, keys: Collection[str]) -> None:
    """Due as before, for whoever can read it."""
    transaction.connection.execute(update(table).where(key_of(table).in_(keys)).values(FREED))
