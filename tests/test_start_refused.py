"""A PostgreSQL that lets nobody in, at the very start: one line, in its own words, and never the password."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from bot import check as check_module
from bot.__main__ import main
from bot.settings import load
from tests.storage.storage_postgres import PostgresServer, running_server

PASSWORD = "CANARY-hunter2"
Where = Callable[[], str]


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Logging, environment and working directory are one for the whole process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"NOVITA_API_KEY": "nv_0123456789"})
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level, logging.raiseExceptions = before
    for name in ("bot", "storage"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def refused(command: str, url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    os.environ["DATABASE_URL"] = url
    assert main([command]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "CANARY" not in err
    (line,) = err.splitlines()
    assert line.startswith("DATABASE_URL: ")
    return line


def looked_at(url: str) -> str:
    """What `gpu-bot check` finds."""
    settings = load({"NOVITA_API_KEY": "nv_0123456789", "DATABASE_URL": url})
    finding = asyncio.run(check_module._database(settings))
    assert not finding.ok
    text = check_module._line("database", finding, settings)
    assert "CANARY" not in text
    return text


@contextmanager
def starting_up() -> Iterator[int]:
    """The port of a server that is not accepting yet: the answer that PostgreSQL gives then, and nothing else."""
    fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    answer = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while packet := connection.recv(4096):
                    wants_encryption = packet[4:8] in {b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"}
                    connection.sendall(b"N" if wants_encryption else answer)
                    if not wants_encryption:
                        break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_port_where_nobody_listens_is_told_in_one_line(command, capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    line = refused(command, f"postgresql://gpu:{PASSWORD}@127.0.0.1:{port}/gpu", capsys)
    assert "Connection refused" in line
    assert str(port) in line


def test_a_host_that_does_not_exist_is_told_in_one_line(capsys) -> None:
    url = f"postgresql://gpu:{PASSWORD}@nowhere.invalid/gpu"
    assert "nowhere.invalid" in refused("run", url, capsys)
    assert "nowhere.invalid" in looked_at(url)


def test_a_server_that_is_starting_up_is_told_in_its_words(capsys) -> None:
    with starting_up() as port:
        url = f"postgresql://gpu:{PASSWORD}@127.0.0.1:{port}/gpu"
        assert "the database system is starting up" in refused("run", url, capsys)
        assert "the database system is starting up" in looked_at(url)


def test_an_option_that_postgresql_does_not_know_is_told_in_one_line(capsys) -> None:
    url = f"postgresql://gpu:{PASSWORD}@127.0.0.1/gpu?colour=red"
    assert "colour" in refused("run", url, capsys)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(capsys, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused("run", f"sqlite:///{tmp_path}/file/x/bot.db", capsys)


def test_a_file_that_is_no_database_is_told_in_one_line(capsys, tmp_path: Path) -> None:
    (tmp_path / "bot.db").write_text("hello " * 1000)
    assert "file is not a database" in refused("run", f"sqlite:///{tmp_path}/bot.db", capsys)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """It asks the role `guarded` for its password."""
    with running_server() as server:
        rules = server.folder / "cluster/pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
        server.run("SELECT pg_reload_conf()")
        server.run("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        yield server


@pytest.mark.slow
def test_a_wrong_password_is_told_without_it(server: PostgresServer, capsys) -> None:
    url = server.url("postgres").replace("postgres@", f"guarded:{PASSWORD}@")
    said = 'password authentication failed for user "guarded"'
    assert said in refused("run", url, capsys)
    assert said in looked_at(url)


@pytest.mark.slow
def test_a_missing_database_is_told_by_its_name(server: PostgresServer, capsys) -> None:
    said = 'database "nothing_here" does not exist'
    assert said in refused("run", server.url("nothing_here"), capsys)
    assert said in looked_at(server.url("nothing_here"))


@pytest.mark.slow
def test_a_role_that_may_make_no_tables_is_told_so(server: PostgresServer, capsys) -> None:
    url = server.url("postgres").replace("postgres@", "guarded:right@")
    assert "permission denied for schema public" in refused("migrate", url, capsys)
