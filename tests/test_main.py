"""The command line. What it starts is tested elsewhere."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import structlog

import bot.app
import bot.check
import bot.demo
import storage.database
from bot.__main__ import main
from bot.web.server import ListenError
from storage.errors import StorageError

ROOT = Path(__file__).parents[1]
KEY = {"NOVITA_API_KEY": "nv_0123456789"}


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Logging, environment and working directory are one for the whole process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(KEY))
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level, logging.raiseExceptions = before
    for name in ("bot", "storage"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def started(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, exit_code: int) -> list[Any]:
    """With what it was started."""
    settings: list[Any] = []

    async def start(given: Any, **_kept: Any) -> int:
        settings.append(given)
        return exit_code

    monkeypatch.setattr(module, name, start)
    return settings


@pytest.mark.parametrize("arguments", [[], ["run"]])
def test_without_a_command_the_service_runs(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = started(monkeypatch, bot.app, "run", 0)
    assert main(arguments) == 0
    assert settings[0].novita_api_key.get_secret_value() == KEY["NOVITA_API_KEY"]


@pytest.mark.parametrize("exit_code", [0, 1])
def test_check_ends_as_what_it_found(exit_code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = started(monkeypatch, bot.check, "check", exit_code)
    assert main(["check"]) == exit_code
    assert len(settings) == 1


def test_the_environment_goes_before_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("NOVITA_API_KEY=of_the_file\nPORT=4000\n")
    settings = started(monkeypatch, bot.app, "run", 0)
    assert main([]) == 0
    assert settings[0].novita_api_key.get_secret_value() == KEY["NOVITA_API_KEY"]
    assert settings[0].port == 4000


def test_the_demo_needs_no_setting_and_is_given_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def demo(**arguments: Any) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr(bot.demo, "demo", demo)
    os.environ.clear()
    assert main(["demo"]) == 0
    assert main(["demo", "--script", "s", "--port", "3000", "--page-port", "3001", "--speed", "50"]) == 0
    assert given == [
        {"script": None, "port": 0, "page_port": 0, "speed": 10.0},
        {"script": Path("s"), "port": 3000, "page_port": 3001, "speed": 50.0},
    ]


@pytest.mark.parametrize("command", ["run", "check", "migrate"])
def test_bad_settings_are_a_line_each_and_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ.update(PORT="port", SLACK_BOT_TOKEN="xoxp-CANARY", LOG_LEVEL="loud")
    del os.environ["NOVITA_API_KEY"]
    assert main([command]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        "NOVITA_API_KEY",
        "SLACK_BOT_TOKEN",
        "PORT",
        "LOG_LEVEL",
    ]
    assert "CANARY" not in err


def test_an_env_file_that_cannot_be_read_is_a_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_bytes(b"\xff\xfe")
    assert main([]) == 2
    assert capsys.readouterr().err == ".env: cannot be read: it is not UTF-8\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["demo", "--port", "x"], "--port: invalid int value: 'x'"),
        (["demo", "--speed", "fast"], "--speed: invalid float value: 'fast'"),
        (["run", "--port", "1"], "unrecognized arguments"),
    ],
)
def test_words_that_it_does_not_know_end_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"gpu-bot {version('novita-gpu-bot')}\n"


def test_its_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    found = re.findall(r"^    ([\w-]+)\s", capsys.readouterr().out, re.MULTILINE)
    assert set(found) >= {"run", "demo", "check", "migrate", "migrate-data"}


def test_migrate_makes_the_database_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["DATABASE_URL"] = f"sqlite:///{tmp_path}/new/bot.db"
    assert [main(["migrate"]), main(["migrate"])] == [0, 0]
    assert capsys.readouterr().out == "migrated\nup to date\n"
    connection = sqlite3.connect(tmp_path / "new" / "bot.db")
    assert connection.execute("SELECT count(*) FROM instances").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    "start", [["-m", "bot"], ["-c", "from bot.__main__ import main; raise SystemExit(main())"]]
)
def test_a_process_ends_with_its_exit_code(start: list[str], tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PORT": "port"}
    run = subprocess.run(
        [sys.executable, *start],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert [line.partition(":")[0] for line in run.stderr.splitlines()] == ["NOVITA_API_KEY", "PORT"]


def test_help_and_bad_settings_do_not_wait_for_the_service_to_be_imported() -> None:
    heavy = "{'httpx', 'sqlalchemy', 'slack_bolt'}"
    code = f"import sys; import bot.__main__; print({heavy} & set(sys.modules) or 'none')"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout == "none\n"


@pytest.mark.parametrize(
    "error", [StorageError("The database is in use."), ListenError(98, "cannot listen at x")]
)
def test_a_service_that_cannot_start_says_why_in_one_line(error, monkeypatch, capsys) -> None:
    async def start(_given: Any, **_kept: Any) -> int:
        raise error

    monkeypatch.setattr(bot.app, "run", start)
    assert main([]) == 1
    assert capsys.readouterr().err.strip() == str(error)


def test_a_database_of_a_later_version_is_not_migrated(monkeypatch, capsys) -> None:
    async def migrate(_url: str) -> bool:
        raise StorageError("made by a later version")

    monkeypatch.setattr(storage.database, "migrate", migrate)
    assert main(["migrate"]) == 1
    assert capsys.readouterr().err.strip() == "made by a later version"
