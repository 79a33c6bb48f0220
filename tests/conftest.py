from __future__ import annotations

import gc
import logging
import os
import ssl
import sys
from collections.abc import Generator
from functools import cache

import hypothesis
import pytest
import structlog
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

# No deadline: a shared core makes any example slow now and then. Few examples: coverage makes each one three
# times as slow, and every run draws others; `make test-slow` draws many. In CI they are the same every time.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "10")),
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("tests")

# Plain lines: structlog's own default draws every traceback with its variables, which takes seconds. From INFO on,
# as a service that nobody told otherwise: a test of details asks for them.
structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
)

# What a run of thousands of tests has made is garbage seldom enough: looking for it at the usual pace costs a tenth of the time.
gc.set_threshold(50_000, 20, 50)

# Each client of a test would read all authorities of the world anew, to talk to this machine.
ssl.create_default_context = cache(ssl.create_default_context)

# Each test has a database of its own, for which SQLAlchemy would make the text of every statement anew: a third of
# the time of whatever uses the store. Dialects of one kind count as the same here, and so do their texts.
SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))
SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)
_STATEMENTS = LRUCache(5000)


@event.listens_for(Engine, "engine_connect")
def _share_statements(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execution_options(compiled_cache=_STATEMENTS)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Generator[None]:
    """Logging is one for the whole process, and what configures it is tested here too."""
    before, hook = structlog.get_config(), sys.excepthook
    yield
    structlog.configure(**before)
    sys.excepthook = hook


ALLOWED_SKIPS: dict[str, str] = {}
"""Beginning of a skip's reason -> why a machine that runs everything cannot run that test."""


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # the tests themselves stay to the end


def pytest_sessionfinish() -> None:
    gc.collect()
    gc.freeze()  # pytest collects five times at the end, for errors that one time brings out as well


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_skipped(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report, collector.nodeid)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
    """A test that CI could have run and did not is a hole that nobody sees."""
    if not os.environ.get("CI") or not report.skipped:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if reason.removeprefix("Skipped: ").startswith(tuple(ALLOWED_SKIPS)):
        return
    report.outcome = "failed"
    report.longrepr = (
        f"{nodeid} was skipped where CI is set ({reason}); see ALLOWED_SKIPS in tests/conftest.py"
    )
