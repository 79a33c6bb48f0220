"""What the composer offers after a slash."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"\s*(?:\[|[A-Z<]).*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """`usage`: a whole command line with its placeholders, "/gpu stop [NAME]"."""

    usage: str
    purpose: str

    @property
    def literal(self) -> str:
        """What is typed as it stands: "/gpu stop"."""
        return _PLACEHOLDER.sub("", self.usage).strip()
