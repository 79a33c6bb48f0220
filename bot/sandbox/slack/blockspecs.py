"""Block Kit as tables: which keys each block, element and object has, and their limits.

The figures are those of Slack's Block Kit reference (docs.slack.dev/reference/block-kit). Only what an app of
this kind sends is listed: a type that is missing here is refused as unknown.
"""

from __future__ import annotations

from bot.sandbox.slack.blockkinds import Flag, Kind, Number, Several, Shape, String, Typed, Words

ID = String(least=1, most=255)
URL = String(
    least=1, most=3000, pattern=r"(?s)([a-zA-Z][a-zA-Z0-9+.-]*://|mailto:).+", meaning="a URL with a scheme"
)
DATE = String(pattern=r"\d{4}-\d{2}-\d{2}", meaning="a date as YYYY-MM-DD")
TIME = String(pattern=r"([01]\d|2[0-3]):[0-5]\d", meaning="a time as HH:mm")
DECIMAL = String(pattern=r"-?\d+(\.\d+)?", meaning="a number in a string")
PLACEHOLDER = Words(most=150)
STYLE = String(choices=("primary", "danger"))

CONFIRM = Shape(
    required={
        "title": Words(most=100),
        "text": Words(most=300, plain=False),
        "confirm": Words(most=30),
        "deny": Words(most=30),
    },
    optional={"style": STYLE},
)
OPTION = Shape(
    required={"text": Words(most=75), "value": String(least=1, most=150)},
    optional={"description": Words(most=75)},
)
RICH_OPTION = Shape(
    required={"text": Words(most=75, plain=False), "value": String(least=1, most=150)},
    optional={"description": Words(most=75, plain=False)},
)
MENU_OPTION = Shape(required=OPTION.required, optional={**OPTION.optional, "url": URL})
OPTION_GROUP = Shape(required={"label": Words(most=75), "options": Several(of=OPTION, most=100)})
FILTER = Shape(
    optional={
        "include": Several(of=String(choices=("im", "mpim", "private", "public")), most=4),
        "exclude_external_shared_channels": Flag(),
        "exclude_bot_users": Flag(),
    }
)
DISPATCH = Shape(
    optional={
        "trigger_actions_on": Several(of=String(choices=("on_enter_pressed", "on_character_entered")), most=2)
    }
)

_ACTION: dict[str, Kind] = {"action_id": ID, "confirm": CONFIRM}
_FOCUS: dict[str, Kind] = {"action_id": ID, "focus_on_load": Flag()}
_PICK: dict[str, Kind] = {**_ACTION, **_FOCUS, "placeholder": PLACEHOLDER}
_TYPE_IN: dict[str, Kind] = {**_FOCUS, "placeholder": PLACEHOLDER, "dispatch_action_config": DISPATCH}
_STATIC: dict[str, Kind] = {
    "options": Several(of=OPTION, most=100),
    "option_groups": Several(of=OPTION_GROUP, most=100),
}
OPTIONS = Shape(
    optional={
        "options": Several(of=OPTION, most=100, least=0),
        "option_groups": Several(of=OPTION_GROUP, most=100, least=0),
    }
)
"""What an app answers to block_suggestion: it may have found nothing."""
_QUERY: dict[str, Kind] = {"min_query_length": Number(least=0, most=255)}
_MANY: dict[str, Kind] = {"max_selected_items": Number(least=1, most=100)}
_TALK: dict[str, Kind] = {
    "default_to_current_conversation": Flag(),
    "filter": FILTER,
}
_RESPOND: dict[str, Kind] = {"response_url_enabled": Flag()}
_SLACK_FILE = Shape(optional={"id": ID, "url": URL})
_PICTURE: dict[str, Kind] = {"image_url": URL, "slack_file": _SLACK_FILE}
_ALT: dict[str, Kind] = {"alt_text": String(least=1, most=2000)}


def _initial(name: str, kind: Kind) -> dict[str, Kind]:
    return {f"initial_{name}": kind}


def _ids(most: int = 100) -> Kind:
    return Several(of=ID, most=most)


