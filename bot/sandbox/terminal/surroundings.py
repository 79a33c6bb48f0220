"""What the demo takes from the environment of its process, and what must not get in from there."""

from __future__ import annotations

import os

_LOG = {"LOG_LEVEL": "warning", "LOG_FORMAT": "console"}


def log_settings() -> dict[str, str]:
    """All else that the environment says is about accounts that the demo must not touch."""
    return {name: os.environ.get(name) or usual for name, usual in _LOG.items()}


def forget() -> None:
    """Takes out of the environment what libraries read there by themselves.

    httpx and Slack's SDK read the proxies, httpx and ssl the certificates, Bolt its tokens and secrets.
    Through a proxy the demo's own servers could not be reached, and a file that is missing would end it.
    """
    for name in tuple(os.environ):
        if _is_read_by_libraries(name.upper()):
            del os.environ[name]


def _is_read_by_libraries(name: str) -> bool:
    return name.endswith("_PROXY") or name.startswith(("SLACK_", "SSL"))
