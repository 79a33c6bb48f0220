"""Novita's raw status words, and what they mean for us. Nothing outside this file branches on a raw word.

The words are those of the API page of get and list, plus `pending`, seen live right after a create, and
`stopped`, which the newer API says instead of `exited`. There is no word for "failed".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storage.cloud import Phase, Spot

_WORDS: Mapping[Phase, tuple[str, ...]] = {
    Phase.PROVISIONING: (
        "pending",
        "toCreate",
        "creating",
        "pulling",
        "toStart",
        "starting",
        "toRestart",
        "restarting",
        "toReset",
        "resetting",
        "migrating",
    ),
    Phase.RUNNING: ("running",),
    # freezing: an exhausted balance takes the machine away; it is on its way to exited
    Phase.STOPPING: ("toStop", "stopping", "freezing"),
    Phase.STOPPED: ("exited", "stopped"),
    Phase.REMOVING: ("toRemove", "removing"),
    Phase.GONE: ("removed",),
}

_PHASES: Mapping[str, Phase] = MappingProxyType(
    {word.casefold(): phase for phase, words in _WORDS.items() for word in words}
)


def phase_of(status: str) -> Phase:
    """Unknown and empty words are `Phase.UNKNOWN`, never an error; case does not matter."""
    return _PHASES.get(status.strip().casefold(), Phase.UNKNOWN)


_SPOTS: Mapping[str, Spot] = MappingProxyType(
    {
        "running": Spot.UNDISTURBED,
        "notified": Spot.NOTIFIED,
        "reclaiming": Spot.RECLAIMED,
        "terminated": Spot.RECLAIMED,
        "reclaimed": Spot.RECLAIMED,
    }
)


def spot_of(word: str) -> Spot | None:
    """None for an unknown or empty word: what is not understood is no notice."""
    return _SPOTS.get(word.strip().casefold())
