"""What makes the service call the method at which it dies, and what has to come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.sandbox.novita.faults import Hang, Slow, Status
from bot.sandbox.slack import faults as slack_faults
from tests.crash.aftermath import Outcome
from tests.e2e.stage import CREATE, GPU, PATIENCE, Stage

Deed = Callable[[Stage, str], Awaitable[Any]]


async def nothing(_stage: Stage, _name: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`prepare` comes before the crash point is armed, `provoke` after. `says` is a command of Ada's, which is
    delivered again when the service is back if it was not acknowledged. `mend` comes when it is back."""

    outcomes: tuple[Outcome | None, ...]
    """One of these; None: it has been forgotten."""
    says: str | None = None
    prepare: Deed = nothing
    provoke: Deed = nothing
    mend: Deed = nothing
    may_end: bool = False
    """The receiver may have said that it wants no more."""
    over: Callable[[Stage], bool] = lambda _stage: True
    """What else has to have happened in the end."""
    errors: frozenset[str] = frozenset()
    """Events of level ERROR that are meant."""
    settings: dict[str, float] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)


async def ready(stage: Stage, name: str) -> None:
    """However late it was acknowledged: many stages share a machine."""
    await stage.create(name)
    await stage.told(name, "instance.ready")
    await stage.until(lambda: stage.states(name)[-1:] == ["Running"])


async def stopped(stage: Stage, name: str) -> None:
    await ready(stage, name)
    await stage.ada.command(f"/gpu stop {name}", channel=GPU)
    await stage.told(name, "instance.stopped")


async def deleted(stage: Stage, name: str) -> None:
    await ready(stage, name)
    await stage.ada.command(f"/gpu delete {name}", channel=GPU)
    await stage.told(name, "instance.deleted")


async def held(stage: Stage, name: str) -> None:
    seen = stage.created()
    await stage.create(name)
    await stage.novita.journal.wait_for("create", seen + 1, PATIENCE, over=True)
    stage.cloud.hold(stage.gpus()[-1].id)
    await stage.until(lambda: stage.states(name)[-1:] == ["Starting"])


async def run_all(stage: Stage, _name: str) -> None:
    for gpu in stage.gpus():
        if gpu.held:
            stage.cloud.run_now(gpu.id)


def novita_fault(endpoint: str, fault: Any, *, times: int | None = 1) -> Deed:
    async def order(stage: Stage, _name: str) -> None:
        stage.novita.faults.add(endpoint, fault, times=times)

    return order


def slack_fault(method: str, fault: slack_faults.Fault) -> Deed:
    async def order(stage: Stage, _name: str) -> None:
        stage.slack.fail(method, fault)

    return order


def receiver_answers(status: int | None) -> Deed:
    async def order(stage: Stage, _name: str) -> None:
        stage.receiver.answers = status

    return order


def both(*deeds: Deed) -> Deed:
    async def one_after_the_other(stage: Stage, name: str) -> None:
        for deed in deeds:
            await deed(stage, name)

    return one_after_the_other


async def clear_novita(stage: Stage, _name: str) -> None:
    stage.novita.faults.clear()


async def sell_out(stage: Stage, _name: str) -> None:
    stage.cloud.set_capacity("4090.16c62g", "cn-hongkong-1", "spot", gpus=0)


async def given_up(stage: Stage, name: str) -> None:
    """A create that failed as UNCONFIRMED."""
    stage.novita.faults.add("create", Status(500))
    await stage.create(name)
    await stage.told(name, "instance.failed")


async def turn_up_late(stage: Stage, _name: str) -> None:
    """Novita did make the latest one."""
    body = stage.novita.journal.calls("create")[-1].body
    stage.cloud.create_in_console(body["name"])


async def stranger(stage: Stage, name: str) -> None:
    """A GPU with our mark that no row knows."""
    deployment = stage.gpus()[0].order.name.split("-")[1]
    made = stage.cloud.create_in_console(f"gb-{deployment}-{name:z>16}-a1")
    stage.strangers.add(made.id)


def shown_to_admins(stage: Stage) -> bool:
    told = [m.text for m in stage.cleo.dms()]
    return all(any(novita_id in text for text in told) for novita_id in stage.strangers)


async def prefers_direct(stage: Stage, name: str) -> None:
    """Ada wants direct messages from now on."""
    await home_open(stage, name)
    await choose_direct(stage, name)


async def choose_direct(stage: Stage, _name: str) -> None:
    """Clicked again for as long as nothing shows it, as people do."""
    view = stage.ada.home_view
    if view is not None and "gpu:notify:direct" not in str(view.definition):
        await stage.ada.choose(view, "gpu:notify", "direct")


