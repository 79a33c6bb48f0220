"""`gpu-bot check` against the sandbox servers, a real database and hosts that do not answer."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from clocks import Clock

from bot import check as check_module
from bot.check import check
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.faults import Hang as NovitaHangs
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.faults import CloseConnection, ErrorCode, Hang, HttpStatus
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.settings import Settings, load
from storage.database import migrate, open_database
from tests.storage.storage_postgres import PostgresServer, clone, running_server

SECRETS = ("sandbox-novita-key", "xoxb-sandbox", "xapp-sandbox", "sandbox-signing-secret", "CANARY")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is one for the whole process."""
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level, logging.raiseExceptions = before
    for name in ("bot", "storage"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


class World:
    """Settings with which all is well; each test changes what it is about."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        clock = Clock()
        self.novita = NovitaServer(Cloud(clock=clock))
        self.slack = SlackServer(Workspace(clock=clock))
        self.database = f"sqlite:///{folder}/bot.db"
        self._capsys = capsys

    def settings(self, **changes: str | None) -> Settings:
        """None leaves one out."""
        found = {
            "NOVITA_API_KEY": self.novita.api_key,
            "NOVITA_API_BASE_URL": self.novita.base_url,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_BASE_URL": self.slack.api_url,
            "DATABASE_URL": self.database,
        }
        chosen = {**found, **changes}
        return load({name: text for name, text in chosen.items() if text is not None})

    async def check(self, **changes: str | None) -> tuple[int, dict[str, str]]:
        """The exit code, and the lines by what they are about."""
        exit_code = await check(self.settings(**changes))
        out, err = self._capsys.readouterr()
        assert err == ""
        assert not [secret for secret in SECRETS if secret in out]
        lines = out.splitlines()
        assert [line[5:15].strip() for line in lines] == ["novita", "slack", "database", "webhook"]
        return exit_code, {line[5:15].strip(): f"{line[:5]}{line[15:]}" for line in lines}


@pytest.fixture
async def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[World]:
    world = World(tmp_path, capsys)
    await migrate(world.database)
    async with world.novita, world.slack:
        yield world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "_WITHIN", timedelta(seconds=0.2))


async def test_all_is_well(world: World) -> None:
    assert await world.check() == (
        0,
        {
            "novita": "ok   9 regions",
            "slack": "ok   gpu-ops in Sandbox, Socket Mode",
            "database": "ok   sqlite, tables of this version",
            "webhook": "ok   not configured",
        },
    )


async def test_it_changes_nothing_and_looks_once(world: World) -> None:
    await world.check()
    assert [call.endpoint for call in world.novita.journal.calls()] == ["clusters"]
    assert [call.method for call in world.slack.journal.calls()] == ["auth.test", "apps.connections.open"]
    assert world.slack.connections == 0


async def test_it_works_beside_a_running_service(world: World) -> None:
    running = await open_database(world.database)
    exit_code, _ = await world.check()
    assert exit_code == 0
    await running.close()


async def test_a_key_that_novita_does_not_take_is_named(world: World) -> None:
    exit_code, lines = await world.check(NOVITA_API_KEY="another-key-CANARY")
    assert exit_code == 1
    assert lines["novita"].startswith("FAIL UNAUTHORIZED: Novita does not accept the API key")
    assert "NOVITA_API_KEY" in lines["novita"]
    assert lines["slack"].startswith("ok")


async def test_a_novita_that_is_not_there_fails_at_once(world: World) -> None:
    await world.novita.refuse()
    exit_code, lines = await world.check()
    assert (exit_code, lines["novita"]) == (1, "FAIL NOVITA_UNAVAILABLE: Novita cannot be reached.")


async def test_a_look_up_that_fails_is_not_repeated(world: World) -> None:
    world.novita.faults.down(503)
    exit_code, lines = await world.check()
    assert (exit_code, lines["novita"][:4]) == (1, "FAIL")
    assert world.novita.journal.count("clusters") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-CANARY"}, "invalid_auth: SLACK_BOT_TOKEN is no token of this Slack"),
        ({"SLACK_APP_TOKEN": "xapp-CANARY"}, "invalid_auth: SLACK_APP_TOKEN is no token of this Slack"),
    ],
)
async def test_a_token_that_slack_does_not_take_is_named(
    world: World, changes: dict[str, str], said: str
) -> None:
    exit_code, lines = await world.check(**changes)
    assert (exit_code, lines["slack"]) == (1, f"FAIL {said}")


async def test_a_code_that_nobody_knows_is_shown_as_it_is(world: World) -> None:
    world.slack.fail("auth.test", ErrorCode("team_on_strike"))
    _, lines = await world.check()
    assert lines["slack"] == "FAIL team_on_strike: SLACK_BOT_TOKEN was not accepted"


async def test_what_is_not_slack_is_said(world: World) -> None:
    world.slack.fail("auth.test", HttpStatus(502))
    _, lines = await world.check()
    assert lines["slack"] == "FAIL what answers there is not Slack: SLACK_API_BASE_URL"


async def test_a_slack_that_breaks_off_is_said(world: World) -> None:
    world.slack.fail("auth.test", CloseConnection())
    exit_code, lines = await world.check()
    assert exit_code == 1
    assert lines["slack"].startswith(f"FAIL cannot be reached at {world.slack.api_url}")


async def test_without_slack_all_can_be_well(world: World) -> None:
    exit_code, lines = await world.check(SLACK_BOT_TOKEN=None, SLACK_APP_TOKEN=None)
    assert (exit_code, lines["slack"]) == (0, "ok   not configured: REST and webhooks only")


async def test_http_mode_is_said_and_its_secret_cannot_be_tried(world: World) -> None:
    _, lines = await world.check(SLACK_SIGNING_SECRET="sandbox-signing-secret")
    assert lines["slack"] == (
        "ok   gpu-ops in Sandbox, Socket Mode and HTTP mode (its signing secret shows with the first request)"
    )
    _, lines = await world.check(SLACK_SIGNING_SECRET="sandbox-signing-secret", SLACK_APP_TOKEN=None)
    assert lines["slack"].startswith("ok   gpu-ops in Sandbox, HTTP mode")


async def test_a_database_that_is_not_migrated_is_said_with_what_to_run(world: World, tmp_path: Path) -> None:
    exit_code, lines = await world.check(DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert exit_code == 1
    assert lines["database"].startswith(f"FAIL There is no database at {tmp_path}/new.db yet.")
    assert lines["database"].endswith("Run: gpu-bot migrate")
    assert not (tmp_path / "new.db").exists()


async def test_a_database_of_a_later_version_is_said(world: World, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "bot.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    exit_code, lines = await world.check()
    assert exit_code == 1
    assert lines["database"].startswith("FAIL The database is of version 9999")


async def test_a_file_that_is_no_database_is_said(world: World, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("hello " * 1000)
    exit_code, lines = await world.check(DATABASE_URL=f"sqlite:///{tmp_path}/text.db")
    assert (exit_code, lines["database"]) == (1, "FAIL DATABASE_URL: file is not a database")


async def test_a_path_that_cannot_be_looked_at_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    settings = world.settings()
    monkeypatch.setattr(Path, "exists", forbidden)
    finding = await check_module._database(settings)
    assert (finding.ok, finding.text) == (False, "DATABASE_URL: Permission denied")


async def test_a_postgresql_that_is_not_there_is_said_without_its_password(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    exit_code, lines = await world.check(DATABASE_URL=f"postgresql://gpu:CANARY@127.0.0.1:{port}/gpu")
    assert exit_code == 1
    assert lines["database"].startswith("FAIL DATABASE_URL: ")
    assert "refused" in lines["database"]


@pytest.mark.slow
async def test_postgresql_is_looked_at_too(postgres: PostgresServer, world: World) -> None:
    with clone(postgres, "checked") as url:
        exit_code, lines = await world.check(DATABASE_URL=url)
        assert (exit_code, lines["database"]) == (0, "ok   postgresql, tables of this version")
    postgres.run("CREATE DATABASE empty")
    exit_code, lines = await world.check(DATABASE_URL=postgres.url("empty"))
    assert exit_code == 1
    assert lines["database"].endswith("Run: gpu-bot migrate")


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


async def test_a_webhook_is_said_and_nothing_is_sent(world: World) -> None:
    async with receiver() as (url, got):
        exit_code, lines = await world.check(WEBHOOK_URL=f"{url}/CANARY")
        assert (exit_code, lines["webhook"]) == (
            0,
            "ok   configured, not signed: WEBHOOK_SECRET is not set; nothing was sent",
        )
        _, lines = await world.check(WEBHOOK_URL=url, WEBHOOK_SECRET="CANARY-0123456789")
        assert lines["webhook"] == "ok   configured, signed; nothing was sent"
        assert got == []


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, list[str]]]:
    got: list[str] = []

    async def take(request: web.Request) -> web.Response:
        got.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", got
    await runner.cleanup()


@pytest.mark.usefixtures("impatient")
async def test_hosts_that_hang_are_given_up_together(world: World) -> None:
    world.novita.faults.add("clusters", NovitaHangs())
    world.slack.fail("auth.test", Hang())
    began = asyncio.get_running_loop().time()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        exit_code, lines = await world.check(DATABASE_URL=f"postgresql://gpu:CANARY@127.0.0.1:{port}/gpu")
    assert asyncio.get_running_loop().time() - began < 5
    assert exit_code == 1
    assert lines["slack"] == lines["database"] == "FAIL no answer within 0.2 s"
    assert lines["novita"].startswith("FAIL")


async def test_whatever_others_say_no_secret_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def chatty(settings: Settings) -> check_module.Finding:
        key = settings.novita_api_key.get_secret_value()
        return check_module.Finding(
            ok=False, text=f"bad key\n{key} and Bearer CANARY and postgresql://a:CANARY@b/c"
        )

    monkeypatch.setattr(check_module, "_novita", chatty)
    _, lines = await world.check(API_KEYS="0123456789abcdef-CANARY")
    assert lines["novita"] == "FAIL bad key [hidden] and Bearer [hidden] and postgresql://[hidden]@b/c"
