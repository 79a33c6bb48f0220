"""Runs the service as the program does, with shorter times and, if asked, one crash point.

To begin such a process takes seconds, most of them for imports. So this is a process that has imported all,
and forks once for every service: `python -m tests.crash.service SOCKET`. Who connects to the socket sends one
line, an `Orders` as JSON, and reads `{"pid": ...}`, then whatever the service writes, and at its end
`{"exit": ...}`, which is minus the signal's number where a signal ended it. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - imported late by the service, and slowly

from bot import app, logs, parts, schedule, settings
from bot.sinks.slack_pace import SlackPace
from tests.crash.points import Fuse, When, wrapped


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
    fuse: Mapping[str, Any] | None = None
    """`method`, `when`, `armed`, `nth` of a crash point."""
    ahead: float = 0.0
    """Seconds by which its machine's clock is wrong."""


def main() -> None:
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
    if orders.fuse is None:
        return None
    point = {**orders.fuse, "when": When(orders.fuse["when"]), "armed": Path(orders.fuse["armed"])}
    return Fuse(**point)


def _wrap(orders: Orders, fuse: Fuse | None, name: str, part: Any) -> Any:
    if name == "slack" and orders.hurried:
        part._pace = SlackPace(app.utc_now, edits_per_minute=60_000, posts_per_minute=60_000)
    return part if fuse is None else wrapped(fuse, name, part)


if __name__ == "__main__":
    main()
