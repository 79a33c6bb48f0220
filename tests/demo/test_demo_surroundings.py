from __future__ import annotations

import os

import pytest

from bot.sandbox.terminal.surroundings import forget, log_settings

READ_BY_LIBRARIES = (
    "HTTP_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "SLACK_BOT_TOKEN",
    "SLACK_CLIENT_SECRET",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", found)
    return found


def test_what_libraries_read_by_themselves_is_forgotten(environment: dict[str, str]) -> None:
    environment.update(dict.fromkeys((*READ_BY_LIBRARIES, "PATH", "TERM", "NO_COLOR"), "x"))
    forget()
    assert environment.keys().isdisjoint(READ_BY_LIBRARIES)
    assert environment.keys() >= {"PATH", "TERM", "NO_COLOR"}


def test_only_the_settings_of_the_log_are_taken(environment: dict[str, str]) -> None:
    assert log_settings() == {"LOG_LEVEL": "warning", "LOG_FORMAT": "console"}
    environment.update(LOG_LEVEL="debug", LOG_FORMAT="", NOVITA_API_KEY="x", PORT="1")
    assert log_settings() == {"LOG_LEVEL": "debug", "LOG_FORMAT": "console"}
