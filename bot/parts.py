"""The parts of the service, each made from its settings. Nothing here runs yet."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import stamina
import structlog
from pydantic import SecretStr

from bot.asking import Defaults
from bot.catalog import Catalog
from bot.metrics import Metrics
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from bot.operations import Operations
from bot.receivers import Receivers
from bot.settings import Settings
from bot.sinks.slack import SlackSink
from bot.sinks.webhook import WebhookSink
from bot.slack.assembly import Access, SlackSide
from bot.timings import Timings
from bot.unknowns import Unknowns
from bot.web.security import Inbound
from storage.database import migrate, open_database
from storage.outages import WatchedDatabase
from storage.shared_clock import SharedClock
from storage.store.store import Store, make_store

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


@cache
def bot_version() -> str:
    return version("novita-gpu-bot")


def timings_of(settings: Settings) -> Timings:
    return replace(
        Timings(),
        startup_timeout=settings.instance_startup_timeout,
        slow_poll=settings.instance_poll_interval,
    )


async def open_store(
    settings: Settings, timings: Timings, clock: SharedClock, stack: AsyncExitStack
) -> Store:
    """Migrated, and closed with the stack; the clock is set by it. Raises storage.errors.StorageError."""
    url = settings.database_url.get_secret_value()
    if await migrate(url):
        log.info("database.migrated")
    database = WatchedDatabase(await open_database(url), clock)
    stack.push_async_callback(database.close)
    await clock.follow(database)
    store = make_store(database, clock, lease=timings.lease, card_gap=timings.card_gap)
    await store.targets.enable_all()
    return store


def novita_client(settings: Settings, clock: Clock, metrics: Metrics) -> NovitaClient:
    # The client says once that Novita is unwell; each retry of a look-up is no news.
    stamina.instrumentation.set_on_retry_hooks([])
    limits = Limits(
        timeout=settings.api_timeout,
        max_retries=settings.max_retries,
        retry_delay=settings.retry_delay,
        breaker_threshold=settings.circuit_breaker_threshold,
        breaker_timeout=settings.circuit_breaker_timeout,
        calls_per_minute=settings.novita_rate_limit,
    )
    return NovitaClient(
        base_url=settings.novita_api_base_url,
        api_key=settings.novita_api_key,
        clock=clock,
        limits=limits,
        headers=_correlation,
        metrics=metrics,
    )


def _correlation() -> dict[str, str]:
    """Of the request or the instance that is being worked on."""
    correlation_id = structlog.contextvars.get_contextvars().get("correlation_id")
    return {} if correlation_id is None else {"X-Correlation-ID": correlation_id}


def catalog(settings: Settings, novita: Any, clock: Clock, metrics: Metrics) -> Catalog:
    return Catalog(
        novita,
        clock=clock,
        product_ttl=settings.product_cache_ttl,
        template_ttl=settings.template_cache_ttl,
        metrics=metrics,
    )


def operations(  # noqa: PLR0913 - what it is made of
    settings: Settings,
    *,
    store: Store,
    catalog: Catalog,
    novita: Any,
    clock: Clock,
    wake: Callable[[], None],
) -> Operations:
    defaults = Defaults(
        region=settings.default_region,
        gpu_count=settings.default_gpu_count,
        disk_gb=settings.default_rootfs_size,
        template=settings.default_template,
        billing_mode=settings.default_billing_mode,
    )
    return Operations(
        store=store,
        catalog=catalog,
        novita=novita,
        clock=clock,
        defaults=defaults,
        admins=frozenset(settings.admin_users),
        receivers=receivers(settings),
        wake=wake,
    )


def slack_side(
    settings: Settings, operations: Operations, catalog: Catalog, clock: Clock, metrics: Metrics
) -> SlackSide | None:
    """None: not configured."""
    if settings.slack_bot_token is None:
        return None
    access = Access(
        bot_token=settings.slack_bot_token.get_secret_value(),
        app_token=plain(settings.slack_app_token),
        signing_secret=plain(settings.slack_signing_secret),
        api_base_url=settings.slack_api_base_url,
    )
    return SlackSide(access, operations, catalog, clock=clock, metrics=metrics)


def receivers(settings: Settings) -> Receivers:
    return Receivers(settings.webhook_allowed_hosts)


def webhook_sink(settings: Settings, clock: Clock) -> WebhookSink:
    return WebhookSink(
        secret=plain(settings.webhook_secret),
        trusted=plain(settings.webhook_url),
        receivers=receivers(settings),
        timeout=settings.webhook_timeout,
        user_agent=f"novita-gpu-bot/{bot_version()}",
        clock=clock,
    )


def unknowns(settings: Settings, timings: Timings, store: Store, slack: SlackSink | None) -> Unknowns:
    return Unknowns(
        store=store, slack=slack, admins=settings.admin_users, owner=uuid.uuid4().hex, lease=timings.lease
    )


def inbound(settings: Settings) -> Inbound:
    if settings.api_keys == "none":
        log.warning("rest.open", why="API_KEYS is none: whoever reaches the port may use REST")
    return Inbound(
        api_keys=settings.api_keys,
        request_size_limit=settings.request_size_limit,
        cors_origin=settings.cors_origin,
        cors_methods=settings.cors_methods,
        rate_limit_window=settings.rate_limit_window,
        rate_limit_max_requests=settings.rate_limit_max_requests,
    )


def plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
