"""Runs the demo as `python -m bot demo` does, and writes down what it tries to reach.

First argument: the file for that, a line each. The others are the demo's.
"""

from __future__ import annotations

import asyncio
import runpy
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

written = Path(sys.argv[1]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - until the process ends


def noting(
    what: str, real: Callable[..., Any], address: Callable[[tuple[Any, ...]], Any]
) -> Callable[..., Any]:
    def noted(*arguments: Any, **named: Any) -> Any:
        reached = address(arguments)
        written.write(f"{what} {reached.decode() if isinstance(reached, bytes) else reached}\n")
        return real(*arguments, **named)

    return noted


def wrap(owner: Any, name: str, address: Callable[[tuple[Any, ...]], Any]) -> None:
    setattr(owner, name, noting(name, getattr(owner, name), address))


loop = asyncio.SelectorEventLoop
wrap(socket.socket, "connect", lambda arguments: arguments[1][0])
wrap(socket.socket, "connect_ex", lambda arguments: arguments[1][0])
wrap(socket.socket, "bind", lambda arguments: arguments[1][0])
wrap(socket.socket, "sendto", lambda arguments: arguments[-1][0])
wrap(loop, "sock_connect", lambda arguments: arguments[2][0])
wrap(socket, "getaddrinfo", lambda arguments: arguments[0])
wrap(socket, "gethostbyname", lambda arguments: arguments[0])

sys.argv = ["gpu-bot", "demo", *sys.argv[2:]]
runpy.run_module("bot", run_name="__main__", alter_sys=False)
