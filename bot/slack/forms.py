"""The form for renting a GPU: opened, kept up with while it is filled, and sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import (
    BotError,
    NameTaken,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
    UsageError,
)
from bot.grammar.commands import Create, render
from bot.messages.choices import gpu_suggestions
from bot.messages.estimates import dearer_now, price_of
from bot.messages.filled import partial_form, read_form
from bot.messages.form import create_form, loading_form
from bot.sinks.slack_answers import Call, Refused, Unavailable, answer_of
from bot.slack.answering import ACK_CHANGE_WITHIN, Answering, is_there
from bot.slack.buying import Buying
from bot.slack.conversation import Conversation
from bot.slack.hearing import heard, note_answer
from bot.slack.spoken import Spoken

_MOST_REMEMBERED = 1_000
_OPEN_WITHIN = timedelta(seconds=3)
"""The life of a trigger_id."""

_FIELD_OF: tuple[tuple[type[BotError], str], ...] = (
    (NameTaken, "name"),
    (ProductNotFound, "gpu"),
    (TemplateNotFound, "template"),
    (RegionNotFound, "regions"),
)
"""The field of the form that an error is about."""


class Forms:
    def __init__(
        self,
        conversation: Conversation,
        buying: Buying,
        answering: Answering,
        client: AsyncWebClient,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._conversation = conversation
        self._buying = buying
        self._answering = answering
        self._client = client
        self._clock = clock
        self._latest: dict[str, str] = {}
        """By view: when its latest change was made."""

    async def open(self, typed: Create, spoken: Spoken, *, key: str | None = None) -> None:
        """At once, whatever is known of Novita by then; what it offers follows. `key`: of a quote.

        Raises TryAgain where Slack does not open it in time, and NotAllowed.
        """
        await self._conversation.require_member(spoken)
        private = spoken.kept(key=key)
        if self._buying.knows_products():
            await self._opened(typed, spoken, self._form(typed, private))
            return
        view_id = await self._opened(typed, spoken, loading_form(private=private))
        if view_id is None:
            return
        try:
            await self._buying.warm()
        finally:
            view = self._form(typed, private)
            await self._call(lambda: self._client.views_update(view_id=view_id, view=view))

    async def submit(self, ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        spoken = Spoken.of_form(body)
        filled = read_form(view["state"])
        if isinstance(filled, Create) and self._buying.needs_form(filled):
            filled = {"template": "Choose a template, or name an image below."}
        with heard(spoken, "form"):
            if isinstance(filled, Create):
                await self._order(ack, filled, spoken, view["private_metadata"])
                return
            note_answer("create", UsageError("fields"))
            await ack(response_action="errors", errors=filled)

    async def keep_up(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """Something was chosen: the estimate and the command line follow. What was typed stays."""
        await ack()
        view, spoken = body["view"], Spoken.of_action(body)
        with heard(spoken, "form"):
            self._answering.begin("form", self._redrawn(view, body["actions"][0]["action_ts"], spoken))

    async def _redrawn(self, view: Mapping[str, Any], action_ts: str, spoken: Spoken) -> None:
        await self._conversation.require_member(spoken)
        if not self._is_latest(view["id"], action_ts):
            return
        newer = self._form(partial_form(view["state"] or {}), view["private_metadata"])
        # Without its hash: of two changes in a row both carry the one of before, and the later has to win.
        await self._call(lambda: self._client.views_update(view_id=view["id"], view=newer))

    def _is_latest(self, view_id: str, action_ts: str) -> bool:
        """Changes of one form may arrive in another order than they were made."""
        if action_ts < self._latest.get(view_id, ""):
            return False
        if len(self._latest) >= _MOST_REMEMBERED:
            self._latest.pop(next(iter(self._latest)))
        self._latest[view_id] = action_ts
        return True

    async def suggest(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """From memory, as one types; nothing to who is no member."""
        try:
            await self._conversation.require_member(Spoken.of_search(body))
        except BotError:
            await ack(options=[])
            return
        products = self._buying.form_choices()["products"]
        await ack(options=gpu_suggestions(body.get("value") or "", products))

    async def _order(self, ack: AsyncAck, filled: Create, spoken: Spoken, private: str) -> None:
        now, shown = price_of(self._buying.estimate(filled)), _shown_price(private)
        if now is not None and (shown is None or now > shown):
            # Sending it is the consent, to a price that was there to see.
            await ack(response_action="update", view=self._form(filled, private, error=dearer_now(now)))
            return
        outcome = self._answering.begin("create", self._buying.create(filled, spoken, quoted=shown))
        done = outcome.result() if await is_there(outcome, ACK_CHANGE_WITHIN) else None
        if isinstance(done, BotError):
            await ack(**self._refusal(done, filled, private))
            return
        await ack()
        # Without a conversation the card itself is the answer; a fault that comes late is told all the same.
        if done is None or spoken.response_url is not None:
            self._answering.follow(spoken, outcome)

    async def _opened(self, typed: Create, spoken: Spoken, view: dict[str, Any]) -> str | None:
        """The id of the view; None: it is open already, by an earlier delivery of the same."""
        trigger_id = spoken.trigger_id or ""
        try:
            answer = await answer_of(
                lambda: self._client.views_open(trigger_id=trigger_id, view=view),
                now=self._clock(),
                timeout=_OPEN_WITHIN,
            )
        except Unavailable as error:
            raise _not_opened(typed) from error
        except Refused as refusal:
            if refusal.code == "exchanged_trigger_id":
                return None
            if refusal.code not in {"expired_trigger_id", "invalid_trigger_id"}:
                raise
            raise _not_opened(typed) from refusal
        return str((answer.get("view") or {}).get("id") or "")

    async def _call(self, call: Call) -> None:
        """What a form that is open looks like is worth one try: it may have been closed."""
        try:
            await answer_of(call, now=self._clock(), timeout=_OPEN_WITHIN)
        except (Refused, Unavailable):
            return

    def _refusal(self, fault: BotError, filled: Create, private: str) -> dict[str, Any]:
        """Beside the field that it is about, else above them all."""
        for kind, field in _FIELD_OF:
            if isinstance(fault, kind):
                return beside(field, fault)
        return {"response_action": "update", "view": self._form(filled, private, error=_sentence(fault))}

    def _form(self, filled: Create, private: str, *, error: str | None = None) -> dict[str, Any]:
        estimate = self._buying.estimate(filled)
        return create_form(
            **self._buying.form_choices(),
            filled=filled,
            estimate=estimate,
            private=_with_price(private, price_of(estimate)),
            error=error,
        )


def _with_price(private: str, usd_per_hour: Decimal | None) -> str:
    shown = None if usd_per_hour is None else f"{usd_per_hour:f}"
    return json.dumps({**json.loads(private), "usd": shown})


def _shown_price(private: str) -> Decimal | None:
    shown = json.loads(private).get("usd")
    return None if shown is None else Decimal(shown)


def beside(field: str, fault: BotError) -> dict[str, Any]:
    return {"response_action": "errors", "errors": {field: _sentence(fault)}}


def _not_opened(typed: Create) -> TryAgain:
    return TryAgain("Slack did not open the form in time. Please try again.", hint=render(typed))


def _sentence(fault: BotError) -> str:
    """For the form, where a command to copy would be of no use."""
    return f"{fault} {fault.free} is free." if isinstance(fault, NameTaken) else str(fault)
