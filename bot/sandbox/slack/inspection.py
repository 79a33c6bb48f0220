"""Refuses what Slack would refuse, and remembers it: a violation is a fault of the app, handled or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.slack.blocklint import VIEW_BYTES, lint_message, lint_view, size_of
from bot.sandbox.slack.errors import SlackError

LONGEST_TEXT = 4000
LARGEST_BLOCKS = 13_200
LARGEST_METADATA = 8_000


@dataclass(slots=True)
class Inspector:
    changed: Callable[[], None]
    violations: list[str] = field(default_factory=list)

    def record(self, where: str, sentence: str) -> None:
        self.violations.append(f"{where}: {sentence}")
        self.changed()

    def message(self, where: str, payload: Mapping[str, Any]) -> None:
        """Raises SlackError no_text, msg_(blocks_)too_long, metadata_too_large or invalid_blocks."""
        findings = lint_message(payload)
        if not findings:
            _check_metadata(payload)
            return
        self._refuse(where, _message_code(payload), findings)

    def view(self, where: str, view: Any) -> None:
        """Raises SlackError invalid_arguments, view_too_large or invalid_blocks."""
        if not isinstance(view, dict):
            self._refuse(where, "invalid_arguments", ["view: must be an object"])
        findings = lint_view(view)
        if findings:
            too_large = len(json.dumps(view).encode()) > VIEW_BYTES
            self._refuse(where, "view_too_large" if too_large else "invalid_blocks", findings)

    def _refuse(self, where: str, code: str, findings: list[str]) -> None:
        for finding in findings:
            self.record(where, finding)
        raise SlackError(code, findings)


def _message_code(payload: Mapping[str, Any]) -> str:
    if not any(payload.get(key) for key in ("text", "blocks", "attachments")):
        return "no_text"
    text = payload.get("text")
    if isinstance(text, str) and len(text) > LONGEST_TEXT:
        return "msg_too_long"
    return "msg_blocks_too_long" if size_of(payload.get("blocks")) > LARGEST_BLOCKS else "invalid_blocks"


def _check_metadata(payload: Mapping[str, Any]) -> None:
    if len(json.dumps(payload.get("metadata")).encode()) > LARGEST_METADATA:
        raise SlackError("metadata_too_large")
