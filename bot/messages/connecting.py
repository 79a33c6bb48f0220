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
from bot.messages.links import leads_to
from bot.messages.mrkdwn import bold, plain
from bot.messages.ssh_config import config_block, host_alias, read_ssh
from storage.cloud import Details, Endpoint
from storage.records import Instance

_LONGEST = 900
"""Characters of one value; six of them, the block for ssh and the endpoints fit into a message."""
_LONGEST_ENDPOINT = 300
_MOST_ENDPOINTS = 15
"""Novita allows no more ports."""
_ONLY_YOU = (
    "Only you can see this. Passwords are fetched when you ask, and kept nowhere. "
    "Port and password change at each start: ask again then."
)


def connect(i: Instance, details: Details) -> Message:
    """Rich text, because what is copied has to be exact: mrkdwn would turn some characters into markup."""
    title = f":key: How to connect to {bold(i.name)}"
    parts = [*_ways(i, details), *_endpoints(details)]
    if not parts:
        said = f"{title}\nNovita does not show it yet. Try again in some seconds: {wording.command('ssh', i)}"
        return message(said, section(said, block_id="title"))
    return message(
        f"{title}: {_in_short(details)}. {_ONLY_YOU}",
        section(title, block_id="title"),
        rich_text(*parts),
        context(_ONLY_YOU, block_id="only"),
    )


def _in_short(details: Details) -> str:
    """Without a secret: a notification shows it on locked screens."""
    shown, secrets = details.connection, details.secrets
    ways = {
        "SSH": shown.ssh,
        "Jupyter": secrets.jupyter_url or shown.jupyter,
        "a web terminal": secrets.web_terminal_url or shown.web_terminal,
        "ports": _others(details),
    }
    return ", ".join(way for way, there in ways.items() if there) or "passwords"


def _ways(i: Instance, details: Details) -> Iterator[Block]:
    shown, secrets = details.connection, details.secrets
    yield from _value("SSH", shown.ssh)
    yield from _value("SSH password", secrets.ssh_password)
    yield from _ssh_config(i, shown.ssh)
    yield from _value("Jupyter", secrets.jupyter_url or shown.jupyter)
    yield from _value("Web terminal", secrets.web_terminal_url or shown.web_terminal)
    yield from _value("Web terminal user", secrets.web_terminal_username)
    yield from _value("Web terminal password", secrets.web_terminal_password)


def _ssh_config(i: Instance, command: str | None) -> Iterator[Block]:
    target = read_ssh(command) if command is not None else None
    if target is not None:
        yield rich_line(f"Or put this into ~/.ssh/config and type ssh {host_alias(i.name)}:")
        yield preformatted(config_block(i.name, target))


def _value(label: str, value: str | None) -> Iterator[Block]:
    if not value:
        return
    if len(value) > _LONGEST:
        yield rich_line(f"{label}: too long to show here; Novita's console has it")
    elif _is_url(value):
        yield rich_link(f"{label}: ", value)
    else:
        yield rich_line(f"{label}:")
        yield preformatted(value)


def _endpoints(details: Details) -> Iterator[Block]:
    for endpoint in _others(details):
        label = f"Port {endpoint.port} ({plain(endpoint.protocol, 10)}): "
        if endpoint.url is None:
            yield rich_line(f"{label}no address yet")
        elif len(endpoint.url) > _LONGEST_ENDPOINT:
            yield rich_line(f"{label}too long to show here; Novita's console has it")
        elif _is_url(endpoint.url):
            yield rich_link(label, endpoint.url)
        else:
            yield rich_line(f"{label}{plain(endpoint.url, _LONGEST_ENDPOINT)}")


def _others(details: Details) -> list[Endpoint]:
    """Less those that Jupyter or the web terminal answer at."""
    shown, secrets = details.connection, details.secrets
    named = (
        secrets.jupyter_url,
        shown.jupyter,
        secrets.web_terminal_url,
        shown.web_terminal,
    )
    others = [each for each in shown.endpoints if not any(leads_to(url, each.url) for url in named)]
    return others[:_MOST_ENDPOINTS]


def _is_url(text: str) -> bool:
    return re.fullmatch(r"(?i)https?://\S+", text) is not None
