"""What is sent: every call that the client makes, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.novita.budget import Priority
from bot.novita.refusals import Effect
from storage.cloud import BillingMode, Order

_PREFIX = "/gpu-instance/openapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    name: str
    """For who counts: of the client's method, whatever is asked."""
    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    effect: Effect = Effect.NONE
    priority: Priority = Priority.PERSON
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Must not come back in a message."""


def api_root(base_url: str) -> str:
    """Takes the host alone, or with the API's prefix, version and slashes in any measure."""
    host = base_url.rstrip("/").removesuffix("/v1").removesuffix(_PREFIX)
    return f"{host.rstrip('/')}{_PREFIX}/v1"


def products(billing_mode: BillingMode) -> Call:
    """Stock is answered for the asked billing mode only."""
    params = {"billingMethod": billing_mode.value}
    return Call(name="list_products", method="GET", path="/products", params=params)


def clusters() -> Call:
    return Call(name="list_clusters", method="GET", path="/clusters")


def template(template_id: str) -> Call:
    params = {"templateId": template_id}
    return Call(name="get_template", method="GET", path="/template", params=params)


def templates(channel: str, *, number: int, size: int) -> Call:
    params: dict[str, str | int] = {
        "pageSize": size,
        "pageNum": number,
        "channel": channel,
        "isMyCommunity": "true" if channel == "private" else "false",
    }
    return Call(name="list_templates", method="GET", path="/templates", params=params)


def instances(*, number: int, size: int) -> Call:
    params = {"pageSize": size, "pageNum": number}
    return Call(
        name="list_instances", method="GET", path="/gpu/instances", params=params, priority=Priority.POLL
    )


def instance(novita_id: str, priority: Priority) -> Call:
    params = {"instanceId": novita_id}
    return Call(name="get_instance", method="GET", path="/gpu/instance", params=params, priority=priority)


def create(order: Order) -> Call:
    return Call(
        name="create_instance",
        method="POST",
        path="/gpu/instance/create",
        body=_create_body(order),
        effect=Effect.CHANGE,
        secrets=tuple(env.value for env in order.envs),
    )


def act(verb: str, novita_id: str) -> Call:
    """`verb`: start, stop, restart or delete."""
    body = {"instanceId": novita_id}
    return Call(
        name=f"{verb}_instance",
        method="POST",
        path=f"/gpu/instance/{verb}",
        body=body,
        effect=Effect.CHANGE,
    )


def _create_body(order: Order) -> dict[str, object]:
    """What is not set is left out. A create takes no template and no region: only what is in the order."""
    body = {
        "name": order.name,
        "productId": order.offer.product_id,
        "gpuNum": order.offer.gpu_count,
        "rootfsSize": order.disk_gb,
        "imageUrl": order.image,
        "imageAuthId": order.registry_auth_id,
        "kind": "gpu",
        "billingMode": order.offer.billing_mode.value,
        "clusterId": order.offer.cluster_id,
        "ports": ",".join(f"{port.number}/{port.protocol}" for port in order.ports),
        "envs": [{"key": env.key, "value": env.value} for env in order.envs],
        # here, unlike in templates, a port is text and there is no description
        "tools": [{"name": t.name, "port": str(t.port), "type": t.protocol} for t in order.tools],
        "command": order.command,
        "entrypoint": order.entrypoint,
        "minCudaVersion": order.min_cuda_version,
    }
    return {key: value for key, value in body.items() if value not in ("", None, [])}
