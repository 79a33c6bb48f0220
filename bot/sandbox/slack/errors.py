from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A refusal that the app gets as `{"ok": false, "error": code}`. `messages` are the details beside it,
    `details` what else stands in the answer."""

    def __init__(
        self, code: str, messages: list[str] | None = None, *, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []
        self.details = details or {}
