"""Column types: what comes back is what went in, and compares alike on both databases."""

import dataclasses
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import Column, MetaData, Table, select, text
from sqlalchemy.engine import Connection
from storage_samples import CONNECTION, NOW, OFFER, REQUEST, full_instance

from storage.cloud import Connection as Reach
from storage.cloud import Offer
from storage.columns import Json, Moment, Money, Span, Word
from storage.database import Database
from storage.records import Attempt, Card, CreateRequest, Instance, State
from storage.tables import attempts, cards, instances

VALUES = Table(
    "values_to_try",
    MetaData(),
    Column("at", Moment()),
    Column("span", Span()),
    Column("money", Money()),
    Column("word", Word(State)),
    Column("offer", Json(Offer)),
    Column("request", Json(CreateRequest)),
    Column("reach", Json(Reach)),
    Column("instance", Json(Instance)),
)


async def through(database: Database, **values: object) -> object:
    """The value as it comes back."""

    def work(connection: Connection) -> object:
        VALUES.drop(connection, checkfirst=True)
        VALUES.create(connection)
        connection.execute(VALUES.insert().values(**values))
        return connection.execute(select(*(VALUES.c[name] for name in values))).one()[0]

    return await database.write(work)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", NOW + timedelta(microseconds=1)),
        ("at", datetime(1969, 1, 1, tzinfo=UTC)),
        ("at", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("span", timedelta(days=4000, microseconds=3)),
        ("span", -timedelta(microseconds=1)),
        ("money", Decimal("0.3500")),
        ("money", Decimal("12345678901234567890.123456789")),
        ("word", State.RUNNING),
        ("offer", OFFER),
        ("request", REQUEST),
        ("reach", CONNECTION),
        ("instance", full_instance()),
        *((column.name, None) for column in VALUES.columns),
    ],
)
async def test_what_comes_back_is_what_went_in(database: Database, column: str, value: object) -> None:
    found = await through(database, **{column: value})
    assert found == value
    assert type(found) is type(value)


async def test_exact_digits_come_back(database: Database) -> None:
    assert str(await through(database, money=Decimal("0.3500"))) == "0.3500"


async def test_another_zone_is_the_same_time(database: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    found = await through(database, at=there)
    assert isinstance(found, datetime)
    assert (found, found.tzinfo) == (NOW, UTC)


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="naive"):
        await through(database, at=NOW.replace(tzinfo=None))


async def test_a_record_of_the_wrong_types_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="billing_mode"):
        await through(database, offer=dataclasses.replace(OFFER, billing_mode="spot"))  # type: ignore[arg-type]


async def test_a_record_of_an_earlier_version_takes_defaults_for_what_is_new(database: Database) -> None:
    def work(connection: Connection) -> object:
        VALUES.create(connection)
        old = '{"ssh": "x", "was_there_once": 1}'
        connection.execute(text("INSERT INTO values_to_try (reach) VALUES (:old)"), {"old": old})
        return connection.execute(select(VALUES.c.reach)).scalar_one()

    assert await database.write(work) == Reach(ssh="x")


@pytest.mark.parametrize(
    ("table", "record", "own"),
    [
        (instances, Instance, {"name_lower", "due_at", "lease_token", "leased_until"}),
        (cards, Card, {"due_at", "lease_token", "leased_until"}),
        (attempts, Attempt, set()),
    ],
)
def test_columns_are_named_as_fields(table: Table, record: type, own: set[str]) -> None:
    assert {column.name for column in table.c} - own == {field.name for field in fields(record)}
