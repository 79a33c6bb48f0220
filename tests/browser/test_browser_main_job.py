"""What a newcomer does first, in the whole demo: rents a GPU with the form, connects, stops and deletes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser_visit import Served, Visit
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_a_gpu_is_rented_used_stopped_and_deleted(demo: Served, visit: Callable[..., Visit]) -> None:
    ada = visit(demo.url)
    ada.look("first")
    opens_the_form(ada)
    fills_it(ada)
    expect(ada.message("Running my-train")).to_be_visible()
    expect(ada.page.locator("#backstage")).to_contain_text("my-train")
    ada.look("running")
    connects(ada, visit(demo.url, "/?as=U0BEN"))
    reads_the_thread(ada)
    ada.button("Stop").click()
    expect(ada.message("Stopped my-train")).to_be_visible()
    ada.look("stopped")
    deletes(ada)
    expect(ada.message("Deleted my-train")).to_be_visible()
    ada.look("deleted")


def opens_the_form(ada: Visit) -> None:
    ada.page.keyboard.type("/gpu cr")
    expect(ada.page.get_by_role("option", name="/gpu create")).to_be_visible()
    ada.look("suggestions")
    ada.page.keyboard.press("Tab")
    ada.page.keyboard.press("Enter")
    expect(ada.form).to_contain_text("Rent a GPU")


def fills_it(ada: Visit) -> None:
    """Wrongly at first."""
    keys, name = ada.page.keyboard, ada.form.get_by_role("textbox", name="Name (optional)")
    ada.form.get_by_role("combobox", name="GPU", exact=True).click()
    ada.look("menu")
    keys.type("4090")
    expect(ada.page.get_by_role("option", name="RTX 4090 24GB")).to_be_visible()
    keys.press("Enter")
    expect(ada.form).to_contain_text("$0.175/h")
    ada.form.get_by_role("combobox", name="Template").click()
    keys.type("pytorch")
    keys.press("Enter")
    name.fill("My Train!")
    ada.form.get_by_role("button", name="Launch").click()
    expect(ada.form).to_contain_text("letters a to z")
    expect(name).to_be_focused()
    ada.look("complaint")
    name.fill("my-train")
    name.press("Enter")
    expect(ada.form).to_be_hidden()


def connects(ada: Visit, ben: Visit) -> None:
    """Ben sees the card, and not what only Ada may."""
    ada.button("Connect").click()
    expect(ada.message("How to connect to my-train")).to_contain_text("SSH password:")
    expect(ada.message("How to connect to my-train")).to_contain_text("Only visible to you")
    ada.look("connect")
    expect(ben.message("Running my-train")).to_be_visible()
    expect(ben.page.locator("main")).not_to_contain_text("SSH password:")


def reads_the_thread(ada: Visit) -> None:
    thread = ada.page.get_by_role("complementary", name="Thread")
    ada.page.locator("a.replies").click()
    expect(thread).to_contain_text("is ready")
    thread.get_by_role("textbox", name="Reply").fill("/gpu list")
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator(".toast")).to_contain_text("not supported in threads")
    ada.look("thread")
    ada.page.get_by_label("Close the thread").click()
    expect(thread).to_be_hidden()


def deletes(ada: Visit) -> None:
    asked = ada.page.locator("#confirm")
    ada.button("Delete").click()
    expect(asked).to_contain_text("Delete my-train?")
    expect(asked.get_by_role("button", name="Keep it")).to_be_focused()
    ada.look("confirmation")
    asked.get_by_role("button", name="Delete it").click()


def test_the_page_says_when_the_demo_has_ended(demo: Served, visit: Callable[..., Visit]) -> None:
    ada = visit(demo.url)
    demo.end()
    expect(ada.page.get_by_role("alert")).to_contain_text("The demo has ended")
    ada.look("ended")
    assert demo.process.returncode == 0
    # What a page may say about a server that is gone.
    ada.troubles = [trouble for trouble in ada.troubles if "ERR_" not in trouble]


def test_nothing_is_cut_off_at_any_width(demo: Served, visit: Callable[..., Visit]) -> None:
    ada = visit(demo.url)
    ada.type("/gpu create 4090 my-train --template pytorch-jupyter")
    expect(ada.message("Running my-train")).to_be_visible()
    ada.page.locator("a.replies").click()
    expect(ada.page.get_by_role("complementary", name="Thread")).to_be_visible()
    for width in (900, 1280, 1600):
        ada.page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            ada.page.emulate_media(color_scheme=scheme)
            ada.look(f"{scheme}-{width}")
        for pane in ("html", "main", "#thread", "#sidebar", "#backstage"):
            wide = "({scrollWidth, clientWidth}) => scrollWidth - clientWidth"
            assert ada.page.locator(pane).evaluate(wide) <= 0, f"{pane} is cut off at {width}"
