from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from bot.sandbox.slack.blocklint import lint_blocks, lint_message, lint_options, lint_view, size_of

PLAIN = {"type": "plain_text", "text": "Words", "emoji": True}
MRKDWN = {"type": "mrkdwn", "text": "*Words*", "verbatim": False}
OPTION = {"text": PLAIN, "value": "a"}
CONFIRM = {"title": PLAIN, "text": MRKDWN, "confirm": PLAIN, "deny": PLAIN, "style": "danger"}
BUTTON = {
    "type": "button",
    "text": PLAIN,
    "action_id": "go",
    "value": "1",
    "style": "danger",
    "confirm": CONFIRM,
}
RICH_SECTION = {
    "type": "rich_text_section",
    "elements": [
        {"type": "text", "text": "a", "style": {"bold": True}},
        {"type": "link", "url": "https://example.com", "text": "b"},
        {"type": "emoji", "name": "tada"},
        {"type": "user", "user_id": "U0ADA"},
        {"type": "date", "timestamp": 1795000000, "format": "{date}", "fallback": "then"},
    ],
}


def plain(length: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": "x" * length}


def options(count: int) -> list[dict[str, Any]]:
    return [{"text": PLAIN, "value": str(number)} for number in range(count)]


def element(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "action_id": f"do-{kind}", **fields}


def actions(*elements: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements), **fields}


def section(**fields: Any) -> dict[str, Any]:
    return {"type": "section", **fields}


def an_input(item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "input", "label": PLAIN, "element": item, **fields}


def table(rows: int, columns: int = 2, text: str = "cell") -> dict[str, Any]:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * columns for _ in range(rows)]}


def modal(*blocks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "modal", "title": PLAIN, "submit": PLAIN, "blocks": list(blocks), **fields}


