"""Who may use the bot: as Slack says, asked once in ten minutes, and nobody while Slack does not say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from clocks import Clock
from samples import seconds
from slack_sdk.web.async_client import AsyncWebClient

from bot.asking import Actor
from bot.errors import TryAgain
from bot.sandbox.slack.faults import CloseConnection, ErrorCode, Fault, Hang, HttpStatus, RateLimited
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.webapi import METHODS
from bot.sandbox.slack.workspace import Workspace as SimulatedWorkspace
from bot.slack import people as module
from bot.slack.people import People
from bot.slack.workspace import Workspace


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackServer]:
    async with SlackServer(SimulatedWorkspace(clock=clock)) as server:
        yield server


@pytest.fixture
def people(slack: SlackServer, clock: Clock) -> People:
    client = AsyncWebClient(slack.bot_token, base_url=slack.api_url, timeout=5, retry_handlers=[])
    return People(client, Workspace(client, clock=clock), clock=clock)


def change(slack: SlackServer, user_id: str, **flags: object) -> None:
    users = slack.workspace.users
    users[user_id] = replace(users[user_id], **flags)


def says(monkeypatch: pytest.MonkeyPatch, method: str, change: Callable[[dict[str, Any]], object]) -> None:
    """What the simulated Slack, which is one small workspace, would not say by itself."""
    plain = METHODS[method]

    def called(*args: Any) -> dict[str, Any]:
        said = plain(*args)
        change(said)
        return said

    monkeypatch.setitem(METHODS, method, called)


async def test_a_member_of_our_workspace_is_one(people: People):
    assert await people.actor("U0BEN") == Actor(user_id="U0BEN", team_id="T0SANDBOX", full_member=True)


@pytest.mark.parametrize("outsider", ["U0GUS", "U0MIA", "U0SAM", "U0DAN", "U0GPUBOT"])
async def test_guests_strangers_the_departed_and_bots_are_none(people: People, outsider: str):
    assert not (await people.actor(outsider)).full_member


@pytest.mark.parametrize("flag", ["is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted"])
async def test_one_of_these_flags_is_enough(people: People, flag: str, monkeypatch):
    says(monkeypatch, "users.info", lambda said: said["user"].update({flag: True}))
    assert not (await people.actor("U0BEN")).full_member


async def test_people_of_another_workspace_are_none_whatever_else_they_are(
    slack: SlackServer, people: People
):
    change(slack, "U0BEN", team_id="T0ELSEWHERE", is_admin=True)
    assert not (await people.actor("U0BEN")).full_member


async def test_of_whom_slack_does_not_know_nobody_else_does(people: People):
    assert await people.actor("U0NOBODY") == Actor(user_id="U0NOBODY", full_member=False)


async def test_somebody_of_several_workspaces_is_at_home_in_ours(people: People, monkeypatch):
    teams = {"team_id": "T0ELSEWHERE", "enterprise_user": {"teams": ["T0OTHER", "T0SANDBOX"]}}
    says(monkeypatch, "users.info", lambda said: said["user"].update(teams))
    assert (await people.actor("U0BEN")).full_member


async def test_with_a_token_of_no_single_workspace_nobody_is_at_home(
    slack: SlackServer, people: People, monkeypatch
):
    says(monkeypatch, "auth.test", lambda said: said.pop("team_id"))
    change(slack, "U0BEN", team_id="")
    assert not (await people.actor("U0BEN")).full_member


async def test_somebody_is_looked_up_once_in_ten_minutes(slack: SlackServer, people: People, clock: Clock):
    await people.actor("U0BEN")
    change(slack, "U0BEN", is_restricted=True)
    clock.advance(599)
    assert (await people.actor("U0BEN")).full_member
    assert slack.journal.count("users.info") == 1
    clock.advance(1)
    assert not (await people.actor("U0BEN")).full_member
    assert slack.journal.count("users.info") == 2


async def test_who_we_are_is_asked_once(slack: SlackServer, people: People):
    for user_id in ("U0ADA", "U0BEN", "U0CLEO"):
        await people.actor(user_id)
    assert slack.journal.count("auth.test") == 1


@pytest.mark.parametrize("method", ["users.info", "auth.test"])
@pytest.mark.parametrize(
    "fault",
    [
        ErrorCode("internal_error"),
        ErrorCode("token_revoked"),
        HttpStatus(200),
        HttpStatus(503),
        RateLimited(),
        CloseConnection(),
        Hang(),
    ],
)
async def test_while_slack_does_not_say_who_somebody_is_nobody_is_known(
    slack: SlackServer, people: People, fault: Fault, method: str, monkeypatch
):
    monkeypatch.setattr(module, "_LOOK_UP_WITHIN", seconds(0.3))
    slack.fail(method, fault, times=2)  # what only reads is repeated by the HTTP client itself
    with pytest.raises(TryAgain, match="Please try again"):
        await people.actor("U0BEN")
    slack.faults.clear()
    assert (await people.actor("U0BEN")).full_member


async def test_what_was_known_is_not_believed_for_longer_because_slack_is_down(
    slack: SlackServer, people: People, clock: Clock
):
    await people.actor("U0BEN")
    slack.fail("users.info", ErrorCode("internal_error"))
    clock.advance(600)
    with pytest.raises(TryAgain):
        await people.actor("U0BEN")