ELEMENTS: dict[str, Kind] = {
    "button": Shape(
        required={"text": Words(most=75)},
        optional={
            **_ACTION,
            "url": URL,
            "value": String(least=1, most=2000),
            "style": STYLE,
            "accessibility_label": String(most=75),
        },
    ),
    "static_select": Shape(optional={**_PICK, **_STATIC, **_initial("option", OPTION)}),
    "multi_static_select": Shape(
        optional={**_PICK, **_STATIC, **_MANY, **_initial("options", Several(of=OPTION, most=100))}
    ),
    "external_select": Shape(optional={**_PICK, **_QUERY, **_initial("option", OPTION)}),
    "multi_external_select": Shape(
        optional={**_PICK, **_QUERY, **_MANY, **_initial("options", Several(of=OPTION, most=100))}
    ),
    "users_select": Shape(optional={**_PICK, **_initial("user", ID)}),
    "multi_users_select": Shape(optional={**_PICK, **_MANY, **_initial("users", _ids())}),
    "conversations_select": Shape(optional={**_PICK, **_TALK, **_RESPOND, **_initial("conversation", ID)}),
    "multi_conversations_select": Shape(
        optional={**_PICK, **_TALK, **_MANY, **_initial("conversations", _ids())}
    ),
    "channels_select": Shape(optional={**_PICK, **_RESPOND, **_initial("channel", ID)}),
    "multi_channels_select": Shape(optional={**_PICK, **_MANY, **_initial("channels", _ids())}),
    "overflow": Shape(required={"options": Several(of=MENU_OPTION, most=5)}, optional=_ACTION),
    "radio_buttons": Shape(
        required={"options": Several(of=RICH_OPTION, most=10)},
        optional={**_ACTION, **_FOCUS, **_initial("option", RICH_OPTION)},
    ),
    "checkboxes": Shape(
        required={"options": Several(of=RICH_OPTION, most=10)},
        optional={**_ACTION, **_FOCUS, **_initial("options", Several(of=RICH_OPTION, most=10))},
    ),
    "datepicker": Shape(optional={**_PICK, **_initial("date", DATE)}),
    "timepicker": Shape(optional={**_PICK, **_initial("time", TIME), "timezone": String(least=1)}),
    "datetimepicker": Shape(
        optional={
            **_ACTION,
            **_FOCUS,
            **_initial("date_time", Number(least=1_000_000_000, most=9_999_999_999)),
        }
    ),
    "plain_text_input": Shape(
        optional={
            **_TYPE_IN,
            **_initial("value", String(most=3000)),
            "multiline": Flag(),
            "min_length": Number(least=0, most=3000),
            "max_length": Number(least=1, most=3000),
        }
    ),
    "number_input": Shape(
        required={"is_decimal_allowed": Flag()},
        optional={**_TYPE_IN, **_initial("value", DECIMAL), "min_value": DECIMAL, "max_value": DECIMAL},
    ),
    "email_text_input": Shape(optional={**_TYPE_IN, **_initial("value", String(most=3000))}),
    "url_text_input": Shape(optional={**_TYPE_IN, **_initial("value", String(most=3000))}),
    "image": Shape(required=_ALT, optional=_PICTURE),
    "plain_text": Words(most=3000),
    "mrkdwn": Words(most=3000, plain=False),
}

# Slack's reference lists the multi-selects under section and input, not under actions.
_SINGLE = {"static_select", "external_select", "users_select", "conversations_select", "channels_select"}
_PICKERS = {"datepicker", "timepicker", "datetimepicker"}
_CHOICES = {"radio_buttons", "checkboxes"}
_MULTI = {name for name in ELEMENTS if name.startswith("multi_")}
_TEXT_INPUTS = {"plain_text_input", "number_input", "email_text_input", "url_text_input"}
IN_ACTIONS = frozenset({"button", "overflow"} | _SINGLE | _PICKERS | _CHOICES)
IN_SECTION = frozenset((IN_ACTIONS | _MULTI | {"image"}) - {"datetimepicker"})
IN_INPUT = frozenset(_TEXT_INPUTS | _SINGLE | _MULTI | _PICKERS | _CHOICES)
IN_CONTEXT = frozenset({"image", "plain_text", "mrkdwn"})


def _element(allowed: frozenset[str]) -> Typed:
    return Typed(what="element", kinds=ELEMENTS, allowed=allowed)


def _any(what: str, kinds: dict[str, Kind]) -> Typed:
    return Typed(what=what, kinds=kinds, allowed=frozenset(kinds))


