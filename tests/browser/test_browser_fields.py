"""Fields, menus and keys, in a workspace whose app says what it hears."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser_visit import Served, Visit
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


@pytest.fixture
def ada(workspace: Served, visit: Callable[..., Visit]) -> Visit:
    return visit(workspace.url, timezone_id="Asia/Tokyo", reduced_motion="reduce")


@pytest.fixture
def form(ada: Visit) -> Visit:
    ada.type("/gpu form")
    expect(ada.form).to_be_visible()
    return ada


def test_a_form_is_filled_with_the_keyboard_alone(form: Visit) -> None:
    keys = form.page.keyboard
    expect(form.form.get_by_label("Name")).to_be_focused()
    keys.type("my-train")
    keys.press("Tab")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(form.form.get_by_label("Gpu")).to_have_value("RTX 4090 24GB")
    keys.press("Tab")
    for typed in ("h1", "l4"):
        keys.type(typed)
        keys.press("Enter")
    expect(form.form.locator(".chip")).to_have_text(["H100 24GB", "L40S 24GB"])
    form.look("chosen")
    form.form.get_by_label("Name").press("Enter")
    expect(form.message("heard name=my-train")).to_contain_text("gpu=RTX 4090, regions=H100+L40S")
    expect(form.form).to_be_hidden()
    expect(form.page.locator("#composer")).to_be_focused()


def test_options_of_the_app_are_searched_as_one_types(form: Visit) -> None:
    image = form.form.get_by_label("Image")
    image.click()
    image.press_sequentially("py")
    expect(form.form.get_by_role("option")).to_have_text(
        ["pytorch:latestpytorch:latest", "pytorch:2pytorch:2"]
    )
    form.page.keyboard.press("ArrowDown")
    form.page.keyboard.press("Enter")
    expect(image).to_have_value("pytorch:2")
    form.form.get_by_label("Clear").click()
    expect(image).to_have_value("")


def test_escape_closes_a_menu_first_and_then_the_form(form: Visit) -> None:
    gpu = form.form.get_by_label("Gpu")
    gpu.click()
    gpu.press_sequentially("no such thing")
    form.page.keyboard.press("Escape")
    expect(gpu).to_have_value("")
    expect(form.form).to_be_visible()
    form.page.keyboard.press("Escape")
    expect(form.form).to_be_hidden()


def test_what_is_typed_survives_what_the_app_changes(form: Visit) -> None:
    form.form.get_by_label("Name").fill("kept")
    search = form.form.get_by_label("Search")
    search.press_sequentially("abcd", delay=60)
    expect(form.form.get_by_role("heading")).to_have_text("4 characters")
    expect(search).to_have_value("abcd")
    expect(search).to_be_focused()
    expect(form.form.get_by_label("Name")).to_have_value("kept")


def test_enter_tells_the_app_where_it_wants_to_know(form: Visit) -> None:
    code = form.form.get_by_label("Code")
    code.fill("x1")
    code.press("Enter")
    expect(form.page.locator("main")).to_contain_text("heard code x1")
    expect(form.form).to_be_visible()


def test_a_moment_is_chosen_and_told_in_the_zone_of_the_browser(form: Visit) -> None:
    form.form.get_by_label("Name").fill("a")
    form.form.get_by_label("Gpu").click()
    form.page.keyboard.press("Enter")
    form.form.get_by_label("When").fill("2026-11-23T21:00")
    form.form.get_by_label("RTX 4090").check()
    form.form.get_by_role("button", name="Send").click()
    expect(form.message("heard name=a")).to_contain_text("mode=RTX 4090, when=1795435200")


def test_a_required_field_that_is_empty_gets_the_focus(form: Visit) -> None:
    form.form.get_by_role("button", name="Send").click()
    expect(form.form.locator(".wrong")).to_have_count(2)
    expect(form.form.get_by_label("Name")).to_be_focused()
    form.look("required")


def test_a_menu_in_a_message_tells_the_app_and_shows_what_was_chosen(ada: Visit) -> None:
    menu = ada.message("A card").get_by_role("combobox")
    menu.click()
    ada.page.keyboard.type("l40")
    ada.page.keyboard.press("Enter")
    expect(ada.message("heard menu")).to_contain_text("heard menu L40S")
    expect(menu).to_have_value("L40S 24GB")
    ada.message("A card").get_by_label("More actions").click()
    ada.look("overflow")
    ada.page.get_by_role("button", name="RTX 4090").click()
    expect(ada.message("heard more")).to_contain_text("heard more RTX 4090")


def test_what_needs_a_confirmation_waits_for_it(ada: Visit) -> None:
    delete = ada.button("Delete")
    delete.click()
    ada.page.keyboard.press("Escape")
    expect(ada.page.locator("#confirm")).to_be_hidden()
    expect(delete).to_be_focused()
    delete.click()
    ada.page.locator("#confirm").get_by_role("button", name="Delete it").click()
    expect(ada.message("heard delete")).to_be_visible()
    assert ada.page.locator("main .message", has_text="heard").count() == 1


def test_an_app_that_is_too_slow_is_told(ada: Visit) -> None:
    ada.type("/gpu slow")
    expect(ada.page.locator(".toast")).to_contain_text("did not respond in time")
    expect(ada.page.locator("#composer")).to_have_value("/gpu slow")


def test_earlier_lines_come_back(ada: Visit) -> None:
    composer, keys = ada.page.locator("#composer"), ada.page.keyboard
    for line in ("first", "second"):
        ada.type(line)
        expect(ada.message(line)).to_be_visible()
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    expect(composer).to_have_value("first")
    keys.press("ArrowDown")
    expect(composer).to_have_value("second")


def test_a_line_that_is_offered_is_taken_with_a_click(ada: Visit) -> None:
    ada.page.get_by_role("link", name="random").click()
    ada.page.get_by_role("button", name="/invite @gpu-ops").click()
    expect(ada.page.locator("#composer")).to_be_focused()
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("main .about")).to_have_text("4 members")


def test_commands_are_suggested_as_they_are_typed(ada: Visit) -> None:
    keys, options = ada.page.keyboard, ada.page.get_by_role("option")
    keys.type("/")
    expect(options).to_have_count(3)
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("Tab")
    expect(ada.page.locator("#composer")).to_have_value("/gpu stop ")
    expect(options).to_have_count(0)
    expect(ada.page.locator("main .usage")).to_have_text("/gpu stop [NAME]")


def test_what_somebody_else_says_comes_in_while_one_types(
    workspace: Served, ada: Visit, visit: Callable[..., Visit]
) -> None:
    ben = visit(workspace.url, "/?as=U0BEN&in=C0GPU")
    ada.page.keyboard.type("half a sen")
    ben.type("hello *ada* <script>alert(1)</script>")
    expect(ada.message("hello")).to_contain_text("hello ada <script>alert(1)</script>")
    expect(ada.page.locator("#composer")).to_have_value("half a sen")
    expect(ada.page.locator("#composer")).to_be_focused()
    ada.page.get_by_role("link", name="random").click()
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("random")
    ben.type("are you there?")
    expect(ada.page.locator("#sidebar .count")).to_contain_text("1")
    ada.page.go_back()
    expect(ada.message("are you there?")).to_be_visible()
    expect(ada.page.locator("#sidebar .count")).to_have_count(0)


def test_one_becomes_somebody_else(ada: Visit) -> None:
    ada.page.locator("#switch summary").click()
    ada.look("switch")
    ada.page.get_by_role("link", name="Gus Single").click()
    expect(ada.page.locator("#switch summary")).to_contain_text("Gus Single")
    assert ada.page.locator(".row-name").all_inner_texts() == ["gpu", "gpu-ops"]


def test_the_page_can_be_walked_through_with_the_tab_key(ada: Visit) -> None:
    page = ada.page
    page.locator(".skip").focus()
    walked: list[str] = []
    while not walked or walked[-1] != "Send":
        walked.append(ada.focused())
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        around = page.evaluate("!!document.activeElement.closest('.box, .combo')")
        assert outline != "none" or around, f"nobody sees that {walked[-1]!r} has the focus"
        page.keyboard.press("Tab")
    wanted = [
        "Skip to the message box",
        "gpu",
        "lab",
        "Delete",
        "Which?",
        "More actions",
        "Message to #gpu",
        "Send",
    ]
    places = [next(place for place, name in enumerate(walked) if name.startswith(one)) for one in wanted]
    assert places == sorted(places), walked
