"""What somebody's Home tab says, looked up when it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.messages.home import MOST_FAILURES, MOST_INSTANCES, HomeFacts
from storage.records import Notify, State
from storage.store.store import Store

_RECENT = timedelta(days=7)


class Homes:
    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def facts(self, user_id: str, notify: Notify) -> HomeFacts:
        """Of this person's own instances; of the others' only sums."""
        now = self._clock()
        mine, total = await self._store.instances.list_instances(requester=user_id, limit=MOST_INSTANCES)
        failed, _ = await self._store.instances.list_instances(
            requester=user_id, states={State.FAILED}, limit=MOST_FAILURES
        )
        return HomeFacts(
            user_id=user_id,
            instances=mine,
            total=total,
            failures=tuple(i for i in failed if i.updated_at >= now - _RECENT),
            mine=await self._store.instances.totals(user_id),
            team=await self._store.instances.totals(),
            notify=notify,
            now=now,
        )
