"""Tells every administrator of each GPU that has our mark and that the database does not know."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import structlog

from bot.messages.unknown import unknown_gpu
from bot.sinks.slack import SlackSink
from bot.sinks.verdicts import Dead, Later
from storage.cloud import Quarantined
from storage.store.store import Store

log = structlog.get_logger(__name__)

_LEASE = "unknowns"


class Unknowns:
    def __init__(
        self,
        *,
        store: Store,
        slack: SlackSink | None,
        admins: Collection[str],
        owner: str,
        lease: timedelta,
    ) -> None:
        """`lease`: longer than it takes to tell one administrator."""
        self._store = store
        self._slack = slack
        self._admins = admins
        self._owner = owner
        self._lease = lease
        self._told: set[tuple[str, str]] = set()
        """GPU and administrator, where another one could not be reached: forgotten when the process ends."""

    async def tell_admins(self) -> None:
        """Once each, by one replica. A second time only if the process dies in between."""
        if self._slack is None or not self._admins or not await self._store.quarantine.untold():
            return
        if not await self._is_mine():
            return
        # Again: the one who had the lease may have told them.
        for stray in await self._store.quarantine.untold():
            if await self._all_told(self._slack, stray):
                await self._store.quarantine.told(stray.novita_id)
        await self._store.leases.release(_LEASE, self._owner)

    async def _is_mine(self) -> bool:
        return await self._store.leases.acquire(_LEASE, self._owner, self._lease)

    async def _all_told(self, slack: SlackSink, stray: Quarantined) -> bool:
        """False: another pass does the rest."""
        for admin in self._admins:
            if (stray.novita_id, admin) in self._told:
                continue
            if not await self._is_mine() or not await self._tell(slack, stray, admin):
                return False
            self._told.add((stray.novita_id, admin))
        return True

    async def _tell(self, slack: SlackSink, stray: Quarantined, admin: str) -> bool:
        """False: later. One whom Slack does not know must not hold the others up."""
        verdict = await slack.tell_person(admin, unknown_gpu(stray), novita_id=stray.novita_id)
        if isinstance(verdict, Dead):
            log.warning("stray.untold", novita_id=stray.novita_id, admin=admin, why=verdict.reason)
        return not isinstance(verdict, Later)
