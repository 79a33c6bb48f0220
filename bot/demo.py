"""`gpu-bot demo`: the service as it is, with a simulated Slack and Novita, in a browser and in a terminal.

```
a line  ─► Stage ─► sandbox/slack ─► the service ─► sandbox/novita   ─► Backstage ─► the page
            Scene ◄─ sandbox/slack ◄──┘      └─────► webhook receiver ─► Backstage, Scene
a click ─► the page ─► sandbox/slack ...
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
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO, cast

from bot.app import running, utc_now
from bot.inside import Inside
from bot.installed import INSTALLED, suggestions
from bot.logs import configure
from bot.pace import patience, sped_up
from bot.sandbox.hook import Receiver
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.fate import Fate
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.page.backstage import Backstage
from bot.sandbox.page.server import PageServer
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.deeds import read_deed
from bot.sandbox.terminal.lines import Keyboard, Lines, PipedLines, ScriptLines
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.screen import LogStream, Screen
from bot.sandbox.terminal.stage import Stage
from bot.sandbox.terminal.surroundings import forget, log_settings
from bot.sandbox.terminal.waiting import Settling
from bot.sandbox.terminal.words import FIRST_LINE, MAIN_JOB, introduction
from bot.settings import SettingsError, load, secrets_of
from bot.web.server import ListenError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arguments:
    script: tuple[str, ...] | None
    port: int
    page_port: int
    speed: float
    log: Mapping[str, str]


def demo(*, script: Path | None, port: int, page_port: int, speed: float) -> int:
    """Until the end of input, `quit` or a signal. The exit code: 0, 1 for a failure, 2 for bad arguments."""
    try:
        arguments = _Arguments(
            script=_read(script),
            port=port,
            page_port=_checked_port(page_port),
            speed=_checked(speed),
            log=log_settings(),
        )
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


def _checked_port(page_port: int) -> int:
    if not 0 <= page_port <= 65_535:
        raise _BadArgument(f"--page-port: read {page_port}; allowed: 0 to 65535, 0 for a free one")
    return page_port


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
        theatre.scene.lines(
            *introduction(page=theatre.page, rest=theatre.rest, speed=arguments.speed, person=person)
        )
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

    page: str
    rest: str
    slack: SlackServer
    scene: Scene
    stage: Stage


async def _opened(arguments: _Arguments, screen: Screen, stack: AsyncExitStack) -> _Theatre:
    """In this order onto the stack, which closes it in reverse: the service goes before its servers do."""
    speed, timings, inside = arguments.speed, sped_up(arguments.speed), Inside()
    slack = await stack.enter_async_context(SlackServer(Workspace(clock=utc_now, app=INSTALLED)))
    novita = await stack.enter_async_context(NovitaServer(Cloud(clock=utc_now, speed=speed)))
    scene = Scene(slack.workspace, screen, clock=utc_now)
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    receiver = await stack.enter_async_context(Receiver(secret, clock=utc_now))
    receiver.subscribe(scene.arrived)
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
    settling = Settling(inside, fate, clock=utc_now, patience=patience(timings, speed))
    backstage = await stack.enter_async_context(Backstage(novita, fate, receiver, names=inside.names))
    page = await _page(slack, backstage, arguments.page_port, stack)
    by_hand = _is_keyboard(arguments)
    stage = Stage(slack, scene, fate, settled=settling.settled, typed_by_hand=by_hand, **_BEGINNING)
    rest = f"http://127.0.0.1:{port}"
    return _Theatre(page=page.url, rest=rest, slack=slack, scene=scene, stage=stage)


async def _page(slack: SlackServer, backstage: Backstage, port: int, stack: AsyncExitStack) -> PageServer:
    page = PageServer(slack, backstage=backstage, suggestions=suggestions(), first_line=FIRST_LINE, port=port)
    try:
        return await stack.enter_async_context(page)
    except OSError as error:
        raise ListenError(f"--page-port: cannot listen at port {port}: {error.strerror or error}.") from error


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
