"""`gpu-bot demo`: the service as it is, beside a simulated Slack and a simulated Novita, in a terminal.

```
a line ─► Stage ─► sandbox/slack ─► the service ─► sandbox/novita
          Scene ◄─ sandbox/slack ◄──┘      └─────► webhook receiver ─► Scene
```
"""

from __future__ import annotations

import asyncio
import base64
import math
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from bot import settings as settings_of_the_demo
from bot.app import running, utc_now
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
from bot.sandbox.terminal.waiting import Patience, Settling
from bot.sandbox.terminal.words import MAIN_JOB, introduction
from bot.settings import Settings, SettingsError
from bot.timings import Timings
from bot.web.server import ListenError
from storage.errors import NoSuchInstance
from storage.records import State
from storage.store.finding import Find
from storage.store.store import Store

_CHANNEL, _ADMIN = "C0GPU", "U0ADA"
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
        arguments = _Arguments(script=_read(script), port=port, speed=_checked(speed), log=_log_settings())
        _forget_surroundings()
        return asyncio.run(_run(arguments))
    except _BadArgument as error:
        return _told(error, _BAD_ARGUMENTS)
    except SettingsError as error:
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


def _log_settings() -> dict[str, str]:
    """What else the environment says is about an account that the demo must not touch."""
    usual = {"LOG_LEVEL": "warning", "LOG_FORMAT": "console"}
    return {name: os.environ.get(name) or default for name, default in usual.items()}


def _forget_surroundings() -> None:
    """Libraries read these by themselves: httpx and Slack's SDK the proxies, httpx and ssl the certificates,
    Bolt its tokens and client secrets. Through a proxy the demo's own servers could not be reached, and a
    path that is wrong would end it.
    """
    for name in tuple(os.environ):
        upper = name.upper()
        if upper.endswith("_PROXY") or upper.startswith(("SLACK_", "SSL")):
            del os.environ[name]


def _told(error: Exception, exit_code: int) -> int:
    print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
    return exit_code


async def _run(arguments: _Arguments) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    screen = Screen(sys.stdout, gone=stop.set)
    async with AsyncExitStack() as stack:
        playing = asyncio.create_task(_play(arguments, screen, stack))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        playing.cancel()
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


async def _play(arguments: _Arguments, screen: Screen, stack: AsyncExitStack) -> None:
    """Everything is opened onto `stack`, in order: whoever waits for the lines to end closes it."""
    speed = arguments.speed
    slack = await stack.enter_async_context(SlackServer(Workspace(clock=utc_now)))
    novita = await stack.enter_async_context(NovitaServer(Cloud(clock=utc_now, speed=speed)))
    scene = Scene(slack.workspace, screen, clock=utc_now)
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    receiver = await stack.enter_async_context(Receiver(secret, scene.arrived))
    folder = stack.enter_context(TemporaryDirectory(prefix="gpu-bot-demo-"))
    settings = _settings(arguments, slack=slack, novita=novita, hook=receiver.url, secret=secret, folder=folder)
    configure(level=settings.log_level, form=settings.log_format, stream=_log_stream(screen))
    bot = _Bot()
    port = await stack.enter_async_context(running(settings, timings=_timings(speed), wrap=bot.keep))
    slack.workspace.subscribe(scene.observe)
    await _until_warm(novita)
