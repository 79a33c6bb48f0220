"""What the documents offer to copy, run as it stands there against the service, over real HTTP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.receiver import SECRET
from tests.e2e.stage import PATIENCE, Stage
from tests.receiving import EXAMPLES, ReceiverProcess, receiving, tool

KEY = "a-rest-key"
CLIENTS = {
    "python": ((sys.executable,), "client.py", "--pause=0.1"),
    "node": (("node",), "client.mjs", None),
    "bash": (("bash", "curl", "jq", "sleep"), "create.sh", None),
}
SLOW = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    code: int
    out: str
    err: str


async def example(stage: Stage, file: str, *arguments: str, tools: tuple[str, ...], **environ: str) -> Run:
    """Sent to the service by the one thing that its documents say: NOVITA_API_URL."""
    interpreter, *_others = [tool(each) for each in tools]
    process = await asyncio.create_subprocess_exec(
        interpreter, str(EXAMPLES / file), *arguments,
        cwd=stage.directory,
        env={
            "PATH": stage.environ()["PATH"],
            "NOVITA_API_URL": f"http://localhost:{stage.service.port}",
            "PAUSE": "0.1",
            **environ,
        },
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    print(f"--- {file}, ended with {process.returncode}", out.decode(), err.decode(), sep="\n")
    assert process.returncode is not None
    return Run(code=process.returncode, out=out.decode(), err=err.decode())


async def client(stage: Stage, kind: str, *names: str, **environ: str) -> Run:
    tools, file, argument = CLIENTS[kind]
    arguments = names if argument is None else (*names, argument)
    return await example(stage, file, *arguments, tools=tools, **environ)


def ssh_of(stage: Stage) -> list[str]:
    """What `connectionDetails.ssh` must be, of every GPU at Novita."""
    return [hook.body["instance"]["connectionDetails"]["ssh"] for hook in stage.receiver.of("instance.ready")]


def logged(stage: Stage, about: str) -> list[dict[str, Any]]:
    return [line for line in stage.service.log if line["event"].startswith(about)]


# --- clients ------------------------------------------------------------------------------------------------


async def test_a_ci_job_creates_waits_and_is_given_the_connection(stage: Stage) -> None:
    await stage.start()
    run = await client(stage, "bash", "my-train")
    assert run.code == 0
    await stage.until(lambda: stage.receiver.of("instance.ready"))
    (ssh,) = ssh_of(stage)
    assert ssh.startswith("ssh ")
    assert run.out.splitlines()[1:] == ["status: running", f"ssh: {ssh}"]
    assert (stage.created(), len(stage.gpus())) == (1, 1)


@SLOW
@pytest.mark.parametrize("kind", ["python", "node"])
async def test_a_client_without_a_key_creates_waits_lists_and_counts(stage: Stage, kind: str) -> None:
    await stage.program()
    run = await client(stage, kind, "my-train")
    assert run.code == 0
    await stage.until(lambda: stage.receiver.of("instance.ready"))
    (ssh,) = ssh_of(stage)
    assert ssh in run.out
    assert "https://" in run.out or "http://" in run.out  # Jupyter's
    lines = dict(line.split(": ", 1) for line in run.out.splitlines())
    assert (lines["service"], lines["running"]) == ("healthy", "1")
    assert int(lines["requests"]) >= 3
    assert (stage.created(), len(stage.gpus())) == (1, 1)


@SLOW
@pytest.mark.parametrize("kind", sorted(CLIENTS))
async def test_a_client_is_let_in_by_its_key_alone(stage: Stage, kind: str) -> None:
    await stage.start(API_KEYS=f"another,{KEY}")
    without = await client(stage, kind, "my-train")
    assert without.code not in {0, None}
    assert "401" in without.err
    assert stage.created() == 0
    assert (await client(stage, kind, "my-train", API_KEY=KEY)).code == 0
    assert stage.created() == 1


@SLOW
async def test_several_gpus_are_waited_for_at_once(stage: Stage) -> None:
    await stage.start()
    run = await client(stage, "node", "train-1", "train-2", "train-3")
    assert run.code == 0
    assert [line.split(": ")[0] for line in run.out.splitlines() if line.startswith("train-")] == [
        "train-1", "train-2", "train-3",
    ]  # fmt: skip
    assert len(stage.gpus()) == 3


@SLOW
@pytest.mark.parametrize("kind", sorted(CLIENTS))
async def test_a_client_ends_with_an_error_where_the_gpu_failed(stage: Stage, kind: str) -> None:
    await stage.start()
    stage.cloud.set_balance_empty()
    run = await client(stage, kind, "my-train")
    assert run.code == 1
    assert "failed" in run.err
    assert stage.gpus() == []


# --- operators ----------------------------------------------------------------------------------------------


@SLOW
async def test_the_look_of_an_operator_shows_everything_and_tells_by_its_exit_code(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    look = await example(stage, "operations.sh", tools=("bash", "curl", "jq"))
    assert look.code == 0
    assert "null" not in look.out
    assert look.out.startswith("status: healthy, up for ")
    assert "novitaApi: healthy" in look.out
    assert "instances: 1, running 1, creating 0, failed 0" in look.out
    assert look.out.splitlines()[-1].endswith(" my-train running")
    await stage.novita.refuse()
    await stage.until(lambda: logged(stage, "novita."))
    look = await example(stage, "operations.sh", tools=("bash", "curl", "jq"))
    assert look.code == 1
    assert "novitaApi: unhealthy" in look.out


# --- receivers ----------------------------------------------------------------------------------------------


@contextmanager
def receiver(stage: Stage, program: str, **environ: str) -> Iterator[ReceiverProcess]:
    loop = asyncio.get_running_loop()
    with receiving(program, environ, lambda: loop.call_soon_threadsafe(stage.slack.signal.notify)) as process:
        yield process


@SLOW
@pytest.mark.parametrize(("secret", "path"), [(SECRET, "/webhook"), ("plain text", "/older")])
@pytest.mark.parametrize("program", ["python", "node"])
async def test_a_receiver_accepts_what_the_service_sends(
    stage: Stage, program: str, secret: str, path: str
) -> None:
    with receiver(stage, program, WEBHOOK_SECRET=secret) as process:
        await stage.start(WEBHOOK_URL=process.url.replace("/webhook", path), WEBHOOK_SECRET=secret)
        assert (await stage.create()).ok
        await stage.until(lambda: len(process.lines) == 1)
        assert (await stage.ada.command("/gpu delete my-train", channel="C0GPU")).ok
        await stage.until(lambda: len(process.lines) == 2)
        ready, deleted = process.lines
        assert ready.startswith("instance.ready ")
        assert " ssh " in ready
        assert deleted.startswith("instance.deleted ")
        assert not logged(stage, "receiver.")


@SLOW
@pytest.mark.parametrize("program", ["python", "node"])
async def test_what_is_signed_with_another_secret_is_refused_until_the_receiver_knows_it(
    stage: Stage, program: str
) -> None:
    """The order of a rotation gone wrong: nothing is lost by it."""
    with receiver(stage, program, WEBHOOK_SECRET="the new one") as process:
        await stage.start(WEBHOOK_URL=process.url, WEBHOOK_SECRET=SECRET)
        assert (await stage.create()).ok
        await stage.until(lambda: process.lines)
        assert process.lines[0] == "refused: the signature does not fit"
        (line,) = await stage.until(lambda: logged(stage, "receiver."))
        assert line["why"] == "answered 401"
        port = process.url.rpartition(":")[2].split("/")[0]
    knowing = {"WEBHOOK_SECRET": "the new one", "WEBHOOK_SECRET_OLD": SECRET, "PORT": port}
    with receiver(stage, program, **knowing) as process:
        await stage.until(lambda: process.lines)
        assert process.lines[0].startswith("instance.ready ")
