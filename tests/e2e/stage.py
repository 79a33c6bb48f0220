"""Slack, Novita and a webhook on loopback, and the service between them as a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.novita.timeline import Timeline
from bot.sandbox.slack.changes import Change, MessageEdited, MessagePosted
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from tests.crash.service import Orders
from tests.e2e.lives import ROOT, Nursery, Service
from tests.e2e.receiver import SECRET, Receiver, Webhooked
from tests.manifest import installed_app

GPU = "C0GPU"
"""A channel with the bot in it."""
PATIENCE = 45.0
"""Seconds for what takes one or two on an idle machine."""
CREATE = "/gpu create 4090 {} --template pytorch-jupyter"

SHORT: Mapping[str, float] = {
    "unconfirmed_after": 1.5,
    "repeat_after": 2.0,
    "retry_first": 0.1,
    "retry_longest": 0.5,
    "look_every": 0.1,
    "probe_every": 0.1,
    "probe_timeout": 2.0,
    "usable_wait": 30.0,
    "fast_poll": 0.2,
    "slow_poll": 0.4,
    "acted_recently": 2.0,
    "delayed_after": 0.6,
    "lease": 5.0,
    "renew_every": 0.5,
    "card_gap": 0.1,
    "tick": 0.1,
    "watchdog_every": 1.0,
    "admins_told_every": 0.2,
    "stop_within": 5.0,
}
"""Seconds, of `Timings`."""
QUICK_LIMITS: Mapping[str, float] = {"api_timeout": 5.0, "retry_delay": 0.1, "circuit_breaker_timeout": 0.5}
"""Seconds, of settings that allow no such haste."""
QUICK_PAUSES = (0.3, 0.3, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
"""Seconds between the tries of a webhook."""
QUICK_SLACK_PAUSES = (0.2, 0.2, 0.2, 0.3, 0.3, 0.5, 0.5, 0.5)
"""The same of what goes to Slack."""

BRISK = Timeline(
    **{
        name: timedelta(seconds=seconds)
        for name, seconds in {
            "pending": 0.05,
            "to_create": 0.05,
            "creating": 0.1,
            "pulling_min": 0.2,
            "pulling_max": 0.3,
            "to_start": 0.05,
            "starting": 0.25,
            "to_restart": 0.05,
            "restarting": 0.25,
            "to_stop": 0.05,
            "stopping": 0.2,
            "reclaiming": 0.4,
            "freezing": 0.4,
            "to_remove": 0.05,
            "removing": 0.2,
            "removed_lingers": 0.5,
            "reclaim_notice": 3600,
            "connection_after": 0.05,
            "usable_after": 0.15,
        }.items()
    }
)
"""Novita as it is when a test does not look at the time: an instance is usable within a second."""

T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class Stage:
    nursery: Nursery
    directory: Path
    cloud: Cloud
    novita: NovitaServer
    workspace: Workspace
    slack: SlackServer
    receiver: Receiver
    lives: list[Service] = field(default_factory=list)
    history: list[Message] = field(default_factory=list)
    """Every message of ours as it was posted and after each edit."""
    errors_meant: set[str] = field(default_factory=set)
    """Events of level ERROR that a test provokes; any other one fails it."""
    strangers: set[str] = field(default_factory=set)
    """GPUs at Novita that no row may know."""
    database_url: str = ""
    """Empty: a SQLite file in `directory`."""

    @property
    def ada(self) -> Person:
        return self.slack.person("U0ADA")

    @property
    def ben(self) -> Person:
        return self.slack.person("U0BEN")

    @property
    def cleo(self) -> Person:
        """In ADMIN_USERS."""
        return self.slack.person("U0CLEO")

    @property
    def service(self) -> Service:
        return self.lives[-1]

    @property
    def armed(self) -> Path:
        """The crash point, while it counts."""
        return self.directory / "armed"

    def environ(self, *, http_mode: bool = False, **changes: str) -> dict[str, str]:
        transport = (
            {"SLACK_SIGNING_SECRET": self.slack.signing_secret}
            if http_mode
            else {"SLACK_APP_TOKEN": self.slack.app_token}
        )
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "NOVITA_API_KEY": self.novita.api_key,
            "NOVITA_API_BASE_URL": self.novita.base_url,
            "NOVITA_RATE_LIMIT": "10000",
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_API_BASE_URL": self.slack.api_url,
            "ADMIN_USERS": "U0CLEO",
            "DATABASE_URL": self.database_url,
            "PORT": "0",
            "WEBHOOK_URL": self.receiver.url,
            "WEBHOOK_SECRET": SECRET,
            **transport,
            **changes,
        }

    async def start(
        self,
        *,
        http_mode: bool = False,
        deadly: bool = False,
        timings: Mapping[str, float] = {},
        settings: Mapping[str, float] = {},
        pauses: Sequence[float] | None = QUICK_PAUSES,
        ahead: float = 0.0,
        **environ: str,
    ) -> Service:
        """A life with short times. `deadly`: it can be ended by arming a `tests.crash.points.Point`."""
        orders = Orders(
            environ=self.environ(http_mode=http_mode, **environ),
            timings={**SHORT, **timings},
            settings={**QUICK_LIMITS, **settings},
            pauses=None if pauses is None else tuple(pauses),
            slack_pauses=QUICK_SLACK_PAUSES,
            armed=str(self.armed) if deadly else None,
            ahead=ahead,
        )
        service = await Service.born(self.nursery, orders, self.slack.signal.notify)
        return await self._entered(service, http_mode=http_mode)

    async def program(self, *, http_mode: bool = False, **environ: str) -> Service:
        """`python -m bot`, just as an operator starts it."""
        service = await Service.program(
            self.environ(http_mode=http_mode, **environ), self.directory, self.slack.signal.notify
        )
        return await self._entered(service, http_mode=http_mode)

    async def _entered(self, service: Service, *, http_mode: bool) -> Service:
        self.lives.append(service)
        await self.until(lambda: service.port or service.exit_code is not None)
        self.slack.events_url = f"http://127.0.0.1:{service.port}/slack/events" if http_mode else None
        if not http_mode and service.port:
            await self.slack.wait_connected(timeout=PATIENCE)
        return service

    async def until(self, predicate: Callable[[], T], within: float = PATIENCE) -> T:
        """The first true value, tried at whatever happens in Slack, at the webhook and in the service's log."""
        return await self.slack.wait_for(predicate, within)

    async def later(self, after: float) -> None:
        """A moment that a test picks; what it waits for is time itself."""
        await asyncio.get_running_loop().create_task(asyncio.sleep(after))

    async def create(self, name: str = "my-train", *, who: Person | None = None) -> Reply:
        return await (who or self.ada).command(CREATE.format(name), channel=GPU)

    async def running(self, name: str = "my-train") -> None:
        """Asked for, told as ready in Slack and at the webhook, and the card shows it."""
        assert (await self.create(name)).ok
        await self.told(name, "instance.ready")
        await self.until(lambda: self.states(name)[-1:] == ["Running"])

    async def told(self, name: str, event: str, *, times: int = 1, within: float = PATIENCE) -> None:
        """So often by a webhook and by a notice in the thread of the card."""
        await self.until(lambda: len(self.hooks(name, event)) >= times, within)
        await self.until(lambda: len(self.notices(name, event)) >= times, within)

    def messages(self, channel: str = GPU) -> list[Message]:
        """What everybody there sees."""
        return self.workspace.board.history(channel)

    def cards(self, name: str = "my-train", channel: str = GPU) -> list[Message]:
        return [m for m in self.messages(channel) if is_card(m) and f": {name}, " in m.text]

    def states(self, name: str = "my-train") -> list[str]:
        """What its card showed, one after the other: `Creating`, `Starting` ..."""
        shown = [state_of(m) for m in self.history if is_card(m) and f": {name}, " in m.text]
        return [word for i, word in enumerate(shown) if i == 0 or shown[i - 1] != word]

    def notices(self, name: str, event: str, channel: str = GPU) -> list[Message]:
        """Messages about this event of this instance, told by the words in them."""
        said = [m for m in self.messages(channel) if is_notice(m) and f"*{name}*" in m.text]
        return [m for m in said if WORDS[event] in m.text]

    def hooks(self, name: str, event: str) -> list[Webhooked]:
        """What the receiver accepted; one event counts once, however often it came."""
        ids = {hook.body["instance"]["id"] for hook in self._named(name)} | set(self._ids(name))
        found = [hook for hook in self.receiver.of(event) if hook.body["instanceId"] in ids]
        return list({hook.id: hook for hook in found}.values())

    def _named(self, name: str) -> list[Webhooked]:
        return [h for h in self.receiver.received if h.body.get("instance", {}).get("name") == name]

    def _ids(self, name: str) -> list[str]:
        cards = [m for m in self.history if is_card(m) and f": {name}, " in m.text]
        return [str((m.metadata or {})["event_payload"]["instance_id"]) for m in cards]

    def gpus(self) -> list[Instance]:
        """What bills at Novita, or will: everything that is not gone or going."""
        return [each for each in self.cloud.instances() if not each.is_leaving]

    def created(self) -> int:
        """Creates that reached Novita."""
        return self.novita.journal.count("create")

    def errors(self) -> list[dict[str, Any]]:
        lines = [line for life in self.lives for line in life.log if line["level"] == "ERROR"]
        return [line for line in lines if line["event"] not in self.errors_meant]

    def observe(self, change: Change) -> None:
        match change:
            case MessagePosted(message=message) | MessageEdited(message=message):
                self.history.append(message)
            case _:
                pass


