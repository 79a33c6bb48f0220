"""One line for each thing that somebody asked in Slack, without what was typed."""

from __future__ import annotations

from loglines import events, logged
from samples import seconds
from slack_office import CREATE, GPU, SOLD, Office


def answered(lines: list) -> list[tuple[str, ...]]:
    said = [line for line in lines if line["event"] == "slack.answered"]
    return [(line["means"], line["verb"], line["outcome"], line["log_level"]) for line in said]


async def test_a_command_is_one_line_under_one_id_with_what_it_asked_for(either: Office):
    with logged() as lines:
        await either.ada.command(f"{CREATE} --max 9.75", channel=GPU)
    assert answered(lines) == [("command", "create", "ok", "info")]
    assert {line["actor"] for line in lines} == {"U0ADA"}
    assert len({line["request_id"] for line in lines}) == 1
    assert "instance.requested" in events(lines)
    assert "9.75" not in str(lines)
    assert "pytorch" not in str([line for line in lines if line["event"] == "slack.answered"])


async def test_two_commands_have_two_ids(either: Office):
    with logged(details=True) as lines:
        await either.ada.command("/gpu list", channel=GPU)
        await either.ada.command("/gpu help", channel=GPU)
    said = [line for line in lines if line["event"] == "slack.answered"]
    assert [(line["verb"], line["log_level"]) for line in said] == [("list", "debug"), ("help", "debug")]
    assert len({line["request_id"] for line in said}) == 2


async def test_what_cannot_be_done_is_news_with_the_code_of_its_answer(either: Office):
    with logged() as lines:
        await either.ada.command("/gpu stop nope", channel=GPU)
        await either.ada.command("/gpu wat xoxb-secret", channel=GPU)
    assert answered(lines) == [
        ("command", "stop", "INSTANCE_NOT_FOUND", "info"),
        ("command", "unknown", "VALIDATION_ERROR", "info"),
    ]
    assert "xoxb" not in str(lines)


async def test_buttons_and_the_form_are_told_apart(either: Office):
    card = await either.card(await either.running())
    with logged(details=True) as lines:
        await either.presses(card, "connect")
        await either.presses(card, "status")
        await either.presses(card, "stop")
        view = await either.form()
        await either.orders(view, values={"gpu": SOLD, "name": "Not a name", "template": "107672"})
        await either.orders(view, values={"name": "other"})
        await either.side._replies.drain(within=seconds(5))
    assert sorted(answered(lines)) == [
        ("button", "ssh", "ok", "info"),
        ("button", "status", "ok", "debug"),
        ("button", "stop", "ok", "info"),
        ("command", "form", "ok", "debug"),
        ("form", "create", "VALIDATION_ERROR", "info"),
        ("form", "create", "ok", "info"),
    ]


async def test_the_lines_of_a_request_over_http_have_the_id_of_that_request(either: Office):
    """Over Socket Mode there is no such request, and the command has an id of its own."""
    with logged(details=True) as lines:
        await either.ada.command("/gpu list", channel=GPU)
    told = {"request.answered", "slack.answered"}
    assert len({line["request_id"] for line in lines if line["event"] in told}) == 1
