"""What is answered to what cannot be done, to whom who may not, and to what comes twice."""

from __future__ import annotations

import asyncio

import pytest

from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.person import Person
from tests.e2e.stage import CREATE, GPU, Stage

TEMPLATE = "--template pytorch-jupyter"
MISTAKES = {
    f"create 4080 x {TEMPLATE}": "4090",
    f"create rtx x {TEMPLATE}": "RTX 4090 24GB",
    "create 4090 x --template pytorch-jupiter": "pytorch-jupyter",
    f"create 4090 x {TEMPLATE} --region US-CA-60": "US-CA-06",
    f"create 4090 Not_A_Name {TEMPLATE}": "/gpu create 4090 not-a-name",
    f"create 4090 x y z {TEMPLATE}": "/gpu create",
    f"create 4090:99 x {TEMPLATE}": "/gpu create 4090:8",
    f"create 4090 x {TEMPLATE} --disk lots": "--disk",
    f"create 4090 x {TEMPLATE} --max cheap": "--max",
    f"create 4090 x {TEMPLATE} --spot --on-demand": "/gpu create",
    f"create 4090 x {TEMPLATE} --image ubuntu": "/gpu create",
    f"create 4090 x {TEMPLATE} --wat": "/gpu create",
    f"create 4090 'x {TEMPLATE}": "/gpu create",
    f"create 4090 x {TEMPLATE} --max 0.01": "--max",
    "list mine": "/gpu list all",
    "status nope": "/gpu list",
    "start nope": "/gpu list",
    "stop nope": "/gpu list",
    "restart nope": "/gpu list",
    "delete nope": "/gpu list",
    "ssh nope": "/gpu list",
    "status": "/gpu list",
    "stop a b": "/gpu stop a",
    "start --force": "/gpu help start",
    "restart --now x": "/gpu restart x",
    "delete -f x": "/gpu delete x",
    "ssh a b": "/gpu ssh a",
    "help nope": "/gpu help",
    "strat": "/gpu start",
    "4090": "/gpu create 4090",
}
"""What is typed after `/gpu` -> something to type instead, which the answer has to hold."""


def whispered(person: Person, channel: str = GPU) -> list[Message]:
    return [m for m in person.sees(channel) if m.is_ephemeral]


def told_alone(person: Person, words: str, channel: str = GPU) -> list[Message]:
    return [m for m in whispered(person, channel) if words in m.words]


async def test_a_mistake_of_any_verb_says_what_to_type_and_does_nothing(stage: Stage) -> None:
    await stage.start()
    unhelpful = {}
    for typed, instead in MISTAKES.items():
        reply = await stage.ada.command(f"/gpu {typed}", channel=GPU)
        await stage.until(lambda: whispered(stage.ada))
        said = whispered(stage.ada)[-1].words
        stage.ada.reload()
        if not reply.ok or instead not in said or "Something went wrong" in said:
            unhelpful[typed] = said
    assert unhelpful == {}
    everything = await stage.ada.command("/gpu list all", channel=GPU)
    assert everything.text.startswith("Nobody has an instance.")
    assert stage.messages() == []
    changes = ("create", "start", "stop", "restart", "delete")
    assert sum(stage.novita.journal.count(verb) for verb in changes) == 0


