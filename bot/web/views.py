"""Records as REST shows them. Pure."""

from __future__ import annotations

from bot.web.schemas import (
    ChangedOut,
    ConnectionDetails,
    ConnectionSecrets,
    FailureOut,
    InstanceOut,
    PortMapping,
)
from storage.cloud import Secrets
from storage.records import Instance, State

_REACHABLE = frozenset({State.STARTING, State.RUNNING})
"""In any other state what is kept is about a run that is over."""


def instance_out(i: Instance) -> InstanceOut:
    """Without any secret: the record has none."""
    request, offer = i.request, i.offer
    return InstanceOut(
        id=i.id,
        name=i.name,
        status=i.state,
        product_name=offer.product_name if offer else request.gpu,
        gpu_num=request.gpu_count,
        region=_region(i),
        template_id=request.template,
        image=request.image,
        rootfs_size=request.disk_gb,
        billing_mode=request.billing_mode,
        price_per_hour=offer.usd_per_hour if offer else None,
        port_mappings=_ports(i),
        connection_details=_connection(i),
        requester=i.requester,
        created_at=i.created_at,
        ready_at=i.ready_at,
        updated_at=i.updated_at,
        reclaim_at=i.reclaim_at,
        reason=i.reason,
        error=FailureOut(code=i.error.code, message=i.error.message) if i.error else None,
        novita_instance_id=i.novita_id,
        novita_status=i.status,
    )


def changed_out(i: Instance) -> ChangedOut:
    """Of the instance alone, so that a repeated request is answered alike."""
    return ChangedOut(
        instance_id=i.id,
        novita_instance_id=i.novita_id,
        name=i.name,
        status=i.state,
        message=f"Instance is {i.state}",
    )


def with_secrets(shown: InstanceOut, secrets: Secrets) -> InstanceOut:
    known = shown.connection_details
    connection = ConnectionSecrets(
        ssh=known.ssh if known else None,
        jupyter=known.jupyter if known else None,
        web_terminal=known.web_terminal if known else None,
        password=secrets.ssh_password,
        jupyter_url=secrets.jupyter_url,
    )
    return shown.model_copy(update={"connection_details": connection})


def _region(i: Instance) -> str:
    # Novita shows `US-CA-06 (California)`; clients know and send the part before the blank.
    shown = i.offer.region if i.offer else i.request.regions[0]
    return shown.split(" ", 1)[0]


def _ports(i: Instance) -> list[PortMapping]:
    if i.connection is None or i.state not in _REACHABLE:
        return []
    return [
        PortMapping(port=endpoint.port, endpoint=endpoint.url, type=endpoint.protocol)
        for endpoint in i.connection.endpoints
        if endpoint.url is not None
    ]


def _connection(i: Instance) -> ConnectionDetails | None:
    if i.connection is not None and i.state in _REACHABLE:
        known = i.connection
        return ConnectionDetails(ssh=known.ssh, jupyter=known.jupyter, web_terminal=known.web_terminal)
    # Documented clients index a running instance's details without looking first.
    nothing = ConnectionDetails(ssh=None, jupyter=None, web_terminal=None)
    return nothing if i.state is State.RUNNING else None
