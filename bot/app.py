"""The composition root: opens everything in order, closes it in reverse.

The demo and the crash tests start this same code with other addresses, shorter timings, and wrapped parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from bot.catalog import Catalog
from bot.deliveries import Deliveries
from bot.jobs import Job, Jobs
from bot.novita.client import NovitaClient
from bot.operations import Defaults, Operations
from bot.poller import Poller
from bot.probe import EndpointProbe
from bot.reconciler import Reconciler
from bot.settings import Settings
from bot.sinks.webhook import WebhookSink
from bot.timings import Timings
from bot.web.api import build_api
from bot.web.health import Health
from bot.web.server import WebServer
from storage.database import open_database
from storage.store.store import Store

log = structlog.get_logger(__name__)

T = TypeVar("T")
Wrap = Callable[[str, Any], Any]
"""Name and part -> the part to use; what crash tests put their crash points in with."""


def utc_now() -> datetime:
    """The one clock; everything else is handed it."""
    return datetime.now(UTC)


def as_it_is(_name: str, part: Any) -> Any:
    return part


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is running, for who started it."""

    port: int
    operations: Operations
    health: Health
