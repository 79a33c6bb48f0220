"""How to connect, with the password: for an ephemeral answer to whoever may know it, never for a channel."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.messages import wording
from bot.messages.blocks import (
    Block,
    Message,
    context,
    message,
    preformatted,
    rich_line,
    rich_link,
    rich_text,
    section,
)
from bot.messages.mrkdwn import bold, plain
from storage.cloud import Details, Endpoint
from storage.records import Instance

_LONGEST = 1500
"""Characters of one value; six of them and the endpoints fit into a message."""
_MOST_ENDPOINTS = 15
"""Novita allows no more ports."""


def connect(i: Instance, details: Details) -> Message:
    """Rich text, because what is copied has to be exact: mrkdwn would turn some characters into markup."""
    title = f":key: How to connect to {bold(i.name)}"
    parts = [*_ways(details), *_endpoints(details.connection.endpoints)]
    if not parts:
        again = f"Novita does not show it yet. Try again in some seconds: {wording.command('ssh', i)}"
        return message(title, section(f"{title}\n{again}", block_id="title"))
    only = "Only you can see this. Passwords are fetched when you ask, and kept nowhere."
    detail = rich_text(*parts)
    return message(title, section(title, block_id="title"), detail, context(only, block_id="only"))


def _ways(details: Details) -> Iterator[Block]:
    shown, secrets = details.connection, details.secrets
    yield from _value("SSH", shown.ssh)
    yield from _value("SSH password", secrets.ssh_password)
    yield from _value("Jupyter", secrets.jupyter_url or shown.jupyter)
    yield from _value("Web terminal", secrets.web_terminal_url or shown.web_terminal)
    yield from _value("Web terminal user", secrets.web_terminal_username)
    yield from _value("Web terminal password", secrets.web_terminal_password)


def _value(label: str, value: str | None) -> Iterator[Block]:
    if not value:
        return
    if _is_url(value):
        yield rich_link(f"{label}: ", value[:_LONGEST])
        return
    yield rich_line(f"{label}:")
    yield preformatted(value[:_LONGEST])


def _endpoints(endpoints: tuple[Endpoint, ...]) -> Iterator[Block]:
    for endpoint in endpoints[:_MOST_ENDPOINTS]:
        label = f"Port {endpoint.port} ({plain(endpoint.protocol, 10)}): "
        if endpoint.url is None:
            yield rich_line(f"{label}no address yet")
        elif _is_url(endpoint.url):
            yield rich_link(label, plain(endpoint.url, 120))
        else:
            yield rich_line(f"{label}{plain(endpoint.url, 120)}")


def _is_url(text: str) -> bool:
    return re.fullmatch(r"(?i)https?://\S+", text) is not None
