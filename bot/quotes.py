"""What can be had and at which price: the nouns of quotes and offers, as messages show them. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bot.grammar.commands import Create
from storage.cloud import Offer
from storage.records import CreateRequest

MOST_VALUE = 2000
"""Characters of a button's value (docs.slack.dev/reference/block-kit/block-elements/button-element)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One way to have a GPU now."""

    offer: Offer
    command: Create
    """That gets this one, and says nothing that was not typed otherwise."""
    stock: str | None = None
    """`low`, `normal`, `high`, or None where Novita does not say."""
    limit_usd_per_hour: Decimal | None = None
    """Of an offer in a list: nothing dearer is rented when it is launched. For the whole instance."""
    regions: tuple[str, ...] = ()
    """Display names of all regions that have it, whatever it costs there; the offer's own first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a create would rent, before anything is rented."""

    key: str
    """One launch for each quote: all buttons that carry this key make one instance."""
    asked: Create
    """As it was typed."""
    request: CreateRequest
    """As it would be recorded, defaults filled in."""
    best: Priced | None
    """None: it cannot be had now."""
    missing: str | None = None
    """Why there is no best one, as a sentence."""
    alternatives: tuple[Priced, ...] = ()
    """Cheapest first; at most three."""
    limit_usd_per_hour: Decimal | None = None
    """Whatever prices do meanwhile, nothing dearer is rented. For the whole instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a button of a quote or an offer carries: a command as it is typed, so that any replica can act."""

    key: str
    line: str
    """`/gpu create …`, without `--yes`: whether that is the consent, the button decides."""
    usd_per_hour: Decimal | None = None
    """The price that was shown, for the whole instance."""

    def value(self) -> str | None:
        """For a button; None: it does not fit into one."""
        price = None if self.usd_per_hour is None else f"{self.usd_per_hour:f}"
        text = json.dumps({"key": self.key, "line": self.line, "usd": price}, ensure_ascii=False)
        return text if len(text) <= MOST_VALUE else None

    @classmethod
    def read(cls, value: str) -> Ticket | None:
        """None: it is none of ours, or of another version."""
        try:
            kept = json.loads(value)
            price = None if kept["usd"] is None else Decimal(kept["usd"])
            return cls(key=str(kept["key"]), line=str(kept["line"]), usd_per_hour=price)
        except (ValueError, TypeError, KeyError, InvalidOperation):
            return None
