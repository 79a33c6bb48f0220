from __future__ import annotations

import pytest

from bot.novita.statuses import phase_of, spot_of
from storage.cloud import Phase, Spot

DOCUMENTED = [
    "toCreate",
    "creating",
    "pulling",
    "running",
    "toStart",
    "starting",
    "toStop",
    "stopping",
    "exited",
    "toRestart",
    "restarting",
    "toRemove",
    "removing",
    "removed",
    "toReset",
    "resetting",
    "migrating",
    "freezing",
    "pending",
]


@pytest.mark.parametrize("word", DOCUMENTED)
def test_every_documented_word_has_a_phase(word: str) -> None:
    assert phase_of(word) is not Phase.UNKNOWN


@pytest.mark.parametrize("word", ["", "failed", "hibernating", "running soon"])
def test_other_words_are_unknown_not_errors(word: str) -> None:
    assert phase_of(word) is Phase.UNKNOWN


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("pending", Phase.PROVISIONING),
        ("pulling", Phase.PROVISIONING),
        ("migrating", Phase.PROVISIONING),
        ("running", Phase.RUNNING),
        ("RUNNING ", Phase.RUNNING),
        ("freezing", Phase.STOPPING),
        ("exited", Phase.STOPPED),
        ("toRemove", Phase.REMOVING),
        ("removing", Phase.REMOVING),
        ("removed", Phase.GONE),
    ],
)
def test_words_mean_what_the_api_page_says(word: str, phase: Phase) -> None:
    assert phase_of(word) is phase


@pytest.mark.parametrize(
    ("word", "spot"),
    [
        ("running", Spot.UNDISTURBED),
        ("Notified ", Spot.NOTIFIED),
        ("reclaiming", Spot.RECLAIMED),
        ("terminated", Spot.RECLAIMED),
        ("", None),
        ("somethingNew", None),
    ],
)
def test_spot_words_are_understood_or_ignored(word, spot):
    assert spot_of(word) is spot
