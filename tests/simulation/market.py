"""What the simulated Novita sells: little, so that looking it up costs little, and enough to fall back to."""

from __future__ import annotations

from bot.sandbox.novita.catalogue import Catalogue
from bot.sandbox.novita.seed import STANDARD

_PRODUCTS = {"4090.16c62g", "4090.16c62g.os", "4090.16c96g.v2", "h100.sxm.24c224g", "5090.20c90g"}

MARKET = Catalogue(
    products=tuple(product for product in STANDARD.products if product.id in _PRODUCTS),
    clusters=STANDARD.clusters,
    templates=STANDARD.templates[:2],
    registry_auths=(),
)