INPUTS = [
    element("plain_text_input", multiline=True, min_length=1, max_length=3, initial_value="abc"),
    element("number_input", is_decimal_allowed=False, min_value="1", max_value="8", initial_value="1"),
    element("email_text_input", placeholder=PLAIN),
    element("url_text_input", focus_on_load=True),
    element("static_select", options=[OPTION], initial_option=OPTION, placeholder=PLAIN),
    element(
        "multi_static_select", option_groups=[{"label": PLAIN, "options": [OPTION]}], initial_options=[OPTION]
    ),
    element("external_select", min_query_length=0),
    element("users_select", initial_user="U0ADA"),
    element("conversations_select", default_to_current_conversation=True, filter={"include": ["public"]}),
    element("channels_select"),
    element("radio_buttons", options=[{"text": MRKDWN, "value": "a", "description": MRKDWN}]),
    element("checkboxes", options=[OPTION], initial_options=[OPTION]),
    element("datepicker", initial_date="2026-11-23"),
    element("timepicker", initial_time="23:59"),
    element("datetimepicker", initial_date_time=1795000000),
]
ASKING = [
    element("static_select", options=[OPTION], confirm=CONFIRM),
    element("external_select", confirm=CONFIRM, min_query_length=3, initial_option=OPTION),
    element("users_select", confirm=CONFIRM),
    element("overflow", options=options(5), confirm=CONFIRM),
    element("radio_buttons", options=[{**OPTION, "description": plain(75)}], confirm=CONFIRM),
    element("checkboxes", options=[{**OPTION, "description": mrkdwn(75)}], confirm=CONFIRM),
    element("datepicker", confirm=CONFIRM),
    element("button", text=plain(75), value="x" * 2000, accessibility_label="x" * 75),
]
DISPATCHING = {"trigger_actions_on": ["on_enter_pressed", "on_character_entered"]}
SOUND_BLOCKS = [
    section(text=MRKDWN, block_id="b"),
    section(fields=[MRKDWN, PLAIN], accessory=BUTTON),
    section(
        text=mrkdwn(3000),
        accessory={"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"},
    ),
    {"type": "header", "text": plain(150)},
    {"type": "context", "elements": [MRKDWN, PLAIN]},
    actions(
        BUTTON,
        element("button", text=PLAIN, url="https://example.com"),
        element("overflow", options=[{**OPTION, "url": "https://example.com"}]),
    ),
    {"type": "divider"},
    {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a", "title": PLAIN},
    {
        "type": "rich_text",
        "elements": [
            RICH_SECTION,
            {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [RICH_SECTION]},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x"}], "border": 0},
            {"type": "rich_text_quote", "elements": [{"type": "text", "text": "x"}]},
        ],
    },
    *(an_input(item) for item in INPUTS),
    actions(*ASKING),
    an_input(element("plain_text_input", dispatch_action_config=DISPATCHING), dispatch_action=True),
    an_input(
        element("static_select", options=[{"text": plain(75), "value": "x" * 150}]), dispatch_action=True
    ),
    an_input(element("multi_external_select", initial_options=[OPTION], max_selected_items=1)),
]
ONLY_IN_MESSAGES = [
    {**table(100), "column_settings": [{"align": "right", "is_wrapped": True}]},
    {"type": "markdown", "text": "# Help"},
]
ALERT = {"type": "alert", "text": MRKDWN, "level": "warning"}


@pytest.mark.parametrize("block", [*SOUND_BLOCKS, *ONLY_IN_MESSAGES])
def test_a_sound_block_is_accepted_and_slacks_own_model_agrees(block: dict[str, Any]) -> None:
    assert lint_message({"text": "t", "blocks": [block]}) == []
    parsed = Block.parse(copy.deepcopy(block))
    assert parsed is not None
    parsed.validate_json()


@pytest.mark.parametrize("block", [*SOUND_BLOCKS, ALERT])
def test_a_sound_block_is_accepted_in_a_modal(block: dict[str, Any]) -> None:
    assert lint_view(modal(block, callback_id="c", private_metadata="x" * 3000)) == []


@pytest.mark.parametrize("block", [*SOUND_BLOCKS, table(2)])
def test_a_sound_block_is_accepted_on_the_home_tab_without_a_title(block: dict[str, Any]) -> None:
    assert lint_view({"type": "home", "blocks": [block]}) == []


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "sectoin"}, "unknown block type 'sectoin'"),
    ({"text": PLAIN}, "unknown block type None"),
    ({"type": ["section"]}, "unknown block type ['section']"),
    (section(text=MRKDWN, colour="red"), "unknown key 'colour'"),
    (section(), "a section needs text or fields"),
    (section(text=mrkdwn(3001)), "blocks[0].text.text: must have at most 3000 characters, has 3001"),
    (section(text=mrkdwn(0)), "must not be empty"),
    (section(text="words"), "must be a text object"),
    (section(text={"type": "markdown", "text": "x"}), "must be plain_text or mrkdwn"),
    (section(text={**PLAIN, "verbatim": True}), "unknown key 'verbatim'"),
    (section(text={**MRKDWN, "emoji": True}), "unknown key 'emoji'"),
    (section(text={"type": "mrkdwn"}), "text is required"),
    (section(text={**PLAIN, "emoji": "yes"}), "must be true or false, is 'yes'"),
    (section(fields=[MRKDWN] * 11), "must have 1 to 10 items, has 11"),
    (section(fields=[mrkdwn(2001)]), "at most 2000 characters"),
    (section(fields=[]), "must have 1 to 10 items, has 0"),
    (section(fields=MRKDWN), "must be a list"),
    (section(text=MRKDWN, accessory=element("plain_text_input")), "'plain_text_input' is not allowed here"),
    (section(text=MRKDWN, accessory=None), "must be an object, is None"),
    (section(text=MRKDWN, block_id="x" * 256), "at most 255 characters"),
    (section(text=MRKDWN, block_id=7), "must be a string, is 7"),
    ({"type": "header", "text": plain(151)}, "at most 150 characters"),
    ({"type": "header", "text": MRKDWN}, "must be plain_text, is 'mrkdwn'"),
    ({"type": "header"}, "text is required"),
    ({"type": "context", "elements": [MRKDWN] * 11}, "1 to 10 items"),
    ({"type": "context", "elements": [BUTTON]}, "'button' is not allowed here"),
    (actions(*(element("button", text=PLAIN) for _ in range(26))), "1 to 25 items, has 26"),
    (actions(), "1 to 25 items, has 0"),
    (actions(BUTTON, BUTTON), "action_id 'go' is used 2 times"),
    (actions({**BUTTON, "text": MRKDWN}), "must be plain_text"),
    (actions({**BUTTON, "text": plain(76)}), "at most 75 characters"),
    (actions({**BUTTON, "value": "x" * 2001}), "at most 2000 characters"),
    (actions({**BUTTON, "url": "example.com"}), "must be a URL with a scheme"),
    (actions({**BUTTON, "url": "https://" + "x" * 3000}), "at most 3000 characters"),
    (actions({**BUTTON, "style": "warning"}), "must be one of primary, danger, is 'warning'"),
    (actions({**BUTTON, "action_id": "x" * 256}), "at most 255 characters"),
    (actions({**BUTTON, "confirm": {**CONFIRM, "title": plain(101)}}), "at most 100 characters"),
    (actions({**BUTTON, "confirm": {**CONFIRM, "text": mrkdwn(301)}}), "at most 300 characters"),
    (actions({**BUTTON, "confirm": {**CONFIRM, "deny": plain(31)}}), "at most 30 characters"),
    (actions({**BUTTON, "confirm": {"title": PLAIN}}), "confirm: deny is required"),
    (actions(element("multi_static_select", options=[OPTION])), "not allowed here"),
    (actions(element("overflow", options=options(6))), "1 to 5 items, has 6"),
    (actions(element("overflow", options=[{**OPTION, "value": "x" * 151}])), "at most 150 characters"),
    (actions(element("static_select", options=options(101))), "1 to 100 items, has 101"),
    (actions(element("static_select", options=[{**OPTION, "url": "https://a"}])), "unknown key 'url'"),
    (actions(element("static_select", options=[{**OPTION, "text": MRKDWN}])), "must be plain_text"),
    (actions(element("static_select")), "needs either options or option_groups"),
    (
        actions(
            element("static_select", options=[OPTION], option_groups=[{"label": PLAIN, "options": [OPTION]}])
        ),
        "needs either options or option_groups",
    ),
    (
        actions(element("static_select", options=[OPTION], initial_option={**OPTION, "value": "b"})),
        "the initial option 'b' is not exactly one of the options",
    ),
    (actions(element("static_select", options=[OPTION], placeholder=plain(151))), "at most 150 characters"),
    (actions(element("radio_buttons", options=options(11))), "1 to 10 items, has 11"),
    *(
        (actions({**item, "confirm": {**CONFIRM, "confirm": plain(31)}}), "at most 30 characters, has 31")
        for item in ASKING
    ),
    (actions(element("radio_buttons", options=[{**OPTION, "description": plain(76)}])), "at most 75"),
    (actions(element("checkboxes", options=[{**OPTION, "description": mrkdwn(76)}])), "at most 75"),
    (actions(element("checkboxes", options=options(11))), "1 to 10 items, has 11"),
    (actions(element("static_select", options=[{**OPTION, "text": plain(76)}])), "at most 75 characters"),
    (actions(element("static_select", options=[{**OPTION, "description": MRKDWN}])), "must be plain_text"),
    (
        actions(element("static_select", option_groups=[{"label": PLAIN, "options": [OPTION]}] * 101)),
        "1 to 100 items, has 101",
    ),
    (
        actions(element("static_select", option_groups=[{"label": plain(76), "options": [OPTION]}])),
        "at most 75 characters",
    ),
    (actions(element("overflow", options=[])), "1 to 5 items, has 0"),
    (actions(element("external_select", options=[OPTION])), "unknown key 'options'"),
    (actions(element("external_select", min_query_length=-1)), "must be from 0 to"),
    (actions({**BUTTON, "accessibility_label": "x" * 76}), "at most 75 characters"),
    (an_input(INPUTS[0], dispatch_action="yes"), "must be true or false"),
    (
        an_input(element("plain_text_input", dispatch_action_config={"trigger_actions_on": ["on_blur"]})),
        "must be one of on_enter_pressed, on_character_entered",
    ),
    (
        an_input(element("static_select", options=[OPTION], dispatch_action_config=DISPATCHING)),
        "unknown key 'dispatch_action_config'",
    ),
    (actions(element("checkboxes", options=[OPTION], initial_options=options(1))), "is not exactly one"),
    (actions(element("datepicker", initial_date="23.11.2026")), "must be a date as YYYY-MM-DD"),
    (actions(element("timepicker", initial_time="24:00")), "must be a time as HH:mm"),
    (actions(element("datetimepicker", initial_date_time="1795000000")), "must be a whole number"),
    (an_input(BUTTON), "'button' is not allowed here"),
    (an_input(INPUTS[0], label=MRKDWN), "must be plain_text"),
    (an_input(INPUTS[0], hint=plain(2001)), "at most 2000 characters"),
    ({"type": "input", "label": PLAIN}, "element is required"),
    (an_input(element("plain_text_input", max_length=3001)), "must be from 1 to 3000, is 3001"),
    (an_input(element("plain_text_input", max_length=True)), "must be a whole number, is True"),
    (an_input(element("plain_text_input", min_length=4, max_length=3)), "min_length 4 is above max_length 3"),
    (
        an_input(element("plain_text_input", max_length=1, initial_value="ab")),
        "initial_value has 2 characters",
    ),
    (an_input(element("number_input")), "is_decimal_allowed is required"),
    (an_input(element("number_input", is_decimal_allowed=True, min_value=1)), "must be a string, is 1"),
    (
        an_input(element("multi_users_select", initial_users=["U1", "U2"], max_selected_items=1)),
        "2 initial choices",
    ),
    ({"type": "image", "image_url": "https://a/b.png"}, "alt_text is required"),
    ({"type": "image", "alt_text": "a"}, "needs either image_url or slack_file"),
    ({"type": "image", "image_url": "https://a/b.png", "alt_text": "x" * 2001}, "at most 2000 characters"),
    ({"type": "rich_text", "elements": [{"type": "rich_text_section"}]}, "elements is required"),
    ({"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}, "unknown rich text type 'text'"),
    (table(101), "1 to 100 items, has 101"),
    (table(1, columns=21), "1 to 20 items, has 21"),
    (table(1, text=""), "must not be empty"),
    (table(100, 2, "x" * 51), "a table must have at most 10000 characters, has 10200"),
    ({"type": "table", "rows": [[{"type": "raw_number", "value": "1"}]]}, "must be a number"),
    ({"type": "markdown", "text": "x" * 12_001}, "at most 12000 characters"),
    (ALERT, "block type 'alert' is not allowed here"),
]


@pytest.mark.parametrize(("block", "finding"), FAULTS, ids=[finding for _, finding in FAULTS])
def test_a_faulty_block_is_found_out(block: dict[str, Any], finding: str) -> None:
    findings = lint_message({"text": "t", "blocks": [block]})
    assert any(finding in sentence for sentence in findings), findings


@pytest.mark.parametrize(
    ("surface", "block"), [("modal", table(1)), ("home", ALERT), ("modal", ONLY_IN_MESSAGES[1])]
)
def test_a_block_on_the_wrong_surface_is_found_out(surface: Any, block: dict[str, Any]) -> None:
    assert lint_blocks([block], surface) == [f"blocks[0]: block type {block['type']!r} is not allowed here"]


MESSAGE_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, "text: required"),
    ({"text": "", "blocks": [section(text=MRKDWN)]}, "text: required"),
    ({"text": "x" * 4001}, "text: must have at most 4000 characters, has 4001"),
    ({"text": "t", "treads_ts": "1.2"}, "unknown key 'treads_ts'"),
    ({"text": "t", "blocks": {"type": "divider"}}, "blocks: must be a list"),
    ({"text": "t", "blocks": [{"type": "divider"}] * 51}, "blocks: must have 0 to 50 items, has 51"),
    ({"text": "t", "blocks": [{"type": "divider", "block_id": "a"}] * 2}, "block_id 'a' is used 2 times"),
    ({"text": "t", "blocks": [table(1), table(1)]}, "at most one table, there are 2"),
    ({"text": "t", "blocks": [section(text=mrkdwn(2500))] * 5}, "at most 12000 characters, have 12500"),
    (
        {"text": "t", "blocks": [{"type": "markdown", "text": "x" * 7000}] * 2},
        "markdown must have at most 12000 characters in all, has 14000",
    ),
    ({"text": "t", "response_type": "public"}, "must be one of ephemeral, in_channel"),
    ({"text": "t", "metadata": {"event_type": "e"}}, "metadata: event_payload is required"),
    ({"text": "t", "attachments": [{"pretext": "x"}]}, "attachments[0]: unknown key 'pretext'"),
    (
        {"text": "t", "attachments": [{"color": "#fff", "blocks": [section()]}]},
        "attachments[0].blocks[0]: a section needs text or fields",
    ),
]


