"""What a person is told when Slack, or the app behind it, did not do as asked."""

from __future__ import annotations

_SENTENCES = {
    "operation_timeout": "{app} did not respond in time, so {what} failed (operation_timeout). Try again.",
    "dispatch_failed": "{app} could not be reached, so {what} failed (dispatch_failed). Try again.",
    "invalid_command_response": "{app} answered {what} with something that cannot be shown.",
    "invalid_response": "{app} answered {what} with something that cannot be shown.",
    "not_supported_in_threads": "{what} is not supported in threads. Type it in the channel.",
}


def sentence(error: str, *, app: str, what: str) -> str:
    """`what`: a command or the name of a button."""
    template = _SENTENCES.get(error, "{what} failed with the error {error}.")
    text = template.format(app=app, what=what, error=error)
    return text[:1].upper() + text[1:]
