"""From wanting a GPU to asking for it: quotes, offers, what the form shows, and the create itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.asking import Asked, Origin
from bot.catalog import Catalog
from bot.errors import (
    BotError,
    CatalogError,
    NameTaken,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    UsageError,
)
from bot.grammar.commands import Create, Offers, render
from bot.messages import answers
from bot.messages.blocks import Message
from bot.messages.offering import offers_list
from bot.messages.quotes import quote_card
from bot.operations import Operations
from bot.quotes import Quote, Ticket
from bot.quoting import on_offer, quote
from bot.slack.arguments import parse
from bot.slack.people import People
from bot.slack.spoken import Spoken
from storage.cloud import BillingMode
from storage.records import CreateRequest

_GOOD_FOR = timedelta(hours=1)
"""A quote: prices and stock move. Well within the day for which the key of a request is known."""


_KEY = re.compile(r"(quote:[0-9a-f]+):([0-9]+)((?:\.[0-9]+)?)")


class Buying:
    """Every method raises `bot.errors.BotError` for what a person can mend."""

    def __init__(
        self, operations: Operations, people: People, catalog: Catalog, *, clock: Callable[[], datetime]
    ) -> None:
        self._operations = operations
        self._people = people
        self._catalog = catalog
        self._clock = clock

    def needs_form(self, command: Create) -> bool:
        return command.gpu is None or self._needs_template(command)

    def launches(self, command: Create) -> bool:
        """At once, since template or image was typed, or consent with it; else it is quoted."""
        return command.yes or command.template is not None or command.image is not None

    async def ask(self, command: Create, spoken: Spoken) -> Message:
        with _corrected(command):
            if self.launches(command):
                return await self.create(command, spoken)
            return await self.quote(command, spoken, key=self._new_key(spoken))

    async def quote(self, command: Create, spoken: Spoken, *, key: str) -> Message:
        actor = await self._people.actor(spoken.user_id)
        self._operations.require_member(actor)
        priced = quote(command, self._request(command), await self._catalog.markets(), key=key)
        return quote_card(priced, needs_template=self._needs_template(command))

    async def requote(self, value: str, spoken: Spoken) -> Message:
        """Another choice of the same quote, which is bought once in all."""
        ticket, command = _read(value)
        return await self.quote(command, spoken, key=ticket.key)

    async def launch(self, value: str, spoken: Spoken) -> Message:
        """Once for each quote, whoever presses how often. An old quote is answered with a new one."""
        ticket, command = _read(value)
        if not self._is_good(ticket.key):
            return await self.quote(command, spoken, key=self._new_key(spoken))
        with _corrected(command):
            once = replace(spoken, key=order_key(ticket.key))
            return await self.create(command, once, quoted=ticket.usd_per_hour)

    async def create(self, command: Create, spoken: Spoken, *, quoted: Decimal | None = None) -> Message:
        """`quoted`: what it was said to cost per hour; fallbacks are held against it."""
        actor = await self._people.actor(spoken.user_id)
        origin = Origin(key=spoken.key, channel=spoken.destination, response_url=spoken.response_url)
        asked = replace(_asked(command), quoted_usd_per_hour=quoted)
        asked_at = self._clock()
        created = await self._operations.create(asked, actor, origin, unique_name=True)
        if created.created_at < asked_at:
            return answers.launched_before(created, self._clock())
        return answers.created(created)

    async def offers(
        self, asked: Offers, spoken: Spoken, *, key: str | None = None, offset: int = 0
    ) -> Message:
        self._operations.require_member(await self._people.actor(spoken.user_id))
        defaults = self._operations.defaults
        rows = on_offer(asked, await self._catalog.markets(), disk_gb=defaults.disk_gb)
        return offers_list(
            rows,
            asked=asked,
            key=key or self._new_key(spoken),
            offset=offset,
            launches_at_once=defaults.template is not None,
            now=self._clock(),
        )

    async def offer_form(self, command: Create, spoken: Spoken) -> Message:
        """Where no form can be opened: a button that opens it."""
        self._operations.require_member(await self._people.actor(spoken.user_id))
        return answers.press_for_form(Ticket(key=self._new_key(spoken), line=render(command)))

    def change_of(self, value: str) -> tuple[Create, str]:
        """What a quote's Change starts from, and the key under which it is bought."""
        ticket, command = _read(value)
        return command, order_key(ticket.key)

    async def launched(self, key: str) -> Message | None:
        """What was bought under this key; None: nothing yet."""
        earlier = await self._operations.served(key)
        return None if earlier is None else answers.launched_before(earlier, self._clock())

    async def warm(self) -> None:
        """What the form offers is in memory after this, if Novita answers."""
        await self._catalog.warm()

    def knows_products(self) -> bool:
        return any(self._catalog.known_products(mode) for mode in BillingMode)

    def form_choices(self) -> dict[str, Any]:
        """From memory: the form opens at once, also where Novita is down."""
        usual = self._operations.defaults
        return {
            "usual": Create(
                gpu_count=usual.gpu_count,
                template=usual.template,
                billing_mode=usual.billing_mode,
                disk_gb=usual.disk_gb,
            ),
            "products": [p for mode in BillingMode for p in self._catalog.known_products(mode)],
            "templates": self._catalog.known_templates(),
            "clusters": self._catalog.known_clusters(),
        }

    def estimate(self, filled: Create) -> Quote | None:
        """From memory; None while too little of the form is filled, or what is filled does not fit."""
        markets = self._catalog.known_markets()
        if filled.gpu is None or len(markets) < len(BillingMode):
            return None
        try:
            return quote(filled, self._request(filled), markets, key="estimate")
        except CatalogError:
            return None

    def _needs_template(self, command: Create) -> bool:
        return not (command.template or command.image or self._operations.defaults.template)

    def _request(self, command: Create) -> CreateRequest:
        """To be priced: what it is to run has no price, and may be chosen later."""
        priced = replace(command, image="any") if self._needs_template(command) else command
        return self._operations.request_of(_asked(priced))

    def _new_key(self, spoken: Spoken) -> str:
        """Of a quote: what was asked, and when."""
        digest = hashlib.sha256(spoken.key.encode()).hexdigest()[:16]
        return f"quote:{digest}:{int(self._clock().timestamp())}"

    def _is_good(self, key: str) -> bool:
        _, given_at = _parts(key)
        return self._clock().timestamp() - given_at < _GOOD_FOR.total_seconds()


def order_key(key: str) -> str:
    """Under which it is bought: a command that is delivered twice has two quotes, and buys once."""
    return _parts(key)[0]


def _parts(key: str) -> tuple[str, int]:
    found = _KEY.fullmatch(key)
    if found is None:
        raise no_longer_known()
    return f"{found[1]}{found[3]}", int(found[2])


def _read(value: str) -> tuple[Ticket, Create]:
    ticket = Ticket.read(value)
    command = None if ticket is None else parse(ticket.line)
    if ticket is None or not isinstance(command, Create):
        raise no_longer_known()
    return ticket, command


def no_longer_known() -> UsageError:
    return UsageError("That button is of another version of mine.", hint="/gpu create")


def _asked(command: Create) -> Asked:
    return Asked(
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
