"""GPUs with our mark that no row knows: each administrator hears of each once, and nobody touches them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from scene import Scene, scene

from bot.messages.unknown import unknown_gpu
from bot.sandbox.slack.blocklint import lint_message
from bot.sinks.verdicts import Dead, Delivered, Later, Verdict
from bot.unknowns import Unknowns
from storage.cloud import Phase, Quarantined

CLEO, DORA = "U0CLEO", "U0DORA"


class Slack:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.verdicts: dict[str, list[Verdict]] = defaultdict(list)

    async def tell_person(self, user_id: str, message: Any, *, novita_id: str) -> Verdict:
        assert novita_id in message["text"]
        verdicts = self.verdicts[user_id]
        if verdicts and not isinstance(verdict := verdicts.pop(0), Delivered):
            return verdict
        self.told.append((user_id, novita_id))
        return Delivered(status_code=200)


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


@pytest.fixture
def slack() -> Slack:
    return Slack()


def teller(s: Scene, slack: Slack | None, *admins: str, owner: str = "one") -> Unknowns:
    return Unknowns(store=s.store, slack=slack, admins=admins, owner=owner, lease=timedelta(seconds=20))


async def appear(s: Scene, novita_id: str = "whose") -> None:
    s.novita.appear(novita_id, f"gb-{s.store.deployment}-{'z' * 16}-a1")
    await s.poll()


async def test_every_administrator_is_told_once(s: Scene, slack: Slack) -> None:
    await appear(s)
    for owner in ("one", "another"):
        await teller(s, slack, CLEO, DORA, owner=owner).tell_admins()
    assert slack.told == [(CLEO, "whose"), (DORA, "whose")]
    assert s.novita.count("delete") == 0


async def test_who_was_told_is_not_told_again_because_another_could_not_be(s: Scene, slack: Slack) -> None:
    await appear(s)
    slack.verdicts[DORA] = [Later(reason="down"), Delivered()]
    one = teller(s, slack, CLEO, DORA)
    await one.tell_admins()
    await one.tell_admins()
    assert slack.told == [(CLEO, "whose"), (DORA, "whose")]


async def test_one_whom_slack_does_not_know_holds_nobody_up(s: Scene, slack: Slack) -> None:
    await appear(s)
    slack.verdicts[CLEO] = [Dead(reason="user_not_found")]
    await teller(s, slack, CLEO, DORA).tell_admins()
    assert slack.told == [(DORA, "whose")]
    assert await s.store.quarantine.untold() == ()


async def test_it_waits_for_an_administrator_to_be_named(s: Scene, slack: Slack) -> None:
    await appear(s)
    await teller(s, slack).tell_admins()
    await teller(s, None, CLEO).tell_admins()
    await teller(s, slack, CLEO).tell_admins()
    assert slack.told == [(CLEO, "whose")]


async def test_one_replica_tells(s: Scene, slack: Slack) -> None:
    await appear(s)
    assert await s.store.leases.acquire("unknowns", "another", timedelta(seconds=20))
    await teller(s, slack, CLEO).tell_admins()
    assert slack.told == []
    s.clock.advance(21)
    await teller(s, slack, CLEO).tell_admins()
    assert slack.told == [(CLEO, "whose")]


async def test_one_that_goes_and_comes_back_is_not_told_again(s: Scene, slack: Slack) -> None:
    await appear(s)
    await teller(s, slack, CLEO).tell_admins()
    s.novita.instances.clear()
    await s.poll()
    assert await s.store.quarantine.size() == 0
    await appear(s)
    assert await s.store.quarantine.size() == 1
    await teller(s, slack, CLEO).tell_admins()
    assert slack.told == [(CLEO, "whose")]


async def test_one_that_left_before_anybody_was_told_is_no_news(s: Scene, slack: Slack) -> None:
    await appear(s)
    s.novita.show("whose", Phase.GONE)
    await s.poll()
    await teller(s, slack, CLEO).tell_admins()
    assert (slack.told, await s.store.quarantine.size()) == ([], 0)


async def test_one_that_left_is_forgotten_in_the_end(s: Scene, slack: Slack) -> None:
    await appear(s)
    await teller(s, slack, CLEO).tell_admins()
    s.novita.instances.clear()
    await s.poll()
    s.clock.advance(10)
    await s.store.instances.purge(s.clock())
    await appear(s)
    assert len(await s.store.quarantine.untold()) == 1


async def test_the_message_says_what_to_do(s: Scene) -> None:
    stray = Quarantined(novita_id="nv-1", name="gb-x <!channel>", first_seen_at=s.clock())
    said = unknown_gpu(stray)
    assert lint_message(said) == []
    assert "<!channel>" not in said["text"]
    assert all(word in said["text"] for word in ("delete it", "restore a newer backup", "nv-1"))
