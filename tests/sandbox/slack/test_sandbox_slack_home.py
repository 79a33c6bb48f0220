from __future__ import annotations

from typing import Any

import pytest
from sandbox_slack_app import RawApp
from sandbox_slack_blocks import modal, offered, plain, refused
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.installation import App
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace

FILTER = {"type": "static_select", "action_id": "filter", "options": offered("mine", "all")}
RADIO = {"type": "radio_buttons", "action_id": "mode", "options": offered("spot", "demand")}
MORE = {"type": "overflow", "action_id": "more", "options": offered("restart")}
CREATE = {"type": "button", "action_id": "create", "text": plain("Rent")}


def home(**changes: Any) -> dict[str, Any]:
    chosen = FILTER | changes
    return {
        "type": "home",
        "private_metadata": "p",
        "blocks": [
            {"type": "section", "block_id": "top", "text": plain("Mine"), "accessory": chosen},
            {"type": "actions", "block_id": "deeds", "elements": [CREATE, RADIO, MORE]},
        ],
    }


@pytest.fixture
async def shown(client: AsyncWebClient, app: RawApp, ada: Person) -> View:
    await client.views_publish(user_id="U0ADA", view=home(initial_option=offered("mine")[0]))
    assert ada.home_view is not None
    return ada.home_view


async def test_each_tab_that_is_opened_is_an_event(app: RawApp, ada: Person, shown: View) -> None:
    await ada.home()
    await ada.home("messages")
    first, second = (payload["event"] for payload in app.payloads)
    assert (first["tab"], first["view"]["id"], first["channel"]) == ("home", shown.id, ada.direct_channel)
    assert (second["tab"], "view" in second, second["user"]) == ("messages", False, "U0ADA")


async def test_everything_in_the_home_tab_is_acted_on_with_its_view_alone(
    app: RawApp, ada: Person, shown: View
) -> None:
    await ada.press(shown, "Rent")
    await ada.choose(shown, "filter", "all")
    await ada.choose(shown, "mode", "demand")
    await ada.choose(shown, "more", "restart")
    for payload in app.payloads:
        assert (payload["type"], payload["view"]["type"]) == ("block_actions", "home")
        assert payload["container"] == {"type": "view", "view_id": shown.id}
        assert payload["view"]["private_metadata"] == "p"
        assert not {"response_url", "channel", "message"} & payload.keys()
    values = app.payloads[-1]["view"]["state"]["values"]
    assert values["top"]["filter"]["selected_option"]["value"] == "all"
    assert values["deeds"]["mode"]["selected_option"]["value"] == "demand"
    assert app.payloads[-1]["actions"][0]["selected_option"]["value"] == "restart"


async def test_a_press_in_the_home_tab_opens_a_modal_but_pushes_none(
    app: RawApp, client: AsyncWebClient, ada: Person, shown: View
) -> None:
    form = modal({"type": "divider"})
    first = (await ada.press(shown, "Rent")).trigger_id
    assert await refused(client.views_push(trigger_id=first, view=form)) == "not_found"
    second = (await ada.press(shown, "Rent")).trigger_id
    await client.views_open(trigger_id=second, view=form)
    assert ada.view is not None
    assert (ada.view.title, ada.home_view) == ("Launch", shown)


async def test_what_is_chosen_outlives_a_publication_and_not_a_visit(
    client: AsyncWebClient, ada: Person, shown: View
) -> None:
    await ada.choose(shown, "filter", "all")
    await client.views_publish(user_id="U0ADA", view=home(initial_option=offered("mine")[0]))
    assert ada.home_view is not None
    assert ada.home_view.values["top"]["filter"]["selected_option"]["value"] == "all"
    await ada.home()
    assert ada.home_view.values["top"]["filter"]["selected_option"]["value"] == "mine"


async def test_a_home_tab_that_the_manifest_leaves_off_cannot_be_published_or_opened(
    server: SlackServer, client: AsyncWebClient, workspace: Workspace, ada: Person
) -> None:
    workspace.app = App(has_home_tab=False, has_messages_tab=False, may_be_written_to=False)
    assert await refused(client.views_publish(user_id="U0ADA", view=home())) == "not_enabled"
    assert await refused(client.chat_postMessage(channel="U0ADA", text="t")) == "messages_tab_disabled"
    with pytest.raises(LookupError, match="no Home tab"):
        await ada.home()
    with pytest.raises(LookupError, match="no Messages tab"):
        await ada.home("messages")
    with pytest.raises(LookupError, match="no Messages tab that takes messages"):
        await ada.write(ada.direct_channel, "hello")
