"""Who is told: a Slack workspace and webhook receivers, and what they remember."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.sinks.slack import SlackSink
from bot.sinks.verdicts import Delivered, Gone, Later, Verdict
from storage.records import Card, Delivery
from tests.simulation.faults import Weather
from tests.simulation.process import Process

Heard = tuple[str, int]
"""Instance and sequence of an event."""


@dataclass(slots=True)
class Hearing:
    """What one target took, in the order of taking."""

    accepted: list[tuple[str, Heard]] = field(default_factory=list)
    """Event id and what it is."""
    tries: Counter[str] = field(default_factory=Counter)
    """By event id: all that were made, whatever came of them."""
    tries_at_first: dict[str, Counter[str]] = field(default_factory=dict)
    """By event id: the tries of all others when it was first accepted."""
    answers_lost: Counter[str] = field(default_factory=Counter)

    def accept(self, event_id: str, heard: Heard) -> None:
        if event_id not in self.tries_at_first:
            self.tries_at_first[event_id] = self.tries.copy()
        self.accepted.append((event_id, heard))


class Hooks:
    """Webhook receivers, each at its address."""

    def __init__(self, weather: Weather, dice: Random, struck: Callable[[str], None]) -> None:
        self._weather = weather
        self._dice = dice
        self._struck = struck
        self.heard: defaultdict[str, Hearing] = defaultdict(Hearing)
        self.gone: set[str] = set()
        """Said once that they want no more."""

    async def take(self, delivery: Delivery) -> Verdict:
        await asyncio.sleep(self._dice.choice((0.0, 0.02, 0.3)))
        event, hearing = delivery.event, self.heard[delivery.target.address]
        hearing.tries[event.id] += 1
        fault = self._fault()
        if fault in {None, "hook answer lost"}:
            hearing.accept(event.id, (event.instance_id, event.sequence))
        if fault is None:
            return Delivered(status_code=200)
        if fault == "hook answer lost":
            hearing.answers_lost[event.id] += 1
        if fault == "hook is gone":
            self.gone.add(delivery.target.address)
        return await self._trouble(fault)

    def _fault(self) -> str | None:
        often = self._weather.strikes(
            "hook refuses",
            "hook hangs",
            "hook answer lost",
            "hook answers 500",
            "hook asks to wait",
            chance=0.7,
        )
        fault = often or self._weather.strikes("hook is gone", chance=0.1)
        if fault is not None:
            self._struck(fault)
        return fault

    async def _trouble(self, fault: str) -> Verdict:
        match fault:
            case "hook is gone":
                return Gone(reason="410", status_code=410)
            case "hook answers 500":
                return Later(reason="answered 500", status_code=500)
            case "hook asks to wait":
                return Later(reason="answered 429", status_code=429, after=timedelta(seconds=20))
            case "hook refuses":
                return Later(reason="cannot connect")
            case _:
                await asyncio.sleep(15)
                return Later(reason="no answer within 15 s")


class HookSink:
    """In place of `bot.sinks.webhook.WebhookSink`, whose own tests are about HTTP."""

    def __init__(self, hooks: Hooks, process: Process) -> None:
        self._hooks = hooks
        self._process = process

    async def send(self, delivery: Delivery) -> Verdict:
        return await self._process.ask(self._hooks.take(delivery))


class Workspace:
    """Slack's side: messages by channel and time stamp."""

    def __init__(self, weather: Weather, dice: Random, struck: Callable[[str], None]) -> None:
        self._weather = weather
        self._dice = dice
        self._struck = struck
        self._number = 0
        self.messages: dict[tuple[str, str], str] = {}
        """Text by channel and ts."""
        self.cards: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self.homes: dict[str, str] = {}
        """What each person's Home tab says."""
        self.heard = Hearing()
        """In channels."""
        self.heard_directly: defaultdict[str, Hearing] = defaultdict(Hearing)
        """By person, in direct messages."""

    def chat_post(
        self, *, channel: str, metadata: Any = None, text: str = "", **_rest: Any
    ) -> dict[str, str]:
        self._number += 1
        place = (channel, f"{self._number}.0")
        self.messages[place] = text
        self._remember(place, (metadata or {}).get("event_payload", {}))
        return {"channel": place[0], "ts": place[1]}

    def _remember(self, place: tuple[str, str], marks: dict[str, str]) -> None:
        if "event_id" in marks:
            self.hearing(place[0]).accept(marks["event_id"], (marks["instance_id"], 0))
        elif "instance_id" in marks:
            self.cards[marks["instance_id"]].add(place)

    def hearing(self, channel: str) -> Hearing:
        return self.heard_directly[channel[1:]] if channel.startswith("D") else self.heard

    def publish(self, *, user_id: str, view: Any) -> dict[str, Any]:
        self.homes[user_id] = str(view)
        return {}

    def chat_change(self, *, channel: str, ts: str, text: str = "", **_rest: Any) -> dict[str, str]:
        if (channel, ts) not in self.messages:
            raise KeyError("message_not_found")
        self.messages[channel, ts] = text
        return {"channel": channel, "ts": ts}

    def open_direct(self, *, users: str) -> dict[str, Any]:
        return {"channel": {"id": f"D{users}"}}

    def delete_card(self, dice: Random) -> bool:
        places = sorted(self.messages)
        cards = [place for place in places if any(place in each for each in self.cards.values())]
        if not cards:
            return False
        del self.messages[dice.choice(cards)]
        return True

    async def take(
        self, work: Callable[[], dict[str, Any]], event_id: str | None, channel: str
    ) -> dict[str, Any] | Exception:
        await asyncio.sleep(self._dice.choice((0.0, 0.05, 0.2)))
        fault = self._fault()
        answer: dict[str, Any] | Exception = {}
        if fault in {None, "slack answer lost"}:
            try:
                answer = work()
            except KeyError as missing:
                return _refusal(200, {"ok": False, "error": missing.args[0]})
        if fault is None:
            return answer
        if event_id is not None and fault == "slack answer lost":
            self.hearing(channel).answers_lost[event_id] += 1
        return await self._trouble(fault)

    def _fault(self) -> str | None:
        fault = self._weather.strikes(
            "slack answers 500",
            "slack asks to wait",
            "slack hangs",
            "slack answer lost",
            "slack breaks off",
            chance=0.7,
        )
        if fault is not None:
            self._struck(fault)
        return fault

    async def _trouble(self, fault: str) -> Exception:
        match fault:
            case "slack answers 500":
                return _refusal(500, {"ok": False, "error": "internal_error"})
            case "slack asks to wait":
                return _refusal(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "9"})
            case "slack hangs":
                await asyncio.sleep(30)
        return aiohttp.ClientConnectionError("broken off")


