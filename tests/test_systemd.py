"""What the service manager is told, by a socket as systemd opens one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.settings import load
from bot.systemd import ALIVE, READY, STOPPING, nobody, notifier
from bot.timings import Timings

ROOT = Path(__file__).parents[1]
NOWHERE = {"NOVITA_API_KEY": "k", "NOVITA_API_BASE_URL": "http://127.0.0.1:9", "PORT": "0"}


class Manager:
    """The end of NOTIFY_SOCKET that systemd holds."""

    def __init__(self, place: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(place)
        self.socket.settimeout(30)
        self.address = place.replace("\0", "@")

    def hears(self) -> str:
        return self.socket.recv(4096).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    with manager.socket:
        yield manager


def test_a_word_is_one_datagram(manager: Manager) -> None:
    notify = notifier(manager.address)
    notify(READY)
    notify(ALIVE)
    assert [manager.hears(), manager.hears()] == ["READY=1", "WATCHDOG=1"]


def test_an_abstract_socket_is_named_with_an_at_sign() -> None:
    manager = Manager(f"\0gpu-bot-{uuid.uuid4().hex}")
    with manager.socket:
        notifier(manager.address)(STOPPING)
        assert manager.hears() == "STOPPING=1"


@pytest.mark.parametrize("address", [None, ""])
def test_without_a_socket_nobody_is_told(address: str | None) -> None:
    assert notifier(address) is nobody
    nobody(READY)


def test_a_manager_that_is_gone_or_does_not_listen_disturbs_nobody(manager: Manager, tmp_path: Path) -> None:
    notifier(str(tmp_path / "never-there"))(READY)
    notify = notifier(manager.address)
    for _ in range(1_000):  # more than a queue holds
        notify(ALIVE)
    manager.socket.close()
    notify(STOPPING)


@pytest.mark.slow
def test_the_program_says_when_it_is_ready_alive_and_stopping(manager: Manager, tmp_path: Path) -> None:
    # With nothing of this environment: as systemd starts it.
    program = subprocess.Popen(
        [sys.executable, "-m", "bot"],
        cwd=tmp_path,
        env={**NOWHERE, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": manager.address},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    heard: list[str] = []
    try:
        while not {READY, ALIVE} <= set(heard):
            heard.append(manager.hears())
        program.send_signal(signal.SIGTERM)
        while heard[-1] != STOPPING:
            heard.append(manager.hears())
        assert program.wait(30) == 0
    finally:
        program.kill()
    assert set(heard) == {READY, ALIVE, STOPPING}


@pytest.mark.parametrize(("works", "word"), [(True, [ALIVE]), (False, [])])
async def test_it_is_alive_only_while_it_can_work(works: bool, word: list[str], tmp_path: Path) -> None:
    settings = load({**NOWHERE, "DATABASE_URL": f"sqlite:///{tmp_path}/bot.db"}, env_file=None)
    heard: list[str] = []
    services: list[Any] = []

    class Watched(app._Service):
        def start_jobs(self, stack: Any) -> None:
            services.append(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "_Service", Watched)
        async with app.running(settings, timings=Timings(), notify=heard.append):
            down_since = None if works else datetime.now(UTC) - timedelta(seconds=1)
            services[0].health.dependencies = {
                "database": lambda: down_since,
                "novitaApi": lambda: datetime.now(UTC),  # no restart would bring that back
            }
            await services[0]._tell_alive()
    assert heard == [READY, *word, STOPPING]
