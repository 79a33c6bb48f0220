"""Prices as people read them. The cloud counts in 1/100 000 USD per hour."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

_UNITS_PER_USD = 100_000
_HOUR = timedelta(hours=1)


def per_hour(units: int) -> str:
    """Cents, and what is below them only where there is some: $0.35, $0.175."""
    usd = Decimal(units) / _UNITS_PER_USD
    cents = usd.quantize(Decimal("0.01"))
    return f"${usd.normalize() if usd != cents else cents:f}"


def billed(units: int, time: timedelta) -> str:
    """A hundredth of a cent is seen growing."""
    usd = Decimal(units) / _UNITS_PER_USD * Decimal(time / _HOUR)
    return f"${usd:.4f}"
