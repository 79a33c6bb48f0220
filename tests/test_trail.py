"""What an operator reads about an instance: each thing once, with the ids to search for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from loglines import events, logged
from samples import NOW
from scene import ADA, ADMIN, ASKED, PROGRAM, Origin, Scene, scene

from bot import trail
from bot.errors import (
    BotError,
    InsufficientResource,
    NotSent,
    NovitaRefused,
    NovitaUnavailable,
    OutcomeUnknown,
)
from storage.cloud import Phase
from storage.errors import DatabaseUnavailable
from storage.records import EventKind, Instance, NewEvent, Wish
from storage.store.observing import Observed, Stray

MINE = ("instance.", "create.", "change.")


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def asked(s: Scene) -> Instance:
    return await s.operations.create(ASKED, ADA, Origin(key="k", channel="C1"), unique_name=True)


async def lost(s: Scene) -> Instance:
    """Its create was given up, and fails."""
    s.novita.before["create"].append(OutcomeUnknown("Novita did not answer in time."))
    i = await asked(s)
    await s.settle()
    await s.polls(5, every=60)
    return i


async def test_a_life_leaves_one_line_for_each_thing_that_happened(s: Scene):
    with logged() as lines:
        i = await asked(s)
        await s.settle()
        s.novita.show("n1", Phase.RUNNING)
        await s.polls(3)
        await s.operations.act(Wish.STOP, i.id, ADMIN, Origin(key="stop"))
        await s.operations.act(Wish.STOP, i.id, ADMIN, Origin(key="stop"))
        await s.settle()
        await s.polls(3)
        await s.operations.act(Wish.DELETE, i.id, PROGRAM, Origin(key=None, correlation_id="corr-9"))
        await s.settle()
        await s.polls(5)
    assert events(lines, *MINE) == [
        "instance.requested",
        "create.begun",
        "create.accepted",
        "instance.changed",
        "instance.ready",
        "instance.requested",
        "change.accepted",
        "instance.stopped",
        "instance.requested",
        "change.accepted",
        "instance.deleted",
    ]
    assert {(line["instance"], line["name"], line["requester"]) for line in lines} == {
        (i.id, "my-train", "U1")
    }
    wishes = [(line["verb"], line["actor"]) for line in lines if line["event"] == "instance.requested"]
    assert wishes == [("create", "U1"), ("stop", "UADMIN"), ("delete", "rest")]
    assert {line.get("correlation_id") for line in lines if line["event"] == "instance.deleted"} == {"corr-9"}


async def test_a_create_says_what_is_bought_where_and_at_what_price(s: Scene):
    with logged() as lines:
        await asked(s)
        await s.settle()
    begun, accepted = (line for line in lines if line["event"].startswith("create."))
    offer = ("RTX 4090 24GB", "hk", "CN-HK-01 (Hong Kong)", "0.36")
    assert (begun["product"], begun["product_id"], begun["region"], str(begun["usd_per_hour"])) == offer
    assert (begun["attempt"], accepted["attempt"], accepted["novita_id"]) == (1, 1, "n1")


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (InsufficientResource("None left."), "create.unavailable", "info"),
        (NovitaRefused("No.", code="INVALID"), "create.refused", "warning"),
        (NotSent("Novita cannot be reached."), "create.not_sent", "info"),
        (OutcomeUnknown("Novita did not answer in time."), "create.unknown", "warning"),
    ],
)
async def test_a_create_that_is_not_accepted_says_how_it_ended(
    s: Scene, error: BotError, event: str, level: str
):
    s.novita.before["create"].append(error)
    await asked(s)
    with logged() as lines:
        await s.reconciler.reconcile()
        await s.reconciler.workers.idle()
    assert events(lines, "create.") == ["create.begun", event]
    (ended,) = (line for line in lines if line["event"] == event)
    assert (ended["log_level"], ended["attempt"], ended["why"]) == (level, 1, str(error))


async def test_a_failure_is_a_warning_that_says_why(s: Scene):
    s.novita.before["create"].append(NovitaRefused("No such image.", code="INVALID"))
    await asked(s)
    with logged() as lines:
        await s.settle()
    (line,) = (line for line in lines if line["event"] == "instance.failed")
    assert (line["log_level"], line["code"], line["why"]) == ("warning", "INVALID", "No such image.")


async def test_a_delete_that_is_refused_for_ever_warns_once(s: Scene):
    i = await s.ready()
    s.novita.before["delete"] += [NovitaRefused("No.", code="LOCKED") for _ in range(8)]
    with logged(details=True) as lines:
        await s.operations.act(Wish.DELETE, i.id, ADA, Origin(key=None))
        await s.settle()
        await s.polls(8, every=120)
    refusals = [line["log_level"] for line in lines if line["event"] == "change.refused"]
    assert refusals == ["warning", *["debug"] * (len(refusals) - 1)]
    assert len(refusals) > 5
    assert events(lines).count("instance.refused") == 1


async def test_changes_that_do_not_come_through_are_details(s: Scene):
    i = await s.ready()
    s.novita.before["stop"] += [NotSent("Not now."), OutcomeUnknown("Lost.")]
    with logged(details=True) as lines:
        await s.operations.act(Wish.STOP, i.id, ADA, Origin(key=None))
        await s.settle()
        await s.polls(3, every=60)
    kept = [(line["event"], line["log_level"]) for line in lines if line["event"].startswith("change.")]
    assert kept == [("change.not_sent", "debug"), ("change.unknown", "debug"), ("change.accepted", "info")]


async def test_what_cannot_be_begun_is_a_detail(s: Scene):
    s.novita.before["products"].append(NovitaUnavailable("Down."))
    await asked(s)
    with logged(details=True) as lines:
        await s.settle()
    assert events(lines, "create.") == ["create.postponed"]


async def test_a_late_gpu_is_told_once_and_that_it_stays_once(s: Scene):
    i = await lost(s)
    s.novita.appear("late", f"gb-{s.store.deployment}-{i.id}-a1")
    s.novita.before["delete"] += [NovitaRefused("Not yet."), NovitaRefused("Not yet.")]
    with logged() as lines:
        await s.polls(4)
    removed, stays = (line for line in lines if line["log_level"] == "warning")
    assert (removed["event"], removed["novita_id"], removed["attempt"]) == (
        "instance.late_removed",
        "late",
        1,
    )
    assert (stays["event"], stays["novita_id"], stays["why"]) == ("stray.stays", "late", "Not yet.")
    assert (removed["instance"], removed["name"], stays["instance"]) == (i.id, "my-train", i.id)


async def test_a_late_gpu_of_a_forgotten_instance_has_its_id_at_least(s: Scene):
    i = await lost(s)
    (attempt,) = await s.store.instances.attempts(i.id)
    s.novita.appear("late", "gb")
    stray = Stray(instance=None, attempt=attempt, observation=s.novita.instances["late"])
    with logged() as lines:
        await s.poller._remove_strays(Observed(changed=0, bound=0, strays=(stray,)))
    (line,) = lines
    assert (line["event"], line["instance"], "name" in line) == ("instance.late_removed", i.id, False)


async def test_a_gpu_that_nobody_knows_is_an_error_once(s: Scene):
    s.novita.appear("whose", f"gb-{s.store.deployment}-{'z' * 16}-a1")
    with logged() as lines:
        await s.polls(3)
    assert [(line["event"], line["log_level"], line["novita_id"]) for line in lines] == [
        ("stray.unknown", "error", "whose")
    ]


async def test_a_fault_has_the_ids_and_a_reference(s: Scene):
    s.novita.before["create"].append(ZeroDivisionError())
    i = await asked(s)
    with logged() as lines:
        await s.settle()
    (line,) = (line for line in lines if line["event"] == "step.broken")
    assert (line["log_level"], line["instance"], len(line["reference"])) == ("error", i.id, 8)


async def test_the_lines_of_an_instance_carry_no_id_of_the_request_that_woke_us(s: Scene):
    await asked(s)
    with logged() as lines, structlog.contextvars.bound_contextvars(request_id="req-1", actor="U9"):
        await s.settle()
    assert [line["event"] for line in lines if "request_id" in line or "actor" in line] == []
    assert events(lines, "create.")


async def test_a_request_that_comes_twice_is_told_once(s: Scene):
    with logged() as lines, structlog.contextvars.bound_contextvars(request_id="req-1"):
        first, second = await asked(s), await asked(s)
    assert first == second
    (line,) = lines
    assert (line["event"], line["request_id"]) == ("instance.requested", "req-1")


async def test_an_outage_of_the_database_is_not_told_by_every_row(s: Scene, monkeypatch):
    async def down(*_args, **_options):
        raise DatabaseUnavailable("The database does not work at the moment.")

    await asked(s)
    leased = await s.store.instances.lease_due(5)
    with logged() as lines, monkeypatch.context() as outage:
        outage.setattr(s.store.instances, "attempts", down)
        await s.reconciler._guarded(leased[0])
        outage.undo()
        s.novita.before["products"].append(ZeroDivisionError())
        outage.setattr(s.store.instances, "settle", down)
        await s.reconciler._guarded(leased[0])
    assert events(lines) == ["step.broken"]


def test_every_event_has_a_line_of_its_own():
    with logged() as lines:
        for kind in EventKind:
            trail.happened(NewEvent(kind=kind, at=NOW, note="Its endpoints did not answer."))
    assert events(lines) == [kind.value for kind in EventKind]
    assert {line["why"] for line in lines} == {"Its endpoints did not answer."}
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["instance.late_removed"]