@pytest.mark.soak
async def test_a_verb_that_the_state_forbids_names_the_one_that_fits(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    again = await stage.ada.command("/gpu start my-train", channel=GPU)
    assert "Nothing to do" in again.words
    taken = await stage.create()
    assert "my-train-2" in taken.words
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    await stage.told("my-train", "instance.stopped")
    restart = await stage.ada.command("/gpu restart my-train", channel=GPU)
    assert "/gpu start my-train" in restart.words
    await stage.ada.command("/gpu ssh my-train", channel=GPU)
    await stage.until(lambda: told_alone(stage.ada, "nothing to connect to"))
    assert stage.created() == 1


async def test_who_may_what(stage: Stage) -> None:
    await stage.start()
    for outsider in ("U0GUS", "U0MIA", "U0SAM"):
        for line in (CREATE.format("theirs"), "/gpu list all", "/gpu help"):
            refused = await stage.slack.person(outsider).command(line, channel=GPU)
            assert "Guests and people of other workspaces" in refused.words
        stage.slack.person(outsider).reload()
        await stage.slack.person(outsider).command("/gpu create", channel=GPU)
        await stage.until(lambda: told_alone(stage.slack.person(outsider), "Guests"))
        assert stage.slack.person(outsider).view is None
    assert stage.created() == 0
    await stage.running()
    for verb in ("stop", "restart", "delete"):
        refused = await stage.ben.command(f"/gpu {verb} my-train", channel=GPU)
        assert "Only <@U0ADA> or an administrator" in refused.words
    await stage.ben.press(stage.cards()[0], "Stop")
    await stage.until(lambda: told_alone(stage.ben, "Only <@U0ADA>"))
    assert stage.novita.journal.count("stop") == 0
    assert (await stage.cleo.command("/gpu stop my-train", channel=GPU)).ok
    await stage.told("my-train", "instance.stopped")
    (notice,) = stage.notices("my-train", "instance.stopped")
    assert "<@U0ADA>" in notice.text
    assert "<@U0CLEO>" in notice.text


async def test_what_slack_delivers_twice_acts_once(stage: Stage) -> None:
    await stage.start()
    reply = await stage.create()
    again = await stage.slack.redeliver(reply.envelope_id, new_envelope=True)
    assert "Creating" in again.payload["text"]
    await stage.told("my-train", "instance.ready")
    late = await stage.slack.redeliver(reply.envelope_id)
    assert late.error is None
    pressed = await stage.ada.press(stage.cards()[0], "Stop")
    await stage.slack.redeliver(pressed.envelope_id, new_envelope=True)
    await stage.told("my-train", "instance.stopped")
    started = await stage.ada.command("/gpu start my-train", channel=GPU)
    await stage.slack.redeliver(pressed.envelope_id, new_envelope=True)
    await stage.told("my-train", "instance.started")
    await stage.slack.redeliver(started.envelope_id, new_envelope=True)
    counts = [stage.novita.journal.count(verb) for verb in ("create", "stop", "start")]
    assert counts == [1, 1, 1]
    assert len(stage.cards()) == 1
    await stage.until(lambda: stage.states()[-1] == "Running")


@pytest.mark.soak
async def test_a_double_press_acts_once(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    (card,) = stage.cards()
    await asyncio.gather(stage.ada.press(card, "Stop"), stage.ada.press(card, "Stop"))
    await stage.told("my-train", "instance.stopped")
    await stage.until(lambda: told_alone(stage.ada, "nothing was changed"))
    assert stage.novita.journal.count("stop") == 1
    assert len(stage.notices("my-train", "instance.stopped")) == 1


@pytest.mark.soak
async def test_two_creates_of_one_name_at_once_make_one(stage: Stage) -> None:
    await stage.start()
    replies = await asyncio.gather(stage.create(), stage.create(who=stage.ben))
    assert sorted("my-train-2" in reply.words for reply in replies) == [False, True]
    await stage.told("my-train", "instance.ready")
    assert stage.created() == 1


@pytest.mark.parametrize("channel", ["C0RANDOM", pytest.param("C0SECRET", marks=pytest.mark.soak)])
async def test_where_the_bot_is_not_it_says_how_to_invite_it_and_writes_directly(
    stage: Stage, channel: str
) -> None:
    await stage.start()
    assert (await stage.ada.command(CREATE.format("my-train"), channel=channel)).ok
    invite = f"/invite <@{stage.workspace.app.user_id}>"
    await stage.until(lambda: told_alone(stage.ada, invite, channel))
    direct = stage.ada.direct_channel
    await stage.until(lambda: stage.notices("my-train", "instance.ready", direct))
    await stage.until(lambda: "Running" in stage.cards(channel=direct)[0].text)
    (card,), (notice,) = stage.cards(channel=direct), stage.notices("my-train", "instance.ready", direct)
    assert notice.thread_ts == card.ts
    assert "<@U0ADA>" in notice.text
    assert stage.messages(channel) == []
    await stage.ada.press(card, "Stop")
    await stage.until(lambda: stage.notices("my-train", "instance.stopped", direct))
    assert len(told_alone(stage.ada, invite, channel)) == 1


async def test_the_form_shows_what_is_wrong_and_creates_what_is_right(stage: Stage) -> None:
    await stage.start()
    await stage.ada.command("/gpu create", channel=GPU)
    await stage.until(lambda: stage.ada.view)
    nothing = await stage.ada.submit()
    assert nothing.error == "form_incomplete"
    found = await stage.ada.search(stage.ada.view, "gpu", "RTX 4090")
    filled = {"gpu": found[0], "name": "Not a name", "template": "pytorch-jupyter"}
    wrong = await stage.ada.submit(values=filled)
    assert list(wrong.errors) == ["name"]
    both = await stage.ada.submit(values={"name": "my-train", "image": "docker.io/library/ubuntu"})
    assert list(both.errors) == ["image"]
    dear = await stage.ada.submit(values={"image": "", "max": "0.01"})
    assert dear.view is not None
    assert "costs more than your --max ($0.01/h)" in dear.view.words
    assert stage.created() == 0
    unseen = await stage.ada.submit(values={"max": "2"})
    assert "Press Launch again" in unseen.view.words
    assert stage.created() == 0
    right = await stage.ada.submit()
    assert (right.ok, right.errors, right.view) == (True, {}, None)
    await stage.slack.redeliver(right.envelope_id, new_envelope=True)
    await stage.told("my-train", "instance.ready")
    assert stage.created() == 1


@pytest.mark.soak
async def test_a_gpu_without_a_template_opens_the_form_filled(stage: Stage) -> None:
    await stage.start()
    await stage.ada.command("/gpu create 4090:2 my-train --spot", channel=GPU)
    await stage.until(lambda: stage.ada.view)
    right = await stage.ada.submit(values={"template": "pytorch-jupyter"})
    assert right.errors == {}
    await stage.told("my-train", "instance.ready")
    (gpu,) = stage.gpus()
    assert (gpu.order.gpu_num, gpu.order.mode) == (2, "spot")
