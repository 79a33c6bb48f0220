"""The form for renting a GPU: opened, kept up with while it is filled, and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
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
from bot.messages.filled import partial_form, read_form
from bot.messages.form import create_form, loading_form
from bot.sinks.slack_answers import Call, Refused, Unavailable, answer_of
from bot.slack.answering import ACK_CHANGE_WITHIN, Answering, is_there
from bot.slack.buying import Buying
from bot.slack.conversation import Conversation
from bot.slack.hearing import heard, note_answer
from bot.slack.spoken import Spoken

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
        view = body["view"]
        filled = partial_form(view["state"])
        newer = self._form(filled, view["private_metadata"])
        # A hash of before another change is refused: then that one brings the estimate.
        await self._call(lambda: self._client.views_update(view_id=view["id"], hash=view["hash"], view=newer))

    async def suggest(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """From memory, as one types."""
        products = self._buying.form_choices()["products"]
        await ack(options=gpu_suggestions(body.get("value") or "", products))

    async def _order(self, ack: AsyncAck, filled: Create, spoken: Spoken, private: str) -> None:
        outcome = self._answering.begin("create", self._buying.send(filled, spoken))
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
        return create_form(
            **self._buying.form_choices(),
            filled=filled,
            estimate=self._buying.estimate(filled),
            private=private,
            error=error,
        )


def beside(field: str, fault: BotError) -> dict[str, Any]:
    return {"response_action": "errors", "errors": {field: _sentence(fault)}}


def _not_opened(typed: Create) -> TryAgain:
    return TryAgain("Slack did not open the form in time. Please try again.", hint=render(typed))


def _sentence(fault: BotError) -> str:
    """For the form, where a command to copy would be of no use."""
    return f"{fault} {fault.free} is free." if isinstance(fault, NameTaken) else str(fault)
