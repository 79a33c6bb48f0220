"""Which messages a page shows, in which groups, and where one may look."""

from __future__ import annotations

from datetime import UTC

import pytest
from clocks import Clock
from page_reading import Tag
from page_samples import modal, question
from page_world import GPU, World

from bot.sandbox.page.faces import face
from bot.sandbox.page.place import HOME
from bot.sandbox.page.timeline import MOST_SHOWN, of_channel, of_thread
from bot.sandbox.slack.messages import Message


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> World:
    return World()


def say(
    world: World, text: str, *, user: str = "U0BEN", after: float = 1, thread: str | None = None
) -> Message:
    assert isinstance(world.clock, Clock)
    world.clock.advance(after)
    return world.workspace.say(user, GPU, text, thread)


def groups(world: World) -> list[tuple[str, bool, bool]]:
    shown = of_channel(world.workspace.board.history(GPU), zone=UTC)
    return [(one.message.text, one.begins_day, one.is_grouped) for one in shown]


def messages(world: World, **place: str) -> list[Tag]:
    return world.read(**place).all("li", class_="message")


def test_what_one_author_says_within_minutes_is_one_group(world: World) -> None:
    say(world, "a")
    say(world, "b")
    say(world, "c", user="U0ADA")
    say(world, "d", user="U0ADA", after=301)
    assert groups(world) == [("a", True, False), ("b", False, True), ("c", False, False), ("d", False, False)]


def test_a_new_day_begins_with_a_divider(world: World) -> None:
    say(world, "a")
    say(world, "b", after=12 * 3600)
    assert groups(world) == [("a", True, False), ("b", True, False)]
    days = [tag.words.strip() for tag in world.read().all("li", class_="day")]
    assert days == ["yesterday", "today"]


def test_replies_are_counted_at_their_message_and_read_in_its_thread(world: World) -> None:
    parent = say(world, "question")
    say(world, "answer", user="U0ADA", thread=parent.ts)
    say(world, "thanks", thread=parent.ts)
    (shown,) = of_channel(world.workspace.board.history(GPU), zone=UTC)
    assert shown.repliers == ("U0ADA", "U0BEN")
    reading = world.read()
    assert "2 replies" in reading.one("a", class_="replies").words
    thread = world.read(thread=parent.ts)
    assert [tag.words.strip() for tag in thread.all("div", class_="body")] == [
        "question",
        "question",
        "answer",
        "thanks",
    ]
    assert thread.one("aside", id="thread")


def test_a_reply_that_was_sent_to_the_channel_too_is_in_both(world: World) -> None:
    parent = say(world, "question")
    world.post(text="for all", thread_ts=parent.ts, is_broadcast=True)
    history = world.workspace.board.history(GPU)
    assert [one.message.text for one in of_channel(history)] == ["question", "for all"]
    assert [one.message.text for one in of_thread(history, parent.ts)] == ["question", "for all"]


def test_the_newest_of_many_are_shown(world: World) -> None:
    for number in range(MOST_SHOWN + 5):
        say(world, str(number))
    shown = of_channel(world.workspace.board.history(GPU))
    assert (len(shown), shown[0].message.text) == (MOST_SHOWN, "5")
    reading = world.read()
    assert reading.one("p", class_="cut")
    assert len(reading.all("li", class_="message")) == MOST_SHOWN


def test_an_ephemeral_message_says_that_only_one_sees_it(world: World) -> None:
    world.whisper("psst")
    (message,) = messages(world)
    assert message.has_class("is-ephemeral")
    assert "Only visible to you" in message.words
    assert messages(world, person="U0BEN") == []


def test_who_wrote_and_whether_it_was_changed(world: World) -> None:
    world.workspace.edit(world.post(text="before"), world.post(text="after").content)
    first, second = messages(world)
    assert "gpu-ops" in first.words
    assert "APP" in first.words
    assert "(edited)" in first.words
    assert "(edited)" not in second.words


