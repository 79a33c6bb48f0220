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
from bot.sandbox.slack.blocklint import lint_message
from storage.cloud import Connection, Details, Endpoint, Observation, Phase, Secrets
from storage.records import Failure, State, Wish

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
    (details,) = [block for block in message["blocks"] if block["type"] == "context"]
    assert details["elements"][0]["text"].startswith(
        "Id `abcdef0123456789` · template `pytorch-jupyter` · 60 GB disk · created <!date^"
    )
    assert details["elements"][0]["text"].endswith(" · at Novita `n1` · Novita says `running`")
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
        ("Jupyter: ", jupyter),
        ("Web terminal: ", "https://term.example.com"),
        ("Web terminal user:",),
        ("root",),
        ("Web terminal password:",),
        ("pw",),
        ("Port 8888 (http): ", "https://a1-8888.example.com"),
    ]
    assert PASSWORD not in message["text"]
    assert lint_message(message) == []


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


def list_of(instances, *, everybody=False, total=None):
    total = len(instances) if total is None else total
    return answers.instance_list(instances, everybody=everybody, total=total, now=LATER)


def rows_of(message):
    return [b for b in message["blocks"] if b["type"] == "section" and b["block_id"].startswith("gpu:line")]


def end_of(message):
    (end,) = [block for block in message["blocks"] if block["block_id"] == "end"]
    return end["elements"][0]["text"]


def test_an_empty_list_offers_to_rent_one():
    message = list_of([])
    assert text_of(message) == "You have no instance. Rent one with `/gpu create`."
    assert message["blocks"][1]["elements"][0]["action_id"] == "gpu:create"
    assert list_of([], everybody=True)["text"] == "Nobody has an instance."


def test_a_list_has_a_line_and_buttons_for_each():
    message = list_of([running(), stopped(id="b" * 16), stopped(id="c" * 16, state=State.DELETED)])
    assert message["text"] == "My instances: 3"
    assert [block["type"] for block in message["blocks"]] == [
        "section",
        "section",
        "actions",
        "section",
        "actions",
        "section",
    ]
    first, _ = rows_of(message)[0]["text"]["text"].split("\n")
    assert first == (
        ":large_green_circle: *Running*  *my-train*  RTX 4090 24GB ×1 in CN-HK-01 (Hong Kong), spot, $0.36/h"
    )
    assert "$0.12 so far" in rows_of(message)[0]["text"]["text"]


def test_only_the_list_of_everybodys_names_the_owner():
    assert "of <@U1>" in rows_of(list_of([running()], everybody=True))[0]["text"]["text"]
    assert "<@U1>" not in rows_of(list_of([running()]))[0]["text"]["text"]


def test_a_list_shows_errors_and_warnings_in_short():
    failed = running(error=Failure(code="X", message="y" * 500))
    assert "`X`: yyy" in rows_of(list_of([failed]))[0]["text"]["text"]
    assert len(rows_of(list_of([failed]))[0]["text"]["text"]) < 500
    assert ":warning: *Novita takes" in rows_of(list_of([running(reclaim_at=LATER)]))[0]["text"]["text"]
    assert ":hourglass: Novita" in rows_of(list_of([creating(delayed_since=LATER)]))[0]["text"]["text"]


def many(count, **changes):
    return [running(id=f"{number:016}", **changes) for number in range(count)]


def test_a_list_says_what_the_running_ones_cost_together():
    assert end_of(list_of(many(3))) == "3 are billed now, $1.08/h together"
    assert not [block for block in list_of([running()])["blocks"] if block["block_id"] == "end"]


def test_a_long_list_is_cut_where_the_message_is_full():
    message = list_of(many(50), total=120)
    shown = len(rows_of(message))
    assert 12 <= shown < 25
    assert end_of(message) == f"and {120 - shown} more; `/gpu status NAME` shows any of them"
    assert lint_message(message) == []


def test_a_list_of_long_ones_is_cut_earlier():
    long = many(50, name="n" * 100, error=Failure(code="C" * 60, message="m" * 900), reclaim_at=LATER)
    message = list_of(long)
    assert len(rows_of(message)) < len(rows_of(list_of(many(50))))
    assert lint_message(message) == []


def test_a_sum_is_not_told_of_a_part_of_the_list():
    assert "together" not in end_of(list_of(many(3), total=4))


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
