"""The endpoints of the v1 API as plain functions of query and body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from bot.sandbox.novita.catalogue import Product
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.orders import parse_order
from bot.sandbox.novita.queries import (
    InstancesQuery,
    Page,
    ProductsQuery,
    TemplatesQuery,
    is_like,
    parse_query,
)
from bot.sandbox.novita.refusals import invalid
from bot.sandbox.novita.views import (
    InstanceViews,
    Json,
    auth_view,
    cluster_view,
    product_view,
    template_view,
)

BASE = "/gpu-instance/openapi/v1"
FirstPage = Literal[0, 1, "both"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    query: Mapping[str, str]
    body: Any
    """Parsed JSON; text where it is none; None without a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    first_page: FirstPage = "both"
    """With 1, page 0 is empty but has its total; with "both", 0 and 1 are the same page."""
    cap: int = 100
    default_size: int = 20

    def cut(self, rows: list[T], page: Page) -> list[T]:
        first = 1 if self.first_page == "both" else self.first_page
        place = (first if page.page_num is None else page.page_num) - first
        if place < 0:
            place = 0 if self.first_page == "both" else len(rows)
        size = min(page.page_size or self.default_size, self.cap)
        return rows[place * size : (place + 1) * size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Each public method answers one endpoint. All raise RefusalError."""

    cloud: Cloud
    views: InstanceViews
    paging: Paging

    def clusters(self, _asked: Asked) -> Json:
        names: dict[str, list[str]] = {}
        for product in self.cloud.catalogue.products:
            for cluster_id in product.cluster_ids:
                names.setdefault(cluster_id, []).append(product.name)
        clusters = self.cloud.catalogue.clusters
        return {
            "data": [cluster_view(each, list(dict.fromkeys(names.get(each.id, [])))) for each in clusters]
        }

    def products(self, asked: Asked) -> Json:
        query = parse_query(ProductsQuery, asked.query)
        products = [each for each in self.cloud.catalogue.products if _suits(each, query)]
        return {"data": [self._product(each, query) for each in products]}

    def _product(self, product: Product, query: ProductsQuery) -> Json:
        regions = [self.cloud.catalogue.cluster(each).name for each in product.cluster_ids]
        free = self.cloud.stock.most_free(product, query.billing_method, query.cluster_id)
        return product_view(product, regions, free, query.gpu_num)

    def templates(self, asked: Asked) -> Json:
        query = parse_query(TemplatesQuery, asked.query)
        found = [
            template_view(each)
            for each in self.cloud.catalogue.templates
            if each.channel == query.channel and is_like(query.name, each.name)
        ]
        page = {"pageSize": query.page_size, "pageNum": query.page_num or 0}
        return {"template": self.paging.cut(found, query), "total": len(found), **page}

    def template(self, asked: Asked) -> Json:
        template_id = asked.query.get("templateId", "")
        return {"template": template_view(self.cloud.catalogue.template(template_id))}

    def auths(self, _asked: Asked) -> Json:
        return {"data": [auth_view(each) for each in self.cloud.catalogue.registry_auths]}

    def list(self, asked: Asked) -> Json:
        query, now = parse_query(InstancesQuery, asked.query), self.cloud.now()
        found = self.cloud.listed()
        if query.narrows:
            found = [each for each in found if _is_asked_for(each, query, now)]
        shown = [self.views.listed(each, now) for each in self.paging.cut(found, query)]
        return {"instances": shown, "total": len(found)}

    def get(self, asked: Asked) -> Json:
        instance_id = asked.query.get("instanceId", "")
        if not instance_id:
            raise invalid("instanceId: missing")
        instance = self.cloud.shown(instance_id)
        return self.views.got(instance, self.cloud.now())

    def create(self, asked: Asked) -> Json:
        return {"id": self.cloud.create(parse_order(asked.body)).id}

    def start(self, asked: Asked) -> Json:
        return self._changed(self.cloud.start(_instance_id(asked)))

    def stop(self, asked: Asked) -> Json:
        return self._changed(self.cloud.stop(_instance_id(asked)))

    def restart(self, asked: Asked) -> Json:
        return self._changed(self.cloud.restart(_instance_id(asked)))

    def delete(self, asked: Asked) -> Json:
        self.cloud.delete(_instance_id(asked))
        return {}

    def _changed(self, instance: Instance) -> Json:
        return {"instanceId": instance.id, "state": instance.status_at(self.cloud.now())}


def _suits(product: Product, query: ProductsQuery) -> bool:
    return (
        (not query.cluster_id or query.cluster_id in product.cluster_ids)
        and is_like(query.product_name, product.name)
        and product.cpu_per_gpu >= query.min_cpu_per_gpu
        and product.memory_gb_per_gpu >= query.min_memory_per_gpu
        and product.max_rootfs_gb >= query.min_root_fs_size
    )


def _is_asked_for(instance: Instance, query: InstancesQuery, now: datetime) -> bool:
    return (
        is_like(query.name, instance.order.name)
        and is_like(query.product_name, instance.product.name)
        and query.status in {"", instance.status_at(now)}
    )


def _instance_id(asked: Asked) -> str:
    """Nothing but the id may be in the body, and the query is not looked at."""
    match asked.body:
        case {"instanceId": str(instance_id), **rest} if instance_id and not rest:
            return instance_id
        case _:
            raise invalid("instanceId: missing, or not alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    endpoint: str
    method: Literal["GET", "POST"]
    path: str
    """Below BASE."""
    work: Callable[[Api, Asked], Json]


ROUTES = (
    Route(endpoint="clusters", method="GET", path="/clusters", work=Api.clusters),
    Route(endpoint="products", method="GET", path="/products", work=Api.products),
    Route(endpoint="templates", method="GET", path="/templates", work=Api.templates),
    Route(endpoint="template", method="GET", path="/template", work=Api.template),
    Route(endpoint="auths", method="GET", path="/repository/auths", work=Api.auths),
    Route(endpoint="list", method="GET", path="/gpu/instances", work=Api.list),
    Route(endpoint="get", method="GET", path="/gpu/instance", work=Api.get),
    Route(endpoint="create", method="POST", path="/gpu/instance/create", work=Api.create),
    Route(endpoint="start", method="POST", path="/gpu/instance/start", work=Api.start),
    Route(endpoint="stop", method="POST", path="/gpu/instance/stop", work=Api.stop),
    Route(endpoint="restart", method="POST", path="/gpu/instance/restart", work=Api.restart),
    Route(endpoint="delete", method="POST", path="/gpu/instance/delete", work=Api.delete),
)
