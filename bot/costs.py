"""What an instance has cost, by the price it was rented at. Pure.

Novita bills by the second from the state `pulling` to the stop (pricing guide); its bills come hours later,
so what is shown live is counted here. Disks are not in it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from storage.records import Instance

_SECONDS_PER_HOUR = 3600


def cost_so_far(i: Instance, now: datetime) -> Decimal:
    """USD for the GPUs of all runs up to now."""
    if i.billing_since is None or i.offer is None:
        return i.billed_usd
    seconds = Decimal(max(0, int((now - i.billing_since).total_seconds())))
    return i.billed_usd + i.offer.usd_per_hour * seconds / _SECONDS_PER_HOUR
