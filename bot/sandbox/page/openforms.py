"""What is wrong with what was sent, until it is typed anew: Slack's client keeps that for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MOST = 500
"""Views to remember; whoever closes one leaves its complaints behind."""


@dataclass(slots=True)
class OpenForms:
    _complaints: dict[str, dict[str, str]] = field(default_factory=dict)

    def complaints(self, view_id: str) -> Mapping[str, str]:
        """By block_id."""
        return self._complaints.get(view_id, {})

    def complain(self, view_id: str, complaints: Mapping[str, str]) -> None:
        self._complaints[view_id] = dict(complaints)
        while len(self._complaints) > _MOST:
            del self._complaints[next(iter(self._complaints))]

    def touched(self, view_id: str, block_id: str) -> None:
        self._complaints.get(view_id, {}).pop(block_id, None)
