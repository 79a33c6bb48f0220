"""GET /api/products: what can be had now."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Protocol

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from bot.web.routing import failures
from bot.web.schemas import ProductListOut, ProductOut
from storage.cloud import BillingMode, Product


class OnSale(Protocol):
    def on_sale(self, billing_mode: BillingMode) -> Awaitable[tuple[Product, ...]]: ...


class ProductQuery(BaseModel):
    billing_mode: BillingMode | None = Field(None, alias="billingMode", description="Left out: both.")


class ProductRoutes:
    def __init__(self, catalog: OnSale) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/api/products", tags=["products"])
        router.add_api_route(
            "",
            self.list_products,
            operation_id="listProducts",
            summary="What can be had now, cheapest first",
            description="From a look-up that is a minute old at most, or older while Novita is unavailable.",
            responses=failures(400, 401, 429, 502, 503),
        )
        return router

    async def list_products(self, query: Annotated[ProductQuery, Query()]) -> ProductListOut:
        modes = list(BillingMode) if query.billing_mode is None else [query.billing_mode]
        found = [product for mode in modes for product in await self._catalog.on_sale(mode)]
        shown = [product_out(product) for product in sorted(found, key=_cheapest)]
        return ProductListOut(products=shown, total=len(shown))


def product_out(product: Product) -> ProductOut:
    """Of one that is sold."""
    assert product.usd_per_gpu_hour is not None  # noqa: S101 - what is on sale has a price
    return ProductOut(
        id=product.id,
        name=product.name,
        billing_mode=product.billing_mode,
        price_per_hour=product.usd_per_gpu_hour,
        regions=list(product.regions),
        stock=product.stock,
        cpu_per_gpu=product.cpu_per_gpu,
        memory_per_gpu=product.memory_gb_per_gpu,
        min_rootfs_size=product.min_disk_gb,
        max_rootfs_size=product.max_disk_gb,
    )


def _cheapest(product: Product) -> tuple[object, ...]:
    return (product.usd_per_gpu_hour, product.name, product.id)
