"""The form for renting a GPU: the flags of `/gpu create` one to one. A field left empty means the usual.

Each field is one input block; block and element have the field's name as their id, the same at every update:
so what is typed stays while the estimate below the fields follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bot.grammar import fields
from bot.grammar.commands import Create
from bot.grammar.fields import Unfit
from bot.messages import choices
from bot.messages.blocks import Block, plain_text, section
from bot.messages.choices import offerable_clusters, offerable_products, offered, option
from bot.messages.estimates import estimated
from bot.messages.mrkdwn import with_people
from bot.quotes import Quote
from storage.cloud import BillingMode, Cluster, Product, Template

FORM_ID = "gpu_create"

_TYPED = frozenset({"plain_text_input", "number_input"})

T = TypeVar("T")

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
    estimate: Quote | None = None,
    typed: Create | None = None,
    private: str = "",
    error: str | None = None,
) -> dict[str, Any]:
    """A modal. Empty `products`, `templates` or `clusters`: not known yet, so one types instead of choosing.

    `filled`: what the fields hold at first. `typed`: what they hold by now, to be shown as a command; None:
    as filled. `estimate`: of that; None: it cannot be told. `private`: handed back when it is sent; 3,000
    characters at most. `error`: what is wrong as a whole, in plain text.
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
        *_fields(create, products, templates, clusters, gpu=gpu, regions=regions),
        *estimated(estimate, typed or create),
    ]
    return {**_frame(private), "submit": plain_text("Create", 24), "blocks": blocks}


def loading_form(*, private: str = "") -> dict[str, Any]:
    """To open at once, where what the form offers has yet to be looked up."""
    return {
        **_frame(private),
        "blocks": [section(":hourglass: One moment, I am looking up what can be had …")],
    }


def read_form(state: Mapping[str, Any]) -> Create | dict[str, str]:
    """`state` of a submitted view. What is wrong comes back by block id, for `response_action: errors`."""
    sent = _Sent(state.get("values") or {})
    create = sent.create()
    if create.gpu is None:
        sent.faults.setdefault("gpu", "Which GPU?")
    if create.template is not None and create.image is not None:
        sent.faults["image"] = "Choose either a template or an image."
    # Its price was there to see, so sending it is the consent.
    return sent.faults or replace(create, yes=True)


def partial_form(state: Mapping[str, Any]) -> Create:
    """What can be read of a form that is still being filled; what is wrong in it counts as empty."""
    create = _Sent(state.get("values") or {}).create()
    return create if create.template is None else replace(create, image=None)


class _Sent:
    """The values of a submitted form; `faults` grows as they are read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.faults: dict[str, str] = {}

    def create(self) -> Create:
        gpu, gpu_count = self._gpu()
        return Create(
            gpu=gpu,
            gpu_count=self.read("count", fields.read_count) or gpu_count,
            name=self.read("name", fields.read_name),
            template=self.read("template", fields.read_template),
            image=self.read("image", fields.read_image),
            billing_mode=self.read("billing", BillingMode),
            regions=self.read("regions", fields.read_regions) or (),
            disk_gb=self.read("disk", fields.read_disk),
            max_usd_per_hour=self.read("max", fields.read_price),
            webhook_url=self.read("webhook", fields.read_webhook),
        )

    def _gpu(self) -> tuple[str | None, int | None]:
        if (selected := self._element("gpu").get("selected_option")) is not None:
            return selected["value"], None
        return self.read("gpu", fields.read_gpu) or (None, None)

    def read(self, block_id: str, reader: Callable[[str], T]) -> T | None:
        """None: left empty, or wrong."""
        text = self._text(block_id)
        if not text:
            return None
        try:
            return reader(text)
        except Unfit as fault:
            self.faults[block_id] = str(fault)
            return None

    def _text(self, block_id: str) -> str:
        element = self._element(block_id)
        if (selected := element.get("selected_option")) is not None:
            return str(selected["value"])
        if "selected_options" in element:
            return ",".join(selected["value"] for selected in element["selected_options"] or ())
        return " ".join((element.get("value") or "").split())

    def _element(self, block_id: str) -> Mapping[str, Any]:
        return self._values.get(block_id, {}).get(block_id, {})  # type: ignore[no-any-return]


def _frame(private: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": FORM_ID,
        "private_metadata": private,
        "title": plain_text(_TITLE, 24),
        "close": plain_text("Cancel", 24),
    }


def _fields(  # noqa: PLR0913 - as `create_form`
    create: Create,
    products: Sequence[Product],
    templates: Sequence[Template],
    clusters: Sequence[Cluster],
    *,
    gpu: str | None,
    regions: Sequence[str],
) -> Iterator[Block]:
    yield _live(_gpu(products, gpu))
    yield _live(_input("count", "How many GPUs", _select("count", _counts(), create.gpu_count)))
    yield _input("name", "Name", _text("name", create.name, fields.MAX_NAME, "my-train"))
    yield _live(_template(templates, create.template))
    yield _live(
        _input("image", "Image, instead of a template", _text("image", create.image, fields.MAX_IMAGE))
    )
    yield _live(_input("billing", "Billing", _select("billing", _MODES, create.billing_mode)))
    yield _live(_regions(clusters, regions if clusters else create.regions))
    yield from map(_live, _numbers(create))
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


def _template(templates: Sequence[Template], typed: str | None) -> Block:
    chosen = choices.chosen_template(typed, templates)
    fits = chosen is None or len(chosen) <= choices.MOST_VALUE
    known = choices.template_options(templates)
    options, picked = offered(known, [chosen] if chosen and fits else [])
    if not known or not fits:
        return _input("template", "Template", _text("template", chosen, fields.MAX_TEMPLATE, "pytorch"))
    return _input("template", "Template", _select_from("template", options, picked))


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


def _numbers(create: Create) -> Iterator[Block]:
    disk = {"is_decimal_allowed": False, "min_value": "10", "max_value": "6144"}
    yield _input("disk", "Disk, in GB", _number("disk", disk, create.disk_gb))
    price = {"is_decimal_allowed": True, "min_value": "0", "max_value": str(fields.MOST_USD_PER_HOUR)}
    dearest = None if create.max_usd_per_hour is None else f"{create.max_usd_per_hour:f}"
    hint = "For all GPUs together. Nothing dearer is rented."
    yield _input("max", "At most, in dollars per hour", _number("max", price, dearest), hint=hint)


def _counts() -> list[Block]:
    return [option(str(count), str(count)) for count in fields.GPU_COUNTS]


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


def _select(action_id: str, options: list[Block], value: object | None) -> Block:
    picked = [item for item in options if value is not None and item["value"] == str(value)]
    return _select_from(action_id, options, picked)


def _select_from(action_id: str, options: list[Block], picked: list[Block]) -> Block:
    select = {
        "type": "static_select",
        "action_id": action_id,
        "options": options,
        "placeholder": plain_text("The usual", 150),
    }
    return {**select, "initial_option": picked[0]} if picked else select
