"""Which instance somebody means."""

from __future__ import annotations

import difflib
import itertools
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, case, or_, select
from sqlalchemy.engine import Connection

from storage.errors import Ambiguous, NoSuchInstance
from storage.records import Instance, State
from storage.store.rows import read_instance, select_instances
from storage.tables import instances

NAME_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """`ref` is an id, or a name with case ignored: the id first, then the newest that is not deleted.

    None: the only instance of `requester` that is not deleted.
    """

    ref: str | None
    requester: str | None = None


_exists = instances.c.state != State.DELETED
_NEWEST = (instances.c.created_at.desc(), instances.c.id.desc())
_BY_REF = (
    select_instances(
        or_(instances.c.id == bindparam("ref"), and_(instances.c.name_lower == bindparam("lower"), _exists))
    )
    .order_by(case((instances.c.id == bindparam("ref"), 0), else_=1), *_NEWEST)
    .limit(1)
)
_BY_REF_LOCKED = _BY_REF.with_for_update(key_share=True)
_IN_USE = select(instances.c.id).where(instances.c.name_lower == bindparam("lower"), _exists).limit(1)
_NAMES = select(instances.c.name).where(_exists).order_by(*_NEWEST)


def find_instance(connection: Connection, find: Find, *, lock: bool = False) -> Instance:
    """Raises NoSuchInstance, Ambiguous, Unreadable."""
    if find.ref is None:
        return _only_one(connection, find.requester, lock=lock)
    statement = _BY_REF_LOCKED if lock else _BY_REF
    row = connection.execute(statement, {"ref": find.ref, "lower": find.ref.lower()}).first()
    if row is None:
        raise NoSuchInstance(find.ref, near=_near(connection, find.ref))
    return read_instance(row)


def list_names(connection: Connection, requester: str | None) -> tuple[str, ...]:
    """Newest first, none twice; None: everybody's."""
    statement = _NAMES if requester is None else _NAMES.where(instances.c.requester == requester)
    return tuple(dict.fromkeys(connection.scalars(statement)))


def free_name(connection: Connection, name: str) -> str | None:
    """None: `name` itself is free. Otherwise the first free one of `name-2`, `name-3` …, cut to fit."""
    if connection.execute(_IN_USE, {"lower": name.lower()}).first() is None:
        return None
    alike = instances.c.name_lower.startswith(name.lower()[: NAME_LENGTH - 8], autoescape=True)
    taken = set(connection.scalars(select(instances.c.name_lower).where(_exists, alike)))
    proposals = (_numbered(name, number) for number in itertools.count(2))
    return next(proposal for proposal in proposals if proposal.lower() not in taken)


def _only_one(connection: Connection, requester: str | None, *, lock: bool) -> Instance:
    if requester is None:
        raise NoSuchInstance(None)
    mine = select_instances(_exists, instances.c.requester == requester).order_by(*_NEWEST).limit(2)
    rows = connection.execute(mine.with_for_update(key_share=True) if lock else mine).all()
    match len(rows):
        case 0:
            raise NoSuchInstance(None)
        case 1:
            return read_instance(rows[0])
        case _:
            names = connection.scalars(_NAMES.where(instances.c.requester == requester))
            raise Ambiguous(tuple(names))


def _near(connection: Connection, ref: str) -> tuple[str, ...]:
    return tuple(difflib.get_close_matches(ref.lower(), list_names(connection, None), n=3))


def _numbered(name: str, number: int) -> str:
    end = f"-{number}"
    return name[: NAME_LENGTH - len(end)].rstrip("-") + end
