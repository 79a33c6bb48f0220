"""What Novita sells, looked up once for all, kept in memory; and the plan of a create made from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Protocol

import structlog

from bot.cache import Cached
from bot.choosing import Market, choose
from bot.errors import NovitaError, TemplateNotFound
from bot.matching import match_template
from bot.metrics import Metrics
from storage.cloud import BillingMode, Cluster, Offer, Order, Product, Template
from storage.records import CreateRequest

_FRESH_FOR_BUYING = timedelta(minutes=1)
"""Stock and prices move: what is bought is chosen from a list no older than this, if Novita answers."""

_MOST_REMEMBERED = 1_000

log = structlog.get_logger(__name__)


class Lookups(Protocol):
    """The part of the Novita client that the catalogue needs."""

    async def list_products(self, billing_mode: BillingMode) -> tuple[Product, ...]: ...
    async def list_clusters(self) -> tuple[Cluster, ...]: ...
    async def list_templates(self) -> tuple[Template, ...]: ...
    async def get_template(self, template_id: str) -> Template: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One create, chosen but not begun."""

    offer: Offer
    request: CreateRequest
    template: Template | None

    def order(self, name: str) -> Order:
        """`name` carries our token. Create takes no template id: its parts are copied out of it."""
        if self.template is None:
            return Order(
                name=name, offer=self.offer, disk_gb=self.request.disk_gb, image=self.request.image or ""
            )
        return Order(
            name=name,
            offer=self.offer,
            disk_gb=self.request.disk_gb,
            image=self.template.image,
            registry_auth_id=self.template.registry_auth_id,
            ports=self.template.ports,
            envs=self.template.envs,
            tools=self.template.tools,
            command=self.template.command,
            entrypoint=self.template.entrypoint,
            min_cuda_version=self.template.min_cuda_version,
        )


class Catalog:
    def __init__(
        self,
        novita: Lookups,
        *,
        clock: Callable[[], datetime],
        product_ttl: timedelta,
        template_ttl: timedelta,
        metrics: Metrics | None = None,
    ) -> None:
        self._novita = novita
        metrics = metrics or Metrics()
        self._products = {
            mode: Cached(partial(novita.list_products, mode), ttl=product_ttl, clock=clock, metrics=metrics)
            for mode in BillingMode
        }
        self._clusters = Cached(novita.list_clusters, ttl=product_ttl, clock=clock, metrics=metrics)
        self._templates = Cached(novita.list_templates, ttl=template_ttl, clock=clock, metrics=metrics)
        self._incomplete = False
        self._possible: set[tuple[object, CreateRequest]] = set()
        """Requests that memory does not disprove, and as of when: programs ask for the same again."""

    async def warm(self) -> None:
        """Look up what is missing or old. Raises nothing: Novita may be down when we start."""
        products = [cached.warm() for cached in self._products.values()]
        results = await asyncio.gather(
            *products, self._clusters.warm(), self._templates.warm(), return_exceptions=True
        )
        wrong = [result for result in results if isinstance(result, BaseException)]
        for error in wrong:
            if not isinstance(error, NovitaError):
                raise error
        self._note(str(wrong[0]) if wrong else None)

    def _note(self, trouble: str | None) -> None:
        """Once when something is missing, not old: that Novita is unwell, its client says."""
        if trouble is not None and not self._incomplete:
            log.warning("catalog.incomplete", why=trouble)
        elif trouble is None and self._incomplete:
            log.info("catalog.recovered")
        self._incomplete = trouble is not None

    async def aclose(self) -> None:
        """Ends look-ups that are under way; to be called before the client that they use is closed."""
        await asyncio.gather(
            *(cached.aclose() for cached in self._products.values()),
            self._clusters.aclose(),
            self._templates.aclose(),
        )

    async def plan(
        self, request: CreateRequest, *, refused: Sequence[Offer], first_usd_per_hour: Decimal | None
    ) -> Plan:
        """Raises CatalogError where it cannot be had, NovitaError where Novita cannot be asked."""
        template = await self._template(request.template) if request.template is not None else None
        products, clusters = await asyncio.gather(
            self._products[request.billing_mode].get(no_older_than=_FRESH_FOR_BUYING), self._clusters.get()
        )
        offer = choose(
            request,
            Market(products=products, clusters=clusters),
            refused=refused,
            first_usd_per_hour=first_usd_per_hour,
        )
        return Plan(offer=offer, request=request, template=template)

    def disprove(self, request: CreateRequest) -> None:
        """Raises CatalogError where what is in memory already shows that it cannot be had. Asks nobody.

        A number that is no known template may be one that lists do not show; Novita is asked later.
        """
        asked = (self._as_of(request), replace(request, name="", webhook_url=None))
        if asked in self._possible:
            return
        self._disprove(request)
        if len(self._possible) >= _MOST_REMEMBERED:
            self._possible.clear()
        self._possible.add(asked)

    def _as_of(self, request: CreateRequest) -> tuple[datetime | None, ...]:
        known = (self._products[request.billing_mode], self._clusters, self._templates)
        return tuple(cached.fetched_at for cached in known)

    def _disprove(self, request: CreateRequest) -> None:
        templates = self._templates.value
        if request.template is not None and templates is not None and not request.template.isdigit():
            match_template(request.template, templates)
        products, clusters = self._products[request.billing_mode].value, self._clusters.value
        if products is not None and clusters is not None:
            # What was out of stock may be back: names, sizes and prices are held against the request here.
            market = Market(products=[replace(p, available=True) for p in products], clusters=clusters)
            choose(request, market, refused=(), first_usd_per_hour=None)

    async def on_sale(self, billing_mode: BillingMode) -> tuple[Product, ...]:
        """Those that can be created now. Raises NovitaError where nothing is known and nobody answers."""
        products = await self._products[billing_mode].get(no_older_than=_FRESH_FOR_BUYING)
        return tuple(p for p in products if p.available and p.usd_per_gpu_hour is not None)

    async def markets(self) -> dict[BillingMode, Market]:
        """For quotes: as fresh as for buying, where Novita answers. Raises as `on_sale`."""
        looked_up = (cached.get(no_older_than=_FRESH_FOR_BUYING) for cached in self._products.values())
        products, clusters = await asyncio.gather(asyncio.gather(*looked_up), self._clusters.get())
        return {
            mode: Market(products=sold, clusters=clusters)
            for mode, sold in zip(self._products, products, strict=True)
        }

    def known_markets(self) -> dict[BillingMode, Market]:
        """From memory; of billing modes whose products were looked up."""
        clusters = self._clusters.value or ()
        known = {mode: cached.value for mode, cached in self._products.items() if cached.value is not None}
        return {mode: Market(products=sold, clusters=clusters) for mode, sold in known.items()}

    def known_products(self, billing_mode: BillingMode) -> tuple[Product, ...]:
        """From memory; empty before the first look-up."""
        return self._products[billing_mode].value or ()

    def known_clusters(self) -> tuple[Cluster, ...]:
        return self._clusters.value or ()

    def known_templates(self) -> tuple[Template, ...]:
        return self._templates.value or ()

    async def _template(self, typed: str) -> Template:
        try:
            return match_template(typed, await self._templates.get())
        except TemplateNotFound:
            if not typed.isdigit():
                raise
            return await self._novita.get_template(typed)
