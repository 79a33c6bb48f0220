from __future__ import annotations

from typing import Any

import pytest
from sandbox_slack_app import Clock, RawApp
from sandbox_slack_blocks import Opener, field, modal, offered, plain, refused
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.changes import Change, HomePublished, ViewClosed, ViewOpened, ViewUpdated
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace

NAME = field("name", "plain_text_input", max_length=5)
BUTTON = {"type": "actions", "elements": [{"type": "button", "action_id": "more", "text": plain("More")}]}
FORM = modal(NAME, callback_id="launch", private_metadata="C0GPU")


async def test_a_trigger_opens_one_view_for_three_seconds(
    app: RawApp, client: AsyncWebClient, ada: Person, clock: Clock
) -> None:
    trigger_id = (await ada.command("/gpu", channel="C0GPU")).trigger_id
    late = (await ada.command("/gpu", channel="C0GPU")).trigger_id
    answer = await client.views_open(trigger_id=trigger_id, view=FORM)
    assert answer["view"]["state"] == {
        "values": {"name": {"name-value": {"type": "plain_text_input", "value": None}}}
    }
    assert answer["view"]["root_view_id"] == answer["view"]["id"]
    assert await refused(client.views_open(trigger_id=trigger_id, view=FORM)) == "exchanged_trigger_id"
    assert await refused(client.views_open(trigger_id="1.2.3", view=FORM)) == "invalid_trigger_id"
    clock.advance(seconds=3.001)
    assert await refused(client.views_open(trigger_id=late, view=FORM)) == "expired_trigger_id"


@pytest.mark.parametrize(
    ("view", "error"),
    [
        ({"type": "modal"}, "invalid_blocks"),
        ({"type": "home", "blocks": []}, "invalid_arguments"),
        (modal(*[{"type": "section", "text": plain("x" * 3000)}] * 90), "view_too_large"),
    ],
)
async def test_a_faulty_view_is_refused_remembered_and_leaves_the_trigger_unspent(
    server: SlackServer, client: AsyncWebClient, app: RawApp, ada: Person, view: dict[str, Any], error: str
) -> None:
    trigger_id = (await ada.command("/gpu", channel="C0GPU")).trigger_id
    assert await refused(client.views_open(trigger_id=trigger_id, view=view)) == error
    assert server.violations
    await client.views_open(trigger_id=trigger_id, view=FORM)


async def test_a_view_must_be_an_object(server: SlackServer, client: AsyncWebClient) -> None:
    assert await refused(client.api_call("views.open", json={"trigger_id": "1"})) == "invalid_arguments"
    assert server.violations == ["views.open: view: must be an object"]


async def test_an_update_keeps_what_was_typed_where_the_field_stays(
    client: AsyncWebClient, opened: Opener, ada: Person
) -> None:
    view = await opened(modal(NAME, field("gone", "plain_text_input")))
    ada.fill(view, {"name": "abc", "gone": "x"})
    newer = modal(field("name", "plain_text_input", initial_value="other"), field("new", "plain_text_input"))
    await client.views_update(view_id=view.id, hash=view.hash, view=newer)
    assert ada.view is not None
    assert ada.view.values["name"]["name-value"]["value"] == "abc"
    assert ada.view.values["new"]["new-value"]["value"] is None
    assert "gone" not in ada.view.values
    refusal = client.views_update(view_id=view.id, hash=view.hash, view=newer)
    assert await refused(refusal) == "hash_conflict"


async def test_a_view_is_found_by_its_external_id_which_is_unique(
    client: AsyncWebClient, opened: Opener, ada: Person, server: SlackServer
) -> None:
    await opened(modal(NAME, external_id="mine"))
    await client.views_update(external_id="mine", view=modal(NAME, external_id="mine", title="New"))
    assert ada.view is not None
    assert ada.view.title == "New"
    assert await refused(client.views_update(external_id="other", view=FORM)) == "not_found"
    bens = (await server.person("U0BEN").command("/gpu", channel="C0GPU")).trigger_id
    taken = modal(NAME, external_id="mine")
    assert await refused(client.views_open(trigger_id=bens, view=taken)) == "duplicate_external_id"


async def test_three_views_are_the_most(client: AsyncWebClient, opened: Opener, ada: Person) -> None:
    await opened(modal(BUTTON, title="1"))
    for title in "23":
        trigger_id = (await ada.press(ada.view, "More")).trigger_id
        await client.views_push(trigger_id=trigger_id, view=modal(BUTTON, title=title))
    top = ada.view
    assert top is not None
    assert (top.title, top.previous_id != top.root_id, top.root_id) == ("3", True, ada_stack(ada)[0].id)
    trigger_id = (await ada.press(top, "More")).trigger_id
    assert await refused(client.views_push(trigger_id=trigger_id, view=FORM)) == "push_limit_reached"


