"""GET /api/deliveries, its statistics, and replays."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from bot.redelivery import Redelivery, Tried
from bot.sinks.webhook import origin
from bot.web.delivery_schemas import (
    AttemptOut,
    DeliveryListOut,
    DeliveryOut,
    DeliveryQuery,
    ReplayedOut,
    ReplayIn,
    StatisticsOut,
    TargetOut,
)
from bot.web.routing import failures, require_json
from bot.web.schemas import Name
from storage.records import Target, TargetKind
from storage.store.deliveries import Wanted

_REPLAY = (
    "Sent again at once, under the same `webhook-id` and with all its tries before it. One that a disabled "
    "target accepts enables that target."
)


Ref = Annotated[Name, Path(alias="id", description="Of the delivery")]


class DeliveryRoutes:
    def __init__(self, redelivery: Redelivery) -> None:
        self._redelivery = redelivery

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/api/deliveries", tags=["deliveries"])
        router.add_api_route(
            "",
            self.list_deliveries,
            operation_id="listDeliveries",
            summary="Events and what became of them at each target, newest first",
            responses=failures(400, 401, 429),
        )
        router.add_api_route(
            "/statistics",
            self.statistics,
            operation_id="getDeliveryStatistics",
            summary="How each target fares",
            responses=failures(401, 429),
        )
        router.add_api_route(
            "/replay",
            self.replay_dead,
            methods=["POST"],
            status_code=202,
            operation_id="replayDeadDeliveries",
            summary="Send all again that were given up since a time",
            dependencies=[Depends(require_json)],
            responses=failures(400, 401, 408, 413, 415, 429),
        )
        router.add_api_route(
            "/{id}/replay",
            self.replay,
            methods=["POST"],
            status_code=202,
            operation_id="replayDelivery",
            summary="Send one again",
            description=_REPLAY,
            responses=failures(400, 401, 404, 429),
        )
        return router

    async def list_deliveries(self, query: Annotated[DeliveryQuery, Query()]) -> DeliveryListOut:
        wanted = Wanted(state=query.state, kind=query.kind, instance_id=query.instance_id)
        found, total = await self._redelivery.list_deliveries(wanted, limit=query.limit, offset=query.offset)
        shown = [delivery_out(tried) for tried in found]
        return DeliveryListOut(deliveries=shown, total=total, limit=query.limit, offset=query.offset)

    async def statistics(self) -> StatisticsOut:
        found = await self._redelivery.statistics()
        return StatisticsOut(
            targets=[
                TargetOut(
                    kind=each.target.kind,
                    target=_shown(each.target),
                    pending=each.pending,
                    delivered=each.delivered,
                    dead=each.dead,
                    last_delivered_at=each.last_delivered_at,
                    failing_since=each.failing_since,
                    disabled_at=each.disabled_at,
                    reason=each.reason,
                )
                for each in found
            ]
        )

    async def replay(self, ref: Ref) -> DeliveryOut:
        return delivery_out(await self._redelivery.replay(ref))

    async def replay_dead(self, body: ReplayIn) -> ReplayedOut:
        return ReplayedOut(replayed=await self._redelivery.replay_dead(body.since))


def delivery_out(tried: Tried) -> DeliveryOut:
    delivery = tried.delivery
    return DeliveryOut(
        id=delivery.id,
        webhook_id=delivery.event.id,
        event=delivery.event.fact.kind,
        instance_id=delivery.event.instance_id,
        sequence=delivery.event.sequence,
        kind=delivery.target.kind,
        target=_shown(delivery.target),
        state=delivery.state,
        attempts=len(tried.attempts),
        history=[
            AttemptOut(number=each.number, at=each.at, status_code=each.status_code, error=each.error)
            for each in tried.attempts
        ],
        created_at=delivery.created_at,
        due_at=delivery.due_at,
        delivered_at=delivery.delivered_at,
    )


def _shown(target: Target) -> str:
    return origin(target.address) if target.kind is TargetKind.WEBHOOK else target.address
