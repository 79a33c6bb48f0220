"""What the simulated cloud sells: the nouns; `seed.py` has the goods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.sandbox.novita.refusals import RefusalError, invalid

BillingMode = Literal["onDemand", "monthly", "spot"]
BILLING_MODES: tuple[BillingMode, ...] = ("onDemand", "monthly", "spot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    id: str
    name: str
    """As people read it: a region code, with or without a place in parentheses."""
    network_storage: bool = True
    instance_network: bool = True

    @property
    def code(self) -> str:
        return self.name.partition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Prices are in 1/100 000 USD per GPU and hour, the month's per GPU and month."""

    id: str
    name: str
    cpu_per_gpu: int
    memory_gb_per_gpu: int
    price: int
    spot_price: int | None = None
    monthly_price: int | None = None
    cluster_ids: tuple[str, ...]
    gpus_per_cluster: int | None = None
    """Free at first, in each cluster and billing mode; None is more than anybody asks for."""
    disk_gb_per_gpu: int = 6144
    max_rootfs_gb: int = 6144

    @property
    def billing_modes(self) -> tuple[BillingMode, ...]:
        sold = {"onDemand": True, "monthly": bool(self.monthly_price), "spot": bool(self.spot_price)}
        return tuple(mode for mode in BILLING_MODES if sold[mode])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    describe: str
    port: int
    type: Literal["http", "tcp"] = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    id: str
    name: str
    channel: Literal["official", "community", "private"]
    image: str
    image_auth_id: str = ""
    start_command: str = ""
    entrypoint: str = ""
    rootfs_gb: int = 60
    http_ports: tuple[int, ...] = ()
    tcp_ports: tuple[int, ...] = ()
    envs: tuple[tuple[str, str], ...] = ()
    tools: tuple[Tool, ...] = ()
    min_cuda_version: str = ""
    readme: str = ""
    created_at: int = 1_760_000_000
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    id: str
    name: str
    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    products: tuple[Product, ...]
    clusters: tuple[Cluster, ...]
    templates: tuple[Template, ...]
    registry_auths: tuple[RegistryAuth, ...]

    def product(self, product_id: str) -> Product:
        for product in self.products:
            if product.id == product_id:
                return product
        raise RefusalError("RESOURCE_NOT_FOUND", "product not found")

    def cluster(self, cluster_id: str) -> Cluster:
        for cluster in self.clusters:
            if cluster.id == cluster_id:
                return cluster
        raise invalid(f"clusterId: no cluster {cluster_id!r}")

    def template(self, template_id: str) -> Template:
        for template in self.templates:
            if template.id == template_id:
                return template
        raise RefusalError("TEMPLATE_NOT_FOUND", "template not found")

    def knows_auth(self, auth_id: str) -> bool:
        return any(auth.id == auth_id for auth in self.registry_auths)

    def is_official(self, image: str) -> bool:
        return any(t.image == image for t in self.templates if t.channel == "official")

    def needs_auth(self, image: str) -> bool:
        return any(t.image == image for t in self.templates if t.image_auth_id)
