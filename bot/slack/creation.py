"""The words of `/gpu create` -> Create: flags anywhere, the first bare word the GPU, the next the name."""

from __future__ import annotations

import re

from bot.grammar import fields
from bot.grammar.commands import Create
from bot.grammar.fields import Unfit
from bot.grammar.nearness import shown
from bot.grammar.usage import CREATE_FLAGS, Verb
from bot.slack.flags import Bare, Flags, Words, read_flags, rewritten
from bot.slack.words import Fault
from storage.cloud import BillingMode

_GOES = "has no flag: write GPU:N, then the name."

FLAGS = Flags(
    groups=CREATE_FLAGS,
    readers={
        "template": fields.read_template,
        "image": fields.read_image,
        "spot": lambda _: BillingMode.SPOT,
        "on-demand": lambda _: BillingMode.ON_DEMAND,
        "region": fields.read_regions,
        "disk": fields.read_disk,
        "max": fields.read_price,
        "webhook": fields.read_webhook,
        "yes": lambda _: True,
    },
    no_flag={
        "gpu": f"The GPU {_GOES}",
        "count": f"The number of GPUs {_GOES}",
        "name": f"The name {_GOES}",
    },
)


def read_create(verb: Verb, words: Words) -> Create:  # noqa: ARG001 (every verb's reader takes both)
    given, bare = read_flags(words, FLAGS)
    gpu, gpu_count, name = _bare_values(words, bare)
    return Create(
        gpu=gpu,
        gpu_count=gpu_count,
        name=name,
        template=given.get("template"),
        image=given.get("image"),
        billing_mode=given.get("spot") or given.get("on-demand"),
        regions=given.get("region", ()),
        disk_gb=given.get("disk"),
        max_usd_per_hour=given.get("max"),
        webhook_url=given.get("webhook"),
        yes=given.get("yes", False),
    )


def _bare_values(words: Words, bare: list[Bare]) -> tuple[str | None, int | None, str | None]:
    """GPU, number of GPUs, name."""
    if not bare:
        return None, None, None
    if len(bare) > 2:
        raise _too_many(words, bare)
    try:
        gpu, gpu_count = fields.read_gpu(bare[0].text)
    except Unfit as fault:
        raise Fault(str(fault), rewritten(words, bare[:1], fault.instead)) from None
    name = _name(words, bare) if len(bare) == 2 else None
    return gpu, gpu_count, name


def _name(words: Words, bare: list[Bare]) -> str:
    gpu, name = bare
    try:
        return fields.read_name(name.text)
    except Unfit as fault:
        if _belongs_to_gpu(name.text):
            message = f"{shown(name.text)} is no name. If it belongs to the GPU, put both in quotation marks."
            raise Fault(message, rewritten(words, bare, f"{gpu.text} {name.text}")) from None
        raise Fault(str(fault), rewritten(words, [name], fault.instead)) from None


def _too_many(words: Words, bare: list[Bare]) -> Fault:
    texts = [word.text for word in bare]
    message = f"I expected a GPU and a name, and read {len(texts)} words: {shown(' '.join(texts))}."
    spread = texts if _belongs_to_gpu(texts[-1]) else texts[:-1]
    better = rewritten(words, bare, " ".join(spread), *texts[len(spread) :])
    return Fault(f"{message} Put a GPU's name with spaces in quotation marks.", better)


def _belongs_to_gpu(text: str) -> bool:
    return re.fullmatch(r"(?i)\d+\s*gb?(:\d*)?|[^:]*:\d*", text) is not None
