"""How long a GPU usually takes until it can be used, by our own history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from statistics import median_low

from storage.records import Instance
from storage.store.past import Launch
from storage.store.store import Store

_LOOKED_AT = 500
"""Launches; of each kind the latest count."""
_COUNTED = 20
_KEPT = timedelta(minutes=1)

Kind = tuple[str, str]
"""Product name, and image or template."""


class UsualStarts:
    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._known: Mapping[Kind, timedelta] = {}
        self._known_at: datetime | None = None

    async def of(self, i: Instance) -> timedelta | None:
        """From the request to usable: the median of its like; None: there was none, or it is ready."""
        if i.offer is None or i.ready_at is not None:
            return None
        if self._known_at is None or self._clock() - self._known_at >= _KEPT:
            self._known = medians(await self._store.instances.launches(_LOOKED_AT))
            self._known_at = self._clock()
        return self._known.get((i.offer.product_name, i.request.image or i.request.template or ""))


def medians(launches: Iterable[Launch]) -> dict[Kind, timedelta]:
    """`launches`: newest first."""
    took: dict[Kind, list[timedelta]] = {}
    for launch in launches:
        took.setdefault((launch.product_name, launch.source), []).append(launch.took)
    return {kind: median_low(sorted(spans[:_COUNTED])) for kind, spans in took.items()}
