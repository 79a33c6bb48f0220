"""Instances over REST: asking for one, reading, changing. A key may act on all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request

from bot.asking import PROGRAM, Asked
from bot.operations import Operations
from bot.web.errors import fault, missing
from bot.web.handlers import Refused
from bot.web.routing import IdempotencyKey, failures, origin_of, require_json
from bot.web.schemas import (
    ChangedOut,
    CreatedOut,
    CreateIn,
    InstanceListOut,
    InstanceOut,
    ListQuery,
    Name,
)
from bot.web.security import holds_key
from bot.web.views import changed_out, instance_out, with_secrets
from storage.records import Wish

_USUALLY_READY_AFTER = timedelta(minutes=4)
"""A guess that documented clients print; they wait for `running`."""

_CREATE = (
    "Answers once the request is on disk, without waiting for Novita; GET the instance to follow it. A "
    "product or template is 404 here only where the catalogue in memory has no such thing; what shows later "
    "makes the instance `failed`, with the code in `error`."
)
_CHANGE = "Answers once the wish is on disk. What is so already is no error; what the state forbids is 409."
_GET = (
    "`include=password` fetches the SSH password and the Jupyter address with its token from Novita, for a "
    "caller with one of API_KEYS only; nothing keeps them."
)
_KEY_NEEDED = "Passwords are for callers with a key: set API_KEYS, and send one of them."
Ref = Annotated[Name, Path(alias="id", description="Id or name")]
_CHANGES = (
    (Wish.START, "POST", "/{id}/start", "Start it again"),
    (Wish.STOP, "POST", "/{id}/stop", "Stop paying for the GPU, keep the instance"),
    (Wish.RESTART, "POST", "/{id}/restart", "Stop and start in one go"),
    (Wish.DELETE, "DELETE", "/{id}", "Give the GPU back for good; its disk is lost"),
)


class InstanceRoutes:
    """`channel`: where notices about what is created here go; None: nowhere."""

    def __init__(self, operations: Operations, *, channel: str | None) -> None:
        self._operations = operations
        self._channel = channel

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/api/instances", tags=["instances"])
        router.add_api_route(
            "",
            self.create,
            methods=["POST"],
            status_code=201,
            operation_id="createInstance",
            summary="Ask for an instance",
            description=_CREATE,
            dependencies=[Depends(require_json)],
            responses=failures(400, 401, 404, 408, 413, 415, 422, 429),
        )
        router.add_api_route(
            "",
            self.list_instances,
            operation_id="listInstances",
            summary="Instances, newest first",
            responses=failures(400, 401, 429),
        )
        router.add_api_route(
            "/{id}",
            self.get,
            operation_id="getInstance",
            summary="One instance, by its id or name",
            description=_GET,
            responses=failures(400, 401, 403, 404, 429),
        )
        for verb, method, path, summary in _CHANGES:
            router.add_api_route(
                path,
                self._change(verb),
                methods=[method],
                status_code=202,
                operation_id=f"{verb.value}Instance",
                summary=summary,
                description=_CHANGE,
                responses=failures(400, 401, 404, 409, 422, 429),
            )
        return router

    async def create(self, request: Request, body: CreateIn, key: IdempotencyKey = None) -> CreatedOut:
        # With a key, it may be the repetition of one that was sound when it came first.
        if key is None and body.template_id is None and self._operations.defaults.template is None:
            raise Refused(missing("templateId", "is needed: DEFAULT_TEMPLATE is not set"))
        # Names may repeat here.
        origin = origin_of(request, key, body, channel=self._channel)
        created = await self._operations.create(_asked(body), PROGRAM, origin, unique_name=False)
        return CreatedOut(
            instance_id=created.id,
            status=created.state,
            message="Instance creation initiated successfully",
            estimated_ready_time=created.created_at + _USUALLY_READY_AFTER,
        )

    async def list_instances(self, query: Annotated[ListQuery, Query()]) -> InstanceListOut:
        found, total = await self._operations.list_instances(
            PROGRAM,
            everybody=True,
            states=frozenset(query.status) or None,
            limit=query.limit,
            offset=query.offset,
        )
        return InstanceListOut(
            instances=[instance_out(i) for i in found], total=total, limit=query.limit, offset=query.offset
        )

    async def get(
        self, request: Request, ref: Ref, include: Annotated[Literal["password"] | None, Query()] = None
    ) -> InstanceOut:
        if include is None:
            return instance_out(await self._operations.get(ref, PROGRAM))
        if not holds_key(request.scope):
            raise Refused(fault(403, _KEY_NEEDED))
        i, details = await self._operations.look_inside(ref, PROGRAM)
        return with_secrets(instance_out(i), details)

    def _change(self, verb: Wish) -> Callable[..., Awaitable[Any]]:
        async def change(request: Request, ref: Ref, key: IdempotencyKey = None) -> ChangedOut:
            acted = await self._operations.act(verb, ref, PROGRAM, origin_of(request, key))
            return changed_out(acted.instance)

        return change


def _asked(body: CreateIn) -> Asked:
    return Asked(
        gpu=body.product_name,
        gpu_count=body.gpu_num,
        name=body.name,
        template=body.template_id,
        billing_mode=body.billing_mode,
        regions=() if body.region is None else (body.region,),
        regions_only=False,
        disk_gb=body.rootfs_size,
        webhook_url=body.webhook_url,
    )
