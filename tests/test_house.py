"""The rules of the house that no linter knows. Each exception says why it is one."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MIGRATIONS = "storage/migrations/versions/"

LONG_FILES = {
    "storage/records.py": "all nouns in one place: declarations, no code",
}
LONG_FUNCTIONS: dict[str, str] = {}
"""`file:function` -> why."""

BROAD_EXCEPTS = {
    "bot/slack/answering.py": "the Slack error handler",
    "bot/web/framing.py": "the REST error handler",
    "bot/jobs.py": "worker loop: a failed run does not end the job",
    "bot/reconciler.py": "worker loop: one bad row never stops the rest",
    "bot/deliveries.py": "worker loop: one bad row never stops the rest",
    "storage/sqlite.py": "hands whatever happened in the writer's thread to who waits for it",
}
CLOCKS = {
    "bot/__main__.py": "starts the program",
    "bot/app.py": "the composition root; everything else is handed its clock",
    "bot/demo.py": "starts the sandbox",
}
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "manager", "data", "info", "process", "misc"}


def sources() -> list[Path]:
    return sorted(file for package in ("bot", "storage") for file in (ROOT / package).rglob("*.py"))


def path(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Every node of every file, once: parsing is what takes the time."""
    wanted = (ast.ExceptHandler, ast.FunctionDef, ast.AsyncFunctionDef, ast.Attribute, ast.ImportFrom)
    return tuple(
        (path(file), node)
        for file in sources()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, wanted)
    )


def functions() -> Iterator[tuple[str, int]]:
    """`file:function` and its length in lines, decorators left out."""
    for file, node in nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not file.startswith(MIGRATIONS):
            yield f"{file}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {path(file): len(file.read_text(encoding="utf-8").splitlines()) for file in sources()}
    long = {name for name, length in lengths.items() if length > 300 and not name.startswith(MIGRATIONS)}
    assert long == set(LONG_FILES)


def test_no_function_is_longer_than_40_lines() -> None:
    assert {name for name, length in functions() if length > 40} == set(LONG_FUNCTIONS)


def test_nine_functions_of_ten_are_shorter_than_25_lines() -> None:
    lengths = sorted(length for _, length in functions())
    assert lengths[len(lengths) * 9 // 10] < 25


def test_everything_is_caught_at_the_outermost_edges_only() -> None:
    broad = {
        file for file, node in nodes() if isinstance(node, ast.ExceptHandler) and catches_all(node)
    } - BROAD_EXCEPTS.keys()
    assert not broad


def catches_all(handler: ast.ExceptHandler) -> bool:
    """A handler that ends by raising what it caught only tidies up."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    named = ast.unparse(handler.type) if handler.type else "BaseException"
    return bool({"Exception", "BaseException"} & set(re.findall(r"\w+", named)))


def test_only_the_composition_root_has_a_clock() -> None:
    asked = {file for file, node in nodes() if isinstance(node, ast.Attribute) and is_clock(node)}
    assert not asked - CLOCKS.keys()


def is_clock(node: ast.Attribute) -> bool:
    owner = ast.unparse(node.value).rpartition(".")[2]
    return (owner, node.attr) in {
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("datetime", "today"),
        ("date", "today"),
        ("time", "time"),
        ("time", "time_ns"),
    }


def test_time_is_not_imported_by_its_functions_name() -> None:
    taken = {
        file
        for file, node in nodes()
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for name in node.names
        if name.name in {"time", "time_ns"}
    }
    assert not taken


def test_package_files_are_empty() -> None:
    full = [path(file) for file in sources() if file.name == "__init__.py" and file.stat().st_size]
    assert not full


def test_modules_are_named_for_what_they_hold() -> None:
    assert not [path(file) for file in sources() if EMPTY_WORDS & set(file.stem.split("_"))]


def test_exceptions_to_the_rules_are_still_needed() -> None:
    existing = {path(file) for file in sources()}
    broad = {file for file, node in nodes() if isinstance(node, ast.ExceptHandler) and catches_all(node)}
    assert set(BROAD_EXCEPTS) == broad
    assert set(LONG_FILES) <= existing


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-build.txt"])
def test_requirements_are_pinned_with_hashes_and_name_no_index(name: str) -> None:
    lines = [
        line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")
    ]
    hashes = [line for line in lines if re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)]
    pins = [
        line for line in lines if re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,-]+\])?==[^\s;]+( ; .+)? \\", line)
    ]
    assert len(hashes) + len(pins) == len(lines)
    assert len(hashes) >= len(pins) > 0


def test_what_is_ignored_is_not_tracked() -> None:
    git = shutil.which("git")
    assert git, "git is needed to work on this project"
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = [git, "-c", "safe.directory=*", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not listed.stdout.split()


@pytest.mark.parametrize(
    ("code", "broad"),
    [
        ("try: f()\nexcept Exception: pass", True),
        ("try: f()\nexcept (ValueError, BaseException) as e: g(e)", True),
        ("try: f()\nexcept: pass", True),
        ("try: f()\nexcept BaseException:\n g()\n raise", False),
        ("try: f()\nexcept MyException: pass", False),
    ],
)
def test_the_rule_about_exceptions_knows_one(code: str, *, broad: bool) -> None:
    (statement,) = ast.parse(code).body
    assert isinstance(statement, ast.Try)
    assert catches_all(statement.handlers[0]) is broad