def ada_stack(ada: Person) -> list[View]:
    return ada._workspace.views.stack("U0ADA")


async def test_a_push_needs_a_modal_underneath(client: AsyncWebClient, app: RawApp, ada: Person) -> None:
    trigger_id = (await ada.command("/gpu", channel="C0GPU")).trigger_id
    assert await refused(client.views_push(trigger_id=trigger_id, view=FORM)) == "not_found"


async def test_an_action_in_a_view_carries_its_state_and_no_response_url(
    app: RawApp, opened: Opener, ada: Person
) -> None:
    region = field("region", "static_select", options=offered("hk", "us")) | {"dispatch_action": True}
    view = await opened(modal(NAME, region, BUTTON))
    ada.fill(view, {"name": "abc"})
    await ada.choose(view, "region-value", "us")
    await ada.press(view, "More")
    _, chosen, pressed = app.payloads
    assert chosen["actions"][0]["selected_option"]["value"] == "us"
    assert pressed["container"] == {"type": "view", "view_id": view.id}
    values = pressed["view"]["state"]["values"]
    assert values["name"]["name-value"]["value"] == "abc"
    assert values["region"]["region-value"]["selected_option"]["value"] == "us"
    assert not {"response_url", "channel", "message"} & pressed.keys()


async def test_a_submission_carries_every_field(app: RawApp, opened: Opener, ada: Person) -> None:
    option = offered("a")[0]
    await opened(
        modal(
            field("text", "plain_text_input", initial_value="kept"),
            field("empty", "plain_text_input", optional=True),
            field("count", "number_input", is_decimal_allowed=False, min_value="1", max_value="8"),
            field("share", "number_input", is_decimal_allowed=True, optional=True),
            field("mail", "email_text_input"),
            field("link", "url_text_input"),
            field("region", "static_select", options=offered("hk", "us"), initial_option=offered("hk")[0]),
            field("group", "static_select", option_groups=[{"label": plain("g"), "options": [option]}]),
            field("many", "multi_static_select", options=offered("x", "y")),
            field("none", "multi_static_select", options=offered("x", "y"), optional=True),
            field("flags", "checkboxes", options=offered("spot", "keep")),
            field("mode", "radio_buttons", options=offered("spot", "demand")),
            field("who", "users_select"),
            field("where", "multi_conversations_select"),
            field("day", "datepicker"),
            field("time", "timepicker", initial_time="09:30"),
            field("moment", "datetimepicker"),
            field("template", "external_select"),
            callback_id="launch",
            private_metadata="C0GPU",
        )
    )
    reply = await ada.submit(
        values={
            "count": 2,
            "mail": "a@b.c",
            "link": "https://a.b",
            "region-value": "us",
            "group": "a",
            "many": ["x", "Y"],
            "flags": ["spot"],
            "mode": "DEMAND",
            "who": "U0BEN",
            "where": ["C0GPU"],
            "day": "2026-12-01",
            "moment": 1795000000,
            "template": option,
        }
    )
    assert reply.ok, reply.errors
    payload = app.payloads[-1]
    answers = {
        block_id: dict(entry[f"{block_id}-value"])
        for block_id, entry in payload["view"]["state"]["values"].items()
    }
    kinds = {block_id: answer.pop("type") for block_id, answer in answers.items()}
    assert kinds["region"] == "static_select"
    assert answers == {
        "text": {"value": "kept"},
        "empty": {"value": None},
        "count": {"value": "2"},
        "share": {"value": None},
        "mail": {"value": "a@b.c"},
        "link": {"value": "https://a.b"},
        "region": {"selected_option": offered("us")[0]},
        "group": {"selected_option": option},
        "many": {"selected_options": offered("x", "y")},
        "none": {"selected_options": []},
        "flags": {"selected_options": offered("spot")},
        "mode": {"selected_option": offered("demand")[0]},
        "who": {"selected_user": "U0BEN"},
        "where": {"selected_conversations": ["C0GPU"]},
        "day": {"selected_date": "2026-12-01"},
        "time": {"selected_time": "09:30"},
        "moment": {"selected_date_time": 1795000000},
        "template": {"selected_option": option},
    }
    assert (payload["type"], payload["view"]["callback_id"]) == ("view_submission", "launch")
    assert payload["view"]["private_metadata"] == "C0GPU"
    assert payload["trigger_id"]


