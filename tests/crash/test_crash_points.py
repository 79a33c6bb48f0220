"""kill -9 before, during or after each call that matters, then a restart: nothing is lost, nothing bought twice.

A point is a method of a part (`store.instances.begin`) and a moment. Every public method of the parts has points
or stands in `NO_POINTS` with its reason: a new one without either fails `test_every_method_has_its_points`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

import pytest

from bot.novita.client import NovitaClient
from bot.sandbox.novita.faults import Hang, LateEffect, Slow, Status
from bot.sandbox.slack.faults import ErrorCode
from bot.sinks.slack import SlackSink
from bot.sinks.webhook import WebhookSink
from storage.store.cards import Cards
from storage.store.deliveries import Deliveries
from storage.store.instances import Instances
from storage.store.leases import Leases
from storage.store.polls import Polls
from storage.store.store import Store
from storage.store.targets import Targets
from tests.crash.points import When
from tests.e2e.stage import GPU, Stage, seconds_of

Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Point:
    method: str
    when: When
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.when}-{self.method}-{self.nth}"


# --- the plays: what goes on when it dies -------------------------------------------------------


async def ask(stage: Stage) -> None:
    """Armed from the start: the create and what follows from it."""
    stage.armed.touch()
    await stage.create()


async def asked(stage: Stage) -> None:
    """Armed after the ack, for what also runs while nothing is asked."""
    await stage.create()
    stage.armed.touch()


async def ask_slowly(stage: Stage) -> None:
    """A create under way for so long that its lease is renewed."""
    stage.novita.faults.add("create", Slow(0.8))
    await ask(stage)


async def ask_where_sold_out(stage: Stage) -> None:
    stage.cloud.set_capacity("4090.16c62g", "cn-hongkong-1", "spot", gpus=0)
    await ask(stage)


async def ask_in_an_outage(stage: Stage) -> None:
    stage.novita.faults.add("list", Status(500), times=8)
    await asked(stage)


async def ask_with_a_receiver_that_fails(stage: Stage) -> None:
    stage.receiver.answers = 500
    await ask(stage)


async def ask_with_a_receiver_that_is_gone(stage: Stage) -> None:
    stage.receiver.answers = 410
    await ask(stage)


async def ask_with_slack_failing(stage: Stage) -> None:
    stage.slack.fail("chat.postMessage", ErrorCode("internal_error"), times=3)
    await ask(stage)


async def ask_and_delete_the_card(stage: Stage) -> None:
    stage.slack.fail("chat.update", ErrorCode("message_not_found"), times=1)
    await ask(stage)


async def ask_for_what_comes_too_late(stage: Stage) -> None:
    stage.novita.faults.add("create", LateEffect(seconds_of(4.0), code=500))
    await ask(stage)


def change(verb: str) -> Play:
    async def play(stage: Stage) -> None:
        await stage.running()
        if verb == "start":
            await stage.ada.command("/gpu stop my-train", channel=GPU)
            await stage.told("my-train", "instance.stopped")
        stage.armed.touch()
        await stage.ada.command(f"/gpu {verb} my-train", channel=GPU)

    return play


# --- the points ---------------------------------------------------------------------------------

PLAYS: dict[str, Play] = {
    "store.instances.add": ask,
    "store.instances.wish": change("stop"),
    "store.instances.lease_due": asked,
    "store.instances.renew": ask_slowly,
    "store.instances.begin": ask,
    "store.instances.bind": ask,
    "store.instances.not_made": ask_where_sold_out,
    "store.instances.settle": ask,
    "store.instances.settle_stray": ask_for_what_comes_too_late,
    "store.polls.observe": asked,
    "store.polls.broken": ask_in_an_outage,
    "store.polls.delay": ask_in_an_outage,
    "store.cards.lease_due": asked,
    "store.cards.settle": ask,
    "store.cards.later": ask_with_slack_failing,
    "store.cards.lost": ask_and_delete_the_card,
    "store.deliveries.lease_due": asked,
    "store.deliveries.settle_delivered": ask,
    "store.deliveries.settle_later": ask_with_a_receiver_that_fails,
    "store.deliveries.settle_dead": ask_with_a_receiver_that_is_gone,
    "store.targets.disable_target": ask_with_a_receiver_that_is_gone,
    "store.leases.acquire": asked,
    "novita.create_instance": ask,
    "novita.get_instance": ask,
    "novita.list_instances": asked,
    "novita.start_instance": change("start"),
    "novita.stop_instance": change("stop"),
    "novita.restart_instance": change("restart"),
    "novita.delete_instance": change("delete"),
    "slack.show_card": ask,
    "slack.post_notice": ask,
    "webhook.send": ask,
}

_READS = "changes nothing, and every step around it has points"
NO_POINTS = {
    "store.instances.get": _READS,
    "store.instances.list_instances": _READS,
    "store.instances.names": _READS,
    "store.instances.attempts": _READS,
    "store.polls.last": _READS,
    "store.polls.pace": _READS,
    "store.cards.get": _READS,
    "store.deliveries.list_deliveries": _READS,
    "store.deliveries.backlog": _READS,
    "store.targets.disabled_targets": _READS,
    "novita.list_products": _READS,
    "novita.list_clusters": _READS,
    "novita.list_templates": _READS,
    "novita.get_template": _READS,
    "store.instances.purge": "one transaction about what is long over",
    "store.targets.enable_all": "at every start, before anything else",
    "store.cards.renew": "a lapsed lease is what every other point leaves behind",
    "store.deliveries.renew": "a lapsed lease is what every other point leaves behind",
    "store.cards.move": "not called",
    "store.deliveries.replay": "not called",
    "store.leases.release": "not called",
    "novita.aclose": "the end of the service",
    "webhook.aclose": "the end of the service",
}

WEBHOOK_UNKNOWN = {"store.deliveries.settle_dead", "store.targets.disable_target"}
"""Their receiver is gone: only Slack is told."""
NOT_ORDERED = {("store.instances.begin", When.AFTER), ("novita.create_instance", When.BEFORE)}
"""Begun on disk, and never sent. Nobody can know that: it is not repeated, and ends as UNCONFIRMED."""
NOT_RECORDED = {("store.instances.add", When.BEFORE), ("store.instances.add", When.DURING)}
MAY_REPEAT_NOTICE = {
    ("slack.post_notice", When.AFTER),
    ("store.deliveries.settle_delivered", When.BEFORE),
    ("store.deliveries.settle_delivered", When.DURING),
}

MUST = {
    Point(method="store.instances.begin", when=When.AFTER),
    Point(method="store.instances.bind", when=When.DURING),
    Point(method="slack.post_notice", when=When.AFTER),
    Point(method="webhook.send", when=When.AFTER),
}
"""These run with every `make test`; the others are slow together."""


def points() -> list[Point]:
    found = []
    for method in PLAYS:
        moments = list(When) if method.startswith("store.") else [When.BEFORE, When.AFTER]
        found += [Point(method=method, when=when) for when in moments]
    for nth in (2, 3, 5):
        found += [Point(method="store.instances.settle", when=when, nth=nth) for when in When]
    return found


def params(play: bool = True) -> list[object]:  # noqa: FBT001, FBT002 - nobody else calls it
    asking = {method for method, found in PLAYS.items() if not found.__qualname__.startswith("change.")}
    return [
        pytest.param(point, id=str(point), marks=() if point in MUST else pytest.mark.slow)
        for point in points()
        if (point.method in asking) == play
    ]


def test_every_method_has_its_points() -> None:
    parts = {
        "store.instances": Instances,
        "store.polls": Polls,
        "store.cards": Cards,
        "store.deliveries": Deliveries,
        "store.targets": Targets,
        "store.leases": Leases,
        "novita": NovitaClient,
        "slack": SlackSink,
        "webhook": WebhookSink,
    }
    assert {f"store.{field.name}" for field in fields(Store)} - {"store.deployment"} <= set(parts)
    methods = {
        f"{name}.{method}"
        for name, part in parts.items()
        for method, _ in inspect.getmembers(part, inspect.iscoroutinefunction)
        if not method.startswith("_")
    }
    assert methods == set(PLAYS) | set(NO_POINTS)
    assert not set(PLAYS) & set(NO_POINTS)


async def dies_and_returns(stage: Stage, point: Point) -> None:
    fuse = {"method": point.method, "when": point.when.value, "nth": point.nth}
    await stage.start(fuse=fuse, timings={"unconfirmed_after": 3.0})
    await PLAYS[point.method](stage)
    await stage.die_and_return(timings={"unconfirmed_after": 3.0})
    stage.receiver.answers = 410 if point.method in WEBHOOK_UNKNOWN else 200


@pytest.mark.parametrize("point", params())
async def test_a_request_survives_its_death(stage: Stage, point: Point) -> None:
    await dies_and_returns(stage, point)
    if (point.method, point.when) in NOT_RECORDED:
        assert stage.created() == 0
        await stage.create()  # no ack, nothing on disk: asked again
    if point.method == "store.instances.settle_stray":
        await stage.until(lambda: stage.notices("my-train", "instance.late_removed"))
        await stage.until(lambda: stage.gpus() == [])
        assert stage.created() == 1
        return
    event = "instance.failed" if (point.method, point.when) in NOT_ORDERED else "instance.ready"
    await stage.until(lambda: stage.notices("my-train", event))
    if point.method not in WEBHOOK_UNKNOWN:
        await stage.told("my-train", event)
    assert len(stage.gpus()) == (0 if event == "instance.failed" else 1)
    assert len([call for call in stage.novita.journal.calls("create") if call.status == 200]) <= 1
    allowed = 2 if (point.method, point.when) in MAY_REPEAT_NOTICE else 1
    assert len(stage.notices("my-train", event)) <= allowed
    assert len({hook.id for hook in stage.receiver.of(event)}) <= 1
    assert len(stage.cards()) <= 2, "a second one only where it died while Slack took the first"


TOLD = {
    "store.instances.wish": "instance.stopped",
    "novita.stop_instance": "instance.stopped",
    "novita.start_instance": "instance.started",
    "novita.restart_instance": "instance.started",
    "novita.delete_instance": "instance.deleted",
}


@pytest.mark.parametrize("point", params(play=False))
async def test_a_change_survives_its_death(stage: Stage, point: Point) -> None:
    await dies_and_returns(stage, point)
    if point.method == "store.instances.wish" and point.when is not When.AFTER:
        await stage.ada.command("/gpu stop my-train", channel=GPU)
    event = TOLD[point.method]
    await stage.told("my-train", event)
    assert len(stage.notices("my-train", event)) == 1
    assert stage.created() == 1
    assert len(stage.gpus()) == (0 if event == "instance.deleted" else 1)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Hang(after_effect=True), id="made"),
        pytest.param(LateEffect(seconds_of(1.0), code=None), id="made-later", marks=pytest.mark.slow),
    ],
)
async def test_a_kill_between_the_create_call_and_its_answer_ends_with_one(
    stage: Stage, fault: object
) -> None:
    stage.novita.faults.add("create", fault)
    service = await stage.start(timings={"unconfirmed_after": 6.0}, settings={"api_timeout": 20})
    await stage.create()
    await stage.novita.journal.wait_for("create", 1)
    service.kill()
    await stage.die_and_return(timings={"unconfirmed_after": 6.0})
    await stage.told("my-train", "instance.ready")
    assert (stage.created(), len(stage.gpus())) == (1, 1)
    assert len(stage.notices("my-train", "instance.ready")) == 1


@pytest.mark.parametrize("after", [0.3, *(pytest.param(0.1 * n, marks=pytest.mark.slow) for n in range(25))])
async def test_a_kill_at_any_moment_after_the_ack_loses_nothing(stage: Stage, after: float) -> None:
    service = await stage.start(timings={"unconfirmed_after": 3.0})
    await stage.create()
    await stage.later(after)
    service.kill()
    await stage.die_and_return(timings={"unconfirmed_after": 3.0})
    await stage.until(
        lambda: stage.notices("my-train", "instance.ready") or stage.notices("my-train", "instance.failed")
    )
    told = "instance.ready" if stage.gpus() else "instance.failed"
    await stage.told("my-train", told)
    assert stage.created() <= 1
    assert len(stage.gpus()) == (1 if told == "instance.ready" else 0)
    assert len({hook.id for hook in stage.receiver.of(told)}) == 1
