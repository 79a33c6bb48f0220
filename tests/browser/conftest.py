from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_visit import PATIENCE, Served, Visit, launched, served
from playwright.sync_api import Browser, expect, sync_playwright

expect.set_options(timeout=PATIENCE)
WORKSPACE = str(Path(__file__).parent / "browser_workspace.py")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Of one module at a time: while it runs, Playwright's own loop is in the way of every asynchronous test.
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """The whole demo, as people start it, and faster. Its parameter is a LOG_LEVEL; what it logs is a failure."""
    level = getattr(request, "param", "warning")
    with served(["-m", "bot", "demo", "--speed", "60"], tmp_path, LOG_LEVEL=level) as demo:
        yield demo


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Served]:
    with served([WORKSPACE], tmp_path) as workspace:
        yield workspace


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visit]]:
    """`visit(url, **options)`: of a new browser context. What went wrong in one fails its test at the end."""
    visits: list[Visit] = []

    def begin(url: str, path: str = "/", **options: Any) -> Visit:
        page = browser.new_context(viewport={"width": 1440, "height": 900}, **options).new_page()
        visits.append(Visit(page, url, request.node.name))
        visits[-1].go(path)
        return visits[-1]

    yield begin
    for each in visits:
        each.page.context.close()
    assert [trouble for each in visits for trouble in each.troubles] == []
