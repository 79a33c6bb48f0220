"""Who is told of an event. Pure."""

from __future__ import annotations

from storage.records import WEBHOOK_EVENTS, EventKind, Instance, Target, TargetKind

SLACK = Target(kind=TargetKind.NOTICE, address="slack")


def targets(i: Instance, kind: EventKind, *, webhook_url: str | None) -> tuple[Target, ...]:
    """`webhook_url` is the configured one, for every instance; the request's own is told as well."""
    if kind is EventKind.REQUESTED:
        return ()
    told = [SLACK] if i.channel is not None else []
    if kind in WEBHOOK_EVENTS:
        urls = dict.fromkeys(url for url in (webhook_url, i.request.webhook_url) if url)
        told += [Target(kind=TargetKind.WEBHOOK, address=url) for url in urls]
    return tuple(told)
