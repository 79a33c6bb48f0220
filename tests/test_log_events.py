"""Every event of the log is documented, and every documented one is logged, at the level that is said there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from storage.records import EventKind

ROOT = Path(__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
OF_AN_EVENT = {kind.value for kind in EventKind} - {
    EventKind.REQUESTED.value,
    EventKind.WEBHOOK_DISABLED.value,
}
"""Named by their kind, at the one place that settles them; a disabled webhook is `target.disabled`."""


@cache
def calls() -> tuple[tuple[str, ast.expr, set[str]], ...]:
    """File, event and levels of every call that logs."""
    return tuple(find_calls())


def find_calls() -> Iterator[tuple[str, ast.expr, set[str]]]:
    for package in ("bot", "storage"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    for event, levels in calls_of(node):
                        yield file.relative_to(ROOT).as_posix(), event, levels


def calls_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[ast.expr, set[str]]]:
    chosen: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "tell":
            chosen = {each.attr for each in ast.walk(node.value) if isinstance(each, ast.Attribute)} & LEVELS
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "tell":
            yield node.args[0], chosen
        elif isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS and is_log(node.func.value):
            yield node.args[0], {node.func.attr}


def is_log(owner: ast.expr) -> bool:
    text = ast.unparse(owner)
    return text in {"log", "_log"} or text.endswith("get_logger(__name__)")


def logged() -> dict[str, set[str]]:
    found = defaultdict(set)
    for _file, event, levels in calls():
        names = {event.value} if isinstance(event, ast.Constant) else OF_AN_EVENT
        for name in names:
            found[name] |= {"error" if level == "exception" else level for level in levels}
    return dict(found)


def documented() -> dict[str, set[str]]:
    text = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+\.[^`]+)` \| ([a-z, ]+) \|", text, re.MULTILINE)
    assert len(rows) == len({name for name, _ in rows})
    return {name: set(levels.split(", ")) for name, levels in rows}


def test_the_list_of_events_is_complete_and_holds_no_other() -> None:
    assert set(documented()) == set(logged())


def test_each_is_logged_at_the_level_that_the_list_says() -> None:
    said, done = documented(), logged()
    wrong = {
        name: (said[name], done[name])
        for name in said
        if name not in OF_AN_EVENT and said[name] != done[name]
    }
    assert wrong == {}


def test_an_event_is_a_noun_and_what_became_of_it() -> None:
    assert [name for name in logged() if not re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)?", name)] == []


def test_only_what_settles_events_names_them_by_their_kind() -> None:
    named = {(file, ast.unparse(event)) for file, event, _ in calls() if not isinstance(event, ast.Constant)}
    assert named == {("bot/trail.py", "event.kind.value")}


def test_nothing_is_logged_past_these_names() -> None:
    """A logger under another name would not be seen here."""
    others = set()
    for package in ("bot", "storage"):
        for file in (ROOT / package).rglob("*.py"):
            others |= set(
                re.findall(r"^(\w+) = structlog\.get_logger", file.read_text(encoding="utf-8"), re.MULTILINE)
            )
    assert others <= {"log", "_log"}
