"""Every verb and every button, from what is typed or pressed to what is said and written down."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from statistics import median

import pytest
from slack_office import CREATE, GPU, PASSWORD, Office
from structlog.testing import capture_logs

from bot.slack.arguments import parse
from storage.cloud import BillingMode, Phase
from storage.records import State, Wish

SOON = timedelta(seconds=0.3)


# --- commands -----------------------------------------------------------------------------------------------


async def test_a_create_is_on_disk_when_it_is_acknowledged(either: Office):
    line = (
        "/gpu create 4090:2 my-train --image mine:1 --on-demand --region US-CA-06 --disk 80 --max 1.5 --yes"
    )
    reply = await either.ada.command(line, channel=GPU)
    assert "Creating *my-train*" in reply.words
    i = await either.instance()
    assert (i.state, i.wish, i.requester, i.channel) == (State.CREATING, Wish.CREATE, "U0ADA", GPU)
    r = i.request
    assert (r.gpu, r.gpu_count, r.image, r.template, r.disk_gb) == ("4090", 2, "mine:1", None, 80)
    assert (r.billing_mode, r.regions, r.regions_only) == (BillingMode.ON_DEMAND, ("US-CA-06",), True)
    assert r.max_usd_per_hour == Decimal("1.5")
    assert either.scene.woken


async def test_each_verb_does_what_it_says(either: Office):
    assert "You have no instance" in await either.types("/gpu")
    i = await either.running()
    assert "My instances" in await either.types("/gpu")
    assert "my-train" in await either.types("/gpu list")
    assert "of <@U0ADA>" in await either.types("/gpu list all", by="U0BEN")
    assert i.id in await either.types("/gpu status MY-TRAIN", by="U0BEN")
    assert PASSWORD in await either.types("/gpu ssh my-train")
    assert "Restarting *my-train*" in await either.types("/gpu restart my-train")
    assert (await either.scene.now(i)).wish is Wish.RESTART
    assert "Stopping *my-train*" in await either.types("/gpu stop")
    await either.scene.settle()
    await either.scene.poll()
    assert (await either.scene.now(i)).state is State.STOPPED
    assert "Starting *my-train*" in await either.types("/gpu start my-train")
    assert "Deleting *my-train*" in await either.types("/gpu rm my-train")
    assert (await either.scene.now(i)).wish is Wish.DELETE
    assert "/gpu stop" in await either.types("/gpu help stop")
    assert "Stop paying" in await either.types("/gpu help")


async def test_a_wish_that_is_fulfilled_already_changes_nothing(o: Office):
    i = await o.running()
    assert "is running already" in await o.types("/gpu start my-train")
    assert (await o.scene.now(i)).wish is None


async def test_what_is_typed_on_a_phone_is_read(o: Office):
    reply = await o.ada.command(
        '/gpu create "RTX 4090 24GB" my-train --template pytorch-jupyter --spot', channel=GPU, phone=True
    )
    assert "Creating *my-train*" in reply.words


async def test_acknowledgements_come_within_300_ms(either: Office):
    await either.running()
    lines = ["/gpu", "/gpu list all", "/gpu status", "/gpu help", "/gpu nonsense", "/gpu ssh", "/gpu create"]
    replies = [await either.ada.command(line, channel=GPU) for line in lines]
    changes = [CREATE.replace("my-train", f"n{number}") for number in range(4)]
    replies += [await either.ada.command(line, channel=GPU) for line in changes]
    assert all(reply.ok for reply in replies)
    assert median(reply.took for reply in replies) < SOON


async def test_passwords_go_to_the_asker_alone_and_into_no_log(o: Office):
    i = await o.running()
    card = await o.card(i)
    with capture_logs() as logs:
        assert PASSWORD in await o.presses(card, "connect")
        assert PASSWORD in await o.types("/gpu ssh my-train")
    assert PASSWORD not in str(logs)
    assert not any(PASSWORD in message.words for message in o.ben.sees(GPU))
    assert not any(PASSWORD in str(ack.payload) for ack in o.slack.acks)
    posts = o.slack.journal.calls("response_url")
    assert [post.arguments["response_type"] for post in posts] == ["ephemeral", "ephemeral"]


async def test_in_a_channel_without_the_bot_the_asker_is_answered(o: Office):
    for channel in ("C0RANDOM", "C0SECRET", "D0ADABEN"):
        assert "You have no instance" in await o.types("/gpu", channel=channel)
        assert "nothing to connect" not in await o.types("/gpu ssh", channel=channel)


# --- what cannot be done ------------------------------------------------------------------------------------


REFUSED = [
    ("/gpu craete 4090", "Did you mean create?", "/gpu create 4090"),
    ("/gpu stop --now", "stop has no flags", "/gpu help stop"),
    (CREATE, "The name my-train is in use.", "/gpu create 4090 my-train-2 --template pytorch-jupyter"),
    (
        "/gpu create 4091 b --image x:1",
        "Novita has no GPU called 4091",
        '/gpu create "RTX 4090 24GB" b --image x:1',
    ),
    (
        "/gpu create 4090 b --template pytorch-jupiter --disk 80",
        "Novita has no template pytorch-jupiter",
        "/gpu create 4090 b --template pytorch-jupyter --disk 80",
    ),
    (
        "/gpu create 4090 b --image x:1 --region US-CA-O6",
        "Novita has no region US-CA-O6",
        '/gpu create 4090 b --image x:1 --region "US-CA-06 (California)"',
    ),
    ("/gpu status my-trian", "no instance called my-trian", "/gpu status my-train"),
    ("/gpu restart my-train", "my-train is creating", "/gpu delete my-train"),
]
"""What is typed, what is said about it, and the command that is offered instead."""


async def test_an_error_offers_a_command_that_can_be_copied(o: Office):
    await o.types(CREATE)
    for line, says, instead in REFUSED:
        told = await o.types(line)
        assert says in told
        assert f"Try: `{instead}`" in told
        parse(instead.removeprefix("/gpu"))
    assert [i.name for i in await o.instances()] == ["my-train"]


async def test_the_command_offered_for_a_taken_name_works(o: Office):
    await o.types(CREATE)
    told = await o.types(CREATE)
    assert "Creating *my-train-2*" in await o.types(told.partition("Try: ")[2].strip("`"))


async def test_where_nothing_comes_near_no_command_is_offered(o: Office):
    for line in (
        "/gpu create zzzzzz --image x:1",
        "/gpu create 4090 --template zzzzzz",
        "/gpu create 4090 --image x:1 --region QQ,US-CA-06",
    ):
        told = await o.types(line)
        assert "Novita has no" in told
        assert "Try:" not in told
    assert await o.instances() == []


async def test_an_address_of_ones_own_is_kept_with_the_request_and_shown_to_nobody(o: Office):
    told = await o.types(f"{CREATE} --webhook https://hooks.example.com/s3cret")
    (i,) = await o.instances()
    assert i.request.webhook_url == "https://hooks.example.com/s3cret"
    assert "s3cret" not in told + str(await o.card(i))


async def test_only_the_requester_and_admins_may_act(o: Office):
    i = await o.running()
    card = await o.card(i)
    for line in ("/gpu stop my-train", "/gpu delete my-train", "/gpu ssh my-train", "/gpu restart my-train"):
        assert "Only <@U0ADA> or an administrator" in await o.types(line, by="U0BEN")
    for button in ("stop", "delete", "connect", "restart"):
        assert "Only <@U0ADA> or an administrator" in await o.presses(card, button, by="U0BEN")
    assert (await o.scene.now(i)).wish is None
    assert PASSWORD in await o.types("/gpu ssh my-train", by="UADMIN")
    assert "Stopping" in await o.presses(card, "stop", by="UADMIN")
    assert (await o.scene.now(i)).wished_by == "UADMIN"


async def test_guests_and_strangers_may_nothing_and_learn_nothing(o: Office):
    i = await o.running()
    card = await o.card(i)
    lines = ["", "list all", "status my-train", "ssh my-train", "stop my-train", "delete my-train", "help"]
    lines += ["create", "create 4090 theirs --image x:1"]
    for outsider in ("U0GUS", "U0MIA", "U0SAM"):
        for line in lines:
            assert "Guests and people of other workspaces" in await o.types(f"/gpu {line}", by=outsider)
        for button in ("status", "connect", "stop", "delete", "create"):
            assert "Guests and people of other workspaces" in await o.presses(card, button, by=outsider)
        shown = " ".join(message.words for message in o.whispers(outsider))
        assert (i.id in shown, PASSWORD in shown, o.slack.person(outsider).view) == (False, False, None)
    assert ([each.name for each in await o.instances()], (await o.scene.now(i)).wish) == (["my-train"], None)


# --- buttons ------------------------------------------------------------------------------------------------


async def test_each_button_does_what_it_says(either: Office):
    i = await either.running()
    card = await either.card(i)
    assert i.id in await either.presses(card, "status", by="U0BEN")
    assert PASSWORD in await either.presses(card, "connect")
    assert "Restarting" in await either.presses(card, "restart")
    assert (await either.scene.now(i)).wish is Wish.RESTART
    assert "Stopping" in await either.presses(card, "stop")
    await either.scene.settle()
    either.scene.novita.show("n1", Phase.STOPPED)
    await either.scene.poll()
    assert "Starting" in await either.presses(card, "start")
    assert "Deleting" in await either.presses(card, "delete")
    assert (await either.scene.now(i)).wish is Wish.DELETE
    assert (await either.ada.press(card, "create")).ok
    assert (await either.slack.wait_for(lambda: either.ada.view)).title == "Rent a GPU"


async def test_a_change_is_not_acknowledged_before_it_is_on_disk(o: Office):
    i = await o.running()
    card = await o.card(i)
    act, asked, gate = o.scene.operations.act, asyncio.Event(), asyncio.Event()

    async def slow(*args, **options):
        asked.set()
        await gate.wait()
        return await act(*args, **options)

    o.scene.operations.act = slow
    for deed, wish in (
        (o.ada.press(card, "restart"), Wish.RESTART),
        (o.ada.command("/gpu stop", channel=GPU), Wish.STOP),
    ):
        asked.clear(), gate.clear()
        doing = asyncio.create_task(deed)
        await asked.wait()
        done, _ = await asyncio.wait({doing}, timeout=0.1)
        assert not done
        gate.set()
        assert (await doing).ok
        assert (await o.scene.now(i)).wish is wish


async def test_the_buttons_of_a_list_work(o: Office):
    await o.running()
    shown = await o.told(o.ada.command("/gpu", channel=GPU))
    assert PASSWORD in await o.presses(shown, "Connect")
    assert "Stopping" in await o.presses(shown, "Stop")


async def test_an_answer_to_a_button_in_a_thread_is_in_that_thread(o: Office):
    i = await o.running()
    parent = await o.card(i)
    notice = await o.card(i, thread_ts=parent.ts)
    told = await o.told(o.ada.press(notice, "connect"))
    assert told.thread_ts == parent.ts
    assert (await o.told(o.ada.press(parent, "connect"))).thread_ts is None


async def test_a_button_of_another_version_is_answered(o: Office):
    i = await o.running()
    assert "another version" in await o.presses(await o.card(i), "polish")


async def test_a_button_of_what_is_no_longer_there_is_answered(o: Office):
    i = await o.running()
    card = await o.card(replace(i, id="gone"))
    assert "There is no instance" in await o.presses(card, "stop")


# --- once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new_envelope", [False, True])
async def test_a_create_that_is_delivered_twice_makes_one(either: Office, new_envelope):
    reply = await either.ada.command(CREATE, channel=GPU)
    again = await either.slack.redeliver(reply.envelope_id, new_envelope=new_envelope)
    assert "Creating *my-train*" in again.payload["text"]
    assert len(await either.instances()) == 1


async def test_a_wish_that_is_delivered_twice_is_granted_once(either: Office):
    i = await either.running()
    reply = await either.ada.command("/gpu stop my-train", channel=GPU)
    version = (await either.scene.now(i)).version
    again = await either.slack.redeliver(reply.envelope_id)
    assert "Stopping *my-train*" in again.payload["text"]
    assert (await either.scene.now(i)).version == version


async def test_a_button_that_is_pressed_twice_acts_once(o: Office):
    i = await o.running()
    card = await o.card(i)
    assert "Stopping" in await o.presses(card, "stop")
    version = (await o.scene.now(i)).version
    assert "nothing was changed" in await o.presses(card, "stop")
    assert (await o.scene.now(i)).version == version


async def test_a_press_that_is_delivered_twice_is_granted_once(o: Office):
    i = await o.running()
    reply = await o.ada.press(await o.card(i), "stop")
    version = (await o.scene.now(i)).version
    await o.slack.redeliver(reply.envelope_id)
    await o.slack.wait_for(lambda: len(o.whispers()) == 2)
    assert all("Stopping" in message.words for message in o.whispers())
    assert (await o.scene.now(i)).version == version