WORDS = {
    "instance.ready": " is ready.",
    "instance.started": " is running again.",
    "instance.stopped": " was stopped",
    "instance.failed": " failed.",
    "instance.deleted": " was deleted",
    "instance.reclaiming": "takes the spot GPU",
    "instance.reclaimed": "took the spot GPU",
    "instance.late_removed": "turned up late",
    "instance.refused": "Novita refused",
}


def payload(message: Message) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (message.metadata or {}).get("event_payload", {})
    return found


def is_card(message: Message) -> bool:
    return "instance_id" in payload(message) and "event_id" not in payload(message)


def is_notice(message: Message) -> bool:
    return "event_id" in payload(message)


def state_of(card: Message) -> str:
    return card.text.partition(": ")[2].partition(":")[0] if card.text.startswith(":") else card.text


@asynccontextmanager
async def staged(
    nursery: Nursery,
    directory: Path,
    *,
    timeline: Timeline = BRISK,
    ack_timeout: timedelta = timedelta(seconds=3),
    page_cap: int = 100,
    tokens: Mapping[str, str] = {},
    database_url: str = "",
    report: Callable[[str], None] = print,
) -> AsyncIterator[Stage]:
    """Everything but the service. In the end no process is left, and nobody broke a rule of Slack's.

    `tokens`: of the simulated Slack, by the names of `SlackServer`. `report` is given what each life wrote.
    """
    cloud = Cloud(clock=utc_now, timeline=timeline)
    workspace = Workspace(clock=utc_now, seed=1, app=installed_app())
    slack = SlackServer(workspace, ack_timeout=ack_timeout, **tokens)
    novita, receiver = NovitaServer(cloud, page_cap=page_cap), Receiver(slack.signal.notify)
    stage = Stage(
        nursery=nursery,
        directory=directory,
        cloud=cloud,
        novita=novita,
        workspace=workspace,
        slack=slack,
        receiver=receiver,
        database_url=database_url or f"sqlite:///{directory}/gpu-bot.db",
    )
    workspace.subscribe(stage.observe)
    await asyncio.gather(novita.start(), slack.start(), receiver.start())
    try:
        yield stage
    finally:
        for life in stage.lives:
            life.kill()
            await life.over()
        await asyncio.gather(slack.close(), novita.close(), receiver.stop())
        for number, life in enumerate(stage.lives, 1):
            report("\n".join([f"--- life {number}, ended with {life.exit_code}", *life.lines]))
    assert slack.violations == [], slack.violations
    errors = stage.errors()
    assert errors == [], errors
