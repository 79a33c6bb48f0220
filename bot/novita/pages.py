"""One page of a list, read from its answer."""

from __future__ import annotations

from bot.novita.answers import Answer, Malformed
from bot.novita.paging import Page
from bot.novita.schemas import InstanceRow, rows_of, templates, total_of, validated
from storage.cloud import Observation, Template


def instances_page(answer: Answer) -> Page[Observation]:
    """Raises Malformed where anything hides an instance: no total, or a row that does not even show an id.

    Rows with an empty id are dead and dropped. Rows of removed instances linger; their phase says so.
    """
    payload = answer.parsed()
    rows = [validated(InstanceRow, row) for row in rows_of(payload, "instances")]
    total = total_of(payload)
    if total is None:
        raise Malformed("no total in the answer")
    return Page(
        items={row.id: row.observation() for row in rows if row.id},
        rows=len(rows),
        blank=sum(not row.id for row in rows),
        total=total,
        began_at=answer.began_at,
    )


def templates_page(answer: Answer, channel: str) -> Page[Template]:
    """A template that cannot be read costs only itself."""
    payload = answer.parsed()
    readable, skipped = templates(payload, channel)
    return Page(
        items={template.id: template for template in readable},
        rows=len(readable) + skipped,
        blank=skipped,
        total=total_of(payload),
        began_at=answer.began_at,
    )
