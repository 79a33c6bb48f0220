"""What is answered to the asker alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from message_strategies import PASSWORD, SSH, TOKEN
from samples import CONNECTION, NOW, OFFER, REQUEST, creating, running, starting, stopped

from bot.errors import (
    BotError,
    InvalidState,
    NameTaken,
    NotAllowed,
    NovitaUnavailable,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
    UsageError,
)
from bot.messages import answers
from bot.messages.modals import as_modal, working_modal
from bot.messages.mrkdwn import date
from bot.sandbox.slack.blocklint import lint_message, lint_view
from storage.cloud import Connection, Details, Endpoint, Observation, Phase, Secrets
from storage.records import EventKind, NewEvent, State, Wish

LATER = NOW + timedelta(minutes=20)


def text_of(message):
    return "\n".join(block["text"]["text"] for block in message["blocks"] if "text" in block)


def test_the_receipt_of_a_create_says_what_is_coming():
    message = answers.created(creating(request=replace(REQUEST, gpu="RTX 4090")))
    assert text_of(message) == (
        ":hourglass_flowing_sand: Creating *my-train*: RTX 4090 ×1, spot. I'll post here when it is usable."
    )
    assert message["text"] == text_of(message)


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (Wish.STOP, ":hourglass_flowing_sand: Stopping *my-train*. I'll post here when it has stopped."),
        (Wish.DELETE, ":hourglass_flowing_sand: Deleting *my-train*. I'll post here when it is gone."),
    ],
)
def test_the_receipt_of_a_wish_says_what_follows(verb, said):
    assert text_of(answers.acted(running(), verb)) == said


def test_a_wish_that_changes_nothing_says_so():
    said = text_of(answers.acted(stopped(), Wish.STOP, nothing_to_do=True))
    assert said == ":information_source: *my-train* is stopped already. Nothing to do."


def test_a_status_tells_more_than_the_card():
    message = answers.status(running(), LATER)
    (details,) = [block for block in message["blocks"] if block.get("block_id") == "details"]
    assert details["elements"][0]["text"] == (
        "Novita says `running` · Id `abcdef0123456789` · template `pytorch-jupyter` · 60 GB disk · at Novita `n1`"
    )
    by_image = answers.status(creating(request=replace(REQUEST, template=None, image="a/b:c")), LATER)
    assert "image `a/b:c`" in json.dumps(by_image)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            UsageError("No <verb>.", hint="/gpu delete x"),
            ":warning: No &lt;verb&gt;.\nTry: `/gpu delete x`",
        ),
        (NameTaken("a", "a-2"), ":warning: The name a is in use.\nThis one is free: `a-2`"),
        (NotAllowed("Only <@U1> may."), ":lock: Only <@U1> may."),
        (TryAgain("Not now."), ":hourglass: Not now."),
        (NovitaUnavailable("Gone."), ":hourglass: Gone."),
        (InvalidState("No.", hint="/gpu list"), ":warning: No.\nTry: `/gpu list`"),
        (ProductNotFound("None.", nearest=("A", "B")), ":warning: None.\nNearest: `A`, `B`"),
        (TemplateNotFound("None."), ":warning: None."),
        (RegionNotFound("None.", nearest=("A",)), ":warning: None.\nNearest: `A`"),
        (BotError(""), ":warning: That did not work."),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_type(error, said):
    assert text_of(answers.error(error)) == said


def test_an_error_may_carry_a_reference_that_the_logs_have():
    assert text_of(answers.error(BotError("x"), reference="ab12")).endswith("\nReference: `ab12`")
    assert "`ab12`" in text_of(answers.unexpected("ab12"))


def test_where_the_bot_is_not_it_says_how_to_invite_it():
    said = text_of(answers.not_in_channel("C0GPU", bot="U0BOT"))
    assert "not a member of <#C0GPU>" in said
    assert "/invite <@U0BOT>" in said
    assert "/invite @ and my name" in text_of(answers.not_in_channel("C0GPU"))


def test_where_nobody_can_invite_it_it_only_says_where_it_writes():
    said = text_of(answers.not_in_channel("D0PAIR"))
    assert said.endswith("I write to you directly instead.")
    assert "/invite" not in said


def details_of(connection, **secrets):
    return Details(
        observation=Observation(novita_id="n1", name="gb-x", status="running", phase=Phase.RUNNING),
        connection=connection,
        complete=True,
        secrets=Secrets(**secrets),
    )


def rich_texts(message):
    (block,) = [block for block in message["blocks"] if block["type"] == "rich_text"]
    return [tuple(part.get("text") or part["url"] for part in row["elements"]) for row in block["elements"]]


def test_connect_shows_everything_exactly():
    jupyter = f"https://a1-8888.example.com/?token={TOKEN}&x=<1>"
    message = answers.connect(
        running(),
        details_of(
            replace(CONNECTION, ssh=SSH),
            ssh_password=f"{PASSWORD}`<&>*",
            jupyter_url=jupyter,
            web_terminal_url="https://term.example.com",
            web_terminal_username="root",
            web_terminal_password="pw",
        ),
    )
    assert rich_texts(message) == [
        ("SSH:",),
        (SSH,),
        ("SSH password:",),
        (f"{PASSWORD}`<&>*",),
        ("Or put this into ~/.ssh/config and type ssh my-train:",),
        ("Host my-train\n  HostName proxy.us-ca-6.gpu-instance.novita.ai\n  User root\n  Port 32787",),
        ("Jupyter: ", jupyter),
        ("Web terminal: ", "https://term.example.com"),
        ("Web terminal user:",),
        ("root",),
        ("Web terminal password:",),
        ("pw",),
    ]
    assert message["text"].startswith(
        ":key: How to connect to *my-train*: SSH, Jupyter, a web terminal. Only you"
    )
    assert PASSWORD not in message["text"]
    assert lint_message(message) == []


def test_connect_lists_the_ports_that_nothing_else_answers_at():
    jupyter, board = (
        Endpoint(port=port, protocol="http", url=f"https://a1-{port}.example.com") for port in (8888, 6006)
    )
    shown = Connection(jupyter="https://a1-8888.example.com/lab", endpoints=(jupyter, board))
    message = answers.connect(running(), details_of(shown))
    assert rich_texts(message) == [
        ("Jupyter: ", "https://a1-8888.example.com/lab"),
        ("Port 6006 (http): ", "https://a1-6006.example.com"),
    ]
    assert "Jupyter, ports" in message["text"]


def test_an_address_is_shown_whole_or_not_at_all():
    path = "x" * 3000
    endpoint = Endpoint(port=1, protocol="http", url=f"https://a.example.com/{path}")
    shown = details_of(Connection(jupyter=f"https://b.example.com/{path}", endpoints=(endpoint,)))
    message = answers.connect(running(), shown)
    assert rich_texts(message) == [
        ("Jupyter: too long to show here; Novita's console has it",),
        ("Port 1 (http): too long to show here; Novita's console has it",),
    ]


def test_a_command_that_is_more_than_an_address_gives_no_block_for_ssh():
    message = answers.connect(running(), details_of(Connection(ssh=f"{SSH} -o ProxyCommand=x")))
    assert rich_texts(message) == [("SSH:",), (f"{SSH} -o ProxyCommand=x",)]


def test_connect_shows_endpoints_without_an_address_too():
    endpoints = (
        Endpoint(port=1, protocol="tcp", url="host.example.com:31000"),
        Endpoint(port=2, protocol="http", url=None),
    )
    rows = rich_texts(answers.connect(running(), details_of(Connection(endpoints=endpoints))))
    assert rows == [("Port 1 (tcp): host.example.com:31000",), ("Port 2 (http): no address yet",)]


def test_connect_without_anything_to_show_says_when_to_ask_again():
    said = text_of(answers.connect(starting(), details_of(Connection())))
    assert "Try again in some seconds: `/gpu ssh my-train`" in said


HISTORY = (
    NewEvent(kind=EventKind.REQUESTED, at=LATER, actor="U0BEN", verb=Wish.STOP),
    NewEvent(kind=EventKind.READY, at=NOW, elapsed=timedelta(seconds=123)),
)


def test_a_status_tells_what_happened_latest_first():
    message = answers.status(running(), LATER, history=HISTORY)
    (history,) = [block for block in message["blocks"] if block.get("block_id") == "history"]
    assert history["text"]["text"].split("\n") == [
        "*Latest events*",
        f"{date(LATER)}  stop asked by <@U0BEN>",
        f"{date(NOW)}  ready after 2 min 3 s",
    ]
    assert message["text"].endswith(" Latest: stop asked by <@U0BEN>.")


def test_a_status_of_what_is_under_way_says_how_long_that_usually_takes():
    message = answers.status(starting(), NOW, usual=timedelta(seconds=125))
    assert "usually 2 min 5 s" in json.dumps(message)


def test_eight_events_are_enough():
    message = answers.status(running(), LATER, history=HISTORY * 10)
    (history,) = [block for block in message["blocks"] if block.get("block_id") == "history"]
    assert len(history["text"]["text"].split("\n")) == 1 + 8


def test_a_press_that_came_too_late_says_what_was_pressed_and_what_is_so_now():
    message = answers.stale(running(state=State.DELETING, wish=Wish.DELETE), Wish.STOP, now=LATER)
    said = "You pressed *Stop*, but *my-train* is being deleted, so nothing was changed."
    assert message["blocks"][0]["text"]["text"] == f":information_source: {said}"
    assert (
        message["blocks"][1:]
        == answers.status(running(state=State.DELETING, wish=Wish.DELETE), LATER)["blocks"]
    )
    assert said in message["text"]
    assert "You pressed *Connect*" in answers.stale(stopped(), "connect", now=LATER)["text"]


def test_any_answer_can_be_a_modal():
    message = answers.status(running(), LATER)
    view = as_modal(message, title="Status of an instance of mine")
    assert view["blocks"] == message["blocks"]
    assert view["title"]["text"] == "Status of an instance o…"
    assert "submit" not in view
    assert lint_view(view) == []
    assert as_modal({"text": "x", "blocks": []}, title="X")["blocks"][0]["text"]["text"] == "x"
    assert lint_view(working_modal("Status")) == []


def test_the_help_lists_every_verb_and_the_flags_of_one():
    overview = text_of(answers.help_message())
    assert "`/gpu list [all]`  my instances, or everybody's" in overview
    create = text_of(answers.help_message("launch"))
    assert "`--max USD_PER_HOUR`" in create
    assert "*Examples*\n`/gpu create 4090 my-train --template pytorch`" in create
    assert "--max" not in text_of(answers.help_message("stop"))


def test_prices_of_several_gpus_are_told_as_one():
    two = running(offer=replace(OFFER, gpu_count=2, usd_per_gpu_hour=Decimal("0.175")))
    assert "RTX 4090 24GB ×2" in answers.status(two, LATER)["text"]
    assert "$0.35/h" in answers.status(two, LATER)["text"]
