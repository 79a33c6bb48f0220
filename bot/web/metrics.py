"""GET /metrics for Prometheus, GET /api/metrics for scripts. Both need a key: prices are in them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from fastapi import APIRouter
from starlette.responses import Response

from bot.census import Census
from bot.memory import total_bytes, used_bytes
from bot.metrics import CONTENT_TYPE, Metrics
from bot.web.figures import (
    CacheFigures,
    FiguresOut,
    InstanceFigures,
    JobFigures,
    MemoryFigures,
    RequestFigures,
    SystemFigures,
)
from bot.web.health import Health
from bot.web.routing import failures

TakeCensus = Callable[[], Awaitable[Census]]

_CENSUS_WITHIN = timedelta(seconds=3)
_MB = 2**20
_TEXT = (
    "Every series begins with `gpu_bot_`, but for those about the process. What the database knows is left "
    "out while it does not answer; the rest is told all the same."
)
_EXAMPLE = (
    "# HELP gpu_bot_spend_usd_per_hour Price of everything that Novita bills at present.\n"
    "# TYPE gpu_bot_spend_usd_per_hour gauge\n"
    "gpu_bot_spend_usd_per_hour 1.08\n"
)

log = structlog.get_logger(__name__)


async def no_census() -> Census:
    """Where there is no database behind the API."""
    return Census()


class MetricRoutes:
    def __init__(
        self,
        metrics: Metrics,
        health: Health,
        *,
        clock: Callable[[], datetime],
        census: TakeCensus = no_census,
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._census = census
        self._counted = True
        metrics.read("build_info", lambda: {health.version: 1.0})
        metrics.read("dependency_up", self._dependencies)

    def router(self) -> APIRouter:
        router = APIRouter(tags=["metrics"])
        errors = failures(401)
        text = {"schema": {"type": "string"}, "example": _EXAMPLE}
        router.add_api_route(
            "/metrics",
            self.tell_prometheus,
            operation_id="getPrometheusMetrics",
            summary="Metrics as Prometheus reads them",
            description=_TEXT,
            response_class=Response,
            responses={200: {"content": {"text/plain": text}}, **errors},
        )
        router.add_api_route(
            "/api/metrics",
            self.tell_figures,
            operation_id="getMetrics",
            summary="A few figures, as one JSON object",
            responses=errors,
        )
        return router

    async def tell_prometheus(self) -> Response:
        self._metrics.see(await self._census_if_any(), self._clock())
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def tell_figures(self) -> FiguresOut:
        census = await self._census()
        return FiguresOut(
            requests=self._requests(),
            instances=_instances(census),
            jobs=self._jobs(census),
            cache=self._cache(),
            system=self._system(),
        )

    async def _census_if_any(self) -> Census | None:
        """What is measured elsewhere matters most while the database is away."""
        try:
            async with asyncio.timeout(_CENSUS_WITHIN.total_seconds()):
                (census,) = await asyncio.gather(self._census(), return_exceptions=True)
        except TimeoutError as error:
            census = error
        counted = isinstance(census, Census)
        if self._counted and not counted:
            log.warning("census.failing", why=type(census).__name__)
        self._counted = counted
        return census if isinstance(census, Census) else None

    def _dependencies(self) -> dict[str, float]:
        parts = self._health.unhealthy_since(self._clock())
        return {name: float(since is None) for name, since in parts.items()}

    def _requests(self) -> RequestFigures:
        seen = self._metrics.requests()
        return RequestFigures(
            total=seen.total,
            successful=seen.total - seen.failed,
            failed=seen.failed,
            average_response_time=round(1000 * seen.seconds / max(seen.total, 1), 3),
        )

    def _jobs(self, census: Census) -> JobFigures:
        processing = self._metrics.in_flight("step", "delivery")
        return JobFigures(
            # What is under way is due, or not accepted, until it has ended.
            pending=max(census.due + census.pending - processing, 0),
            processing=processing,
            completed=self._metrics.jobs_done(),
            failed=census.dead,
        )

    def _cache(self) -> CacheFigures:
        hits, misses = self._metrics.cache_hits()
        return CacheFigures(hits=hits, misses=misses, hit_rate=round(hits / max(hits + misses, 1), 4))

    def _system(self) -> SystemFigures:
        used, total = used_bytes(), total_bytes()
        memory = MemoryFigures(
            used=round(used / _MB, 1), total=round(total / _MB, 1), percentage=round(100 * used / total, 1)
        )
        uptime = (self._clock() - self._health.started_at).total_seconds()
        return SystemFigures(uptime=round(uptime, 3), memory_usage=memory)


def _instances(census: Census) -> InstanceFigures:
    states = census.instances
    return InstanceFigures(
        total=sum(states.values()) - states.get("deleted", 0),
        creating=states.get("creating", 0),
        running=states.get("running", 0),
        failed=states.get("failed", 0),
    )
