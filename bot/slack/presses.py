"""What each button does: `gpu:<what>`, its value the id of an instance, a ticket, or a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.grammar.commands import Create, Offers
from bot.messages.blocks import Message
from bot.messages.quotes import cancelled
from bot.slack.answering import Answering
from bot.slack.arguments import parse
from bot.slack.buying import Buying, no_longer_known
from bot.slack.conversation import Conversation
from bot.slack.forms import Forms
from bot.slack.hearing import heard
from bot.slack.spoken import Spoken, Surface
from storage.records import Notify, Wish

Query = Callable[[str, Spoken], Coroutine[Any, Any, Message | None]]
"""The value of the button, and who pressed it where."""


class Presses:
    def __init__(
        self,
        conversation: Conversation,
        buying: Buying,
        forms: Forms,
        answering: Answering,
    ) -> None:
        self._conversation = conversation
        self._buying = buying
        self._forms = forms
        self._answering = answering
        self._queries: Mapping[str, tuple[str, Query]] = {
            "connect": ("ssh", conversation.connect),
            "status": ("status", conversation.status),
            "create": ("form", lambda _, spoken: forms.open(Create(), spoken)),
            "change": ("form", self._change),
            "requote": ("quote", buying.requote),
            "cancel": ("cancel", self._cancel),
            "offers": ("offers", lambda _, spoken: buying.offers(Offers(), spoken)),
            "offers_page": ("offers", self._offers_page),
            "page": ("list", self._page),
            "list_all": ("list", lambda _, spoken: conversation.list_instances(spoken, everybody=True)),
            "notify": ("notify", self._notify),
            "refresh": ("home", lambda _, spoken: conversation.open_home(spoken)),
        }
        """By what the button says: the verb that the log has, and what answers."""

    async def press(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """Whoever presses is judged anew."""
        spoken, action = Spoken.of_action(body), body["actions"][0]
        what = action["action_id"].split(":")[1]
        chosen = action.get("selected_option") or {}
        value = action.get("value") or chosen.get("value") or ""
        with heard(spoken, "button"):
            match what:
                case "start" | "stop" | "restart" | "delete":
                    wish = self._conversation.press(Wish(what), value, spoken)
                    await self._answering.done(ack, spoken, what, wish)
                case "launch":
                    spoken = replace(spoken, replaces=True)
                    await self._answering.done(ack, spoken, "create", self._buying.launch(value, spoken))
                case _:
                    spoken = replace(spoken, replaces=what in _REPLACING)
                    verb, query = self._queries.get(what, ("unknown", _unknown))
                    if spoken.surface is Surface.HOME and what in _SHOWN:
                        await self._answering.in_window(ack, spoken, verb, partial(query, value))
                    else:
                        await self._answering.later(ack, spoken, verb, query(value, spoken))

    async def _change(self, value: str, spoken: Spoken) -> Message | None:
        typed, key = self._buying.change_of(value)
        await self._conversation.require_member(spoken)
        if (launched := await self._buying.launched(key)) is not None:
            return launched
        await self._forms.open(typed, spoken, key=key)
        return None

    async def _cancel(self, _value: str, spoken: Spoken) -> Message:
        await self._conversation.require_member(spoken)
        return cancelled()

    async def _offers_page(self, value: str, spoken: Spoken) -> Message:
        try:
            page = json.loads(value)
            asked, offset, key = parse(page["line"]), int(page["offset"]), str(page["key"])
        except (ValueError, TypeError, KeyError) as error:
            raise no_longer_known() from error
        if not isinstance(asked, Offers):
            raise no_longer_known()
        return await self._buying.offers(asked, spoken, key=key, offset=offset)

    async def _page(self, value: str, spoken: Spoken) -> Message:
        try:
            page = json.loads(value)
            everybody, offset = bool(page["all"]), int(page["offset"])
        except (ValueError, TypeError, KeyError) as error:
            raise no_longer_known() from error
        return await self._conversation.list_instances(spoken, everybody=everybody, offset=offset)

    async def _notify(self, value: str, spoken: Spoken) -> None:
        if value not in set(Notify):
            raise no_longer_known()
        await self._conversation.choose_notify(Notify(value), spoken)


_SHOWN = frozenset({"connect", "status", "offers", "list_all"})
"""Their answer is something to read, for which the Home tab has no place."""
_REPLACING = frozenset({"requote", "cancel", "change", "offers_page", "page"})
"""Their answer takes the place of the message that they are on."""


async def _unknown(_value: str, _spoken: Spoken) -> Message:
    raise no_longer_known()
