"""A replica that stands still in the middle of a transaction."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from storage import postgres
from storage.database import open_database
from storage.tables import meta

pytestmark = pytest.mark.slow


# The connection that the server ended is dropped, as one that broke: psycopg would like to see it closed.
@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
async def test_it_does_not_keep_its_rows_from_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STANDS_STILL", timedelta(milliseconds=300))
    has_row, goes_on = Event(), Event()

    def stand_still(connection: Connection) -> None:
        connection.execute(select(meta).with_for_update()).one()
        has_row.set()
        goes_on.wait(20)

    async def frozen() -> None:
        database = await open_database(postgres_url)
        try:
            with pytest.raises(DBAPIError):
                await database.write(stand_still)
            await database.write(take_row)  # over a new connection
        finally:
            await database.close()

    other = await open_database(postgres_url)
    standing = asyncio.create_task(asyncio.to_thread(asyncio.run, frozen()))
    assert await asyncio.to_thread(has_row.wait, 20)
    await asyncio.wait_for(other.write(take_row), 10)
    goes_on.set()
    await standing
    await other.close()
    gc.collect()


def take_row(connection: Connection) -> None:
    connection.execute(update(meta).values(poll_broken=True))
