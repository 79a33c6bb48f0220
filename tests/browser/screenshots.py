"""The pictures in the documents, taken of the demo: `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent)]

from browser_visit import PATIENCE, Visit, launched, served  # noqa: E402 - it lies beside this file
from playwright.sync_api import Locator, expect, sync_playwright  # noqa: E402

IMAGES = ROOT / "docs" / "images"


def main() -> None:
    expect.set_options(timeout=PATIENCE)
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launched(playwright)
        with served(["-m", "bot", "demo", "--speed", "20"], Path(folder)) as demo:
            context = browser.new_context(viewport={"width": 1440, "height": 900}, device_scale_factor=1.5)
            walk(Visit(context.new_page(), demo.url, "documents"))
        browser.close()


def walk(ada: Visit) -> None:
    ada.go()
    ada.type("/gpu create 4090 my-train")
    keep(ada, ada.message("Nothing is rented yet"), "quote")
    ada.button("Change").click()
    expect(ada.form).to_contain_text("$0.175/h")
    keep(ada, ada.form, "form")
    ada.page.keyboard.press("Escape")
    ada.button("Launch").click()
    expect(ada.message("Running my-train")).to_contain_text("1 reply")
    keep(ada, ada.message("Running my-train"), "card")
    ada.page.locator("a.replies").click()
    expect(ada.page.locator("#thread")).to_contain_text("is ready")
    keep(ada, None, "page")
    ada.page.get_by_role("link", name="gpu-ops").click()
    expect(ada.page.locator("main")).to_contain_text("1 running")
    keep(ada, ada.page.locator("main"), "home")


def keep(ada: Visit, part: Locator | None, name: str) -> None:
    if part is not None:
        expect(part).to_be_visible()
    ada.page.mouse.move(0, 0)
    ada.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))")
    (part or ada.page).screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
