"""The page as a browser asks for it and sends to it, and what becomes of that in Slack and in the app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import backstage_world
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from clocks import Clock
from page_reading import Reading
from page_samples import confirmation, elements, modal, mrkdwn, option, plain, question
from page_world import GPU, SUGGESTIONS, App, Client, World, address

from bot.sandbox.page.server import PageServer
from bot.sandbox.slack.installation import Shortcut
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

ADA = {"as": "U0ADA", "in": GPU}
BUTTON = {"type": "button", "text": plain("Stop"), "action_id": "stop", "value": "i1"}


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    slack = SlackServer(Workspace(clock=Clock()), ack_timeout=timedelta(seconds=5))
    yield slack
    await slack.close()


@pytest.fixture
def world(slack: SlackServer) -> World:
    slack.workspace.app = replace(
        slack.workspace.app,
        shortcuts=(
            Shortcut(name="Rent a GPU", callback_id="rent", reach="global"),
            Shortcut(name="Status of this GPU", callback_id="status of", reach="message"),
        ),
    )
    return World(slack)


@pytest.fixture
async def app(slack: SlackServer) -> AsyncIterator[App]:
    app = App()
    site = web.Application()
    site.router.add_post("/slack/events", app.serve)
    async with TestServer(site) as server:
        slack.events_url = str(server.make_url("/slack/events"))
        yield app


@pytest.fixture
def page(slack: SlackServer) -> PageServer:
    return PageServer(slack, suggestions=SUGGESTIONS, zone=UTC)


@pytest.fixture
async def browser(page: PageServer) -> AsyncIterator[Client]:
    async with TestClient(TestServer(page.application())) as client:
        yield client


async def send(browser: Client, deed: str, **fields: Any) -> str:
    """What is wrong, or nothing."""
    async with browser.post(f"/slack/{deed}", data={**ADA, **fields}) as answer:
        if answer.status == 204:
            return ""
        assert answer.status == 422
        return str((await answer.json())["error"])


async def read(browser: Client, path: str = "/") -> Reading:
    async with browser.get(path) as answer:
        assert answer.status == 200
        return Reading(await answer.text())


async def test_the_page_asks_nothing_of_anybody_else(browser: Client) -> None:
    reading = await read(browser)
    assert all(tag["src"].startswith("/static/") for tag in reading.all("script"))
    assert all(tag["href"].startswith("/static/") for tag in reading.all("link"))
    assert not any(tag.words.strip() for tag in reading.all("script"))
    assert not reading.all("style")
    assert not [tag for tag in reading.tags if "style" in tag.attributes]
    for tag in [*reading.all("script"), *reading.all("link")]:
        async with browser.get(tag.get("src") or tag["href"]) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/part/slack", "/static/page.js", "/nothing"])
async def test_every_answer_forbids_what_is_not_the_page_s_own(browser: Client, path: str) -> None:
    async with browser.get(path) as answer:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::2]"]
)
async def test_another_name_for_this_machine_is_refused(browser: Client, host: str) -> None:
    async with browser.get("/", headers={"Host": host}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("host", ["127.0.0.1:1234", "localhost", "[::1]:80"])
async def test_the_names_of_this_machine_are_taken(browser: Client, host: str) -> None:
    async with browser.get("/", headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_another_site_can_send_nothing(browser: Client, world: World, headers: dict[str, str]) -> None:
    async with browser.post("/slack/compose", data={**ADA, "text": "hi"}, headers=headers) as answer:
        assert answer.status == 403
    assert world.workspace.board.history(GPU) == []


async def test_the_page_itself_may_send(browser: Client, world: World) -> None:
    origin = str(browser.make_url("")).rstrip("/")
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    async with browser.post("/slack/compose", data={**ADA, "text": "hi"}, headers=headers) as answer:
        assert answer.status == 204
    assert [message.text for message in world.workspace.board.history(GPU)] == ["hi"]


async def test_what_is_typed_is_said_by_who_looks(browser: Client, world: World, app: App) -> None:
    assert await send(browser, "compose", **{"as": "U0BEN"}, text=" <b> @ada\r\nsecond ") == ""
    (message,) = world.workspace.board.history(GPU)
    assert (message.user, message.text) == ("U0BEN", "&lt;b&gt; <@U0ADA>\nsecond")


async def test_a_call_of_the_app_reaches_it(browser: Client, app: App) -> None:
    assert await send(browser, "compose", text="@gpu-ops what is free?") == ""
    mention = next(event for event in app.heard if event["type"] == "app_mention")
    assert mention["text"] == "<@U0GPUBOT> what is free?"


async def test_a_message_to_the_app_reaches_it(browser: Client, world: World, app: App) -> None:
    assert (
        await send(browser, "compose", **{"in": world.slack.person("U0ADA").direct_channel}, text="hello")
        == ""
    )
    assert (app.last["type"], app.last["channel_type"], app.last["text"]) == ("message", "im", "hello")


async def test_a_command_goes_to_the_app_and_its_answer_to_who_typed(browser: Client, app: App) -> None:
    app.answers["/gpu"] = {"text": "You have *no* instance."}
    assert await send(browser, "compose", text="/gpu list all") == ""
    assert (app.last["command"], app.last["text"], app.last["user_id"]) == ("/gpu", "list all", "U0ADA")
    reading = await read(browser, "/part/slack?as=U0ADA&in=C0GPU")
    assert "You have no instance." in reading.words
    assert "You have no instance." not in (await read(browser, "/part/slack?as=U0BEN&in=C0GPU")).words


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"text": "/nothing x"}, "/nothing is no command here. There is: /gpu, /invite."),
        ({"text": "hi", "in": "C0OLD"}, "#old is archived"),
        ({"text": "/invite @ben"}, "Only @gpu-ops can be invited here."),
        ({"text": "/invite @gpu-ops", "in": "D0ADABEN"}, "Nobody can be added"),
    ],
)
async def test_what_slack_would_not_take_is_told(
    browser: Client, fields: dict[str, str], refusal: str
) -> None:
    assert refusal in await send(browser, "compose", **fields)


async def test_a_command_in_a_thread_is_refused_by_slack(browser: Client, world: World, app: App) -> None:
    thread = world.post(text="card").ts
    refusal = await send(browser, "compose", text="/gpu list", thread=thread)
    assert refusal == "/gpu is not supported in threads. Type it in the channel."
    assert app.heard == []


async def test_the_app_can_be_invited(browser: Client, world: World) -> None:
    assert await send(browser, "compose", text="/invite @gpu-ops", **{"in": "C0RANDOM"}) == ""
    assert "U0GPUBOT" in world.workspace.channels["C0RANDOM"].members


async def test_an_app_that_cannot_be_reached_is_told(browser: Client) -> None:
    assert await send(browser, "compose", text="/gpu") == (
        "Gpu-ops could not be reached, so /gpu failed (dispatch_failed). Try again."
    )


async def test_a_button_is_pressed_by_its_address(browser: Client, world: World, app: App) -> None:
    rows = [
        {"type": "actions", "block_id": f"row/{n}", "elements": [{**BUTTON, "value": f"i{n}"}]}
        for n in range(2)
    ]
    message = world.post(*rows)
    assert await send(browser, "press", at=address(message, "row/1", "stop")) == ""
    assert (app.action["value"], app.last["user"]["id"]) == ("i1", "U0ADA")


async def test_a_button_that_is_gone_is_told(browser: Client, world: World, app: App) -> None:
    message = world.post({"type": "actions", "block_id": "b", "elements": [BUTTON]})
    world.workspace.edit(message, world.post(text="x").content)
    for at in (address(message, "b", "stop"), "message/C0GPU/1.2/b/stop", "nonsense"):
        assert await send(browser, "press", at=at) == "That is no longer there. The page shows what is."
    assert app.heard == []


async def test_somebody_else_s_form_and_whisper_cannot_be_used(
    browser: Client, world: World, app: App
) -> None:
    view = world.open(modal(question("a", "plain_text_input")), "U0BEN")
    whisper = world.whisper("x", "U0BEN")
    assert await send(browser, "submit", view=view.id)
    assert await send(browser, "press", at=address(whisper, "b", "stop"))
    assert app.heard == []


async def test_a_choice_in_a_message_reaches_the_app_and_stays_chosen(
    browser: Client, world: World, app: App
) -> None:
    menu = {"type": "static_select", "action_id": "m", "options": [option("One", "1"), option("Two", "2")]}
    message = world.post({"type": "actions", "block_id": "b", "elements": [menu]})
    assert await send(browser, "choose", at=address(message, "b", "m"), value="2") == ""
    assert app.action["selected_option"]["value"] == "2"
    assert (await read(browser, "/part/slack")).one("input", class_="combo-input")["value"] == "Two"


async def test_an_overflow_menu_is_picked_from(browser: Client, world: World, app: App) -> None:
    world.post({"type": "actions", "block_id": "b", "elements": [elements("a/b c")["overflow"]]})
    first = next(
        tag for tag in (await read(browser, "/part/slack")).all("button") if tag.get("name") == "option"
    )
    assert await send(browser, "pick", option=first["value"]) == ""
    assert app.action["selected_option"]["value"] == "a/b c"


FORM = modal(
    question("name", "plain_text_input"),
    {
        **question("mode", "radio_buttons", options=[{"text": mrkdwn("Spot"), "value": "spot"}]),
        "optional": True,
    },
    {
        **question(
            "ticks",
            "checkboxes",
            options=[{"text": mrkdwn("A"), "value": "a"}, {"text": mrkdwn("B"), "value": "b"}],
        ),
        "optional": True,
    },
    {**question("when", "datetimepicker"), "optional": True},
    {**question("found", "external_select", min_query_length=1), "optional": True},
    {**question("many", "multi_users_select"), "optional": True},
)


async def test_a_form_is_filled_field_by_field_and_sent(browser: Client, world: World, app: App) -> None:
    app.answers["block_suggestion"] = {"options": [option("Found <it>", "f1")]}
    view = world.open(FORM)

    def at(name: str) -> str:
        return address(view, name, name)

    async with browser.get("/slack/options", params={**ADA, "at": at("found"), "typed": "fo"}) as answer:
        offered = Reading(await answer.text())
    assert offered.one(role="option")["data-words"] == "Found <it>"
    assert await send(browser, "type", at=at("name"), value="my-train") == ""
    for name, value in (
        ("mode", "spot"),
        ("ticks", ["a", "b"]),
        ("when", "1795435200"),
        ("found", "f1"),
        ("many", ["U0BEN", ""]),
    ):
        assert await send(browser, "choose", at=at(name), value=value) == ""
    assert app.heard[1:] == []
    assert await send(browser, "submit", view=view.id) == ""
    values = app.last["view"]["state"]["values"]
    assert values["name"]["name"]["value"] == "my-train"
    assert values["mode"]["mode"]["selected_option"]["value"] == "spot"
    assert [item["value"] for item in values["ticks"]["ticks"]["selected_options"]] == ["a", "b"]
    assert values["when"]["when"]["selected_date_time"] == 1795435200
    assert values["found"]["found"]["selected_option"]["value"] == "f1"
    assert values["many"]["many"]["selected_users"] == ["U0BEN"]
    assert not (await read(browser, "/part/slack")).all(role="dialog")


async def test_what_is_wrong_stands_under_its_field_until_it_is_typed_anew(
    browser: Client, world: World, app: App
) -> None:
    async def complaints() -> list[str]:
        return [tag.words for tag in (await read(browser, "/part/slack")).all("p", class_="wrong")]

    view = world.open(FORM)
    assert await send(browser, "submit", view=view.id) == ""
    assert await complaints() == ["Please complete this required field."]
    assert app.heard == []
    await send(browser, "type", at=address(view, "name", "name"), value="X!")
    assert await complaints() == []
    app.answers["form"] = {"response_action": "errors", "errors": {"name": "Letters a to z."}}
    assert await send(browser, "submit", view=view.id) == ""
    assert await complaints() == ["Letters a to z."]


async def test_a_text_is_told_to_an_app_that_wants_to_know_each_character(
    browser: Client, world: World, app: App
) -> None:
    asks = {"trigger_actions_on": ["on_character_entered"]}
    view = world.open(
        modal({**question("q", "plain_text_input", dispatch_action_config=asks), "dispatch_action": True})
    )
    assert await send(browser, "type", at=address(view, "q", "q"), value="a") == ""
    assert app.action["value"] == "a"


async def test_a_form_is_closed(browser: Client, world: World, app: App) -> None:
    view = world.open({**FORM, "notify_on_close": True})
    assert await send(browser, "close", view=view.id) == ""
    assert app.last["type"] == "view_closed"
    assert world.slack.person("U0ADA").view is None


async def test_a_pushed_form_lies_upon_the_first(browser: Client, world: World, app: App) -> None:
    view = world.open(FORM)
    await send(browser, "type", at=address(view, "name", "name"), value="a")
    app.answers["form"] = {
        "response_action": "push",
        "view": modal(question("b", "plain_text_input"), title=plain("Second")),
    }
    await send(browser, "submit", view=view.id)
    reading = await read(browser, "/part/slack")
    assert "Second" in reading.one(role="dialog").words
    assert reading.one("div", id="curtain")["data-depth"] == "2"


async def test_shortcuts_are_offered_and_used(browser: Client, world: World, app: App) -> None:
    message = world.post(text="card")
    buttons = {
        tag.words: tag["value"] for tag in (await read(browser, "/part/slack")).all("button", name="shortcut")
    }
    assert buttons.keys() == {"Rent a GPU", "Status of this GPU"}
    assert await send(browser, "shortcut", shortcut=buttons["Rent a GPU"]) == ""
    assert (app.last["type"], app.last["callback_id"]) == ("shortcut", "rent")
    assert await send(browser, "shortcut", shortcut=buttons["Status of this GPU"]) == ""
    assert (app.last["type"], app.last["message_ts"]) == ("message_action", message.ts)


async def test_the_app_hears_who_opens_its_tabs(browser: Client, world: World, app: App) -> None:
    await send(browser, "arrive", **{"in": "home"})
    await send(browser, "arrive", **{"in": world.slack.person("U0ADA").direct_channel})
    await send(browser, "arrive")
    assert [(event["type"], event["tab"]) for event in app.heard] == [
        ("app_home_opened", "home"),
        ("app_home_opened", "messages"),
    ]


async def test_a_confirmation_is_asked_by_the_browser(browser: Client, world: World) -> None:
    button = {**BUTTON, "confirm": confirmation("*Sure*?")}
    world.post({"type": "actions", "elements": [button]})
    found = next(
        tag for tag in (await read(browser, "/part/slack")).all("button") if tag.get("data-confirm-title")
    )
    assert found["data-confirm-text"] == "Sure?"
    assert found.get("data-confirm-danger") is not None


async def test_each_change_is_announced_once_for_a_burst(browser: Client, world: World) -> None:
    async with browser.get("/changes") as stream:
        assert stream.content_type == "text/event-stream"
        assert await stream.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
        for number in range(50):
            world.post(text=str(number))
        async with asyncio.timeout(5):
            assert await stream.content.readuntil(b"\n\n") == b"event: changed\ndata: slack\n\n"
            world.post(text="another")
            assert await stream.content.readuntil(b"\n\n") == b"event: changed\ndata: slack\n\n"


async def test_open_pages_are_told_of_the_end(slack: SlackServer) -> None:
    page = PageServer(slack)
    await page.start()
    async with (
        TestClient(TestServer(web.Application())) as client,
        client.session.get(f"{page.url}/changes") as stream,
    ):
        await stream.content.readuntil(b"\n\n")
        async with asyncio.timeout(5):
            await page.close()
            assert await stream.content.readuntil(b"\n\n") == b"event: ended\ndata: \n\n"
    slack.workspace.say("U0ADA", GPU, "to nobody")


async def test_a_port_that_is_taken_is_no_page(slack: SlackServer) -> None:
    async with PageServer(slack) as page:
        with pytest.raises(OSError, match="address already in use"):
            await PageServer(slack, port=int(page.url.rpartition(":")[2])).start()


async def test_there_is_no_panel_where_none_was_given(browser: Client) -> None:
    async with browser.get("/part/backstage") as answer:
        assert answer.status == 404
    assert not (await read(browser)).all("aside", id="backstage")


async def test_the_panel_is_drawn_beside_slack(slack: SlackServer) -> None:
    page = PageServer(slack, backstage=backstage_world.World().backstage)
    async with TestClient(TestServer(page.application())) as client:
        reading = await read(client)
        assert "GPUs at Novita" in reading.one("aside", id="backstage").words
        assert "/static/backstage.css" in [tag["href"] for tag in reading.all("link")]
        assert "GPUs at Novita" in (await read(client, "/part/backstage?as=U0BEN")).words


class Panel:
    """Of the other side, as much of it as the page knows."""

    def __init__(self) -> None:
        self.observers: list[Any] = []

    def context(self) -> dict[str, Any]:
        raise NotImplementedError

    def routes(self) -> list[web.RouteDef]:
        async def handle(_: web.Request) -> web.Response:
            return web.Response(status=204)

        return [web.post("/backstage/deed", handle)]

    def subscribe(self, observer: Any) -> None:
        self.observers.append(observer)


async def test_the_panel_s_deeds_and_changes_go_through_the_page(slack: SlackServer) -> None:
    panel = Panel()
    page = PageServer(slack, backstage=panel)
    async with TestClient(TestServer(page.application())) as client, client.get("/changes") as stream:
        await stream.content.readuntil(b"\n\n")
        (observer,) = panel.observers
        observer()
        async with asyncio.timeout(5):
            assert await stream.content.readuntil(b"\n\n") == b"event: changed\ndata: backstage\n\n"
        async with client.post("/backstage/deed") as answer:
            assert answer.status == 204
        async with client.post("/backstage/deed", headers={"Origin": "null"}) as answer:
            assert answer.status == 403
