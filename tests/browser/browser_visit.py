"""A visit to the page in a real browser, which is watched: nothing but this machine is asked, and nothing goes wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Request

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).parent / "screenshots"
SECONDS = 60
"""For a start that takes a few on an idle machine."""
PATIENCE = 20_000
"""Milliseconds for whatever the page is to show."""
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 422")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever is asked for by a name is not found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def launched(playwright: Playwright) -> Browser:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "a Chromium is needed: apt-get install chromium"
    return playwright.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))


class Served:
    """A program that serves the page, and says where in its first line."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)


@contextmanager
def served(arguments: Sequence[str], folder: Path, **settings: str) -> Iterator[Served]:
    kept = ("PATH", "HOME", "TMPDIR", "LANG")
    paths = [ROOT, ROOT / "tests", ROOT / "tests" / "page"]
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "TZ": "UTC",
        "TMPDIR": str(folder),
        **settings,
    }
    errors = folder / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            env=environment,
            encoding="utf-8",
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found, f"{line!r}\n{errors.read_text()}"
            yield Served(process, found[0])
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
    assert not errors.read_text(), errors.read_text()


class Visit:
    """`page` is Playwright's. `look` keeps a screenshot of each step."""

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page = page
        self.url = url
        self.troubles: list[str] = []
        self._folder = SCREENSHOTS / name
        self._steps = 0
        page.set_default_timeout(PATIENCE)
        page.on("request", self._requested)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))

    def go(self, path: str = "/") -> None:
        self.page.goto(f"{self.url}{path}")
        self.page.wait_for_function("document.title.includes('–')")

    def look(self, step: str) -> None:
        self._steps += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        # What moves has come to rest.
        self.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))")
        self.page.screenshot(path=self._folder / f"{self._steps:02}-{step}.png")

    def type(self, line: str) -> None:
        """Into the composer of the channel, and sent."""
        self.page.locator("main textarea").fill(line)
        self.page.keyboard.press("Enter")

    def button(self, name: str) -> Locator:
        """The newest of that name in the channel."""
        return self.page.locator("main .message").get_by_role("button", name=name, exact=True).last

    def message(self, words: str) -> Locator:
        return self.page.locator("main .message", has_text=words).last

    @property
    def form(self) -> Locator:
        return self.page.get_by_role("dialog")

    def focused(self) -> str:
        """Name or placeholder of what has the focus."""
        return str(
            self.page.evaluate(
                "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.innerText"
                " ?? document.activeElement.innerText).trim()"
            )
        )

    def _requested(self, request: Request) -> None:
        if not request.url.startswith("data:") and urlsplit(request.url).hostname != "127.0.0.1":
            self.troubles.append(f"asked for {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not _REFUSED.match(message.text):
            self.troubles.append(f"{message.type}: {message.text}")
