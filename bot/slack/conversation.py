"""What is said in answer to a command or a press, without Bolt: a request in, a message out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from bot.asking import Actor, Asked, Origin
from bot.catalog import Catalog
from bot.errors import (
    BotError,
    NameTaken,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    UsageError,
)
from bot.grammar.commands import Act, Command, Create, Help, List, Mine, Ssh, Status, render
from bot.messages import answers
from bot.messages.blocks import Message
from bot.operations import Operations
from bot.slack.people import People
from storage.cloud import BillingMode
from storage.records import Wish

_LIST_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Who spoke, where, and how to answer."""

    user_id: str
    channel_id: str | None
    response_url: str | None
    trigger_id: str | None
    thread_ts: str | None = None
    """The thread of the message whose button was pressed: that is where the answer is looked for."""
    key: str
    """The same for every delivery of one request: Slack may deliver twice."""

    @classmethod
    def of_command(cls, body: Mapping[str, Any]) -> Spoken:
        return cls(
            user_id=body["user_id"],
            channel_id=body.get("channel_id"),
            response_url=body.get("response_url"),
            trigger_id=body.get("trigger_id"),
            key=f"command:{body.get('trigger_id')}",
        )

    @classmethod
    def of_action(cls, body: Mapping[str, Any]) -> Spoken:
        """Keyed by message, button, moment and person."""
        action, user_id = body["actions"][0], body["user"]["id"]
        container = body.get("container", {})
        message_ts = container.get("message_ts")
        return cls(
            user_id=user_id,
            channel_id=body.get("channel", {}).get("id"),
            response_url=body.get("response_url"),
            trigger_id=body.get("trigger_id"),
            thread_ts=container.get("thread_ts"),
            key=f"action:{message_ts}:{action['action_id']}:{action.get('action_ts')}:{user_id}",
        )

    @classmethod
    def of_view(cls, body: Mapping[str, Any], kept: Mapping[str, Any]) -> Spoken:
        """A view knows no channel: `kept` is what `kept()` gave when it was opened."""
        return cls(
            user_id=body["user"]["id"],
            channel_id=kept.get("channel_id"),
            response_url=kept.get("response_url"),
            trigger_id=body.get("trigger_id"),
            thread_ts=kept.get("thread_ts"),
            key=f"view:{body['view']['id']}",
        )

    def kept(self) -> str:
        kept = {name: getattr(self, name) for name in ("channel_id", "response_url", "thread_ts")}
        return json.dumps(kept)


class Conversation:
    """Every method raises `bot.errors.BotError` for what a person can mend."""

    def __init__(
        self, operations: Operations, people: People, catalog: Catalog, *, clock: Callable[[], datetime]
    ) -> None:
        self._operations = operations
        self._people = people
        self._catalog = catalog
        self._clock = clock

    def needs_form(self, command: Create) -> bool:
        source = command.template or command.image or self._operations.defaults.template
        return command.gpu is None or source is None

    async def require_member(self, spoken: Spoken) -> None:
        self._operations.require_member(await self._actor(spoken))

    async def carry_out(  # noqa: PLR0911 - one return a command
        self, command: Command, spoken: Spoken
    ) -> Message:
        match command:
            case Create():
                with _corrected(command):
                    return await self.create(command, spoken)
            case Act(verb=verb, name=name):
                return await self.act(verb, name, spoken)
            case List(everybody=everybody):
                return await self.list_instances(spoken, everybody=everybody)
            case Mine():
                return await self.list_instances(spoken, everybody=False)
            case Status(name=name):
                return await self.status(name, spoken)
            case Ssh(name=name):
                return await self.connect(name, spoken)
            case Help(verb=verb):
                await self.require_member(spoken)
                return answers.help_message(verb)
            case _:
                assert_never(command)

    async def create(self, command: Create, spoken: Spoken) -> Message:
        actor = await self._actor(spoken)
        origin = Origin(key=spoken.key, channel=spoken.channel_id, response_url=spoken.response_url)
        asked = Asked(
            gpu=command.gpu or "",
            gpu_count=command.gpu_count,
            name=command.name,
            template=command.template,
            image=command.image,
            billing_mode=command.billing_mode,
            regions=command.regions,
            disk_gb=command.disk_gb,
            max_usd_per_hour=command.max_usd_per_hour,
            webhook_url=command.webhook_url,
        )
        return answers.created(await self._operations.create(asked, actor, origin, unique_name=True))

    async def act(self, verb: Wish, ref: str | None, spoken: Spoken) -> Message:
        acted = await self._operations.act(verb, ref, await self._actor(spoken), Origin(key=spoken.key))
        return answers.acted(acted.instance, verb, nothing_to_do=acted.nothing_to_do)

    async def list_instances(self, spoken: Spoken, *, everybody: bool) -> Message:
        instances, total = await self._operations.list_instances(
            await self._actor(spoken), everybody=everybody, limit=_LIST_MOST
        )
        return answers.instance_list(instances, everybody=everybody, total=total, now=self._clock())

    async def status(self, ref: str | None, spoken: Spoken) -> Message:
        instance = await self._operations.get(ref, await self._actor(spoken))
        return answers.status(instance, self._clock())

    async def connect(self, ref: str | None, spoken: Spoken) -> Message:
        instance, details = await self._operations.connect(ref, await self._actor(spoken))
        return answers.connect(instance, details)

    def form_choices(self) -> dict[str, Any]:
        """From memory: the form opens at once, also where Novita is down."""
        return {
            "products": [p for mode in BillingMode for p in self._catalog.known_products(mode)],
            "templates": self._catalog.known_templates(),
            "clusters": self._catalog.known_clusters(),
        }

    async def _actor(self, spoken: Spoken) -> Actor:
        return await self._people.actor(spoken.user_id)


@contextmanager
def _corrected(typed: Create) -> Iterator[None]:
    """What is wrong with one word of a command is told with the whole command, that word put right."""
    try:
        yield
    except NameTaken as error:
        raise UsageError(str(error), hint=render(replace(typed, name=error.free)), code=error.code) from error
    except ProductNotFound as error:
        _offer(error, [replace(typed, gpu=name) for name in error.nearest])
        raise
    except TemplateNotFound as error:
        _offer(error, [replace(typed, template=name) for name in error.nearest])
        raise
    except RegionNotFound as error:
        if len(typed.regions) == 1:
            _offer(error, [replace(typed, regions=(name,)) for name in error.nearest])
        raise


def _offer(error: BotError, better: list[Create]) -> None:
    if better:
        error.hint = render(better[0])
