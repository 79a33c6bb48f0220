"""The body of a create, held to what is documented."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from bot.sandbox.novita.catalogue import BillingMode
from bot.sandbox.novita.refusals import RefusalError, invalid

_PORT = re.compile(r"(\d{1,5})/(tcp|http)")
_RESERVED_PORTS = frozenset({2222, 2223, 2224})
_MOST_PORTS_AND_TOOLS = 15


class _Body(BaseModel):
    """Unknown names are refused. The real service ignores them in silence, which would hide our mistakes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class Env(_Body):
    key: str = Field(max_length=511)
    value: str = Field(max_length=4095)


class OrderedTool(_Body):
    name: str
    port: str = Field(pattern=r"^\d{1,5}$")
    type: Literal["tcp", "http"]


class NetworkStorage(_Body):
    id: str = Field(alias="Id")
    mount_point: str = Field(default="/network", min_length=1, max_length=4095)


def _checked_ports(text: str) -> str:
    ports = _split(text)
    if len(set(ports)) < len(ports):
        raise ValueError("a port twice")
    for port, _ in ports:
        if not 1 <= port <= 65535 or port in _RESERVED_PORTS:
            raise ValueError(f"port {port} is not allowed")
    return text


def _split(text: str) -> list[tuple[int, str]]:
    matches = [(part, _PORT.fullmatch(part)) for part in text.split(",") if text]
    wrong = [part for part, match in matches if match is None]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not like 8080/http")
    return [(int(match[1]), match[2]) for _, match in matches if match is not None]


class Order(_Body):
    name: str = Field(default="", max_length=255)
    product_id: str = Field(min_length=1, max_length=255)
    gpu_num: int = Field(ge=1, le=8)
    rootfs_size: int = Field(ge=1, le=6144)
    """GB. Below 10 is taken as 10, see `rootfs_gb`."""
    image_url: str = Field(min_length=1, max_length=500)
    kind: Literal["gpu", "cpu"]
    billing_mode: BillingMode = "onDemand"
    month: int = Field(default=0, ge=0)
    auto_renew: bool = False
    auto_renew_month: int = Field(default=1, ge=1, le=12)
    cluster_id: str = Field(default="", max_length=255)
    image_auth_id: str = Field(default="", max_length=255)
    image_auth: str = Field(default="", max_length=10239)
    ports: Annotated[str, AfterValidator(_checked_ports)] = ""
    envs: tuple[Env, ...] = Field(default=(), max_length=100, strict=False)
    tools: tuple[OrderedTool, ...] = Field(default=(), strict=False)
    command: str = Field(default="", max_length=2047)
    entrypoint: str = Field(default="", max_length=2047)
    network_storages: tuple[NetworkStorage, ...] = Field(default=(), max_length=30, strict=False)
    network_id: str = ""
    min_cuda_version: str = Field(default="", max_length=255)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(_split(self.ports)) + len(self.tools) > _MOST_PORTS_AND_TOOLS:
            raise ValueError(f"more than {_MOST_PORTS_AND_TOOLS} ports and tools")
        if self.billing_mode == "monthly" and not self.month:
            raise ValueError("monthly needs a month")
        return self

    @property
    def mode(self) -> BillingMode:
        """A month forces `monthly`, whatever the mode says."""
        return "monthly" if self.month else self.billing_mode

    @property
    def rootfs_gb(self) -> int:
        return max(self.rootfs_size, 10)

    @property
    def exposed(self) -> tuple[tuple[int, str], ...]:
        """Every port with its protocol, those of the tools included."""
        tools = [(int(tool.port), tool.type) for tool in self.tools]
        return tuple(dict.fromkeys([*_split(self.ports), *tools]))

    @property
    def http_ports(self) -> frozenset[int]:
        return frozenset(port for port, protocol in self.exposed if protocol == "http")


def parse_order(body: Any) -> Order:
    try:
        return Order.model_validate(body)
    except ValidationError as error:
        raise _refusal_of(error) from error


def _refusal_of(error: ValidationError) -> RefusalError:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    return invalid(f"{place}: {first['msg']}")