@pytest.mark.parametrize(
    ("block", "value", "complaint"),
    [
        (NAME, None, "Please complete this required field."),
        (field("name", "checkboxes", options=offered("x")), None, "Please complete this required field."),
        (NAME, "abcdef", "Must have 0 to 5 characters."),
        (field("name", "number_input", is_decimal_allowed=False), "1.5", "Must be a whole number."),
        (field("name", "number_input", is_decimal_allowed=True), "many", "Must be a number."),
        (
            field("name", "number_input", is_decimal_allowed=False, max_value="8"),
            "9",
            "Must be from -inf to 8.",
        ),
        (field("name", "url_text_input"), "a.b", "Must be a URL."),
        (field("name", "email_text_input"), "a", "Must be an email address."),
    ],
)
async def test_slacks_client_refuses_an_incomplete_form_before_the_app_is_asked(
    app: RawApp, opened: Opener, ada: Person, block: dict[str, Any], value: Any, complaint: str
) -> None:
    await opened(modal(block))
    asked = len(app.payloads)
    reply = await ada.submit(values={"name": value})
    assert (reply.error, reply.errors, len(app.payloads)) == ("form_incomplete", {"name": complaint}, asked)


async def test_an_unknown_field_is_a_mistake_of_the_caller(opened: Opener, ada: Person) -> None:
    await opened(FORM)
    with pytest.raises(LookupError, match="'nmae' names 0 fields, there are: name/name-value"):
        await ada.submit(values={"nmae": "x"})


async def test_an_empty_answer_closes_the_top_view_only(
    app: RawApp, client: AsyncWebClient, opened: Opener, ada: Person
) -> None:
    await opened(modal(BUTTON, title="below"))
    app.answer = lambda _: {}
    trigger_id = (await ada.press(ada.view, "More")).trigger_id
    await client.views_push(trigger_id=trigger_id, view=modal(BUTTON, title="above"))
    reply = await ada.submit()
    assert reply.view is not None
    assert reply.view.title == "below"
    assert (await ada.submit()).view is None
    with pytest.raises(LookupError, match="U0ADA has no modal open"):
        await ada.submit()
    with pytest.raises(LookupError, match="has no view"):
        await ada.submit(reply.view)


async def test_errors_stay_beside_their_fields(app: RawApp, opened: Opener, ada: Person) -> None:
    await opened(FORM)
    app.answer = lambda _: {"response_action": "errors", "errors": {"name": "taken"}}
    reply = await ada.submit(values={"name": "abc"})
    assert (reply.ok, reply.errors, reply.view) == (True, {"name": "taken"}, ada.view)
    assert ada.view is not None


async def test_an_update_and_a_push_answer_a_submission(app: RawApp, opened: Opener, ada: Person) -> None:
    view = await opened(FORM)
    app.answer = lambda _: {"response_action": "update", "view": modal(BUTTON, title="Working")}
    reply = await ada.submit(values={"name": "abc"})
    assert reply.view is not None
    assert (reply.view.id, reply.view.title) == (view.id, "Working")
    app.answer = lambda _: {"response_action": "push", "view": modal(BUTTON, title="Sure?")}
    reply = await ada.submit()
    assert reply.view is not None
    assert (reply.view.title, reply.view.previous_id) == ("Sure?", view.id)
    app.answer = lambda _: {"response_action": "clear"}
    assert (await ada.submit()).view is None


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nmae": "taken"}},
        {"response_action": "errors", "errors": {"name": ""}},
        {"response_action": "errors"},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "push"},
        {"response_action": "close"},
        {"text": "thanks"},
    ],
)
async def test_a_faulty_answer_to_a_submission_is_a_violation(
    server: SlackServer, app: RawApp, opened: Opener, ada: Person, answer: dict[str, Any]
) -> None:
    view = await opened(FORM)
    app.answer = lambda _: answer
    reply = await ada.submit(values={"name": "abc"})
    assert reply.error == "invalid_response"
    assert server.violations
    assert ada.view is not None
    assert ada.view.id == view.id


async def test_a_submission_without_an_ack_leaves_the_view_open(
    server: SlackServer, app: RawApp, opened: Opener, ada: Person
) -> None:
    await opened(FORM)
    server.drop_connections()
    reply = await ada.submit(values={"name": "abc"})
    assert reply.error == "dispatch_failed"
    assert ada.view is not None


async def test_a_view_closed_while_the_app_thinks_stays_closed(
    app: RawApp, workspace: Workspace, opened: Opener, ada: Person
) -> None:
    view = await opened(FORM)

    def close_meanwhile(_: dict[str, Any]) -> dict[str, Any]:
        current = workspace.views.find(view.id)
        assert current is not None
        workspace.close_view(current)
        return {"response_action": "update", "view": FORM}

    app.answer = close_meanwhile
    reply = await ada.submit(values={"name": "abc"})
    assert (reply.ok, ada.view) == (True, None)