_TEXT_STYLE = Shape(
    optional={
        name: Flag() for name in ("bold", "italic", "strike", "code", "underline", "highlight", "unlink")
    }
)
_STYLED: dict[str, Kind] = {"style": _TEXT_STYLE}
_INLINE: dict[str, Kind] = {
    "text": Shape(required={"text": String(least=1, most=12_000)}, optional=_STYLED),
    "link": Shape(required={"url": URL}, optional={**_STYLED, "text": String(), "unsafe": Flag()}),
    "user": Shape(required={"user_id": ID}, optional=_STYLED),
    "channel": Shape(required={"channel_id": ID}, optional=_STYLED),
    "usergroup": Shape(required={"usergroup_id": ID}, optional=_STYLED),
    "broadcast": Shape(required={"range": String(choices=("here", "channel", "everyone"))}),
    "emoji": Shape(required={"name": String(least=1)}, optional={"unicode": String(), **_STYLED}),
    "date": Shape(
        required={"timestamp": Number(least=0, most=9_999_999_999), "format": String(least=1)},
        optional={"url": URL, "fallback": String(least=1), **_STYLED},
    ),
    "color": Shape(required={"value": String(pattern=r"#[0-9a-fA-F]{6}", meaning="a colour as #RRGGBB")}),
}
_BORDER: dict[str, Kind] = {"border": Number(least=0, most=1)}
_SECTION = Shape(required={"elements": Several(of=_any("rich text element", _INLINE), most=1000, least=0)})
_FRAMED = Shape(required=_SECTION.required, optional=_BORDER)
_LIST = Shape(
    required={
        "style": String(choices=("bullet", "ordered")),
        "elements": Several(
            of=_any("list item", {"rich_text_section": _SECTION}),
            most=1000,
        ),
    },
    optional={"indent": Number(least=0, most=8), "offset": Number(least=0, most=100_000), **_BORDER},
)
_PARAGRAPHS: dict[str, Kind] = {
    "rich_text_section": _SECTION,
    "rich_text_list": _LIST,
    "rich_text_preformatted": _FRAMED,
    "rich_text_quote": _FRAMED,
}
_RICH_TEXT: dict[str, Kind] = {"elements": Several(of=_any("rich text", _PARAGRAPHS), most=1000)}
_CELLS: dict[str, Kind] = {
    "raw_text": Shape(required={"text": String(least=1, most=3000)}),
    "raw_number": Shape(
        required={"value": Number(least=-1e15, most=1e15, whole=False)}, optional={"text": String()}
    ),
    "rich_text": Shape(required=_RICH_TEXT),
}
_COLUMN = Shape(
    optional={"align": String(choices=("left", "center", "right")), "is_wrapped": Flag()},
)


def _block(required: dict[str, Kind], optional: dict[str, Kind] | None = None) -> Shape:
    return Shape(required=required, optional={"block_id": ID, **(optional or {})})


BLOCKS: dict[str, Kind] = {
    "section": _block(
        {},
        {
            "text": Words(most=3000, plain=False),
            "fields": Several(of=Words(most=2000, plain=False), most=10),
            "accessory": _element(IN_SECTION),
            "expand": Flag(),
        },
    ),
    "header": _block({"text": Words(most=150)}),
    "context": _block({"elements": Several(of=_element(IN_CONTEXT), most=10)}),
    "actions": _block({"elements": Several(of=_element(IN_ACTIONS), most=25)}),
    "divider": _block({}),
    "image": _block(_ALT, {**_PICTURE, "title": Words(most=2000)}),
    "input": _block(
        {"label": Words(most=2000), "element": _element(IN_INPUT)},
        {"hint": Words(most=2000), "optional": Flag(), "dispatch_action": Flag()},
    ),
    "rich_text": _block(_RICH_TEXT),
    "table": _block(
        {
            "rows": Several(
                of=Several(of=_any("table cell", _CELLS), most=20),
                most=100,
            )
        },
        {"column_settings": Several(of=_COLUMN, most=20)},
    ),
    "markdown": _block({"text": String(least=1, most=12_000)}),
    "alert": _block(
        {"text": Words(most=200, plain=False)},
        {"level": String(choices=("default", "info", "warning", "error", "success"))},
    ),
}
