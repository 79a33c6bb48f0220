"""`gpu-bot demo`: the service as it is, beside a simulated Slack and a simulated Novita, in a terminal.

```
a line ─► Stage ─► sandbox/slack ─► the service ─► sandbox/novita
          Scene ◄─ sandbox/slack ◄──┘      └─────► webhook receiver ─► Scene
```
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO, cast

from bot.app import running, utc_now
from bot.confinement import ConfinedWebhooks
from bot.logs import configure
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.deeds import read_deed
from bot.sandbox.terminal.fate import Fate
from bot.sandbox.terminal.hook import Receiver
from bot.sandbox.terminal.lines import Keyboard, Lines, PipedLines, ScriptLines
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.screen import LogStream, Screen
from bot.sandbox.terminal.stage import Stage
from bot.sandbox.terminal.surroundings import forget, log_settings
from bot.sandbox.terminal.waiting import Patience, Settling
from bot.sandbox.terminal.words import MAIN_JOB, introduction
from bot.settings import SettingsError, load, secrets_of
from bot.timings import Timings
from bot.web.server import ListenError
from storage.errors import NoSuchInstance
from storage.records import State
from storage.store.finding import Find
from storage.store.store import Store

_BEGINNING = {"person": "U0ADA", "channel": "C0GPU"}
_HABITS = {
    "SLACK_CHANNEL": _BEGINNING["channel"],
    "ADMIN_USERS": _BEGINNING["person"],
    "HOST": "127.0.0.1",
    "DEFAULT_TEMPLATE": "pytorch-jupyter",
    # Sped up, the bot asks more often; and an outage that somebody ends is over soon.
    "NOVITA_RATE_LIMIT": "10000",
    "CIRCUIT_BREAKER_THRESHOLD": "50",
    "CIRCUIT_BREAKER_TIMEOUT": "10000",
}
_FAILED, _BAD_ARGUMENTS = 1, 2
_READING = 10.0
"""Seconds before each line that the demo types itself, at the speed of life."""

_SHORTEST = timedelta(milliseconds=50)
_AS_USUAL = frozenset({"lease", "renew_every", "probe_timeout", "purge_every", "watchdog_every"})
_STOP_WITHIN = timedelta(seconds=2)
_UNDER_WAY = frozenset({State.CREATING, State.STARTING, State.STOPPING, State.DELETING})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arguments:
    script: tuple[str, ...] | None
    port: int
    speed: float
    log: Mapping[str, str]


def demo(*, script: Path | None, port: int, speed: float) -> int:
    """Until the end of input, `quit` or a signal. The exit code: 0, 1 for a failure, 2 for bad arguments."""
    try:
        arguments = _Arguments(script=_read(script), port=port, speed=_checked(speed), log=log_settings())
        forget()
        return asyncio.run(_run(arguments))
    except (_BadArgument, SettingsError) as error:
        return _told(error, _BAD_ARGUMENTS)
    except ListenError as error:
        return _told(error, _FAILED)


class _BadArgument(Exception):
    pass


def _read(script: Path | None) -> tuple[str, ...] | None:
    if script is None:
        return None
    try:
        return tuple(script.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise _BadArgument(f"--script: cannot read {script}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _BadArgument(f"--script: cannot read {script}: it is not UTF-8") from error


def _checked(speed: float) -> float:
    if not 0.1 <= speed <= 1000:
        raise _BadArgument(f"--speed: read {speed:g}; allowed: 0.1 to 1000")
    return speed


def _told(error: Exception, exit_code: int) -> int:
    print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
    return exit_code


async def _run(arguments: _Arguments) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    playing = asyncio.create_task(_play(arguments, Screen(sys.stdout, gone=stop.set)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    playing.cancel()
    stopping.cancel()
    with suppress(asyncio.CancelledError):
        await playing
    _let_go_of_the_reader()
    return 0


def _let_go_of_the_reader() -> None:
    """A pipe that nobody reads must not fail once more when Python flushes it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _play(arguments: _Arguments, screen: Screen) -> None:
    async with AsyncExitStack() as stack:
        theatre = await _opened(arguments, screen, stack)
        person = theatre.stage.who_and_where if _is_keyboard(arguments) else None
        theatre.scene.lines(*introduction(rest=theatre.rest, speed=arguments.speed, person=person))
        lines = await _lines(arguments, theatre, screen, stack)
        while (line := await lines.next()) is not None:
            deed = read_deed(line)
            if deed is not None and not await theatre.stage.play(deed):
                break
        for violation in theatre.slack.violations:
            theatre.scene.hint(f"Slack would not have taken this: {violation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Theatre:
    """All that runs, once it does."""

    rest: str
    slack: SlackServer
    scene: Scene
    stage: Stage


async def _opened(arguments: _Arguments, screen: Screen, stack: AsyncExitStack) -> _Theatre:
    """In this order onto the stack, which closes it in reverse: the service goes before its servers do."""
    speed, timings, inside = arguments.speed, _timings(arguments.speed), _Inside()
    slack = await stack.enter_async_context(SlackServer(Workspace(clock=utc_now)))
    novita = await stack.enter_async_context(NovitaServer(Cloud(clock=utc_now, speed=speed)))
    scene = Scene(slack.workspace, screen, clock=utc_now)
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    receiver = await stack.enter_async_context(Receiver(secret, scene.arrived))
    folder = stack.enter_context(TemporaryDirectory(prefix="gpu-bot-demo-"))
    targets = {"WEBHOOK_URL": receiver.url, "WEBHOOK_SECRET": secret, "PORT": str(arguments.port)}
    places = {"DATABASE_URL": f"sqlite:///{folder}/demo.db", **_accounts(slack, novita)}
    settings = load({**_HABITS, **arguments.log, **targets, **places}, env_file=None)
    known = secrets_of(settings)
    configure(level=settings.log_level, form=settings.log_format, stream=_log_stream(screen), secrets=known)
    port = await stack.enter_async_context(running(settings, timings=timings, wrap=inside.keep))
    await _until_warm(novita)
    stack.callback(slack.workspace.subscribe(scene.observe))
    fate = Fate(novita, region=settings.default_region, speed=speed, novita_id=inside.novita_id)
    settling = Settling(inside, fate, clock=utc_now, patience=_patience(timings, speed))
    by_hand = _is_keyboard(arguments)
    stage = Stage(slack, scene, fate, settled=settling.settled, typed_by_hand=by_hand, **_BEGINNING)
    return _Theatre(rest=f"http://127.0.0.1:{port}", slack=slack, scene=scene, stage=stage)


def _accounts(slack: SlackServer, novita: NovitaServer) -> dict[str, str]:
    return {
        "NOVITA_API_BASE_URL": novita.base_url,
        "NOVITA_API_KEY": novita.api_key,
        "SLACK_API_BASE_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
    }


async def _until_warm(novita: NovitaServer) -> None:
    """The first form offers what the bot has looked up by then. A look-up that fails is no reason to end."""
    with suppress(TimeoutError):
        for endpoint, calls in (("products", 2), ("clusters", 1), ("templates", 2)):
            await novita.journal.wait_for(endpoint, calls, over=True)


async def _lines(arguments: _Arguments, theatre: _Theatre, screen: Screen, stack: AsyncExitStack) -> Lines:
    if arguments.script is not None:
        return ScriptLines(arguments.script)
    if _is_keyboard(arguments):
        keyboard = Keyboard(sys.stdin.fileno(), screen, lambda: theatre.stage.prompt)
        return await stack.enter_async_context(keyboard)
    piped = PipedLines(sys.stdin.fileno()) if _has_input() else None
    first = None if piped is None else await piped.next()
    if piped is None or first is None:
        theatre.scene.note("Nobody is here to type, so the demo shows the main job by itself.")
        return ScriptLines(MAIN_JOB.splitlines(), pause=_READING / arguments.speed)
    piped.put_back(first)
    return piped


def _is_keyboard(arguments: _Arguments) -> bool:
    """Somebody who types, before a terminal that can be drawn on."""
    terminals = _has_input() and sys.stdin.isatty() and sys.stdout.isatty()
    return arguments.script is None and terminals and os.environ.get("TERM", "dumb") != "dumb"


def _has_input() -> bool:
    return sys.stdin is not None and not sys.stdin.closed


def _log_stream(screen: Screen) -> TextIO:
    return cast("TextIO", LogStream(screen)) if sys.stderr.isatty() and screen.is_terminal else sys.stderr


def _timings(speed: float) -> Timings:
    """The service waits as much shorter as the cloud is faster."""
    usual = Timings()
    spans = {field.name: getattr(usual, field.name) for field in fields(usual)}
    shorter = {
        name: max(span / speed, _SHORTEST)
        for name, span in spans.items()
        if isinstance(span, timedelta) and name not in _AS_USUAL
    }
    faster: dict[str, Any] = {
        **shorter,
        # What nobody asked the bot for is seen only by a poll, and somebody waits before the terminal.
        "slow_poll": shorter["fast_poll"] * 3,
        "stop_within": _STOP_WITHIN,
    }
    return replace(usual, **faster)


def _patience(timings: Timings, speed: float) -> Patience:
    return Patience(
        quiet_for=timings.tick * 3,
        outage=timings.delayed_after * 2,
        longest=max(timedelta(minutes=20) / speed, timedelta(seconds=10)),
    )


class _Inside:
    """A look into the service that nobody outside has: what it has not done yet."""

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

    async def novita_id(self, name: str) -> str | None:
        try:
            return (await self._store.instances.get(Find(ref=name))).novita_id
        except NoSuchInstance:
            return None
