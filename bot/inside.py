"""A look into the running service that nobody outside has: for the demo, which waits and tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.confinement import ConfinedWebhooks
from storage.errors import NoSuchInstance
from storage.records import State
from storage.store.finding import Find
from storage.store.store import Store

_UNDER_WAY = frozenset({State.CREATING, State.STARTING, State.STOPPING, State.DELETING})


class Inside:
    _store: Store

    def keep(self, name: str, part: Any) -> Any:
        """Meant as `wrap`; changes nothing but how far webhooks reach."""
        if name == "store":
            self._store = part
        return ConfinedWebhooks(part) if name == "webhook" else part

    async def under_way(self) -> tuple[str, ...]:
        instances, _ = await self._store.instances.list_instances(include_deleted=True)
        waiting = [f"{i.name} is {i.state}" for i in instances if i.state in _UNDER_WAY or i.wish is not None]
        cards = [await self._store.cards.get(i.id) for i in instances]
        if any(card is not None and card.shown_version < card.wanted_version for card in cards):
            waiting.append("a card has yet to be edited")
        if (await self._store.deliveries.backlog()).pending:
            waiting.append("a notice is on its way")
        return tuple(waiting)

    async def looked_at(self) -> datetime | None:
        return (await self._store.polls.last()).listed_at

    async def names(self) -> Mapping[str, str]:
        """What the instances are called here, by their ids at Novita."""
        instances, _ = await self._store.instances.list_instances(include_deleted=True)
        return {i.novita_id: i.name for i in instances if i.novita_id is not None}

    async def novita_id(self, name: str) -> str | None:
        try:
            return (await self._store.instances.get(Find(ref=name))).novita_id
        except NoSuchInstance:
            return None
