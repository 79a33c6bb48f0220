"""The form for renting a GPU: the flags of `/gpu create` one to one. A field left empty means the usual.

Each field is one input block; block and element have the field's name as their id, the same at every update:
so what is typed stays while the estimate follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bot.grammar import fields
from bot.grammar.commands import Create
from bot.grammar.fields import Unfit
from bot.messages import choices
from bot.messages.blocks import Block, plain_text, section
from bot.messages.choices import offerable_clusters, offerable_products, offered, option
from bot.messages.estimates import as_command, estimated
from bot.messages.mrkdwn import with_people
from bot.quotes import Quote
from storage.cloud import BillingMode, Cluster, Product, Template

FORM_ID = "gpu_create"
FOLLOWED = ("gpu", "count", "billing", "template", "image", "regions", "disk", "max")
"""The fields that tell us while the form is being filled."""

_TYPED = frozenset({"plain_text_input", "number_input"})

_TITLE = "Rent a GPU"
_MODES = [
    option("Spot: cheaper, but Novita may take it back", BillingMode.SPOT.value),
    option("On demand: dearer, yours until you stop it", BillingMode.ON_DEMAND.value),
]


def create_form(  # noqa: PLR0913 - what the form offers, one argument a kind
    *,
    products: Sequence[Product],
    templates: Sequence[Template],
    clusters: Sequence[Cluster],
    filled: Create | None = None,
    usual: Create | None = None,
    estimate: Quote | None = None,
    private: str = "",
    error: str | None = None,
) -> dict[str, Any]:
    """A modal. Empty `products`, `templates` or `clusters`: not known yet, so one types instead of choosing.

    `filled`: what the fields hold. `estimate`: of that; None: it cannot be told. `usual`: what an empty field
    means. `private`: handed back when it is sent; 3,000 characters at most. `error`: what is wrong as a
    whole, in plain text.
    """
    create, products, clusters = (
        filled or Create(),
        offerable_products(products),
        offerable_clusters(clusters),
    )
    gpu, fault = choices.chosen_gpu(create.gpu, products) if products else (create.gpu, None)
    regions, faults = choices.chosen_regions(create.regions, clusters) if clusters else ([], [])
    remarks = [remark for remark in (error, fault, *faults) if remark]
    blocks = [
        *(section(f":warning: {with_people(remark, 1000)}") for remark in remarks[:5]),
        _live(_gpu(products, gpu)),
        _live(_count(create, usual or Create())),
        estimated(estimate, create),
        *_fields(create, usual or Create(), templates, clusters, regions=regions),
        *as_command(_by_name(create, templates)),
    ]
    return {**_frame(private), "submit": plain_text("Launch", 24), "blocks": blocks}


def _by_name(typed: Create, templates: Sequence[Template]) -> Create:
    """As a person would type it: the form's value is an id, for names may repeat."""
    named = next((template for template in templates if template.id == typed.template), None)
    if named is None or choices.chosen_template(named.name, templates) != named.id:
        return typed
    try:
        return replace(typed, template=fields.read_template(named.name))
    except Unfit:
        return typed


def loading_form(*, private: str = "") -> dict[str, Any]:
    """To open at once, where what the form offers has yet to be looked up."""
    return {
        **_frame(private),
        "blocks": [section(":hourglass: One moment, I am looking up what can be had …")],
    }


def _frame(private: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": FORM_ID,
        "private_metadata": private,
        "title": plain_text(_TITLE, 24),
        "close": plain_text("Cancel", 24),
    }


def _fields(
    create: Create,
    usual: Create,
    templates: Sequence[Template],
    clusters: Sequence[Cluster],
    *,
    regions: Sequence[str],
) -> Iterator[Block]:
    yield _live(_billing(create, usual))
    yield _live(_template(templates, create.template, usual.template))
    yield _live(
        _input("image", "Image, instead of a template", _text("image", create.image, fields.MAX_IMAGE))
    )
    yield _input("name", "Name", _text("name", create.name, fields.MAX_NAME, "my-train"))
    yield _live(_regions(clusters, regions if clusters else create.regions))
    yield from map(_live, _numbers(create, usual))
    if create.webhook_url is not None:
        yield _input("webhook", "Webhook", _text("webhook", create.webhook_url, fields.MAX_URL))