def test_an_edited_message_is_drawn_anew(world: World) -> None:
    message = world.post(text="before")
    assert "before" in world.read().words
    world.workspace.edit(message, world.post(text="after", channel="C0LAB").content)
    assert "after" in world.read().words


def test_faces_are_told_apart_without_their_colour() -> None:
    workspace = World().workspace
    faces = [face(workspace, user) for user in workspace.users]
    assert len({one.hue for one in faces}) == len(faces)
    assert len({one.initials for one in faces}) == len(faces)
    assert face(workspace, "U0NOBODY").name == "U0NOBODY"


@pytest.mark.parametrize(
    ("person", "where", "found"),
    [
        ("U0ADA", "C0SECRET", "C0SECRET"),
        ("U0GUS", "C0SECRET", GPU),
        ("U0GUS", "C0RANDOM", GPU),
        ("U0CLEO", "D0ADABEN", GPU),
        ("U0BEN", "D0ADABEN", "D0ADABEN"),
        ("U0ADA", "C0NOWHERE", GPU),
        ("U0ADA", HOME, HOME),
    ],
)
def test_one_sees_what_one_may(world: World, person: str, where: str, found: str) -> None:
    assert world.place(person, where).where == found


def test_nobody_becomes_the_bot_or_somebody_who_has_left(world: World) -> None:
    assert world.place("U0GPUBOT").person == "U0ADA"
    assert world.place("U0DAN").person == "U0ADA"
    switch = world.read().one("details", id="switch").words
    names = [
        "Ada Moss",
        "Ben Ortiz",
        "Cleo Hahn",
        "Gus Singleguest",
        "Mia Multiguest",
        "Sam Strangerother workspace",
    ]
    assert [name in switch for name in names] == [True] * 6
    assert "Dan" not in switch
    assert "GPU Ops" not in switch


def test_a_thread_that_is_gone_is_not_opened(world: World) -> None:
    assert world.place(thread="1.2").thread is None


def test_the_sidebar_lists_what_there_is_for_this_person(world: World) -> None:
    def listed(person: str) -> list[str]:
        rows = world.read(person).all("span", class_="row-name")
        return [row.words for row in rows]

    assert listed("U0ADA") == ["gpu", "lab", "random", "secret", "old", "Ben Ortiz", "gpu-ops"]
    assert listed("U0BEN")[-2:] == ["Ada Moss", "gpu-ops"]
    assert listed("U0GUS") == ["gpu", "gpu-ops"]


def test_unread_messages_are_counted_until_one_looks(world: World) -> None:
    def unread() -> list[str]:
        return [tag.words for tag in world.read().all("span", class_="count")]

    world.workspace.say("U0BEN", "C0RANDOM", "a")
    world.workspace.say("U0ADA", "C0RANDOM", "my own")
    assert unread() == ["1 unread"]
    world.read(where="C0RANDOM")
    assert unread() == []


@pytest.mark.parametrize(
    ("person", "where", "words"),
    [
        ("U0ADA", "C0OLD", "is archived"),
        ("U0ADA", GPU, "Rent your first GPU"),
        ("U0ADA", "C0RANDOM", "/invite @gpu-ops"),
        ("U0ADA", HOME, "has not shown a Home page"),
    ],
)
def test_an_empty_place_says_what_to_do(world: World, person: str, where: str, words: str) -> None:
    assert words in world.read(person, where).words


def test_home_is_what_the_app_published(world: World) -> None:
    world.workspace.publish_home(
        "U0ADA",
        {"type": "home", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "Yours"}}]},
    )
    assert "Yours" in world.read(where=HOME).words
    assert "Yours" not in world.read("U0BEN", HOME).words


def test_behind_a_form_nothing_can_be_reached(world: World) -> None:
    world.open(modal(question("a", "plain_text_input")))
    reading = world.read()
    dialog = reading.one(role="dialog")
    assert reading.one("h2", id=dialog["aria-labelledby"]).words == "A form"
    assert reading.one("main").get("inert") is not None
    assert reading.one("nav", id="sidebar").get("inert") is not None
    assert not world.read("U0BEN").all(role="dialog")
