"""Puts the routes and the layers around them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from bot.metrics import Metrics
from bot.operations import Operations
from bot.redelivery import Redelivery
from bot.web.bodies import BodyLimit
from bot.web.closing import Closing
from bot.web.deliveries import DeliveryRoutes
from bot.web.docs import docs_page
from bot.web.errors import fault, invalid
from bot.web.framing import Framing, LastResort
from bot.web.handlers import Refused, install_handlers
from bot.web.health import Health
from bot.web.instances import InstanceRoutes
from bot.web.metrics import MetricRoutes, TakeCensus, no_census
from bot.web.openapi import DescribedApi
from bot.web.probes import probe_routes
from bot.web.products import OnSale, ProductRoutes
from bot.web.quotas import HEADERS
from bot.web.rates import RateLimit
from bot.web.remembered import Generation, Remembered
from bot.web.requestlog import RequestLog
from bot.web.security import Gate, Inbound

SlackHandler = Callable[[Request], Awaitable[Response]]

_DESCRIPTION = (
    "Rents GPU instances at Novita.ai and follows them until they are usable. Times are ISO 8601 in UTC. "
    "Every error has the same body, and its `requestId` is in the logs."
)
# Off, whatever the environment says: bodies and traces are nothing for somebody else's collector.
_NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)

_SENT_BY_PAGES = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-API-Key",
    "X-Request-ID",
    "X-Correlation-ID",
)


def build_api(  # noqa: PLR0913 - the one place where these meet
    operations: Operations,
    health: Health,
    *,
    redelivery: Redelivery,
    catalog: OnSale,
    clock: Callable[[], datetime],
    inbound: Inbound,
    generation: Generation = lambda: None,
    slack_channel: str | None = None,
    slack_handler: SlackHandler | None = None,
    metrics: Metrics | None = None,
    census: TakeCensus = no_census,
) -> FastAPI:
    """`slack_channel` is told about instances that come in here. `slack_handler` is there in HTTP mode only;
    it checks the signature itself. Nothing is opened or started."""
    app = _bare(health.version)
    metrics = metrics or Metrics()
    _add_routes(
        app,
        probe_routes(health, clock),
        InstanceRoutes(operations, channel=slack_channel).router(),
        ProductRoutes(catalog).router(),
        DeliveryRoutes(redelivery).router(),
        MetricRoutes(metrics, health, clock=clock, census=census).router(),
    )
    app.add_route("/slack/events", _slack_route(slack_handler), methods=["POST"], include_in_schema=False)
    app.add_route("/docs", docs_page, include_in_schema=False)
    install_handlers(app, clock)
    app.add_middleware(Remembered, generation=generation)
    _wrap(app, health, clock, inbound, exposed=slack_handler is not None)
    app.add_middleware(Framing, metrics=metrics)  # the outermost
    return app


def _bare(version: str) -> DescribedApi:
    return DescribedApi(
        title="novita-gpu-bot",
        version=version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )


def _add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """Not by include_router: that would make every route a second time, at the first request."""
    for router in routers:
        app.routes.extend(router.routes)


def _wrap(
    app: FastAPI, health: Health, clock: Callable[[], datetime], inbound: Inbound, *, exposed: bool
) -> None:
    """The innermost layer first. The gate is around what reads bodies, and within what answers preflights."""
    app.add_middleware(
        BodyLimit, most_bytes=inbound.request_size_limit, within=inbound.body_within, clock=clock
    )
    app.add_middleware(Closing, health=health, clock=clock)
    app.add_middleware(
        RateLimit, most=inbound.rate_limit_max_requests, window=inbound.rate_limit_window, clock=clock
    )
    app.add_middleware(Gate, inbound=inbound, exposed=exposed, clock=clock)
    app.add_middleware(LastResort, clock=clock)
    if inbound.cors_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=inbound.cors_origin,
            allow_methods=inbound.cors_methods,
            allow_headers=_SENT_BY_PAGES,
            expose_headers=["X-Request-ID", "X-Correlation-ID", "Retry-After", *HEADERS],
        )
    app.add_middleware(RequestLog)


def _slack_route(handler: SlackHandler | None) -> SlackHandler:
    async def receive_events(request: Request) -> Response:
        if handler is None:
            raise Refused(fault(404, "Slack's HTTP mode is off: SLACK_SIGNING_SECRET is not set."))
        try:
            (await request.body()).decode()
        except UnicodeDecodeError as error:
            raise Refused(invalid([{"loc": ("body",), "msg": "is not UTF-8"}])) from error
        return await handler(request)

    return receive_events
