from __future__ import annotations


class SlackError(Exception):
    """A refusal that the app gets as `{"ok": false, "error": code}`. `messages` are the details beside it."""

    def __init__(self, code: str, messages: list[str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []
