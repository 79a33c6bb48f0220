"""Runs the service as the program does, with shorter times and, if asked, one crash point.

To begin such a process takes seconds, for imports and for what libraries do only once. So this is a process that
has imported all and has been a service itself for a moment, and forks once for every other: `python -m tests.crash.service SOCKET`. Who connects to the socket sends one
line, an `Orders` as JSON, and reads `{"pid": ...}`, then whatever the service writes, and at its end
`{"exit": ...}`, which is minus the signal's number where a signal ended it. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - imported late by the service, and slowly
import structlog

from bot import app, logs, parts, schedule, settings
from bot.sinks.slack_pace import SlackPace
from bot.slack import assembly, people
from storage import postgres  # noqa: F401 - the same
from tests.crash.points import Fuse, watch_migration, wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    environ: Mapping[str, str]
    """The whole environment of the service."""
    timings: Mapping[str, float]
    """Of `Timings`, in seconds."""
    settings: Mapping[str, float]
    """Of `Settings`, below what the environment may say; times in seconds."""
    pauses: tuple[float, ...] | None = None
    """Of a webhook, in seconds, instead of 75 hours; None: as they are."""
    slack_pauses: tuple[float, ...] | None = None
    """The same for what goes to Slack."""
    hurried: bool = True
    """Speaks to Slack as fast as it can; what Slack allows would make every test wait."""
    ahead: float = 0.0
    """Seconds by which its machine's clock is wrong."""
    armed: str | None = None
    """The file that says where it dies; None: it is not wrapped at all."""


def main() -> None:
    asyncio.run(_rehearse())
    gc.collect()
    gc.freeze()  # no child looks through it, nor copies its pages
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how an attendant ended
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _attend(connection)
        connection.close()


async def _rehearse() -> None:
    """A service that speaks to nobody: the first one in a process takes three times as long as the second."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    nobody = "http://127.0.0.1:9"
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "NOVITA_API_KEY": "none",
            "NOVITA_API_BASE_URL": nobody,
            "SLACK_BOT_TOKEN": "xoxb-none",
            "SLACK_APP_TOKEN": "xapp-none",
            "SLACK_API_BASE_URL": nobody,
            "DATABASE_URL": f"sqlite:///{folder}/gpu-bot.db",
            "PORT": "0",
        }
        os.environ.update(environ)
        read = settings.load(env_file=None)
        patience, assembly._CONNECT_WITHIN = assembly._CONNECT_WITHIN, timedelta(0)
        async with app.running(read, timings=parts.timings_of(read)):
            assembly._CONNECT_WITHIN = patience
    structlog.reset_defaults()


def _attend(connection: socket.socket) -> None:
    """Sees one service through its life; when nobody listens to it any more, that is over."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("r") as words:
        orders = Orders(**json.loads(words.readline()))
    pid = os.fork()
    if pid == 0:
        _become(orders, connection)
    alive = os.pidfd_open(pid)
    readable, _, _ = select.select([alive, connection], [], [])
    if alive not in readable:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        connection.sendall(_line(exit=os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(orders: Orders, connection: socket.socket) -> None:
    code = 1
    try:
        connection.sendall(_line(pid=os.getpid()))
        for descriptor in (1, 2):
            os.dup2(connection.fileno(), descriptor)
        os.environ.clear()
        os.environ.update(orders.environ)
        code = asyncio.run(_run(orders))
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        os._exit(code)


def _line(**said: int) -> bytes:
    return f"{json.dumps(said)}\n".encode()


async def _run(orders: Orders) -> int:
    if orders.ahead:
        _set_wrong(timedelta(seconds=orders.ahead))
    read = settings.load(env_file=None)
    read = read.model_copy(update={name: _like(read, name, each) for name, each in orders.settings.items()})
    secrets = settings.secrets_of(read)
    logs.configure(level=read.log_level, form=read.log_format, stream=sys.stdout, secrets=secrets)
    if orders.pauses is not None:
        schedule.WEBHOOK_PAUSES = tuple(timedelta(seconds=each) for each in orders.pauses)
    if orders.slack_pauses is not None:
        schedule.SLACK_PAUSES = tuple(timedelta(seconds=each) for each in orders.slack_pauses)
    if orders.armed is not None:
        people._LOOK_UP_WITHIN = timedelta(seconds=20)  # many share a machine: nobody is asked to try again
    times = {name: timedelta(seconds=each) for name, each in orders.timings.items()}
    timings = replace(parts.timings_of(read), **times)
    return await app.run(read, timings=timings, wrap=partial(_wrap, orders, _fuse(orders)))


def _set_wrong(ahead: timedelta) -> None:
    """Less the scheduler, which asks the machine itself."""
    right, jobs = app.utc_now, app.Jobs
    app.utc_now = lambda: right() + ahead
    app.Jobs = lambda *, clock: jobs(clock=right)


def _like(read: settings.Settings, name: str, number: float) -> timedelta | int:
    return timedelta(seconds=number) if isinstance(getattr(read, name), timedelta) else int(number)


def _fuse(orders: Orders) -> Fuse | None:
    """Where a migration is meant, every statement of the process is looked at."""
    if orders.armed is None:
        return None
    fuse = Fuse(armed=Path(orders.armed))
    if fuse.point is not None and fuse.point.method.startswith("migration."):
        watch_migration(fuse)
    return fuse


def _wrap(orders: Orders, fuse: Fuse | None, name: str, part: Any) -> Any:
    if name == "slack" and orders.hurried:
        part._pace = SlackPace(app.utc_now, edits_per_minute=60_000, posts_per_minute=60_000)
    return part if fuse is None else wrapped(fuse, name, part)


if __name__ == "__main__":
    main()
