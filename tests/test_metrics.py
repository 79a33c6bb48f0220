"""What is measured, what is said about it, and what the board asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from measured import tally, told
from prometheus_client.parser import text_string_to_metric_families
from samples import NOW
from scene import scene

from bot.census import Census, take_census
from bot.memory import total_bytes, used_bytes
from bot.metrics import Metrics
from storage.records import State

DOCS = Path(__file__).parents[1] / "docs"
BOARD = json.loads((DOCS / "deploy" / "grafana.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")
NAME = re.compile(r"\b(?:gpu_bot|process)_[a-z_]+\b")


def families() -> dict[str, Any]:
    """By the name that Prometheus stores; every one, whether anything has happened or not."""
    found = text_string_to_metric_families(Metrics().text().decode())
    return {f"{one.name}_total" if one.type == "counter" else one.name: one for one in found}


def stored_names() -> set[str]:
    """Of series: a histogram has three kinds."""
    names = set()
    for name, family in families().items():
        ends = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
        names |= {name + end for end in ends}
    return names


def panels() -> Iterator[dict[str, Any]]:
    yield from BOARD["panels"]


def expressions() -> list[str]:
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    return asked + [note["expr"] for note in BOARD["annotations"]["list"] if "expr" in note]


def rows(heading: str) -> list[list[str]]:
    """Of the first table under that heading; a pipe in a cell is written `\\|`."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# what is said


def test_every_metric_says_what_it_is():
    for name, family in families().items():
        assert family.documentation.endswith("."), name


def test_names_are_as_prometheus_wants_them():
    for name, family in families().items():
        assert re.fullmatch(r"(gpu_bot|process)_[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (family.type == "counter"), name
        assert "seconds" in name or family.type != "histogram", name


def test_the_page_has_every_metric_with_its_type_and_no_other():
    shown = {cells[0].strip("`"): cells[1] for cells in rows("What there is")}
    assert shown == {name: family.type for name, family in families().items()}


def test_the_page_names_the_labels_that_there_are():
    metrics = Metrics()
    metrics.requested("GET", "/", 200, metrics.start())
    for count in (metrics.novita_called, metrics.slack_called, metrics.attempted):
        count("a", "b")
    for measure in (metrics.novita_answered, metrics.polled, metrics.acknowledged):
        measure("a", metrics.start())
    metrics.delivered("a", after=timedelta(0), after_running=timedelta(0))
    metrics.cache_asked(hit=True)
    metrics.loop_late(0.1)
    metrics.see(Census(instances={"running": 1}, listed_at=NOW), NOW)
    for name in ("build_info", "dependency_up", "in_flight"):
        metrics.read(name, lambda: {"a": 1.0})
    for name in ("novita_calls_left", "novita_breaker_open", "slack_connections"):
        metrics.read(name, lambda: 1.0)
    there = {
        f"{one.name}_total" if one.type == "counter" else one.name: set(one.samples[0].labels) - {"le"}
        for one in text_string_to_metric_families(metrics.text().decode())
    }
    assert {
        cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[2])) for cells in rows("What there is")
    } == there


def test_every_alert_asks_for_something_that_there_is():
    alerts = rows("Alerts")
    assert len(alerts) > 10
    for _name, expression, lasting, remedy in alerts:
        asked = set(NAME.findall(expression)) or {"up"}
        assert asked <= stored_names() | {"up"}, expression
        assert re.fullmatch(r"\d+m", lasting)
        assert remedy


# the board


def test_the_board_asks_only_for_what_there_is():
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 15
    assert asked <= stored_names()


def test_the_board_has_one_variable_and_every_panel_uses_it():
    (variable,) = BOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        if panel["type"] != "row":
            assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [
                source,
                *([source] * len(panel["targets"])),
            ]


def test_the_panels_of_the_board_have_numbers_of_their_own_and_do_not_overlap():
    taken: dict[tuple[int, int], int] = {}
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]
    assert len({panel["id"] for panel in panels()}) == len(BOARD["panels"])


def test_gauges_that_all_replicas_share_are_never_added_up():
    shared = {cells[0].strip("`") for cells in rows("What there is") if cells[3] == "all"}
    assert len(shared) == 8
    for expression in expressions():
        for name in shared & set(NAME.findall(expression)):
            assert re.search(rf"(max|count)( by \(\w+\))? \(?{name}|max\({name}", expression), expression


# what is measured


def test_those_that_are_given_none_share_nothing():
    first, second = Metrics(), Metrics()
    first.stepped("done")
    assert (first.jobs_done(), second.jobs_done()) == (1, 0)


def test_what_alerts_watch_is_told_before_it_happens():
    assert told(Metrics(), "novita_calls_total", call="create_instance", outcome="unknown") == 0
    assert told(Metrics(), "reconciler_steps_total", outcome="failed") == 0


def test_a_timer_that_was_early_was_not_late():
    metrics = Metrics()
    metrics.loop_late(-0.001)
    assert told(metrics, "event_loop_lag_seconds_sum") == 0
    assert told(metrics, "event_loop_lag_seconds_bucket", le="0.001") == 1


def test_a_clock_that_was_set_back_makes_nothing_younger_than_new():
    metrics = Metrics()
    metrics.see(Census(listed_at=NOW + timedelta(seconds=5)), NOW)
    assert told(metrics, "list_age_seconds") == 0


def test_what_methods_callers_invent_costs_one_series():
    metrics = Metrics()
    for number in range(100):
        metrics.requested(f"M{number}", "/", 200, metrics.start())
    assert tally(metrics, "rest_requests") == {("200", "other", "/"): 100}
    assert len(metrics._answers) == 1


async def test_a_census_tells_what_the_store_knows(tmp_path):
    async with scene(tmp_path) as s:
        assert await take_census(s.store) == Census(instances=dict.fromkeys(map(str, State), 0))
        await s.ready()
        census = await take_census(s.store)
        assert census.instances["running"] == 1
        assert census.usd_per_hour == Decimal("0.36")
        assert (census.pending, census.dead, census.listed_at) == (2, 0, s.clock())


# memory


def test_a_process_uses_some_of_what_it_has():
    assert 5_000_000 < used_bytes() < total_bytes()


def test_where_the_system_does_not_tell_the_most_is_told(tmp_path):
    assert used_bytes(tmp_path / "none") >= used_bytes() // 2


@pytest.mark.parametrize(("written", "limit"), [("536870912\n", 536_870_912), ("max\n", None), (None, None)])
def test_a_container_has_what_its_limit_says(tmp_path, written, limit):
    if written is not None:
        (tmp_path / "memory.max").write_text(written)
    assert total_bytes(tmp_path / "memory.max") == (limit or total_bytes(tmp_path / "none"))
