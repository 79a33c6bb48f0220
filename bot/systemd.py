"""Tells the service manager how this process is: `sd_notify(3)`, one datagram per word."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"

Notify = Callable[[str], None]


def nobody(_word: str) -> None:
    """Where no service manager listens."""


def notifier(address: str | None) -> Notify:
    """`address`: what NOTIFY_SOCKET says; a leading `@` names an abstract socket. None or empty: nobody."""
    if not address:
        return nobody
    place = f"\0{address[1:]}" if address.startswith("@") else address

    def notify(word: str) -> None:
        # A manager that cannot be told ends us by its own clock: nothing to do about it here.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)
            speaker.connect(place)
            speaker.send(word.encode())

    return notify
