"""Novita's answers (v1) as lenient models, and the records made of them. Unknown fields are ignored.

Each public function takes the parsed JSON of one answer and raises Malformed where its frame is not there:
a missing list is never an empty one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, Field, ValidationError

from bot.novita.answers import Malformed, shown
from bot.novita.fields import (
    Flag,
    Id,
    Lenient,
    Moment,
    Text,
    Texts,
    Usd,
    Verbatim,
    Whole,
    Wholes,
    type_of_part,
    type_of_parts,
)
from bot.novita.statuses import phase_of, spot_of
from storage.cloud import BillingMode, Cluster, Env, Observation, Port, Product, Template, Tool

_Model = TypeVar("_Model", bound=Lenient)
_ID = AliasChoices("id", "Id")


class ProductRow(Lenient):
    id: Id = Field(min_length=1)
    name: Text = ""
    cpu_per_gpu: Whole = None
    memory_per_gpu: Whole = None
    available_deploy: Flag = None
    inventory_state: Text = ""
    min_root_fs: Whole = Field(default=None, alias="minRootFS")
    max_root_fs: Whole = Field(default=None, alias="maxRootFS")
    regions: Texts = ()
    price: Usd = None
    spot_price: Usd = None
    billing_methods: Texts = ()


class ClusterRow(Lenient):
    id: Id = Field(min_length=1)
    name: Text = ""
    available_gpu_type: Texts = ()


class PortsRow(Lenient):
    """Of a template: several ports of one protocol."""

    type: Text = ""
    ports: Wholes = ()


class EnvRow(Lenient):
    key: Text = ""
    value: Verbatim = Field(default="", repr=False)


class ToolRow(Lenient):
    name: Text = ""
    port: Whole = None
    type: Text = ""


class TemplateRow(Lenient):
    id: Id = Field(min_length=1, validation_alias=_ID)
    name: Text = ""
    channel: Text = ""
    image: Text = ""
    image_auth: Text = ""
    ports: Annotated[tuple[PortsRow, ...], type_of_parts] = ()
    envs: Annotated[tuple[EnvRow, ...], type_of_parts] = ()
    tools: Annotated[tuple[ToolRow, ...], type_of_parts] = ()
    start_command: Verbatim = ""
    entrypoint: Verbatim = ""
    rootfs_size: Whole = None
    min_cuda_version: Text = ""


class StatusErrorPart(Lenient):
    message: Text = ""


class InstanceRow(Lenient):
    """What list and get both show. Envs and passwords are in the answers too; a list's are not even read."""

    id: Id = Field(validation_alias=_ID)
    name: Text = ""
    status: Text = ""
    product_name: Text = ""
    cluster_id: Text = ""
    cluster_name: Text = ""
    status_error: Annotated[StatusErrorPart, type_of_part] = StatusErrorPart()
    spot_status: Text = ""
    spot_reclaim_time: Moment = None
    last_started_at: Moment = None

    def observation(self) -> Observation:
        return Observation(
            novita_id=self.id,
            name=self.name,
            status=self.status,
            phase=phase_of(self.status),
            product_name=self.product_name or None,
            cluster_id=self.cluster_id or None,
            region=self.cluster_name or None,
            status_error=shown(self.status_error.message) or None,
            spot=spot_of(self.spot_status),
            reclaim_at=self.spot_reclaim_time,
            last_started_at=self.last_started_at,
        )


class CreatedRow(Lenient):
    id: Id = Field(min_length=1, validation_alias=_ID)


def products(payload: object, billing_mode: BillingMode) -> tuple[list[Product], int]:
    """The products, and how many rows could not be read and were left out."""
    rows, skipped = _readable(ProductRow, rows_of(payload, "data"))
    return [_product(row, billing_mode) for row in rows], skipped


def clusters(payload: object) -> tuple[list[Cluster], int]:
    rows, skipped = _readable(ClusterRow, rows_of(payload, "data"))
    return [
        Cluster(id=r.id, name=r.name or r.id, gpu_names=tuple(r.available_gpu_type)) for r in rows
    ], skipped


def templates(payload: object, channel: str) -> tuple[list[Template], int]:
    """`channel` is the one that was asked for; the rows do not always repeat it."""
    rows, skipped = _readable(TemplateRow, rows_of(payload, "template"))
    return [_template(row, channel) for row in rows], skipped


def template(payload: object) -> Template:
    return _template(validated(TemplateRow, unwrapped(payload, "template")), "")


def created_id(payload: object) -> str:
    return validated(CreatedRow, payload).id


def rows_of(payload: object, key: str) -> list[Any]:
    """The list under `key`. Null is an empty one: that is how some JSON encoders write it."""
    if not isinstance(payload, dict) or key not in payload:
        raise Malformed(f"no {key!r} in the answer")
    rows = payload[key]
    if rows is not None and not isinstance(rows, list):
        raise Malformed(f"{key!r} is not a list")
    return rows or []


def total_of(payload: object) -> int | None:
    """How many there are on all pages; None where that is not said."""
    total = validated(_TotalRow, payload).total
    return None if total is None or total < 0 else total


def unwrapped(payload: object, key: str) -> object:
    """The object itself, which some answers put under `key`."""
    inner = payload.get(key) if isinstance(payload, dict) else None
    return inner if isinstance(inner, dict) else payload


def validated(model: type[_Model], value: object) -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Malformed(f"{error.error_count()} fields are not as expected") from error


class _TotalRow(Lenient):
    total: Whole = None


def _readable(model: type[_Model], rows: list[Any]) -> tuple[list[_Model], int]:
    read: list[_Model] = []
    for row in rows:
        try:
            read.append(validated(model, row))
        except Malformed:
            continue
    return read, len(rows) - len(read)


def _product(row: ProductRow, billing_mode: BillingMode) -> Product:
    return Product(
        id=row.id,
        name=row.name or row.id,
        billing_mode=billing_mode,
        usd_per_gpu_hour=_price(row, billing_mode),
        available=row.inventory_state != "none" if row.available_deploy is None else row.available_deploy,
        stock=row.inventory_state or None,
        regions=tuple(row.regions),
        cpu_per_gpu=row.cpu_per_gpu,
        memory_gb_per_gpu=row.memory_per_gpu,
        min_disk_gb=row.min_root_fs,
        max_disk_gb=row.max_root_fs,
    )


def _price(row: ProductRow, billing_mode: BillingMode) -> Decimal | None:
    if row.billing_methods and billing_mode.value not in row.billing_methods:
        return None
    return row.spot_price if billing_mode is BillingMode.SPOT else row.price


def _template(row: TemplateRow, channel: str) -> Template:
    return Template(
        id=row.id,
        name=row.name or row.id,
        channel=row.channel or channel,
        image=row.image,
        registry_auth_id=row.image_auth or None,
        ports=tuple(Port(number=n, protocol=r.type.lower() or "tcp") for r in row.ports for n in r.ports),
        envs=tuple(Env(key=env.key, value=env.value) for env in row.envs if env.key),
        tools=tuple(
            Tool(name=t.name, port=t.port, protocol=t.type or "http") for t in row.tools if t.name and t.port
        ),
        command=row.start_command,
        entrypoint=row.entrypoint,
        disk_gb=row.rootfs_size,
        min_cuda_version=row.min_cuda_version,
    )
