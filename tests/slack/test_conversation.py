"""A request in, a message out, without Bolt; and what makes two deliveries one request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scene import ADA, GUEST, Scene, scene

from bot.asking import Actor
from bot.errors import (
    NameTaken,
    NotAllowed,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    UsageError,
)
from bot.grammar.commands import Act, Command, Create, Help, List, Mine, Offers, Ssh, Status
from bot.slack.buying import Buying
from bot.slack.conversation import Conversation
from bot.slack.spoken import Spoken
from storage.records import Wish

COMMAND = {
    "user_id": "U1",
    "channel_id": "C1",
    "response_url": "https://hooks.example.com/1",
    "trigger_id": "1.2.3",
}
PRESS = {
    "user": {"id": "U1"},
    "channel": {"id": "C1"},
    "container": {"message_ts": "10.0", "thread_ts": "9.0"},
    "response_url": "https://hooks.example.com/2",
    "trigger_id": "4.5.6",
    "actions": [{"action_id": "gpu:stop", "action_ts": "11.0", "value": "abc"}],
}
SPOKEN = Spoken.of_command(COMMAND)
TYPED = Create(gpu="4090", name="my-train", template="pytorch-jupyter")


class Everybody:
    """Known without Slack."""

    def __init__(self) -> None:
        self.actors = {"U1": ADA, "UGUEST": GUEST}

    async def actor(self, user_id: str) -> Actor:
        return self.actors[user_id]


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        await made.catalog.warm()
        yield made


@pytest.fixture
def talk(s: Scene) -> Conversation:
    return Conversation(s.operations, Everybody(), buying_of(s), clock=s.clock)


@pytest.fixture
def buying(s: Scene) -> Buying:
    return buying_of(s)


def buying_of(s: Scene) -> Buying:
    return Buying(s.operations, Everybody(), s.catalog, clock=s.clock)


def changed(body: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**body, **parts}


def test_each_command_is_a_request_of_its_own_and_each_of_its_deliveries_the_same():
    assert Spoken.of_command(COMMAND).key == Spoken.of_command(dict(COMMAND)).key
    assert Spoken.of_command(COMMAND).key != Spoken.of_command(changed(COMMAND, trigger_id="1.2.4")).key


def test_a_press_is_told_from_others_by_message_button_moment_and_person():
    key = Spoken.of_action(PRESS).key
    action = PRESS["actions"][0]
    others = [
        changed(PRESS, user={"id": "U2"}),
        changed(PRESS, container={"message_ts": "12.0"}),
        changed(PRESS, actions=[{**action, "action_id": "gpu:delete"}]),
        changed(PRESS, actions=[{**action, "action_ts": "12.0"}]),
    ]
    assert len({key, *(Spoken.of_action(other).key for other in others)}) == 5
    # The trigger differs from one delivery to the next.
    assert Spoken.of_action(changed(PRESS, trigger_id="7.8.9")).key == key


def test_a_form_is_answered_where_it_was_opened_and_sent_once():
    opened = Spoken.of_action(PRESS)
    body = sent_form("V1", opened.kept())
    sent = Spoken.of_form(body)
    assert (sent.channel_id, sent.response_url, sent.thread_ts) == (
        "C1",
        "https://hooks.example.com/2",
        "9.0",
    )
    assert sent.key == Spoken.of_form({**body, "trigger_id": "0"}).key
    assert sent.key != Spoken.of_form(sent_form("V2", opened.kept())).key


def test_forms_of_one_quote_are_one_purchase():
    kept = Spoken.of_action(PRESS).kept(key="quote:abc")
    assert Spoken.of_form(sent_form("V1", kept)).key == Spoken.of_form(sent_form("V2", kept)).key


def sent_form(view_id: str, private: str = "") -> dict[str, Any]:
    return {"user": {"id": "U1"}, "view": {"id": view_id, "private_metadata": private}, "trigger_id": "7.8.9"}


def test_a_form_opened_nowhere_is_no_error():
    spoken = Spoken.of_form(sent_form("V1"))
    assert (spoken.channel_id, spoken.response_url, spoken.thread_ts) == (None, None, None)
    assert spoken.destination == "U1"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (Mine(), "My instances"),
        (Offers(gpu="4090"), "RTX 4090 24GB"),
        (List(everybody=True), "Everybody's instances"),
        (Status(name="my-train"), "my-train"),
        (Ssh(), "How to connect to *my-train*"),
        (Act(verb=Wish.STOP, name="my-train"), "Stopping *my-train*"),
        (Help(verb="stop"), "Help: /gpu stop"),
        (Create(gpu="4090", name="b", image="mine:1"), "Creating *b*"),
    ],
)
async def test_every_command_is_carried_out(s: Scene, talk: Conversation, command: Command, says: str):
    await s.ready()
    message = await talk.carry_out(command, SPOKEN)
    assert says in message["text"]
    with pytest.raises(NotAllowed):
        await talk.carry_out(command, Spoken.of_command(changed(COMMAND, user_id="UGUEST")))


async def test_a_create_keeps_who_asked_where_and_how_to_answer(s: Scene, buying: Buying):
    await buying.create(TYPED, SPOKEN)
    (i,), _total = await s.operations.list_instances(ADA, everybody=True)
    assert (i.requester, i.team_id, i.channel) == ("U1", "T1", "C1")
    card = await s.store.cards.get(i.id)
    assert card.response_url == "https://hooks.example.com/1"


@pytest.mark.parametrize(
    ("typed", "error", "hint"),
    [
        (TYPED, UsageError, "/gpu create 4090 my-train-2 --template pytorch-jupyter"),
        (
            Create(gpu="4091", name="b", image="mine:1"),
            ProductNotFound,
            '/gpu create "RTX 4090 24GB" b --image mine:1',
        ),
        (Create(gpu="qqqqqq", name="b", image="mine:1"), ProductNotFound, None),
        (
            Create(gpu="4090", name="b", template="pytorch"),
            TemplateNotFound,
            "/gpu create 4090 b --template pytorch-jupyter",
        ),
        (
            Create(gpu="4090", image="mine:1", regions=("US-CA-O6",)),
            RegionNotFound,
            '/gpu create 4090 --image mine:1 --region "US-CA-06 (California)"',
        ),
        (
            Create(gpu="4090", image="mine:1", regions=("US-CA-06", "US-CA-O6")),
            RegionNotFound,
            None,
        ),
    ],
)
async def test_the_word_that_is_wrong_is_put_right_in_the_whole_command(
    talk: Conversation, typed: Create, error: type[Exception], hint: str | None
):
    await talk.carry_out(TYPED, SPOKEN)
    with pytest.raises(error) as raised:
        await talk.carry_out(typed, Spoken.of_command(changed(COMMAND, trigger_id="other")))
    assert raised.value.hint == hint


async def test_the_form_is_told_the_free_name_itself(buying: Buying):
    await buying.create(TYPED, SPOKEN)
    with pytest.raises(NameTaken) as taken:
        await buying.create(TYPED, Spoken.of_command(changed(COMMAND, trigger_id="other")))
    assert taken.value.free == "my-train-2"


@pytest.mark.parametrize(
    ("typed", "needed"),
    [
        (Create(), True),
        (Create(gpu="4090"), True),
        (Create(template="pytorch-jupyter"), True),
        (Create(gpu="4090", image="mine:1"), False),
        (TYPED, False),
    ],
)
def test_a_form_is_needed_where_gpu_or_template_is_missing(buying: Buying, typed: Create, *, needed: bool):
    assert buying.needs_form(typed) is needed


def test_the_form_offers_what_is_in_memory(s: Scene, buying: Buying):
    offered = buying.form_choices()
    assert {product.name for product in offered["products"]} == {"RTX 4090 24GB"}
    assert [template.name for template in offered["templates"]] == ["pytorch-jupyter"]
    assert len(offered["clusters"]) == 2
    assert s.novita.count("templates") == 1
