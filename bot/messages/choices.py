"""What the form lets people choose from, out of the catalogue in memory, and what of it was typed already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from bot.errors import CatalogError
from bot.matching import (
    gpus_with,
    match_gpu,
    match_region,
    match_template,
    nearest_gpus,
    region_word,
    squeezed,
)
from bot.messages.blocks import Block, plain_text
from bot.messages.mrkdwn import plain, rate
from bot.messages.wording import BILLING_MODES, STOCK
from storage.cloud import Cluster, Product, Template

MOST_OPTIONS = 100
MOST_VALUE = 150
MOST_LABEL = 75
_NONE_FREE = Decimal("Infinity")
_CHANNELS = {"private": 0, "official": 1}
"""One's own templates first; all others are the community's."""


def offerable_products(products: Iterable[Product]) -> list[Product]:
    """Less those whose name no option can hold."""
    return [product for product in products if _fits(product.name)]


def offerable_clusters(clusters: Iterable[Cluster]) -> list[Cluster]:
    return [cluster for cluster in clusters if _fits(region_word(cluster.name))]


def option(label: str, value: str) -> Block:
    return {"text": plain_text(label, MOST_LABEL), "value": value}


def gpu_suggestions(typed: str, products: Iterable[Product]) -> list[Block]:
    """What fits what was typed so far, best first; nothing typed: all, cheapest first. For block_suggestion.

    What cannot be had now is marked, and comes last.
    """
    sold = _by_name(offerable_products(products))
    names = sorted(sold, key=lambda name: (_cheapest(sold[name]), name))
    wanted = typed.partition(":")[0].strip()
    if wanted:
        found = gpus_with(wanted, names) or nearest_gpus(wanted, names, MOST_OPTIONS)
        names = sorted(found, key=lambda name: squeezed(name) != squeezed(wanted))
    names = sorted(names, key=lambda name: _cheapest(sold[name]) == _NONE_FREE)
    return [option(_gpu_label(name, sold[name]), name) for name in names[:MOST_OPTIONS]]


def gpu_option(name: str, products: Iterable[Product]) -> Block:
    """Of a product's name, as `gpu_suggestions` offers it."""
    return option(_gpu_label(name, [product for product in products if product.name == name]), name)


def template_options(templates: Iterable[Template]) -> list[Block]:
    ordered = sorted(templates, key=lambda t: (_CHANNELS.get(t.channel, 2), t.name.casefold(), t.id))
    by_id = {template.id: template for template in ordered if _fits(template.id)}
    return [option(_template_label(template), template.id) for template in by_id.values()]


def region_options(clusters: Iterable[Cluster]) -> list[Block]:
    by_code = {region_word(cluster.name): cluster.name for cluster in sorted(clusters, key=lambda c: c.name)}
    return [option(name, code) for code, name in by_code.items()]


def chosen_gpu(typed: str | None, products: Iterable[Product]) -> tuple[str | None, str | None]:
    """The product's name, or what is wrong with what was typed."""
    if typed is None:
        return None, None
    try:
        return match_gpu(typed, [product.name for product in products]), None
    except CatalogError as fault:
        return None, str(fault)


def chosen_template(typed: str | None, templates: Sequence[Template]) -> str | None:
    """The template's id; what was typed, where memory has no such template: Novita may have it."""
    if typed is None:
        return None
    try:
        return match_template(typed, templates).id
    except CatalogError:
        return typed


def chosen_regions(typed: Sequence[str], clusters: Sequence[Cluster]) -> tuple[list[str], list[str]]:
    """The regions as they are offered, each once, and what is wrong with the others."""
    words: dict[str, None] = {}
    faults = []
    for region in typed:
        try:
            words[region_word(match_region(region, clusters).name)] = None
        except CatalogError as fault:
            faults.append(str(fault))
    return list(words), faults


def offered(options: list[Block], chosen: Iterable[str]) -> tuple[list[Block], list[Block]]:
    """As many options as Slack takes, the chosen ones among them; and the chosen ones in their order."""
    by_value = {item["value"]: item for item in options}
    picked = [by_value.get(value) or option(f"{value} (as typed)", value) for value in chosen]
    values = {item["value"] for item in picked}
    others = [item for item in options if item["value"] not in values][: MOST_OPTIONS - len(picked)]
    kept = {item["value"] for item in others} | values
    in_order = [item for item in options if item["value"] in kept]
    return [item for item in picked if item["value"] not in by_value] + in_order, picked


def _fits(value: str) -> bool:
    return 0 < len(value) <= MOST_VALUE


def _cheapest(sold: Iterable[Product]) -> Decimal:
    prices = [p.usd_per_gpu_hour for p in sold if p.available and p.usd_per_gpu_hour is not None]
    return min(prices, default=_NONE_FREE)


def _by_name(products: Iterable[Product]) -> dict[str, list[Product]]:
    by_name: dict[str, list[Product]] = {}
    for product in products:
        by_name.setdefault(product.name, []).append(product)
    return by_name


def _gpu_label(name: str, sold: Sequence[Product]) -> str:
    """`RTX 4090 24GB · spot $0.35/h · on demand $0.69/h · US-CA-06 +2 · plenty`, as much of it as there is
    room for."""
    free = [product for product in sold if _cheapest([product]) != _NONE_FREE]
    if not free:
        return f"{plain(name, 55)} · none free now"
    prices = [
        f" · {word} {rate(cheapest)}"
        for mode, word in BILLING_MODES.items()
        if (cheapest := _cheapest(p for p in free if p.billing_mode is mode)) != _NONE_FREE
    ]
    label = plain(name, MOST_LABEL - len("".join(prices))) + "".join(prices)
    for more in (_places(free), STOCK.get(min(free, key=lambda p: _cheapest([p])).stock or "")):
        if more and len(label) + len(f" · {more}") <= MOST_LABEL:
            label += f" · {more}"
    return label


def _places(free: Iterable[Product]) -> str:
    """Empty where it can be had everywhere."""
    regions = [product.regions for product in sorted(free, key=lambda p: _cheapest([p]))]
    words = list(dict.fromkeys(plain(region_word(name), 20) for names in regions for name in names))
    if not words or not all(regions):
        return ""
    return f"{words[0]} +{len(words) - 1}" if len(words) > 1 else words[0]


def _template_label(template: Template) -> str:
    name = plain(template.name, 55) or template.id
    return name if template.channel in ("official", "") else f"{name} · {plain(template.channel, 12)}"
