"""POST /api/instances and the reading of instances. A key may act on all."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request

from bot.asking import PROGRAM, Asked, Origin
from bot.operations import Operations
from bot.web.errors import fault, missing
from bot.web.handlers import Refused
from bot.web.schemas import CreatedOut, CreateIn, ErrorOut, InstanceListOut, InstanceOut, ListQuery, Name
from bot.web.views import instance_out

_USUALLY_READY_AFTER = timedelta(minutes=4)
"""A guess that documented clients print; they wait for `running`."""

_CREATE = (
    "Answers once the request is on disk, without waiting for Novita; GET the instance to follow it. A "
    "product or template is 404 here only where the catalogue in memory has no such thing; what shows later "
    "makes the instance `failed`, with the code in `error`."
)


class InstanceRoutes:
    """`channel`: where notices about what is created here go; None: nowhere."""

    def __init__(self, operations: Operations, *, clock: Callable[[], datetime], channel: str | None) -> None:
        self._operations = operations
        self._clock = clock
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
            responses=_errors(400, 401, 404, 408, 413, 415),
        )
        router.add_api_route(
            "",
            self.list_instances,
            operation_id="listInstances",
            summary="Instances, newest first",
            responses=_errors(400, 401),
        )
        router.add_api_route(
            "/{id}",
            self.get,
            operation_id="getInstance",
            summary="One instance, by its id or name",
            responses=_errors(400, 401, 404),
        )
        return router

    async def create(self, body: CreateIn) -> CreatedOut:
        if body.template_id is None and self._operations.defaults.template is None:
            raise Refused(missing("templateId", "is needed: DEFAULT_TEMPLATE is not set"))
        # No key: each request is one of its own. Names may repeat here.
        origin = Origin(key=None, channel=self._channel)
        created = await self._operations.create(_asked(body), PROGRAM, origin, unique_name=False)
        return CreatedOut(
            instance_id=created.id,
            status=created.state,
            message="Instance creation initiated successfully",
            estimated_ready_time=self._clock() + _USUALLY_READY_AFTER,
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

    async def get(self, ref: Annotated[Name, Path(alias="id", description="Id or name")]) -> InstanceOut:
        return instance_out(await self._operations.get(ref, PROGRAM))


async def require_json(request: Request) -> None:
    """A web page can send text or a form anywhere without being asked; JSON it cannot."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if re.fullmatch(r"application/(.+\+)?json", media_type):
        return
    if await request.body():
        raise Refused(fault(415, "Send JSON, with the header Content-Type: application/json."))


def _asked(body: CreateIn) -> Asked:
    # Without the webhook URL: it is not told yet, and what is recorded here would be.
    return Asked(
        gpu=body.product_name,
        gpu_count=body.gpu_num,
        name=body.name,
        template=body.template_id,
        billing_mode=body.billing_mode,
        regions=() if body.region is None else (body.region,),
        regions_only=False,
        disk_gb=body.rootfs_size,
    )


def _errors(*status_codes: int) -> dict[int | str, dict[str, Any]]:
    """`default` is there so that no 422, which is never sent, is described."""
    return {
        **{code: {"model": ErrorOut} for code in status_codes},
        "default": {"model": ErrorOut, "description": "Any other error"},
    }
