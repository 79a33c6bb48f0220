"""What only get shows: how an instance is reached, split into what may be kept and what may not."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from bot.novita.answers import Malformed, shown
from bot.novita.fields import Flag, Lenient, Text, Whole, type_of_part, type_of_parts
from bot.novita.schemas import InstanceRow, unwrapped, validated
from storage.cloud import Connection, Details, Endpoint, Secrets

_USER = re.compile(r"//[^/@]*@")


class PortMapping(Lenient):
    port: Whole = None
    endpoint: Text = ""
    type: Text = ""


class SshPart(Lenient):
    ssh_command: Text = ""
    password: Text = Field(default="", repr=False)
    is_running: Flag = None


class JupyterPart(Lenient):
    port: Whole = None
    address: Text = Field(default="", repr=False)
    is_running: Flag = None


class WebTerminalPart(Lenient):
    address: Text = Field(default="", repr=False)
    username: Text = Field(default="", repr=False)
    password: Text = Field(default="", repr=False)


class DetailsRow(InstanceRow):
    port_mappings: Annotated[tuple[PortMapping, ...], type_of_parts] = ()
    ssh_password: Text = Field(default="", repr=False)
    ssh: Annotated[SshPart, type_of_part] = Field(default=SshPart(), alias="connectComponentSSH")
    jupyter: Annotated[JupyterPart, type_of_part] = Field(
        default=JupyterPart(), alias="connectComponentJupyter"
    )
    web_terminal: Annotated[WebTerminalPart, type_of_part] = Field(
        default=WebTerminalPart(), alias="connectComponentWebTerminal"
    )


def details(payload: object, novita_id: str) -> Details:
    """Raises Malformed for another instance's answer too: acting on it would be worse than none."""
    row = validated(DetailsRow, unwrapped(payload, "instance"))
    if row.id != novita_id:
        raise Malformed("the answer is about another instance")
    return Details(
        observation=row.observation(),
        connection=Connection(
            ssh=_ssh_command(row),
            jupyter=_bare(_jupyter_url(row)),
            web_terminal=_bare(row.web_terminal.address),
            endpoints=_endpoints(row),
        ),
        complete=_is_complete(row),
        secrets=Secrets(
            ssh_password=_ssh_password(row) or None,
            jupyter_url=_jupyter_url(row) or None,
            web_terminal_url=row.web_terminal.address or None,
            web_terminal_username=row.web_terminal.username or None,
            web_terminal_password=row.web_terminal.password or None,
        ),
    )


def _ssh_command(row: DetailsRow) -> str | None:
    return shown(row.ssh.ssh_command, (_ssh_password(row),)) or None


def _ssh_password(row: DetailsRow) -> str:
    return row.ssh.password or row.ssh_password


def _jupyter_url(row: DetailsRow) -> str:
    if row.jupyter.address or not row.jupyter.port:
        return row.jupyter.address
    return next((m.endpoint for m in row.port_mappings if m.port == row.jupyter.port), "")


def _bare(url: str) -> str | None:
    """Without user, query and fragment, which is where tokens are."""
    return _USER.sub("//", re.split("[?#]", url, maxsplit=1)[0]) or None


def _endpoints(row: DetailsRow) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(port=m.port, protocol=m.type.lower() or "tcp", url=m.endpoint or None)
        for m in row.port_mappings
        if m.port
    )


def _is_complete(row: DetailsRow) -> bool:
    addressed = all(e.url for e in _endpoints(row) if e.protocol == "http")
    return addressed and _ssh_is_up(row) and _jupyter_is_up(row)


def _ssh_is_up(row: DetailsRow) -> bool:
    if not row.ssh.model_fields_set:
        return True
    # every image gets SSH, so a component without a command yet is one that is coming
    return bool(row.ssh.ssh_command) if row.ssh.is_running is None else row.ssh.is_running


def _jupyter_is_up(row: DetailsRow) -> bool:
    if not row.jupyter.address and not row.jupyter.port:
        return True
    return bool(_jupyter_url(row)) if row.jupyter.is_running is None else row.jupyter.is_running
