"""What may befall the cloud from outside: the deeds of Novita, of its console, and of the world around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

InstanceAct = Literal["reclaim", "take", "finish", "hold", "release", "stop", "delete"]
CloudAct = Literal["down", "up", "errors on", "errors off", "balance empty", "balance filled"]
StockAct = Literal["full", "free"]
Meeting = Literal["capacity", "balance", "unclear", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfInstance:
    """What Novita, or somebody at its console, does to one instance."""

    act: InstanceAct
    name: str
    """As the bot calls it, or its name or id at Novita."""
    called: str = ""
    """For the sentence about it, where `name` is an id; otherwise its name at Novita."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCloud:
    act: CloudAct


@dataclass(frozen=True, slots=True, kw_only=True)
class OfStock:
    act: StockAct
    what: str | None = None
    """A region, or a product's id or a part of its name; None: the region that the bot tries first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfNextCreate:
    meets: Meeting
    """`unclear`: the GPU is made and billed, but the answer is lost. `nothing` takes an earlier word back."""


Deed = OfInstance | OfCloud | OfStock | OfNextCreate
