"""The service dies by SIGKILL at a call of each method that writes, asks or tells; the next one finishes.

For each method one stage and a life for each moment (before, during, after), then one more that may live.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from bot.novita.client import NovitaClient
from bot.sandbox.novita.faults import Hang, Slow
from bot.sandbox.slack import faults as slack_faults
from bot.sinks.slack import SlackSink
from bot.sinks.webhook import WebhookSink
from storage.store.store import Store
from tests.crash import scenes
from tests.crash.aftermath import Aftermath, Outcome
from tests.crash.points import When
from tests.crash.scenes import Deed, Scene, nothing
from tests.e2e.lives import Nursery
from tests.e2e.stage import GPU, PATIENCE, Stage, staged

slow = pytest.mark.soak

STORE = {
    "store.instances.add": scenes.CREATE_IT,
    "store.instances.wish": scenes.STOP_IT,
    "store.instances.lease_due": scenes.CREATE_IT,
    "store.instances.renew": scenes.SLOW_CREATE,
    "store.instances.begin": scenes.CREATE_IT,
    "store.instances.bind": scenes.CREATE_IT,
    "store.instances.not_made": scenes.SOLD_OUT,
    "store.instances.settle": scenes.CREATE_IT,
    "store.instances.settle_stray": scenes.TOO_LATE,
    "store.instances.purge": scenes.OVER,
    "store.polls.observe": scenes.CREATE_IT,
    "store.polls.broken": scenes.UNLISTED,
    "store.polls.delay": scenes.UNLISTED,
    "store.cards.lease_due": scenes.CREATE_IT,
    "store.cards.renew": scenes.SLACK_IS_SILENT,
    "store.cards.settle": scenes.CREATE_IT,
    "store.cards.later": scenes.SLACK_FAILS,
    "store.cards.lost": scenes.CARD_IS_GONE,
    "store.people.lease_homes": scenes.AT_HOME,
    "store.people.settle": scenes.AT_HOME,
    "store.people.renew": scenes.HOME_IS_SILENT,
    "store.deliveries.lease_due": scenes.CREATE_IT,
    "store.deliveries.renew": scenes.RECEIVER_IS_SILENT,
    "store.deliveries.settle_delivered": scenes.CREATE_IT,
    "store.deliveries.settle_later": scenes.RECEIVER_FAILS,
    "store.deliveries.settle_gone": scenes.RECEIVER_ENDS,
    "store.leases.acquire": scenes.CREATE_IT,
}
ELSEWHERE = {
    "novita.create_instance": scenes.CREATE_IT,
    "novita.list_instances": scenes.CREATE_IT,
    "novita.get_instance": scenes.CREATE_IT,
    "novita.start_instance": scenes.START_IT,
    "novita.stop_instance": scenes.STOP_IT,
    "novita.restart_instance": scenes.RESTART_IT,
    "novita.delete_instance": scenes.DELETE_IT,
    "novita.get_template": scenes.RARE_TEMPLATE,
    "slack.show_card": scenes.CREATE_IT,
    "slack.post_notice": scenes.CREATE_IT,
    "slack.publish_home": scenes.AT_HOME,
    "webhook.send": scenes.CREATE_IT,
}
AT_THE_START = {"novita.list_products", "novita.list_clusters", "novita.list_templates"}

READS = {
    "store.instances.get",
    "store.instances.served",
    "store.instances.list_instances",
    "store.instances.names",
    "store.instances.attempts",
    "store.instances.counts",
    "store.polls.last",
    "store.polls.pace",
    "store.instances.totals",
    "store.instances.launches",
    "store.instances.history",
    "store.cards.get",
    "store.cards.instance_at",
    "store.people.notify",
    "store.quarantine.size",
    "store.quarantine.untold",
    "store.deliveries.list_deliveries",
    "store.deliveries.is_told_directly",
    "store.deliveries.backlog",
    "store.deliveries.attempts",
    "store.targets.disabled_targets",
    "store.targets.statistics",
}
UNREACHED = {
    "store.targets.enable_all": "done while the store is opened, before it is wrapped; done again at each start",
    "store.cards.move": "nothing calls it",
    "store.deliveries.settle_dead": "after nine retries; it writes what settle_later writes",
    "store.targets.disable_target": "after 120 hours of failures; it writes what settle_gone writes",
    "store.deliveries.replay": "only REST calls it",
    "store.deliveries.replay_dead": "only REST calls it",
    "store.leases.release": "at the end of the service; a lease that is kept lapses",
    "store.people.open_home": "a Home tab that is lost is opened again",
    "store.people.close_home": "a Home tab that goes on being shown to a guest shows what is theirs",
    "store.people.choose": "a choice that is lost is not shown as made",
    "store.people.later": "Slack is well in these scenes; it writes what settle writes",
    "slack.post_direct": "it posts as post_notice does, and nobody in these scenes chose it",
    "store.quarantine.told": "nobody is unknown in these scenes",
    "slack.tell_person": "nobody is unknown in these scenes",
    "novita.aclose": "at the end of the service",
    "webhook.aclose": "at the end of the service",
    "webhook.start": "a look at itself before it is used; writes nothing",
}
NEVER_REPEATED = {
    ("store.instances.begin", When.AFTER),
    ("novita.create_instance", When.BEFORE),
    ("store.instances.not_made", When.BEFORE),
    ("store.instances.not_made", When.DURING),
}
"""A create was begun and nothing of it is known: nobody can tell it from one that was made."""
QUICK = {"store.instances.begin"}


@pytest.fixture
async def stage(nursery: Nursery, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(nursery, tmp_path, ack_timeout=timedelta(seconds=1)) as stage:
        yield stage


def methods() -> Iterator[str]:
    """Every public coroutine method of the parts that `bot.app` hands to `wrap`."""
    nouns = {noun: hint for noun, hint in get_type_hints(Store).items() if noun != "deployment"}
    assert nouns.keys() == {noun.name for noun in fields(Store)} - {"deployment"}
    parts = {f"store.{noun}": hint for noun, hint in nouns.items()}
    parts |= {"novita": NovitaClient, "slack": SlackSink, "webhook": WebhookSink}
    for part, kind in parts.items():
        for name, _ in inspect.getmembers(kind, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                yield f"{part}.{name}"


def test_every_method_has_a_case() -> None:
    cases = STORE.keys() | ELSEWHERE.keys() | AT_THE_START | READS | UNREACHED.keys()
    assert set(methods()) == cases


def test_what_nothing_calls_is_called_by_nothing() -> None:
    sources = [file.read_text() for file in Path("bot").rglob("*.py") if "sandbox" not in file.parts]
    for method, why in UNREACHED.items():
        noun, _, name = method.removeprefix("store.").partition(".")
        assert why != "nothing calls it" or not [text for text in sources if f".{noun}.{name}(" in text]


@pytest.mark.parametrize("method", [pytest.param(m, marks=() if m in QUICK else slow) for m in STORE])
async def test_it_dies_in_the_store(stage: Stage, method: str) -> None:
    lives = Lives(stage, STORE[method])
    for when in When:
        await lives.one_ends_at(method, when)
    await lives.the_last_one_finishes()


@pytest.mark.parametrize("method", [pytest.param(m, marks=slow) for m in ELSEWHERE])
async def test_it_dies_around_a_call(stage: Stage, method: str) -> None:
    lives = Lives(stage, ELSEWHERE[method])
    for when in (When.BEFORE, When.AFTER):
        await lives.one_ends_at(method, when)
    await lives.the_last_one_finishes()


@slow
@pytest.mark.parametrize("method", ["store.instances.settle", "store.polls.observe", "slack.show_card"])
@pytest.mark.parametrize("nth", [2, 3, 5])
async def test_it_dies_at_a_later_call(stage: Stage, method: str, nth: int) -> None:
    lives = Lives(stage, (STORE | ELSEWHERE)[method])
    for when in (When.BEFORE, When.AFTER):
        await lives.one_ends_at(method, when, nth=nth)
    await lives.the_last_one_finishes()


@slow
@pytest.mark.parametrize("method", sorted(AT_THE_START))
async def test_it_dies_while_it_starts(stage: Stage, method: str) -> None:
    for when in (When.BEFORE, When.AFTER):
        stage.armed.touch()
        await stage.start(fuse={"method": method, "when": when})
        assert await stage.service.over(PATIENCE) == -9
    stage.armed.unlink()
    lives = Lives(stage, scenes.CREATE_IT)
    await lives.the_last_one_finishes("after")


WIRE: dict[str, tuple[Scene, str, Deed]] = {
    f"novita.{verb}-{'done' if done else 'not-done'}": (scene, verb, scenes.silent(verb, done=done))
    for verb, scene in {
        "stop": scenes.STOP_IT,
        "start": scenes.START_IT,
        "restart": scenes.RESTART_IT,
        "delete": scenes.DELETE_IT,
        "list": scenes.CREATE_IT,
        "get": scenes.CREATE_IT,
    }.items()
    for done in (True, False)
    if not done or verb not in {"list", "get"}
}


@slow
@pytest.mark.parametrize(("scene", "endpoint", "fault"), WIRE.values(), ids=WIRE.keys())
async def test_it_dies_with_a_call_on_the_wire(
    stage: Stage, scene: Scene, endpoint: str, fault: Deed
) -> None:
    lives = Lives(stage, scene)
    await lives.one_ends_on_the_wire(endpoint, fault)
    await lives.the_last_one_finishes()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        pytest.param(Hang(after_effect=True), scenes.READY, id="done"),
        pytest.param(Slow(3.0), scenes.READY, id="done-when-the-next-life-looks-already", marks=slow),
        pytest.param(Hang(), scenes.UNCONFIRMED, id="not-done", marks=slow),
    ],
)
async def test_it_dies_between_the_create_and_its_answer(stage: Stage, fault: Any, outcome: Any) -> None:
    """What is not done is not bought by the next life either."""
    patience = {"unconfirmed_after": 8.0} if outcome == scenes.READY else {}
    lives = Lives(stage, Scene(says=scenes.CREATE, outcomes=(outcome,), timings=patience))
    await lives.one_ends_on_the_wire("create", scenes.novita_fault("create", fault))
    await lives.the_last_one_finishes()
    assert stage.created() == 1
    assert len(stage.cloud.instances()) == (outcome == scenes.READY)


SLACK_WIRE = {
    f"{method}-{'done' if done else 'not-done'}": (method, slack_faults.Hang(after_acting=done), skip)
    for method, skip in {"chat.postMessage": 0, "chat.update": 0}.items()
    for done in (True, False)
}


@slow
@pytest.mark.parametrize(("method", "fault", "skip"), SLACK_WIRE.values(), ids=SLACK_WIRE.keys())
async def test_it_dies_while_slack_shows_the_card(stage: Stage, method: str, fault: Any, skip: int) -> None:
    lives = Lives(stage, scenes.CREATE_IT)
    await lives.one_is_killed(
        scenes.slack_fault(method, fault), lambda: stage.slack.journal.count(method) > skip
    )
    await lives.the_last_one_finishes()


@slow
@pytest.mark.parametrize("done", [True, False])
async def test_it_dies_while_slack_takes_a_notice(stage: Stage, done: bool) -> None:
    scene = Scene(prepare=scenes.held, mend=scenes.run_all, outcomes=(scenes.READY,))
    lives = Lives(stage, scene)

    async def provoke(stage: Stage, name: str) -> None:
        stage.slack.fail("chat.postMessage", slack_faults.Hang(after_acting=done))
        await scenes.run_all(stage, name)

    await lives.one_is_killed(provoke, lambda: stage.slack.journal.count("chat.postMessage") > 1)
    await lives.the_last_one_finishes()
    assert len(stage.notices(lives.name(0), "instance.ready")) == 1 + done


@slow
async def test_a_webhook_that_was_taken_as_it_died_comes_again_with_its_id(stage: Stage) -> None:
    lives = Lives(stage, scenes.RECEIVER_IS_SILENT)
    await lives.one_is_killed(nothing, lambda: stage.receiver.tried)
    await lives.the_last_one_finishes()
    assert len({hook.id for hook in stage.receiver.tried}) == 1
    assert len(stage.receiver.tried) == 2


SHORT_LEASES = {"lease": 1.2, "renew_every": 0.3}
"""What the dead one held is free again so soon."""
Outcomes = Collection[Outcome | None]


class Lives:
    """One stage, one scene, played once in each life by an instance of its own."""

    def __init__(self, stage: Stage, scene: Scene) -> None:
        self._stage, self._scene = stage, scene
        self._aftermath = Aftermath(stage=stage)
        self._outcomes: dict[str, Outcomes] = {}
        self._unheard: list[str] = []
        """Envelopes that were not acknowledged."""

    def name(self, number: int) -> str:
        return list(self._outcomes)[number]

    async def one_ends_at(self, method: str, when: When, *, nth: int = 1) -> None:
        await self._start(fuse={"method": method, "when": when, "nth": nth})
        name = await self._prepared()
        if (method, when) in NEVER_REPEATED:
            # Its own, as a rule; on a slow machine the call that dies may be for one of an earlier life.
            self._outcomes[name] = (*self._scene.outcomes, scenes.UNCONFIRMED)
        self._stage.armed.touch()
        await self._play(name, self._scene.provoke)
        self._stage.armed.unlink()

    async def one_ends_on_the_wire(self, endpoint: str, fault: Deed) -> None:
        await self._start()
        name = await self._prepared()
        journal = self._stage.novita.journal
        seen = journal.count(endpoint)

        async def kill() -> None:
            await journal.wait_for(endpoint, seen + 1, PATIENCE)
            self._stage.service.kill()

        await asyncio.gather(kill(), self._play(name, fault))

    async def one_is_killed(self, provoke: Deed, when: Any) -> None:
        await self._start()
        name = await self._prepared()

        async def kill() -> None:
            await self._stage.until(when)
            self._stage.service.kill()

        both = scenes.both(self._scene.provoke, provoke)
        await asyncio.gather(kill(), self._play(name, both))

    async def the_last_one_finishes(self, *names: str) -> None:
        stage, scene = self._stage, self._scene
        await self._start()
        for name in names:
            self._outcomes[name] = scene.outcomes
            await self._say(name)
        await scene.mend(stage, "")
        for envelope in self._unheard:
            await stage.slack.redeliver(envelope, new_envelope=True)
        for name in self._outcomes:
            await stage.until(lambda name=name: self._is_over(name))
        await self._aftermath.is_sound(self._outcomes, may_end=scene.may_end)

    def _is_over(self, name: str) -> bool:
        """Told all that one of the outcomes tells, and its card shows how it ended."""
        shown = self._stage.states(name)[-1:]
        return any(
            outcome is None or (shown == [outcome[1].capitalize()] and self._is_told(name, outcome[0]))
            for outcome in self._outcomes[name]
        )

    def _is_told(self, name: str, events: list[str]) -> bool:
        stage = self._stage
        heard = [event for event in events if event != "late_removed"]
        return all(stage.notices(name, f"instance.{event}") for event in events) and (
            self._scene.may_end or all(stage.hooks(name, f"instance.{event}") for event in heard)
        )

    async def _start(self, **fuse: Any) -> None:
        scene = self._scene
        await self._stage.start(settings=scene.settings, timings={**SHORT_LEASES, **scene.timings}, **fuse)

    async def _prepared(self) -> str:
        name = f"n{len(self._outcomes)}"
        self._outcomes[name] = self._scene.outcomes
        await self._scene.prepare(self._stage, name)
        return name

    async def _play(self, name: str, provoke: Deed) -> None:
        await provoke(self._stage, name)
        await self._say(name)
        assert await self._stage.service.over(PATIENCE) == -9
        for begun in self._aftermath.note_death():
            self._outcomes[begun] = (*self._outcomes[begun], scenes.UNCONFIRMED)

    async def _say(self, name: str) -> None:
        if self._scene.says is None:
            return
        reply = await self._stage.ada.command(self._scene.says.format(name), channel=GPU)
        if not reply.ok:
            self._unheard.append(reply.envelope_id)