@pytest.mark.parametrize(
    ("payload", "finding"), MESSAGE_FAULTS, ids=[finding for _, finding in MESSAGE_FAULTS]
)
def test_a_faulty_message_is_found_out(payload: dict[str, Any], finding: str) -> None:
    findings = lint_message(payload)
    assert any(finding in sentence for sentence in findings), findings


VIEW_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "dialog", "blocks": []}, "view: unknown view type 'dialog'"),
    ({"type": "modal", "blocks": [{"type": "divider"}]}, "view: title is required"),
    (modal({"type": "divider"}, title=plain(25)), "view.title.text: must have at most 24 characters"),
    (modal({"type": "divider"}, submit=plain(25)), "view.submit.text: must have at most 24 characters"),
    (modal({"type": "divider"}, close=MRKDWN), "view.close.type: must be plain_text"),
    (modal({"type": "divider"}, private_metadata="x" * 3001), "at most 3000 characters"),
    (modal({"type": "divider"}, callback="c"), "unknown key 'callback'"),
    (modal(), "a modal must have a block"),
    (modal(*[{"type": "divider"}] * 101), "must have 0 to 100 items, has 101"),
    ({"type": "modal", "title": PLAIN, "blocks": [an_input(INPUTS[0])]}, "view.submit: required"),
    ({"type": "home", "title": PLAIN, "blocks": []}, "view: unknown key 'title'"),
    ({"type": "home"}, "view: blocks is required"),
    ({"type": "home", "blocks": [{"type": "divider"}] * 101}, "must have 0 to 100 items, has 101"),
    ({"type": "home", "blocks": [], "notify_on_close": True}, "view: unknown key 'notify_on_close'"),
    (
        modal(*(an_input(element("plain_text_input", focus_on_load=True)) for _ in range(2))),
        "at most one element may have focus_on_load, 2 have",
    ),
    (modal(*(section(text=mrkdwn(2999)) for _ in range(90))), "view: must have at most 250000 bytes"),
]