async def test_the_app_hears_of_a_closed_view_only_if_it_asked(
    app: RawApp, opened: Opener, ada: Person
) -> None:
    await opened(FORM)
    asked = len(app.payloads)
    assert (await ada.close_view()).view is None
    assert len(app.payloads) == asked
    await opened(FORM | {"notify_on_close": True})
    assert (await ada.close_view()).ok
    payload = app.payloads[-1]
    assert (payload["type"], payload["is_cleared"], "trigger_id" in payload) == ("view_closed", False, False)
    assert payload["view"]["callback_id"] == "launch"


async def test_a_view_may_take_all_others_along_when_it_closes(
    app: RawApp, client: AsyncWebClient, opened: Opener, ada: Person
) -> None:
    await opened(modal(BUTTON))
    trigger_id = (await ada.press(ada.view, "More")).trigger_id
    above = modal(BUTTON, clear_on_close=True, notify_on_close=True)
    await client.views_push(trigger_id=trigger_id, view=above)
    await ada.close_view()
    assert ada.view is None
    assert app.payloads[-1]["is_cleared"] is True


async def test_a_closed_view_cannot_be_updated(client: AsyncWebClient, opened: Opener, ada: Person) -> None:
    view = await opened(FORM)
    await ada.close_view()
    assert await refused(client.views_update(view_id=view.id, view=FORM)) == "not_found"


async def test_the_home_tab_is_opened_published_and_guarded_by_its_hash(
    app: RawApp, client: AsyncWebClient, ada: Person, server: SlackServer
) -> None:
    await ada.home()
    event = app.payloads[0]["event"]
    assert (event["type"], event["user"], event["tab"], "view" in event) == (
        "app_home_opened",
        "U0ADA",
        "home",
        False,
    )
    home = {"type": "home", "blocks": [BUTTON]}
    first = (await client.views_publish(user_id="U0ADA", view=home))["view"]
    await client.views_publish(user_id="U0ADA", view=home, hash=first["hash"])
    assert (
        await refused(client.views_publish(user_id="U0ADA", view=home, hash=first["hash"])) == "hash_conflict"
    )
    assert await refused(client.views_publish(user_id="U0NOBODY", view=home)) == "user_not_found"
    await ada.home()
    assert app.payloads[1]["event"]["view"]["id"] == first["id"]
    assert ada.home_view is not None
    await ada.press(ada.home_view, "More")
    assert app.payloads[2]["view"]["type"] == "home"
    assert server.person("U0BEN").home_view is None
    with pytest.raises(LookupError, match="only a modal can be submitted"):
        await ada.submit(ada.home_view)


async def test_an_external_select_asks_the_app(
    server: SlackServer, app: RawApp, opened: Opener, ada: Person
) -> None:
    view = await opened(modal(field("template", "external_select", min_query_length=0)))
    app.answer = lambda _: {"options": offered("py")}
    assert await ada.search(view, "template-value", "p") == offered("py")
    payload = app.payloads[-1]
    assert (payload["type"], payload["value"], payload["block_id"]) == ("block_suggestion", "p", "template")
    app.answer = lambda _: {"option_groups": [{"label": plain("g"), "options": offered("a")}]}
    assert await ada.search(view, "template-value", "") == offered("a")
    app.answer = lambda _: {"options": [{"text": "a"}]}
    assert await ada.search(view, "template-value", "") == []
    assert server.violations
    server.drop_connections()
    assert await ada.search(view, "template-value", "") == []


async def test_an_observer_follows_the_views(
    workspace: Workspace, client: AsyncWebClient, opened: Opener, ada: Person
) -> None:
    seen: list[Change] = []
    workspace.subscribe(seen.append)
    view = await opened(FORM)
    await client.views_update(view_id=view.id, view=FORM)
    await client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": []})
    await opened(FORM)
    await ada.close_view()
    assert [type(change) for change in seen] == [
        ViewOpened,
        ViewUpdated,
        HomePublished,
        ViewClosed,
        ViewOpened,
        ViewClosed,
    ]
    assert "Launch\nname\nGo" in view.words


async def test_a_menu_beside_a_section_has_a_state_and_may_stay_empty(
    app: RawApp, opened: Opener, ada: Person
) -> None:
    menu = {"type": "static_select", "action_id": "region", "options": offered("hk", "us")}
    section = {"type": "section", "block_id": "beside", "text": plain("Region"), "accessory": menu}
    view = await opened(modal(section))
    assert view.values == {"beside": {"region": {"type": "static_select", "selected_option": None}}}
    app.answer = lambda _: {"response_action": "errors", "errors": {"beside": "none chosen"}}
    assert (await ada.submit()).error == "invalid_response"
    app.answer = lambda _: {}
    assert (await ada.submit(values={"beside": "us"})).ok
    assert app.payloads[-1]["view"]["state"]["values"]["beside"]["region"]["selected_option"]["value"] == "us"
