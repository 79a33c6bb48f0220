"""The Dockerfile read, and its install steps run where there is no Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.settings import variables

ROOT = Path(__file__).parents[1]
NOBODY = 65534


class Step(NamedTuple):
    word: str
    rest: str


def stages() -> list[list[Step]]:
    """The steps of each stage, its FROM included; continued lines joined, comments gone."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[list[Step]] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            step = Step(*line.split(maxsplit=1))
            if step.word == "FROM":
                found.append([])
            found[-1].append(step)
    return found


def of(stage: list[Step], word: str) -> list[str]:
    return [step.rest for step in stage if step.word == word]


BUILD, FINAL = stages()


def test_both_stages_have_the_same_python() -> None:
    assert of(BUILD, "FROM") == ["python:3.12-slim AS build"]
    assert of(FINAL, "FROM") == ["python:3.12-slim"]


def test_every_package_comes_with_its_hash() -> None:
    installs = [part for run in of(BUILD, "RUN") for part in run.split("&&") if "pip install" in part]
    assert all("--no-deps" in part for part in installs)  # the files are complete: nothing is resolved
    assert ["--require-hashes" in part for part in installs] == [True, False]
    assert ["--no-build-isolation" in part for part in installs] == [False, True]


def test_the_service_is_not_root_and_owns_only_its_data() -> None:
    assert of(FINAL, "USER") == ["10001:10001"]
    assert of(FINAL, "RUN") == ["install -d -o 10001 -g 10001 -m 0700 /data"]
    assert of(FINAL, "VOLUME") == ["/data"]
    assert FINAL.index(Step("USER", "10001:10001")) > FINAL.index(Step("RUN", of(FINAL, "RUN")[0]))


def test_the_database_is_in_the_volume_also_by_the_default_of_the_settings() -> None:
    assert "DATABASE_URL=sqlite:////data/gpu-bot.db" in of(FINAL, "ENV")[0]
    (default,) = [variable.default for variable in variables() if variable.name == "DATABASE_URL"]
    path = Path(of(FINAL, "WORKDIR")[0]) / (default or "").removeprefix("sqlite:///")
    assert path == Path("/data/gpu-bot.db")


def test_no_layer_holds_a_secret() -> None:
    secret = {variable.name for variable in variables() if variable.secret} - {"DATABASE_URL"}
    words = [word for stage in (BUILD, FINAL) for word in of(stage, "ENV") + of(stage, "ARG")]
    assert not [name for name in secret if any(name in word for word in words)]
    assert "@" not in "".join(words)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[ignored.index("*") :].count("*") == 1
    assert not {"!.env", "!.", "!data", "!.git"} & set(ignored)


def test_everything_that_is_copied_is_let_through_and_nothing_else() -> None:
    copied = {word for rest in of(BUILD, "COPY") for word in rest.split()[:-1]}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied


def test_what_apt_leaves_behind_is_removed() -> None:
    for stage in (BUILD, FINAL):
        for run in of(stage, "RUN"):
            assert "apt-get install" not in run or "rm -rf /var/lib/apt/lists" in run


def test_sigterm_reaches_the_service_itself() -> None:
    assert json.loads(of(FINAL, "ENTRYPOINT")[0]) == ["gpu-bot"]
    assert json.loads(of(FINAL, "CMD")[0]) == ["run"]
    assert of(FINAL, "STOPSIGNAL") == ["SIGTERM"]
    assert of(FINAL, "EXPOSE") == ["3000"]


@pytest.fixture
def health_port() -> Iterator[Callable[[int], int]]:
    """Serves /health with a given status; gives its port."""
    servers: list[ThreadingHTTPServer] = []

    def serve(status: int) -> int:
        class Health(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/health" else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server.server_port

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_believes_health(
    status: int, *, healthy: bool, health_port: Callable[[int], int]
) -> None:
    (rest,) = of(FINAL, "HEALTHCHECK")
    for option in ("--interval=30s", "--timeout=10s", "--start-period=40s", "--retries=3"):
        assert option in rest
    command = json.loads(rest[rest.index("[") :])
    environ = {"PORT": str(health_port(status)), "http_proxy": "http://127.0.0.1:1"}
    result = subprocess.run([sys.executable, *command[1:]], env=environ, capture_output=True, check=False)
    assert (result.returncode == 0) is healthy


@pytest.mark.slow
def test_the_install_steps_give_a_working_service_to_a_user_without_rights(
    stranger: Callable[[str], str], place: Path
) -> None:
    for step in BUILD:
        match step:
            case Step("COPY", rest):
                copy(rest.split(), place / "src")
            case Step("RUN", rest):
                stranger(rest.replace("/opt/gpu-bot", f"{place}/opt/gpu-bot"))
    gpu_bot = place / "opt/gpu-bot/bin/gpu-bot"
    assert "usage: gpu-bot" in stranger(f"cd / && {gpu_bot} --help")
    where = stranger(
        f"cd / && {gpu_bot.with_name('python')} -c 'import bot.__main__ as m; print(m.__file__)'"
    )
    assert where.startswith(str(place / "opt"))
    assert list(Path(where.strip()).parent.glob("__pycache__/settings.*.pyc"))
    listed = stranger(f"{gpu_bot.with_name('python')} -m pip --version 2>&1 || true")
    assert "No module named pip" in listed


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that anybody may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="gpu-bot-image-"))
    for name in ("src", "opt", "home"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def stranger(place: Path) -> Callable[[str], str]:
    """Runs shell lines in src/ with an empty environment, as nobody where we are root."""
    as_nobody = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    prefix = ["setpriv", *as_nobody] if os.geteuid() == 0 else []
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(place / "home"), "LANG": "C.UTF-8"}

    def run(line: str) -> str:
        give_away(place)
        result = subprocess.run(
            [*prefix, "sh", "-ec", line.replace("python -m venv", f"{python} -m venv")],
            cwd=place / "src",
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    python = shared_python(prefix)
    return run


def shared_python(prefix: list[str]) -> str:
    """A Python that the stranger may run: one in root's home is of no use."""
    ready = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    # Through sh: what setpriv itself starts is still looked up with the rights of root.
    for name in (sys.base_prefix + "/bin/python3", "/usr/local/bin/python3", "/usr/bin/python3"):
        tried = subprocess.run(
            [*prefix, "sh", "-c", f"exec {name} -c '{ready}'"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return name
    pytest.skip("no Python >= 3.11 with venv that a user without rights may run")


def copy(words: list[str], to: Path) -> None:
    *sources, target = words
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, to / target)


def give_away(place: Path) -> None:
    if os.geteuid() == 0:
        for path in [place, *place.rglob("*")]:
            if path.owner() == "root":
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
