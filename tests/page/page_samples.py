"""One of each block and element that the sandbox's linter takes, with a text of one's choice in every place for one."""

from __future__ import annotations

from typing import Any

Block = dict[str, Any]

NOON = 1_795_435_200
"""2026-11-23 12:00 UTC."""


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def option(text: str, value: str) -> Block:
    return {"text": plain(text), "value": value, "description": plain(text)}


def rich_option(text: str, value: str) -> Block:
    return {"text": mrkdwn(text), "value": value, "description": mrkdwn(text)}


def confirmation(text: str) -> Block:
    return {
        "title": plain(text),
        "text": mrkdwn(text),
        "confirm": plain(text),
        "deny": plain(text),
        "style": "danger",
    }


def elements(text: str) -> dict[str, Block]:
    """By type; the text is in every option's value too."""
    options = [option(text, text), option("Beta", "beta")]
    groups = [{"label": plain(text), "options": options}]
    choices = [rich_option(text, text), rich_option("Beta", "beta")]
    placeholder = {"placeholder": plain(text)}
    confirm = {"confirm": confirmation(text)}
    given: dict[str, Block] = {
        "button": {
            "text": plain(text),
            "value": text,
            "accessibility_label": text,
            "style": "danger",
            **confirm,
        },
        "static_select": {"options": options, "initial_option": options[0], **placeholder, **confirm},
        "multi_static_select": {"option_groups": groups, "initial_options": options, **placeholder},
        "external_select": {"initial_option": options[0], "min_query_length": 1, **placeholder},
        "multi_external_select": {"initial_options": options, **placeholder},
        "users_select": {"initial_user": "U0ADA", **placeholder},
        "multi_users_select": {"initial_users": ["U0ADA", "U0NOBODY"], **placeholder},
        "conversations_select": {"initial_conversation": "C0GPU", **placeholder},
        "multi_conversations_select": {"initial_conversations": ["D0ADABEN"], **placeholder},
        "channels_select": {"initial_channel": "C0GPU", **placeholder},
        "multi_channels_select": {"initial_channels": ["C0RANDOM", "C0GONE"], **placeholder},
        "overflow": {
            "options": [*options, {**option(text, "docs"), "url": "https://example.com"}],
            **confirm,
        },
        "radio_buttons": {"options": choices, "initial_option": choices[0], **confirm},
        "checkboxes": {"options": choices, "initial_options": choices[1:]},
        "datepicker": {"initial_date": "2026-11-23", **placeholder},
        "timepicker": {"initial_time": "12:30", **placeholder},
        "datetimepicker": {"initial_date_time": NOON},
        "plain_text_input": {"initial_value": text, "max_length": 3000, **placeholder},
        "number_input": {"is_decimal_allowed": True, "initial_value": "1.5", **placeholder},
        "email_text_input": {"initial_value": text, **placeholder},
        "url_text_input": {"initial_value": text, **placeholder},
    }
    return {kind: {"type": kind, "action_id": kind, **rest} for kind, rest in given.items()}


def image(text: str) -> Block:
    return {"type": "image", "image_url": "https://example.com/a.png", "alt_text": text}


def rich_text(text: str) -> Block:
    inline: list[Block] = [
        {"type": "text", "text": text, "style": {"bold": True, "italic": True, "strike": True, "code": True}},
        {"type": "text", "text": text, "style": {"underline": True, "highlight": True}},
        {"type": "link", "url": "https://example.com", "text": text},
        {"type": "link", "url": f"https://example.com/{text}"},
        {"type": "link", "url": "javascript://%0aalert(1)", "text": text},
        {"type": "user", "user_id": "U0ADA"},
        {"type": "channel", "channel_id": "C0GPU"},
        {"type": "usergroup", "usergroup_id": "S0GROUP"},
        {"type": "broadcast", "range": "here"},
        {"type": "emoji", "name": "x"},
        {"type": "date", "timestamp": NOON, "format": "{date_num} {time}", "url": "https://example.com"},
        {"type": "date", "timestamp": NOON, "format": "{tide}", "fallback": text},
        {"type": "color", "value": "#aabbcc"},
    ]
    section = {"type": "rich_text_section", "elements": inline}
    return {
        "type": "rich_text",
        "elements": [
            section,
            {"type": "rich_text_list", "style": "bullet", "elements": [section], "indent": 1},
            {"type": "rich_text_list", "style": "ordered", "elements": [section], "offset": 2},
            {"type": "rich_text_preformatted", "elements": inline[:1]},
            {"type": "rich_text_quote", "elements": inline},
        ],
    }


def table(text: str) -> Block:
    return {
        "type": "table",
        "column_settings": [{"align": "right", "is_wrapped": True}],
        "rows": [
            [{"type": "raw_text", "text": text}, {"type": "raw_text", "text": "price"}],
            [{"type": "raw_number", "value": 1.5, "text": text}, {"type": "raw_number", "value": 0}],
            [{**rich_text(text)}, {"type": "raw_text", "text": text}],
        ],
    }


def blocks(text: str) -> dict[str, list[Block]]:
    """By type; more than one where their parts exclude each other."""
    by_type = elements(text)
    acting = [by_type[kind] for kind in by_type if kind not in TYPED and not kind.startswith("multi_")]
    fields = [mrkdwn(text), plain(text)]
    answered = [by_type[kind] for kind in by_type if kind not in {"button", "overflow"}]
    return {
        "section": [
            {"type": "section", "text": mrkdwn(text), "fields": fields, "accessory": by_type["button"]},
            {"type": "section", "text": plain(text), "accessory": image(text)},
        ],
        "header": [{"type": "header", "text": plain(text)}],
        "context": [{"type": "context", "elements": [image(text), *fields]}],
        "actions": [{"type": "actions", "elements": acting}],
        "divider": [{"type": "divider"}],
        "image": [{**image(text), "title": plain(text)}],
        "input": [
            {
                "type": "input",
                "block_id": f"{kind['type']} {text}"[:255],
                "label": plain(text),
                "hint": plain(text),
                "element": kind,
            }
            for kind in answered
        ],
        "rich_text": [rich_text(text)],
        "table": [table(text)],
        "markdown": [{"type": "markdown", "text": text}],
        "alert": [
            {"type": "alert", "text": mrkdwn(text), "level": level} for level in ("info", "warning", "error")
        ],
    }


TYPED = {"plain_text_input", "number_input", "email_text_input", "url_text_input"}


def modal(*parts: Block, **more: Any) -> Block:
    return {
        "type": "modal",
        "title": plain("A form"),
        "submit": plain("Send"),
        "close": plain("Leave"),
        "callback_id": "form",
        "blocks": list(parts),
        **more,
    }


def question(block_id: str, kind: str, **more: Any) -> Block:
    """An input block whose element has the same id."""
    element = {"type": kind, "action_id": block_id, **more}
    return {"type": "input", "block_id": block_id, "label": plain(block_id.capitalize()), "element": element}
