"""What a form holds, when it is sent or while it is being filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bot.grammar import fields
from bot.grammar.commands import Create
from bot.grammar.fields import Unfit
from storage.cloud import BillingMode

T = TypeVar("T")


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