@pytest.mark.parametrize(("view", "finding"), VIEW_FAULTS, ids=[finding for _, finding in VIEW_FAULTS])
def test_a_faulty_view_is_found_out(view: dict[str, Any], finding: str) -> None:
    findings = lint_view(view)
    assert any(finding in sentence for sentence in findings), findings


def test_deleting_the_original_needs_no_text() -> None:
    assert lint_message({"delete_original": True}) == []
    assert lint_message({"delete_original": True, "text": "t"}) == []
    assert lint_message({"delete_original": True, "blocks": [section()]}) != []


def test_attachments_may_carry_blocks() -> None:
    coloured = {"color": "#36a64f", "fallback": "f", "blocks": [section(text=MRKDWN)]}
    assert lint_message({"text": "t", "attachments": [coloured]}) == []
    assert lint_message({"text": "t", "attachments": "none"}) == ["attachments: must be a list, is 'none'"]


def test_options_for_an_external_select_are_judged_too() -> None:
    assert lint_options({"options": [OPTION]}) == []
    assert lint_options({"options": [{"text": MRKDWN, "value": "a"}]}) != []
    assert lint_options({}) == ["needs either options or option_groups"]


def test_the_size_leaves_out_types_only() -> None:
    assert size_of([section(text=mrkdwn(5), block_id="abc"), 7]) == 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in keys for place in places(item, (*path, key)))]


@settings(deadline=None)
@given(data=st.data(), junk=JSON)
def test_no_junk_anywhere_in_a_message_breaks_the_check(data: st.DataObject, junk: Any) -> None:
    message = {"text": "t", "blocks": copy.deepcopy([*SOUND_BLOCKS, *ONLY_IN_MESSAGES, ALERT])}
    path = data.draw(st.sampled_from([place for place in places(message) if place]))
    target: Any = message
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = junk
    assert all(isinstance(sentence, str) for sentence in lint_message(message))
    lint_view(modal(*message["blocks"]) if isinstance(message["blocks"], list) else {"type": junk})
