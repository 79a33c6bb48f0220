"""GET /health and GET /ready: for supervisors, without a key, from memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Response

from bot.web.health import Health, can_work
from bot.web.schemas import HealthOut, ReadyOut

_HEALTH = "An outage of Novita or of Slack stays 200: that dependency is unhealthy, this process is not."


def probe_routes(health: Health, clock: Callable[[], datetime]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get(
        "/health",
        operation_id="getHealth",
        summary="Whether this process works",
        description=_HEALTH,
        responses={
            503: {"model": HealthOut, "description": "Its database, scheduler or event loop is unwell"}
        },
    )
    async def get_health(response: Response) -> HealthOut:
        shown = health_out(health, clock())
        response.status_code = 200 if shown.status == "healthy" else 503
        return shown

    @router.get(
        "/ready",
        operation_id="getReady",
        summary="Whether requests should be sent here now",
        responses={503: {"model": ReadyOut, "description": "Starting, stopping or without its database"}},
    )
    async def get_ready(response: Response) -> ReadyOut:
        status = health.readiness
        response.status_code = 200 if status == "ready" else 503
        return ReadyOut(status=status)

    # Some watchers look without wanting to read.
    router.add_api_route("/health", get_health, methods=["HEAD"], include_in_schema=False)
    router.add_api_route("/ready", get_ready, methods=["HEAD"], include_in_schema=False)
    return router


def health_out(health: Health, now: datetime) -> HealthOut:
    parts = health.unhealthy_since(now)
    return HealthOut(
        status="healthy" if can_work(parts) else "unhealthy",
        timestamp=now,
        uptime=round((now - health.started_at).total_seconds(), 3),
        version=health.version,
        dependencies={name: "healthy" if since is None else "unhealthy" for name, since in parts.items()},
        services={name: "up" if since is None else "down" for name, since in parts.items()},
        unhealthy_since={name: since for name, since in parts.items() if since is not None},
    )
