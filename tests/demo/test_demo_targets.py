from __future__ import annotations

from typing import Any

import pytest
from demo_world import World

from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.views import View
from bot.sandbox.terminal.targets import menu, pressed


def section(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": words}, **more}


def button(words: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": f"gpu:{words}", "text": plain(words), "value": value}


def plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words}


def row(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def overflow(*words: str) -> dict[str, Any]:
    options = [{"text": plain(word), "value": word} for word in words]
    return {"type": "overflow", "action_id": "gpu:more", "options": options}


@pytest.fixture
def world() -> World:
    return World()


def home(world: World, *blocks: dict[str, Any]) -> View:
    return world.workspace.publish_home("U0ADA", {"type": "home", "blocks": list(blocks)})


def message(world: World, *blocks: dict[str, Any]) -> Message:
    return world.post({"text": "t", "blocks": list(blocks)})


def test_a_row_of_buttons_belongs_to_the_words_above_it(world: World) -> None:
    view = home(
        world,
        section("*one*"),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "since `today`"}]},
        row(button("Stop", "1")),
        section("*two*"),
        row(button("Stop", "2")),
    )
    assert pressed("stop", "ONE", [view]).element["value"] == "1"
    assert pressed("Stop", "two", [view]).element["value"] == "2"
    with pytest.raises(LookupError, match="Stop is there 2 times"):
        pressed("Stop", None, [view])
    with pytest.raises(LookupError, match="No button Stop of three here"):
        pressed("Stop", "three", [view])


def test_a_menu_beside_a_text_belongs_to_that_text(world: World) -> None:
    view = home(
        world,
        section("*one*", accessory=overflow("Restart")),
        section("*two*", accessory=overflow("Restart", "Delete")),
    )
    found = pressed("restart", "two", [view])
    assert (found.value, found.block["block_id"]) == ("Restart", view.blocks[1]["block_id"])
    assert pressed("Delete", None, [view]).value == "Delete"


def test_a_divider_ends_what_belongs_together(world: World) -> None:
    view = home(world, section("*one*"), {"type": "divider"}, row(button("Rent", "new")))
    with pytest.raises(LookupError, match="No button Rent of one"):
        pressed("Rent", "one", [view])


def test_a_message_may_name_its_instance_anywhere(world: World) -> None:
    card = message(world, row(button("Stop", "1")), section("`my-train`"))
    assert pressed("Stop", "my-train", [card]).element["value"] == "1"


def test_the_first_place_that_has_it_is_taken(world: World) -> None:
    view = home(world, row(button("Stop", "home")))
    card = message(world, row(button("Stop", "card"), button("Start", "card")))
    assert pressed("Stop", None, [view, card]).element["value"] == "home"
    assert pressed("Start", None, [view, card]).element["value"] == "card"
    with pytest.raises(LookupError, match="There is: Stop, Start"):
        pressed("Sell", None, [view, card])


def test_a_menu_is_found_by_its_id_or_the_last_part_of_it(world: World) -> None:
    element = {"type": "static_select", "action_id": "home:Filter", "options": overflow("All")["options"]}
    view = home(world, row(element))
    for name in ("filter", "home:filter"):
        assert menu(name, [view])[2]["action_id"] == "home:Filter"
    with pytest.raises(LookupError, match="There is no field gpu here"):
        menu("gpu", [view])
