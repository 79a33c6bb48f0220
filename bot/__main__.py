"""The command line: run, demo, check, migrate, migrate-data."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from bot import settings as settings_of_the_environment
from bot.logs import configure
from bot.redaction import Redaction
from bot.settings import Settings, SettingsError
from storage.errors import DatabaseUnavailable, StorageError

_ENV_FILE = Path(".env")
FAILED = 1
BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 for a failure, 2 for settings or words that cannot be used."""
    asked = _parser().parse_args(arguments)
    match asked.command:
        case "demo":
            return _demo(asked)
        case "check":
            return _with_settings(_check)
        case "migrate":
            return _with_settings(_migrate)
        case "migrate-data":
            return _move(asked)
        case _:
            return _with_settings(_run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpu-bot", description="Rent GPUs at Novita.ai from Slack.")
    parser.add_argument("--version", action="version", version=f"gpu-bot {version('novita-gpu-bot')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="the service (also without a command): Slack, REST, polling, notices")
    demo = commands.add_parser("demo", help="the same with a simulated Slack and Novita: no account needed")
    demo.add_argument("--script", type=Path, metavar="FILE", help="run the lines of FILE and end")
    demo.add_argument("--port", type=int, default=0, help="port of the REST API (default: a free one)")
    demo.add_argument("--page-port", type=int, default=0, help="port of the web page (default: a free one)")
    demo.add_argument("--speed", type=float, default=10.0, help="how much faster than life (default: 10)")
    commands.add_parser("check", help="try the settings, Novita, Slack and the database once")
    commands.add_parser("migrate", help="bring the database to this version (run does it as well)")
    moving = commands.add_parser("migrate-data", help="move a SQLite database to an empty PostgreSQL one")
    moving.add_argument(
        "--from", dest="source", required=True, metavar="URL", help="sqlite:///data/gpu-bot.db"
    )
    moving.add_argument(
        "--to", dest="target", required=True, metavar="URL", help="postgresql://user@host/name"
    )
    return parser


def _with_settings(command: Callable[[Settings], int]) -> int:
    try:
        settings = settings_of_the_environment.load(env_file=_ENV_FILE)
    except SettingsError as error:
        print("\n".join(error.faults), file=sys.stderr)  # noqa: T201 - before there is a log
        return BAD_SETTINGS
    secrets = settings_of_the_environment.secrets_of(settings)
    configure(level=settings.log_level, form=settings.log_format, secrets=secrets)
    return command(settings)


def _run(settings: Settings) -> int:
    # A full collection of a heap that mostly stays takes a tenth of a second, in which nobody is answered.
    gc.set_threshold(20_000, 20, 100)
    # Whenever the loop lets go of Python's lock, as for each write to a socket, a thread of the database that
    # computes may keep it for so long.
    sys.setswitchinterval(0.001)
    # httpcore asks for it several times a call, and it is not there: each time all folders would be searched.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # Python's own way to say so
    from bot.app import run  # noqa: PLC0415 - `gpu-bot --help` need not import the service
    from bot.systemd import notifier  # noqa: PLC0415
    from bot.web.server import ListenError  # noqa: PLC0415

    try:
        return asyncio.run(run(settings, notify=notifier(os.environ.get("NOTIFY_SOCKET"))))
    except (ListenError, StorageError) as error:
        return _gave_up(error, settings)


def _check(settings: Settings) -> int:
    from bot.check import check  # noqa: PLC0415

    return asyncio.run(check(settings))


def _migrate(settings: Settings) -> int:
    from storage.database import migrate  # noqa: PLC0415

    try:
        changed = asyncio.run(migrate(settings.database_url.get_secret_value()))
    except StorageError as error:
        return _gave_up(error, settings)
    print("migrated" if changed else "up to date")  # noqa: T201
    return 0


def _move(asked: argparse.Namespace) -> int:
    from bot.moving import move_data  # noqa: PLC0415

    return move_data(asked.source, asked.target)


def _gave_up(error: Exception, settings: Settings) -> int:
    text = f"DATABASE_URL: {error}" if isinstance(error, DatabaseUnavailable) else str(error)
    hidden = Redaction(settings_of_the_environment.secrets_of(settings))
    print(hidden.text(text), file=sys.stderr)  # noqa: T201 - a person reads it where the service was started
    return FAILED


def _demo(asked: argparse.Namespace) -> int:
    from bot.demo import demo  # noqa: PLC0415

    return demo(script=asked.script, port=asked.port, page_port=asked.page_port, speed=asked.speed)


if __name__ == "__main__":
    sys.exit(main())