async def open_home(stage: Stage, _name: str) -> None:
    await stage.ada.home()


async def home_open(stage: Stage, _name: str) -> None:
    """Ada's Home tab is shown, and kept fresh from now on."""
    await stage.ada.home()
    await stage.until(lambda: stage.ada.home_view is not None)


async def unsee(stage: Stage, name: str) -> None:
    """Somebody deletes the card."""
    for card in stage.cards(name):
        stage.workspace.delete(card)


READY: Outcome = (["ready"], "running")
UNCONFIRMED: Outcome = (["failed"], "failed")

CREATE_IT = Scene(says=CREATE, outcomes=(READY,))
STOP_IT = Scene(prepare=ready, says="/gpu stop {}", outcomes=((["ready", "stopped"], "stopped"),))
START_IT = Scene(
    prepare=stopped, says="/gpu start {}", outcomes=((["ready", "stopped", "started"], "running"),)
)
RESTART_IT = Scene(prepare=ready, says="/gpu restart {}", outcomes=((["ready", "started"], "running"),))
DELETE_IT = Scene(prepare=ready, says="/gpu delete {}", outcomes=((["ready", "deleted"], "deleted"),))
SLOW_CREATE = Scene(provoke=novita_fault("create", Slow(1.0)), says=CREATE, outcomes=(READY,))
RARE_TEMPLATE = Scene(says=CREATE.replace("pytorch-jupyter", "98017"), outcomes=(READY,))
SOLD_OUT = Scene(prepare=sell_out, says=CREATE, outcomes=(READY,))
TOO_LATE = Scene(
    prepare=given_up,
    provoke=turn_up_late,
    outcomes=((["failed", "late_removed"], "failed"),),
    over=lambda stage: not stage.gpus(),
)
UNLISTED = Scene(
    prepare=held,
    provoke=novita_fault("list", Status(500), times=None),
    mend=both(clear_novita, run_all),
    outcomes=(READY,),
)
LISTS_FAIL = replace(UNLISTED, timings={"delayed_after": 20.0})
"""Nobody is told of it yet, however slow the machine."""
SLACK_IS_SILENT = Scene(
    provoke=slack_fault("chat.postMessage", slack_faults.Hang()), says=CREATE, outcomes=(READY,)
)
SLACK_FAILS = Scene(
    provoke=slack_fault("chat.postMessage", slack_faults.HttpStatus(500)), says=CREATE, outcomes=(READY,)
)
AT_HOME = Scene(prepare=home_open, says=CREATE, outcomes=(READY,))
HOME_IS_SILENT = Scene(
    prepare=home_open,
    provoke=slack_fault("views.publish", slack_faults.Hang()),
    says=CREATE,
    outcomes=(READY,),
)
CARD_IS_GONE = Scene(
    prepare=both(ready, unsee), says="/gpu stop {}", outcomes=((["ready", "stopped"], "stopped"),)
)
RECEIVER_IS_SILENT = Scene(
    provoke=receiver_answers(None), mend=receiver_answers(200), says=CREATE, outcomes=(READY,)
)
RECEIVER_FAILS = Scene(
    provoke=receiver_answers(500), mend=receiver_answers(200), says=CREATE, outcomes=(READY,)
)
OVER = Scene(
    prepare=deleted,
    settings={"retention_days": 0},
    timings={"purge_every": 1.0},
    outcomes=((["ready", "deleted"], "deleted"), None),
)
RECEIVER_ENDS = Scene(
    provoke=receiver_answers(410), mend=receiver_answers(200), says=CREATE, outcomes=(READY,), may_end=True
)


STRANGER = Scene(
    prepare=ready,
    provoke=stranger,
    outcomes=(READY,),
    over=shown_to_admins,
    errors=frozenset({"stray.unknown"}),
)
OPENS_HOME = Scene(
    provoke=open_home,
    mend=open_home,
    says=CREATE,
    outcomes=(READY,),
    over=lambda stage: stage.ada.home_view is not None,
)
CHOOSES = Scene(
    prepare=home_open,
    provoke=choose_direct,
    mend=choose_direct,
    says=CREATE,
    outcomes=(READY,),
    over=lambda stage: "gpu:notify:direct" in str(stage.ada.home_view),
)
PREFERS_DIRECT = Scene(prepare=prefers_direct, says=CREATE, outcomes=(READY,))
HOME_FAILS = Scene(
    prepare=home_open,
    provoke=slack_fault("views.publish", slack_faults.HttpStatus(500)),
    says=CREATE,
    outcomes=(READY,),
)


def silent(endpoint: str, *, done: bool) -> Deed:
    """Novita takes the next call of this kind, and says nothing."""
    return novita_fault(endpoint, Hang(after_effect=done))
