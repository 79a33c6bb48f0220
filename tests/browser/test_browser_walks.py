"""What comes after the first GPU: quotes, the Home tab, a spot GPU that is taken back, an answer that is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser_visit import Served, Visit
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.slow


@pytest.fixture
def ada(demo: Served, visit: Callable[..., Visit]) -> Visit:
    return visit(demo.url)


def launches(ada: Visit, name: str = "my-train") -> None:
    ada.type(f"/gpu create 4090 {name}")
    expect(ada.message("Nothing is rented yet")).to_contain_text("$4.20 a day")
    ada.look("quote")
    ada.button("Launch").click()
    expect(ada.message("Creating")).to_be_visible()


def running(ada: Visit, name: str = "my-train") -> None:
    launches(ada, name)
    expect(ada.message(f"Running {name}")).to_be_visible()
    ada.look("running")


def test_a_quote_is_changed_in_the_form_and_bought_once(ada: Visit) -> None:
    ada.type("/gpu create 4090 my-train")
    ada.button("Change").click()
    expect(ada.form.get_by_role("textbox", name="Name (optional)")).to_have_value("my-train")
    ada.form.get_by_role("combobox", name="How many GPUs").click()
    ada.page.keyboard.type("2")
    ada.page.keyboard.press("Enter")
    expect(ada.form).to_contain_text("$0.35/h")
    ada.look("estimate")
    ada.form.get_by_role("button", name="Launch").click()
    expect(ada.form).to_be_hidden()
    expect(ada.message("Running my-train")).to_contain_text("×2")
    expect(ada.page.locator(".bs-gpu")).to_have_count(1)


def test_offers_are_launched_after_a_question_that_names_the_price(ada: Visit) -> None:
    ada.type("/gpu offers 3090")
    offers = ada.message("What can be had now")
    expect(offers).to_be_visible()
    ada.look("offers")
    offers.get_by_role("button", name="Launch").first.click()
    asked = ada.page.locator("#confirm")
    expect(asked).to_contain_text("$0.105/h")
    ada.look("question")
    asked.get_by_role("button", name="Rent it").click()
    expect(ada.message("Running rtx-3090")).to_be_visible()


def test_at_home_one_sees_connects_stops_and_chooses_how_to_be_told(ada: Visit) -> None:
    running(ada)
    ada.page.get_by_role("link", name="gpu-ops").click()
    home = ada.page.locator("main")
    expect(home).to_contain_text("1 running")
    ada.look("home")
    home.get_by_role("button", name="Connect").click()
    expect(ada.form).to_contain_text("SSH password:")
    ada.look("window")
    ada.page.keyboard.press("Escape")
    expect(ada.form).to_be_hidden()
    home.get_by_role("radio", name="Write to me directly").check()
    home.get_by_role("button", name="Stop", exact=True).click()
    expect(home).to_contain_text("Stopped")
    ada.look("stopped")
    ada.page.get_by_role("link", name="Messages").click()
    expect(ada.message("my-train was stopped")).to_be_visible()
    ada.look("told-directly")


def in_the_panel(ada: Visit) -> Locator:
    return ada.page.locator(".bs-gpu").first


def test_a_spot_gpu_is_taken_back_after_a_warning(ada: Visit) -> None:
    running(ada)
    in_the_panel(ada).get_by_role("button", name="Spot notice").click()
    expect(ada.message("Running my-train")).to_contain_text("takes this spot GPU back")
    ada.look("warned")
    in_the_panel(ada).get_by_role("button", name="Take back now").click()
    expect(ada.message("Stopped my-train")).to_contain_text("Novita took the spot GPU back")
    expect(ada.page.locator("#bs-hook")).to_contain_text("instance.reclaimed")
    ada.page.locator("a.replies").click()
    expect(ada.page.get_by_role("complementary", name="Thread")).to_contain_text("took the spot GPU")
    ada.look("reclaimed")


@pytest.mark.parametrize("demo", ["error"], indirect=True)
def test_a_create_whose_answer_is_lost_rents_one_gpu(ada: Visit) -> None:
    ada.page.get_by_role("button", name="Answer lost").click()
    running(ada)
    expect(ada.page.locator(".bs-gpu")).to_have_count(1)


def test_in_the_thread_of_a_card_the_bot_is_mentioned_without_a_name(ada: Visit) -> None:
    running(ada)
    ada.page.locator("a.replies").click()
    thread = ada.page.get_by_role("complementary", name="Thread")
    thread.get_by_role("textbox", name="Reply").fill("@gpu-ops status")
    ada.page.keyboard.press("Enter")
    expect(thread).to_contain_text("Latest events")
    ada.look("thread")
