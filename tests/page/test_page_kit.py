"""Block Kit as HTML."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_reading import Reading
from page_samples import Block, blocks, elements, modal, mrkdwn, plain, question
from page_world import World

from bot.sandbox.page.kit.texts import DRAWN
from bot.sandbox.page.server import _STATIC
from bot.sandbox.slack.blocklint import lint_blocks
from bot.sandbox.slack.blockspecs import BLOCKS, ELEMENTS
from bot.sandbox.slack.surfacespecs import BLOCKS_OF_SURFACE

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover=alert(1) x='",
    "&lt;b&gt; &amp;amp; <b> & > &#60;",
    "{{ 7*7 }} {% raw %} </textarea></style><!--",
    '<javascript:alert(1)|press> <https://example.com/"onclick="a|x> <@"><b>> <!date^1^{time}^x|"<i>>',
    "\u202eright\u202c עברית \u2066x\u2069",
    "```<u>``` `<u>` *<u>* _<u>_ ~<u>~ :<u>: >quoted <u>",
)
TAGS = {
    *(
        "div",
        "span",
        "p",
        "h3",
        "hr",
        "br",
        "a",
        "button",
        "svg",
        "use",
        "input",
        "textarea",
        "label",
        "legend",
    ),
    *(
        "fieldset",
        "ul",
        "ol",
        "li",
        "details",
        "summary",
        "small",
        "figure",
        "figcaption",
        "table",
        "tr",
        "th",
    ),
    *("h1", "h2", "h4", "h5", "h6", "tbody", "thead", "nav", "main", "aside", "section", "header", "footer"),
    *("form", "b", "kbd", "td", "pre", "code", "blockquote", "strong", "em", "s", "u", "mark", "time"),
}


@pytest.fixture
def world() -> World:
    return World()


def drawn(world: World, *parts: Block) -> Reading:
    message = world.post(*parts)
    reading = world.read()
    (body,) = (tag for tag in reading.tags if tag.get("id") == f"main-body-{message.ts}")
    inside = [tag for tag in reading.tags if body in tag.parents]
    return Inside(inside, body.words)


class Inside:
    """The tags of one message."""

    def __init__(self, tags: list[Any], words: str) -> None:
        self.tags, self.words = tags, " ".join(words.split())

    all, one = Reading.all, Reading.one


def text_of(world: World, text: str) -> Inside:
    return drawn(world, {"type": "section", "text": mrkdwn(text)})


def test_the_samples_have_every_block_and_element_and_slack_takes_them() -> None:
    samples = blocks("A text")
    assert samples.keys() == BLOCKS.keys()
    assert elements("A text").keys() == ELEMENTS.keys() - {"image", "plain_text", "mrkdwn"}
    for surface, kinds in BLOCKS_OF_SURFACE.items():
        for kind in kinds:
            for block in samples[kind]:
                assert lint_blocks([block], surface) == []


@pytest.mark.parametrize("kind", sorted(BLOCKS))
def test_every_block_is_drawn(world: World, kind: str) -> None:
    for block in blocks("A text")[kind]:
        found = drawn(world, block)
        assert found.one(data_block=kind)
        assert not found.all(class_="unknown")
        if kind != "divider":
            assert (
                "A text" in found.words
                or "Beta" in found.words
                or found.all("input")
                or found.all("textarea")
            )


@pytest.mark.parametrize("kind", sorted(elements("")))
def test_every_element_is_drawn_in_a_form(world: World, kind: str) -> None:
    element = elements("A text")[kind]
    block = {"type": "section", "text": plain("x"), "accessory": element}
    if kind not in {"button", "overflow"}:
        block = {"type": "input", "label": plain("The label"), "element": element}
    world.open(modal(block))
    reading = world.read()
    assert reading.one(data_element=kind)
    assert not reading.all(class_="unknown")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_any_block_becomes_markup(world: World, text: str) -> None:
    parts = [block for kind in blocks(text).values() for block in kind]
    title = plain(text[:24])
    world.post(*parts, text=text)
    world.post(text=text)
    view = world.open(modal(*parts, title=title, submit=title, close=title))
    world.forms.complain(view.id, {f"plain_text_input {text}"[:255]: text})
    reading = world.read()
    assert {tag.name for tag in reading.tags} <= TAGS
    for tag in reading.tags:
        assert not [
            name for name in tag.attributes if name.startswith("on") or name in {"style", "src", "srcdoc"}
        ]
        assert (tag.get("href") or "/").startswith(("/", "#", "https://"))


@pytest.mark.parametrize("text", [text for text in HOSTILE if "<!date" not in text and "```" not in text])
def test_what_is_written_is_what_is_read(world: World, text: str) -> None:
    assert drawn(world, {"type": "header", "text": plain(text)}).words == " ".join(text.split())
    reading = drawn(world, {"type": "actions", "elements": [elements(text)["button"]]})
    button = reading.one("button")
    assert button["data-confirm-title"] == text
    assert button["aria-label"] == text


@pytest.mark.parametrize(
    ("written", "tag", "words"),
    [
        ("*bold*", "strong", "bold"),
        ("_italic_", "em", "italic"),
        ("~gone~", "s", "gone"),
        ("`/gpu *x*`", "code", "/gpu *x*"),
        ("```a\n  b```", "pre", "a\n  b"),
        ("&gt; quoted *b*\n&gt; more", "blockquote", "quoted bmore"),
        ("> quoted\nnot", "blockquote", "quoted"),
        ("&gt;&gt;&gt; all\nof it", "blockquote", "allof it"),
        ("<https://example.com|page>", "a", "page"),
        ("<http://example.com/?a=1&amp;b>", "a", "http://example.com/?a=1&b"),
    ],
)
def test_mrkdwn_is_marked_up(world: World, written: str, tag: str, words: str) -> None:
    assert text_of(world, written).one(tag).words == words


def test_links_lead_out_and_only_into_the_web(world: World) -> None:
    link = text_of(world, "<https://example.com|page>").one("a")
    assert (link["href"], link["target"], link["rel"]) == (
        "https://example.com",
        "_blank",
        "noopener noreferrer",
    )
    for url in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "mailto:a@b.example"):
        found = text_of(world, f"<{url}|press>")
        assert not found.all("a")
        assert found.words == f"press ({url})"


def test_mentions_are_names_and_one_s_own_stands_out(world: World) -> None:
    found = text_of(world, "<@U0ADA> and <@U0BEN> in <#C0GPU|gpu>, <@U0NOBODY>, <!here>")
    assert found.words == "@Ada Moss and @Ben Ortiz in #gpu, @U0NOBODY, @here"
    assert [tag.words for tag in found.all(class_="is-me")] == ["@Ada Moss", "@here"]


def test_a_date_says_what_the_browser_needs_to_tell_it_in_its_own_zone(world: World) -> None:
    found = text_of(world, "since <!date^1795435200^{date_short_pretty} at {time}|x>").one("time")
    assert found["datetime"] == "2026-11-23T12:00:00Z"
    assert found["data-pattern"] == "{date_short_pretty} at {time}"
    assert found.words == "today at 12:00"


def test_emoji_are_characters_with_a_name(world: World) -> None:
    found = text_of(world, ":large_green_circle: on :thumbsup: :no_such_thing:")
    assert [(tag["aria-label"], tag.words) for tag in found.all(class_="emoji")] == [
        ("large green circle", "🟢\ufe0f"),
        ("thumbsup", "👍\ufe0f"),
    ]
    assert found.words.endswith(":no_such_thing:")


def test_the_drawn_emoji_are_in_the_file() -> None:
    text = (_STATIC / "emoji.svg").read_text(encoding="utf-8")
    assert set(re.findall(r'id="(\w+)"', text)) == DRAWN


def test_every_icon_that_a_template_names_is_in_the_file() -> None:
    known = set(re.findall(r'id="(\w+)"', (_STATIC / "icons.svg").read_text(encoding="utf-8")))
    used: set[str] = set()
    for template in (_STATIC.parent / "templates").glob("*.html"):
        used |= set(re.findall(r'icons\.svg#(\w+)|icon\("(\w+)"\)', template.read_text(encoding="utf-8")))
    assert {first or second for first, second in used} <= known


def test_markdown_is_read_without_html_and_pictures(world: World) -> None:
    text = "# Title\n\n**b** [l](https://example.com) [j](javascript:alert(1)) ![p](https://example.com/p.png)\n\n<b>x</b>"
    found = drawn(world, {"type": "markdown", "text": text})
    assert found.one("h1").words == "Title"
    assert not found.all("img")
    assert not found.all("b")
    assert {tag["href"] for tag in found.all("a")} == {"https://example.com", "https://example.com/p.png"}
    assert {tag["rel"] for tag in found.all("a")} == {"noopener noreferrer"}
    assert "<b>x</b>" in found.words


def test_a_field_shows_what_was_typed_and_what_is_wrong_with_it(world: World) -> None:
    view = world.open(
        modal(
            question("name", "plain_text_input", max_length=40),
            question("size", "number_input", is_decimal_allowed=False),
        )
    )
    world.slack.person("U0ADA").fill(view, {"name": 'my "train"'})
    world.forms.complain(view.id, {"size": "Must be a number."})
    reading = world.read()
    name, size = (reading.one("input", id=f"control-{view.id}-{block}") for block in ("name", "size"))
    assert name["value"] == 'my "train"'
    assert name["maxlength"] == "40"
    assert reading.one("label", for_=name["id"]).words.strip() == "Name"
    assert size["aria-invalid"] == "true"
    assert reading.one("p", id=size["aria-describedby"]).words == "Must be a number."
    assert name.get("aria-invalid") is None


def test_choices_show_what_is_chosen(world: World) -> None:
    world.open(
        modal(
            *(
                {"type": "input", "block_id": kind, "label": plain(kind), "element": element}
                for kind, element in elements("Alpha").items()
                if kind not in {"button", "overflow"}
            )
        )
    )
    reading = world.read()

    def field(kind: str) -> list[Any]:
        (around,) = reading.all(data_element=kind)
        return [tag for tag in reading.tags if around in tag.parents]

    def shown(kind: str) -> str:
        return next(tag["value"] for tag in field(kind) if tag.has_class("combo-input"))

    def chips(kind: str) -> list[str]:
        return [tag.words for tag in field(kind) if tag.has_class("chip")]

    assert shown("static_select") == "Alpha"
    assert shown("external_select") == "Alpha"
    assert shown("users_select") == "Ada Moss"
    assert shown("channels_select") == "#gpu"
    assert chips("multi_static_select") == ["Alpha", "Beta"]
    assert chips("multi_users_select") == ["Ada Moss", "U0NOBODY"]
    assert chips("multi_conversations_select") == ["Ben Ortiz"]
    assert [tag["value"] for tag in field("radio_buttons") if tag.get("checked") is not None] == ["Alpha"]
    assert [tag["value"] for tag in field("checkboxes") if tag.get("checked") is not None] == ["beta"]
    assert [tag["data-epoch"] for tag in field("datetimepicker") if tag.name == "input"] == ["1795435200"]


def test_menus_of_people_and_places_offer_what_the_reader_may_see(world: World) -> None:
    world.open(
        modal(
            question("where", "conversations_select"),
            question("public", "channels_select"),
            question("who", "users_select"),
        ),
        "U0GUS",
    )
    offered = {tag["data-words"] for tag in world.read("U0GUS").all(role="option", data_words=True)}
    assert {"#gpu", "#random", "Ada Moss", "gpu-ops (app)"} <= offered
    assert not {"#secret", "#lab", "#old", "Dan Departed"} & offered


def test_a_picture_is_not_loaded_but_described(world: World) -> None:
    found = drawn(world, {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "A chart"})
    assert not found.all("img")
    assert "A chart" in found.words


def test_the_same_button_in_each_row_has_an_address_of_its_own(world: World) -> None:
    button = {"type": "button", "text": plain("Stop"), "action_id": "gpu:stop"}
    rows = [{"type": "actions", "block_id": f"row/{n}", "elements": [button]} for n in range(2)]
    values = {tag["value"] for tag in drawn(world, *rows).all("button")}
    assert len(values) == 2
    assert all(value.startswith("message/C0GPU/") for value in values)
