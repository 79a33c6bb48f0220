"""Every point at which the service dies, by name. A case is one stage with a life for each of its deaths."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from bot.novita.client import NovitaClient
from bot.sandbox.novita.faults import Hang, Slow
from bot.sandbox.slack import faults as slack_faults
from bot.sinks.slack import SlackSink
from bot.sinks.webhook import WebhookSink
from storage.store.store import Store
from tests.crash import scenes
from tests.crash.databases import Kind, go_back
from tests.crash.lives import RESTARTED_ONCE_MORE, RESTARTED_TWICE, Lives
from tests.crash.modes import Mode
from tests.crash.points import COMMIT, STATEMENT, When
from tests.crash.scenes import Deed, Scene
from tests.e2e.stage import Stage

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
    "store.polls.broken": scenes.LISTS_FAIL,
    "store.polls.delay": scenes.UNLISTED,
    "store.cards.lease_due": scenes.CREATE_IT,
    "store.cards.renew": scenes.SLACK_IS_SILENT,
    "store.cards.settle": scenes.CREATE_IT,
    "store.cards.later": scenes.SLACK_FAILS,
    "store.cards.lost": scenes.CARD_IS_GONE,
    "store.people.open_home": scenes.OPENS_HOME,
    "store.people.choose": scenes.CHOOSES,
    "store.people.lease_homes": scenes.AT_HOME,
    "store.people.settle": scenes.AT_HOME,
    "store.people.later": scenes.HOME_FAILS,
    "store.people.renew": scenes.HOME_IS_SILENT,
    "store.deliveries.lease_due": scenes.CREATE_IT,
    "store.deliveries.renew": scenes.RECEIVER_IS_SILENT,
    "store.deliveries.settle_delivered": scenes.CREATE_IT,
    "store.deliveries.settle_later": scenes.RECEIVER_FAILS,
    "store.deliveries.settle_gone": scenes.RECEIVER_ENDS,
    "store.quarantine.told": scenes.STRANGER,
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
    "slack.post_direct": scenes.PREFERS_DIRECT,
    "slack.publish_home": scenes.AT_HOME,
    "slack.tell_person": scenes.STRANGER,
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
    "store.people.close_home": "only for a guest's; one that goes on being shown is of what is theirs",
    "store.leases.release": "at the end of the service; a lease that is kept lapses",
    "novita.aclose": "at the end of the service",
    "webhook.aclose": "at the end of the service",
    "webhook.start": "a look at itself before it is used; writes nothing",
}

VERBS = {
    "start": scenes.START_IT,
    "stop": scenes.STOP_IT,
    "restart": scenes.RESTART_IT,
    "delete": scenes.DELETE_IT,
}
IN_EVERY_VERB = (
    "store.instances.lease_due",
    "store.instances.begin",
    "store.instances.settle",
    "store.polls.observe",
    "store.deliveries.settle_delivered",
)
LATER = {"store.instances.settle": (2, 3, 5), "store.polls.observe": (2, 3, 5), "slack.show_card": (2, 3)}
ANSWERED = frozenset({Mode.CLEAN})
"""Novita has to say what became of a create."""
MADE = frozenset({Mode.CLEAN, Mode.DROPPED, Mode.LATE})
"""It has to become an instance for so much to happen."""
MODES = {
    "store.instances.bind": ANSWERED,
    "store.instances.not_made": ANSWERED,
    "novita.get_instance": MADE,
}

Death = Callable[[Lives], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    scene: Scene
    deaths: tuple[Death, ...]
    before: Callable[[str], None] = lambda _url: None
    """Done to its database before anything starts."""
    also: tuple[str, ...] = ()
    """Instances that the last life is asked for."""
    modes: frozenset[Mode] = frozenset(Mode)
    """In the others nothing comes to its points."""
    databases: frozenset[Kind] = frozenset(Kind)
    """The same."""
    proves: Callable[[Lives, Stage], None] = lambda _lives, _stage: None
    """What else is true in the end. Raises AssertionError."""


def methods() -> Iterator[str]:
    """Every public coroutine method of the parts that `bot.app` hands to `wrap`."""
    nouns = {noun: hint for noun, hint in get_type_hints(Store).items() if noun in _nouns()}
    parts: dict[str, Any] = {f"store.{noun}": hint for noun, hint in nouns.items()}
    parts |= {"novita": NovitaClient, "slack": SlackSink, "webhook": WebhookSink}
    for part, kind in parts.items():
        for name, _ in inspect.getmembers(kind, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                yield f"{part}.{name}"


def _nouns() -> set[str]:
    return {noun.name for noun in fields(Store)} - {"deployment", "generation"}


def ends_at(method: str, *moments: When, nth: int = 1) -> tuple[Death, ...]:
    def at(when: When) -> Death:
        return lambda lives: lives.one_ends_at(method, when, nth=nth)

    return tuple(at(when) for when in moments)


def ends_as_it_starts(method: str, *moments: When, nth: int = 1) -> tuple[Death, ...]:
    def at(when: When) -> Death:
        return lambda lives: lives.one_ends_as_it_starts(method, when, nth=nth)

    return tuple(at(when) for when in moments)


def freezes_at(method: str, *moments: When) -> tuple[Death, ...]:
    def at(when: When) -> Death:
        return lambda lives: lives.one_freezes_at(method, when)

    return tuple(at(when) for when in moments)


def on_the_wire(endpoint: str, fault: Deed) -> tuple[Death, ...]:
    return (lambda lives: lives.one_ends_on_the_wire(endpoint, fault),)


def asked_on_the_wire(endpoint: str, fault: Deed) -> tuple[Death, ...]:
    return (lambda lives: lives.one_is_asked_to_end_on_the_wire(endpoint, fault),)


def killed(provoke: Deed, when: Callable[[Stage], Any]) -> tuple[Death, ...]:
    async def die(lives: Lives) -> None:
        await lives.one_is_killed(provoke, lambda: when(lives.stage))

    return (die,)


AROUND = (When.BEFORE, When.AFTER)


def _methods() -> Iterator[tuple[str, Case]]:
    for method, scene in STORE.items():
        modes = MODES.get(method, frozenset(Mode))
        # The other life may have disabled the receiver already, and would not try it.
        databases = frozenset(Kind) - ({Kind.TWO} if scene.may_end else set())
        deaths = ends_at(method, *When)
        yield method, Case(scene=scene, deaths=deaths, modes=modes, databases=databases)
    for method, scene in ELSEWHERE.items():
        modes = MODES.get(method, frozenset(Mode))
        yield method, Case(scene=scene, deaths=ends_at(method, *AROUND), modes=modes)
    for method in sorted(AT_THE_START):
        deaths = ends_as_it_starts(method, *AROUND)
        yield method, Case(scene=scenes.CREATE_IT, deaths=deaths, also=("after",))
    for method, times in LATER.items():
        for nth in times:
            deaths = ends_at(method, *AROUND, nth=nth)
            yield f"{method} {nth}", Case(scene=scenes.CREATE_IT, deaths=deaths, modes=MADE)
    for verb, scene in VERBS.items():
        for method in IN_EVERY_VERB:
            yield f"{verb}: {method}", Case(scene=scene, deaths=ends_at(method, *When))


def _calls() -> Iterator[tuple[str, Case]]:
    """With a call to Novita on the wire."""
    for verb, scene in {**VERBS, "list": scenes.CREATE_IT, "get": scenes.CREATE_IT}.items():
        for done in (True, False) if verb in VERBS else (False,):
            name = f"{verb} on the wire, {'done' if done else 'not done'}"
            modes = MADE if verb == "get" else frozenset(Mode)
            yield (
                name,
                Case(scene=scene, deaths=on_the_wire(verb, scenes.silent(verb, done=done)), modes=modes),
            )
    for name, (fault, made) in _CREATES.items():
        outcome = scenes.READY if made else scenes.UNCONFIRMED
        patience = {"unconfirmed_after": 8.0} if made else {}
        scene = replace(scenes.CREATE_IT, outcomes=(outcome,), timings=patience)
        deaths = on_the_wire("create", scenes.novita_fault("create", fault))
        yield f"create on the wire, {name}", Case(scene=scene, deaths=deaths, proves=_asked_once)


_CREATES = {
    "done": (Hang(after_effect=True), True),
    "done while the next one looks": (Slow(3.0), True),
    "not done": (Hang(), False),
}


def _asked_once(_lives: Lives, stage: Stage) -> None:
    assert stage.created() == 1


def _tellings() -> Iterator[tuple[str, Case]]:
    for method in ("chat.postMessage", "chat.update"):
        for done in (True, False):
            fault = scenes.slack_fault(method, slack_faults.Hang(after_acting=done))
            deaths = killed(fault, lambda stage, method=method: stage.slack.journal.count(method))
            yield f"{method} {'done' if done else 'not done'}", Case(scene=scenes.CREATE_IT, deaths=deaths)
    for done in (True, False):
        held = replace(scenes.CREATE_IT, prepare=scenes.held, says=None, mend=scenes.run_all)
        fault = scenes.both(
            scenes.slack_fault("chat.postMessage", slack_faults.Hang(after_acting=done)), scenes.run_all
        )
        deaths = killed(fault, lambda stage: stage.slack.journal.count("chat.postMessage") > 1)
        yield f"a notice {'posted' if done else 'not posted'}", Case(scene=held, deaths=deaths)
    deaths = killed(scenes.nothing, lambda stage: stage.receiver.tried)
    yield "a webhook taken", Case(scene=scenes.RECEIVER_IS_SILENT, deaths=deaths, proves=_came_twice)


def _came_twice(_lives: Lives, stage: Stage) -> None:
    """Under one id."""
    ready = [hook.id for hook in stage.receiver.tried if hook.event == "instance.ready"]
    assert (len(ready), len(set(ready))) == (2, 1), ready


_RESTARTED = (*scenes.RESTART_IT.outcomes, RESTARTED_TWICE, RESTARTED_ONCE_MORE)
"""The late call makes it once more."""
_FROZEN = {
    "novita.create_instance": scenes.CREATE_IT,
    "novita.list_instances": scenes.CREATE_IT,
    "novita.start_instance": scenes.START_IT,
    "novita.stop_instance": scenes.STOP_IT,
    "novita.restart_instance": replace(scenes.RESTART_IT, outcomes=_RESTARTED),
    "novita.delete_instance": scenes.DELETE_IT,
    "store.instances.begin": scenes.CREATE_IT,
    "store.instances.bind": scenes.CREATE_IT,
    "store.instances.settle": scenes.CREATE_IT,
    "store.polls.observe": scenes.CREATE_IT,
    "store.cards.settle": scenes.CREATE_IT,
    "store.deliveries.settle_delivered": scenes.CREATE_IT,
    "slack.show_card": scenes.CREATE_IT,
    "slack.post_notice": scenes.CREATE_IT,
    "webhook.send": scenes.CREATE_IT,
}


def _freezings() -> Iterator[tuple[str, Case]]:
    for method, scene in _FROZEN.items():
        # What a late call changes at Novita comes last: it would disturb what is looked at.
        deaths = freezes_at(method, *reversed(AROUND))
        modes = MODES.get(method, frozenset(Mode))
        yield f"frozen at {method}", Case(scene=scene, deaths=deaths, modes=modes)


def _endings() -> Iterator[tuple[str, Case]]:
    """SIGTERM."""
    for verb, scene in {"create": scenes.CREATE_IT, **VERBS}.items():
        for name, fault in {"slow": Slow(1.0), "silent": Hang(after_effect=True)}.items():
            deaths = asked_on_the_wire(verb, scenes.novita_fault(verb, fault))
            timings = {"stop_within": 2.0, "unconfirmed_after": 8.0}
            yield f"SIGTERM in a {name} {verb}", Case(scene=replace(scene, timings=timings), deaths=deaths)


_BEFORE_PEOPLE = "0002"


def _migrations() -> Iterator[tuple[str, Case]]:
    points = [
        *(ends_as_it_starts(STATEMENT, When.BEFORE, nth=nth)[0] for nth in (1, 2, 3, 4, 5)),
        *ends_as_it_starts(COMMIT, When.BEFORE),
    ]
    yield (
        "a migration half done",
        Case(
            scene=scenes.CREATE_IT,
            deaths=tuple(points),
            before=lambda url: go_back(url, _BEFORE_PEOPLE),
            also=("after",),
        ),
    )


CASES: Mapping[str, Case] = dict(
    [*_methods(), *_calls(), *_tellings(), *_freezings(), *_endings(), *_migrations()]
)