class CountingSlackSink(SlackSink):
    """The real one; the workspace learns of every try, also of those that end before it hears of them."""

    def __init__(
        self, workspace: Workspace, client: AsyncWebClient, *, clock: Callable[[], datetime]
    ) -> None:
        super().__init__(client, clock=clock)
        self._workspace = workspace

    async def post_notice(self, delivery: Delivery, card: Card | None, **more: Any) -> Verdict:
        self._workspace.heard.tries[delivery.event.id] += 1
        return await super().post_notice(delivery, card, **more)

    async def post_direct(self, delivery: Delivery, card: Card | None) -> Verdict:
        self._workspace.heard_directly[delivery.target.address].tries[delivery.event.id] += 1
        return await super().post_direct(delivery, card)


class SlackWeb:
    """The part of slack_sdk's client that our sink uses, of one process."""

    def __init__(self, workspace: Workspace, process: Process) -> None:
        self._workspace = workspace
        self._process = process

    def chat_postMessage(self, **content: Any) -> Awaitable[dict[str, Any]]:  # noqa: N802 - Slack's name
        marks = (content.get("metadata") or {}).get("event_payload", {})
        return self._ask(
            lambda: self._workspace.chat_post(**content), marks.get("event_id"), content["channel"]
        )

    def chat_update(self, **content: Any) -> Awaitable[dict[str, Any]]:
        return self._ask(lambda: self._workspace.chat_change(**content))

    def conversations_open(self, *, users: str) -> Awaitable[dict[str, Any]]:
        return self._ask(lambda: self._workspace.open_direct(users=users))

    def views_publish(self, **content: Any) -> Awaitable[dict[str, Any]]:
        return self._ask(lambda: self._workspace.publish(**content))

    def chat_getPermalink(self, *, channel: str, message_ts: str) -> Awaitable[dict[str, Any]]:  # noqa: N802
        return self._ask(lambda: {"permalink": f"https://slack.example/{channel}/{message_ts}"})

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the simulated Slack has no {name}")  # an AttributeError would be Slack's fault

    async def _ask(
        self, work: Callable[[], dict[str, Any]], event_id: str | None = None, channel: str = ""
    ) -> dict[str, Any]:
        answer = await self._process.ask(self._workspace.take(work, event_id, channel))
        if isinstance(answer, Exception):
            raise answer
        return answer


def _refusal(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> SlackApiError:
    response = AsyncSlackResponse(
        client=None,
        http_verb="POST",
        api_url="",
        req_args={},
        data=body,
        headers=headers or {},
        status_code=status,
    )
    return SlackApiError("refused", response)