def _live(block: Block) -> Block:
    """Tells us when it is chosen or Enter is pressed in it, so that the estimate can follow."""
    element = block["element"]
    if element["type"] in _TYPED:
        element = {**element, "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]}}
    return {**block, "element": element, "dispatch_action": True}


def _gpu(products: Sequence[Product], chosen: str | None) -> Block:
    if not products:
        return _input("gpu", "GPU", _text("gpu", chosen, fields.MAX_GPU, "4090"), optional=False)
    select: Block = {
        "type": "external_select",
        "action_id": "gpu",
        "min_query_length": 0,
        "placeholder": plain_text("Choose a GPU", 150),
    }
    if chosen is not None:
        select["initial_option"] = choices.gpu_option(chosen, products)
    return _input("gpu", "GPU", select, optional=False, hint="Prices are for one GPU.")


def _count(create: Create, usual: Create) -> Block:
    options = [option(str(count), str(count)) for count in fields.GPU_COUNTS]
    return _input("count", "How many GPUs", _select("count", options, create.gpu_count, usual.gpu_count))


def _billing(create: Create, usual: Create) -> Block:
    return _input("billing", "Billing", _select("billing", _MODES, create.billing_mode, usual.billing_mode))


def _template(templates: Sequence[Template], typed: str | None, usual: str | None) -> Block:
    chosen = choices.chosen_template(typed, templates)
    fits = chosen is None or len(chosen) <= choices.MOST_VALUE
    known = choices.template_options(templates)
    options, picked = offered(known, [chosen] if chosen and fits else [])
    if not known or not fits:
        return _input(
            "template", "Template", _text("template", chosen, fields.MAX_TEMPLATE, usual or "pytorch")
        )
    placeholder = "Choose a template" if usual is None else _unless(usual)
    return _input("template", "Template", _select_from("template", options, picked, placeholder))


def _regions(clusters: Sequence[Cluster], chosen: Sequence[str]) -> Block:
    label, hint = "Regions", "Only these, in this order. Empty: any."
    options, picked = offered(choices.region_options(clusters), chosen if clusters else ())
    if not options:
        element = _text("regions", ",".join(chosen) or None, 1000, "US-CA-06, EU-DE-01")
        return _input("regions", label, element, hint=hint)
    element = {
        "type": "multi_static_select",
        "action_id": "regions",
        "options": options,
        "max_selected_items": fields.MAX_REGIONS,
        "placeholder": plain_text("Any", 150),
    }
    return _input("regions", label, {**element, "initial_options": picked} if picked else element, hint=hint)


def _numbers(create: Create, usual: Create) -> Iterator[Block]:
    disk: Block = {"is_decimal_allowed": False, "min_value": "10", "max_value": "6144"}
    if usual.disk_gb is not None:
        disk["placeholder"] = plain_text(_unless(str(usual.disk_gb)), 150)
    yield _input("disk", "Disk, in GB", _number("disk", disk, create.disk_gb))
    price = {"is_decimal_allowed": True, "min_value": "0", "max_value": str(fields.MOST_USD_PER_HOUR)}
    dearest = None if create.max_usd_per_hour is None else f"{create.max_usd_per_hour:f}"
    hint = "For all GPUs together. Nothing dearer is rented."
    yield _input("max", "At most, in dollars per hour", _number("max", price, dearest), hint=hint)


def _input(
    block_id: str, label: str, element: Block, *, optional: bool = True, hint: str | None = None
) -> Block:
    block = {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label, 2000),
        "element": element,
        "optional": optional,
    }
    return {**block, "hint": plain_text(hint, 2000)} if hint else block


def _text(action_id: str, value: str | None, most: int, example: str | None = None) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": action_id, "max_length": most}
    if value is not None:
        element["initial_value"] = value[:most]
    if example is not None:
        element["placeholder"] = plain_text(example, 150)
    return element


def _number(action_id: str, limits: Block, value: object | None) -> Block:
    element = {"type": "number_input", "action_id": action_id, **limits}
    return element if value is None else {**element, "initial_value": str(value)}


def _select(action_id: str, options: list[Block], value: object | None, usual: object | None) -> Block:
    picked = [item for item in options if value is not None and item["value"] == str(value)]
    meant = [item["text"]["text"] for item in options if usual is not None and item["value"] == str(usual)]
    return _select_from(action_id, options, picked, _unless(meant[0]) if meant else "The usual")


def _select_from(action_id: str, options: list[Block], picked: list[Block], placeholder: str) -> Block:
    select = {
        "type": "static_select",
        "action_id": action_id,
        "options": options,
        "placeholder": plain_text(placeholder, 150),
    }
    return {**select, "initial_option": picked[0]} if picked else select


def _unless(usual: str) -> str:
    """What an empty field means."""
    return f"{usual} (unless you choose)"
