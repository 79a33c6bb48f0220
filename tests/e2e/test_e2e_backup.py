"""Backup and restore, by the commands of docs/operations.md as they stand there, while the service runs."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lives import ROOT
from tests.e2e.stage import PATIENCE, Stage
from tests.receiving import tool

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BACKUPS = re.findall(r"```sh\n((?!rm )[^`]*? data/gpu-bot\.db [^`]*?)```", PAGE)
(RESTORE,) = re.findall(r"```sh\n(rm [^`]*?)```", PAGE)
UNKNOWN = ("unknown_token", "stray.unknown")


async def shell(stage: Stage, commands: str) -> None:
    process = await asyncio.create_subprocess_exec(
        tool("bash"), "-euc", commands,
        cwd=stage.directory, env={"PATH": stage.environ()["PATH"]},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


def database(stage: Stage) -> str:
    return f"sqlite:///{stage.directory}/data/gpu-bot.db"


def sound(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        ((word,),) = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    return bool(word == "ok")


@pytest.mark.slow
@pytest.mark.parametrize("backup", BACKUPS)
async def test_a_backup_that_was_taken_while_it_ran_starts_again_and_goes_on(
    stage: Stage, backup: str
) -> None:
    for program in ("sqlite3", "python3"):
        tool(program)
    await stage.start(DATABASE_URL=database(stage))
    await stage.running("kept")
    await shell(stage, backup)
    assert sound(stage.directory / "gpu-bot.backup.db")
    await stage.running("later")
    stage.service.kill()
    await stage.service.over()
    await shell(stage, RESTORE)

    stage.errors_meant |= set(UNKNOWN)
    await stage.start(DATABASE_URL=database(stage))
    (line,) = await stage.until(lambda: unknown(stage))
    assert len(stage.gpus()) == 2  # neither is touched: a person decides
    (stray,) = [gpu for gpu in stage.gpus() if gpu.id == line["novita_id"]]
    assert stray.order.name in line.values()
    assert (await stage.ada.command("/gpu stop kept", channel="C0GPU")).ok
    await stage.told("kept", "instance.stopped")
    assert len(unknown(stage)) == 1
    (said,) = stage.cleo.dms()
    assert stray.id in said.text
    assert stage.created() == 2


def unknown(stage: Stage) -> list[dict[str, Any]]:
    return [line for line in stage.service.log if line["event"] in UNKNOWN]


def test_the_page_has_the_commands() -> None:
    assert [command.split()[0] for command in BACKUPS] == ["sqlite3", "python3", "sqlite3"]
