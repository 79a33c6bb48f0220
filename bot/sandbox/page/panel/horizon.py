"""The next moment at which the panel looks different without anybody's doing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.journal import Journal
from bot.sandbox.novita.timeline import FOREVER
from bot.sandbox.page.panel.calls import A_MINUTE
from bot.sandbox.page.panel.gpus import REMOVED_STAYS

PULSE = timedelta(seconds=3)
"""What creeps is looked at so often: costs, and how many calls there were."""


def next_change(cloud: Cloud, journal: Journal) -> datetime | None:
    now = cloud.now()
    instances = shown(cloud)
    moments = [at for each in instances for at in _moments(each) if now < at < FOREVER]
    if journal.since(now - A_MINUTE) or any(each.leg.is_billing_at(now) for each in instances):
        moments.append(now + PULSE)
    return min(moments, default=None)


def shown(cloud: Cloud) -> list[Instance]:
    """Newest first; what was removed is still seen for a while."""
    now = cloud.now()
    removed = [each for each in cloud.removed_instances() if now < each.leg.rests_at + REMOVED_STAYS]
    return sorted([*cloud.instances(), *removed], key=lambda each: each.created_at, reverse=True)


def _moments(instance: Instance) -> Iterator[datetime]:
    yield from (span.ends_at for span in instance.leg.spans)
    yield instance.leg.rests_at
    for at in (instance.leg.usable_at, instance.reclaim_at):
        if at is not None:
            yield at
    if instance.is_leaving:
        yield instance.leg.rests_at + REMOVED_STAYS
