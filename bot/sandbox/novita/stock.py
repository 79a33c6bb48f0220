from __future__ import annotations

from bot.sandbox.novita.catalogue import BILLING_MODES, BillingMode, Catalogue, Product

PLENTY = 1_000_000
"""Free GPUs where nobody has set a capacity."""


class Stock:
    """How many GPUs there are, by product, cluster and billing mode, and how many of them are in use."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._capacity: dict[tuple[str, str, BillingMode], int] = {}
        self._in_use: dict[tuple[str, str, BillingMode], int] = {}
        for product in catalogue.products:
            if product.gpus_per_cluster is not None:
                self.set_capacity(product.id, gpus=product.gpus_per_cluster)

    def set_capacity(
        self,
        product_id: str | None = None,
        cluster_id: str | None = None,
        mode: BillingMode | None = None,
        *,
        gpus: int | None,
    ) -> None:
        """GPUs in all, those in use included; None is plenty. What is not named is meant everywhere."""
        for product in self._catalogue.products:
            if product_id in {None, product.id}:
                for cluster in product.cluster_ids:
                    if cluster_id in {None, cluster}:
                        self._set(gpus, product.id, cluster, mode)

    def _set(self, gpus: int | None, product_id: str, cluster_id: str, mode: BillingMode | None) -> None:
        for each in BILLING_MODES if mode is None else (mode,):
            self._capacity[product_id, cluster_id, each] = PLENTY if gpus is None else gpus

    def free(self, product: Product, cluster_id: str, mode: BillingMode) -> int:
        if mode not in product.billing_modes or cluster_id not in product.cluster_ids:
            return 0
        place = (product.id, cluster_id, mode)
        return max(self._capacity.get(place, PLENTY) - self._in_use.get(place, 0), 0)

    def most_free(self, product: Product, mode: BillingMode, cluster_id: str = "") -> int:
        """In the cluster, or in the one with most; a machine's GPUs are all in one cluster."""
        clusters = [cluster_id] if cluster_id else product.cluster_ids
        return max((self.free(product, each, mode) for each in clusters), default=0)

    def take(self, product: Product, cluster_id: str, mode: BillingMode, gpus: int) -> None:
        place = (product.id, cluster_id, mode)
        self._in_use[place] = self._in_use.get(place, 0) + gpus

    def give_back(self, product: Product, cluster_id: str, mode: BillingMode, gpus: int) -> None:
        self.take(product, cluster_id, mode, -gpus)
