"""The ssh command that Novita gives -> a block for `~/.ssh/config`. Pure.

Options that the block could not say make it none: a block that connects otherwise than the command is worse
than no block, and nothing that came from elsewhere may run a program on the reader's machine.

No word on host keys: whether a restart keeps an instance's key, Novita does not say.
"""

from __future__ import annotations

import getopt
import re
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9A-Fa-f:]{3,45}")
_WITH_VALUE = "plo"
_HARMLESS = "46AaCkKnqTtvXxYy"
"""Flags of ssh(1) that take no value and do not say whereto."""
_PUT_ASIDE = frozenset({"stricthostkeychecking", "userknownhostsfile", "loglevel", "serveraliveinterval"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    host: str
    user: str | None = None
    port: int | None = None


def read_ssh(command: str) -> SshTarget | None:
    """None: it is no ssh command, or it says more than host, user and port."""
    try:
        program, *words = shlex.split(command)
        options, rest = getopt.gnu_getopt(words, f"{':'.join(_WITH_VALUE)}:{_HARMLESS}")
        (where,) = rest
        said = [pair for option in options for pair in _said_by_option(*option)] + _said_by_target(where)
    except (ValueError, getopt.GetoptError):
        return None
    return _target(said) if program == "ssh" else None


def host_alias(name: str) -> str:
    """A word that `ssh` takes for a host and no pattern, whatever the instance is called."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "gpu"


def config_block(name: str, target: SshTarget) -> str:
    lines = [f"Host {host_alias(name)}", f"  HostName {target.host}"]
    if target.user is not None:
        lines.append(f"  User {target.user}")
    if target.port is not None:
        lines.append(f"  Port {target.port}")
    return "\n".join(lines)


def _said_by_option(option: str, value: str) -> list[tuple[str, str]]:
    """Raises ValueError for what a block would have to say as well."""
    match option:
        case "-p":
            return [("port", value)]
        case "-l":
            return [("user", value)]
        case "-o":
            key, _, setting = re.sub(r"\s*=\s*|\s+", "=", value.strip(), count=1).partition("=")
            if key.lower() in _PUT_ASIDE:
                return []
            if key.lower() in ("port", "user", "hostname"):
                return [(key.lower(), setting)]
            raise ValueError(key)
        case _:
            return []


def _said_by_target(where: str) -> list[tuple[str, str]]:
    if where.startswith("ssh://"):
        url = urlsplit(where)
        port = [("port", str(url.port))] if url.port is not None else []
        user = [("user", url.username)] if url.username is not None else []
        return [("host", url.hostname or ""), *user, *port]
    user_name, at, host = where.rpartition("@")
    return [("host", host), *([("user", user_name)] if at else [])]


def _target(said: list[tuple[str, str]]) -> SshTarget | None:
    """Each is said once, or as often with the same value; `HostName` stands for the host."""
    values = {key: {value for each, value in said if each == key} for key, _ in said}
    if any(len(several) > 1 for several in values.values()):
        return None
    one = {key: several.pop() for key, several in values.items()}
    host, user, port = one.get("hostname", one["host"]), one.get("user"), one.get("port")
    if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)):
        return None
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        return None
    return SshTarget(host=host, user=user, port=int(port) if port is not None else None)
