from __future__ import annotations

from typing import Any

import pytest
import samples
from demo_world import lines, reader

from bot.messages import card
from bot.sandbox.terminal.blocks import drawn


def text(words: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": words}


def plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words, "emoji": True}


def rich(*elements: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements)}]}


MINE, ALL = ({"text": plain(words), "value": words} for words in ("Mine", "All"))


def menu(kind: str, action_id: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "action_id": action_id, "options": [MINE, ALL], **more}


def button(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain(words), "action_id": "a", **more}


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        ({"type": "section", "text": text("*one*\ntwo")}, ["one", "two"]),
        ({"type": "section", "text": text("a"), "accessory": button("Open")}, ["a", "[ Open ]"]),
        ({"type": "context", "elements": [text("small"), {"type": "image", "alt_text": "x"}]}, ["small"]),
        ({"type": "header", "text": plain(":key: Head")}, ["🔑 Head"]),
        ({"type": "divider"}, ["─" * 40]),
        ({"type": "actions", "elements": [button("A"), button("B", style="danger")]}, ["[ A ]  [ B ]"]),
        ({"type": "actions", "elements": [{"type": "datepicker"}]}, ["(datepicker)"]),
        ({"type": "actions", "elements": [menu("static_select", "filter")]}, ["[ filter: Mine | All ▾ ]"]),
        (
            {"type": "actions", "elements": [menu("radio_buttons", "mode", initial_option=ALL)]},
            ["[ mode: All ▾ ]"],
        ),
        (
            {
                "type": "actions",
                "elements": [menu("multi_static_select", "many", initial_options=[MINE, ALL])],
            },
            ["[ many: Mine, All ▾ ]"],
        ),
        (
            {"type": "actions", "elements": [{**menu("external_select", "pick"), "options": []}]},
            ["[ pick: … ▾ ]"],
        ),
        (
            {"type": "section", "text": text("a"), "accessory": menu("overflow", "more")},
            ["a", "[ ⋯ Mine | All ]"],
        ),
        (
            {"type": "input", "label": plain("Day"), "element": {"type": "datepicker", "action_id": "day"}},
            ["Day  [ day: … ▾ ]"],
        ),
        (
            {
                "type": "actions",
                "elements": [{"type": "datepicker", "action_id": "d", "initial_date": "2026-11-23"}],
            },
            ["[ d: 2026-11-23 ▾ ]"],
        ),
        (rich({"type": "text", "text": "as *is*"}, {"type": "emoji", "name": "x"}), ["as *is*❌"]),
        (rich({"type": "link", "url": "https://a.example", "text": "page"}), ["page"]),
        (rich({"type": "link", "url": "https://a.example"}), ["https://a.example"]),
        (rich({"type": "user", "user_id": "U0ADA"}, {"type": "broadcast"}), ["@ada(broadcast)"]),
        (rich({"type": "text", "text": "ssh a\x1b[2J"}, kind="rich_text_preformatted"), ["ssh a[2J"]),
        ({"type": "video"}, ["(video)"]),
    ],
)
def test_a_block_is_drawn(block: dict[str, Any], shown: list[str]) -> None:
    assert lines(drawn([block], reader(), 80)) == shown


def fields(*texts: str) -> dict[str, Any]:
    return {"type": "section", "fields": [text(words) for words in texts]}


def test_fields_stand_two_in_a_row_with_their_labels_in_columns() -> None:
    block = fields("*GPU*\nRTX 4090 24GB ×1", "*Region*\nCN-HK-01", "*Price*\n$0.36/h")
    assert lines(drawn([block], reader(), 60)) == [
        "GPU     RTX 4090 24GB ×1      Region  CN-HK-01",
        "Price   $0.36/h",
    ]


def test_a_field_that_is_too_wide_has_a_row_of_its_own() -> None:
    block = fields("*A*\none", "*B*\n" + "long " * 5, "*C*\nthree", "*D*\nfour")
    assert lines(drawn([block], reader(), 40)) == [
        "A  one",
        "B  long long long long long",
        "C  three            D  four",
    ]


def test_a_field_without_a_label_is_its_text() -> None:
    assert lines(drawn([fields("only this")], reader(), 80)) == ["only this"]


@pytest.mark.parametrize("width", [24, 40, 60, 76, 116])
def test_a_card_fits_into_every_width(width: int) -> None:
    block = list(card.card(samples.running(), now=samples.NOW)["blocks"])
    assert max(map(len, lines(drawn(block, reader(), width), width))) <= width
