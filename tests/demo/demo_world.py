"""A workspace whose changes are told on a terminal that is a text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from clocks import Clock
from rich.console import Console, RenderableType

from bot.sandbox.slack.messages import Content, Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.mrkdwn import Reader
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.screen import Screen

GPU = "C0GPU"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def nothing() -> None:
    pass


@dataclass(kw_only=True)
class World:
    clock: Clock = field(default_factory=Clock)
    stream: io.StringIO = field(default_factory=io.StringIO)
    workspace: Workspace = field(init=False)
    scene: Scene = field(init=False)

    def __post_init__(self) -> None:
        self.workspace = Workspace(clock=self.clock, seed=3)
        screen = Screen(self.stream, gone=nothing)
        self.scene = Scene(self.workspace, screen, clock=self.clock, zone=UTC)
        self.workspace.subscribe(self.scene.observe)

    def post(self, message: Mapping[str, Any], *, channel: str = GPU, **extra: Any) -> Message:
        """By the app: a message as the bot's own builders make it."""
        return self.workspace.post(self.workspace.channels[channel], content(message), **extra)

    def whisper(self, user: str, message: Mapping[str, Any]) -> Message:
        return self.workspace.whisper(user, self.workspace.channels[GPU], content(message))

    def told(self) -> list[str]:
        """The lines since the last time, without those that are empty."""
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return [line.rstrip() for line in text.splitlines() if line.strip()]


def content(message: Mapping[str, Any]) -> Content:
    return Content(text=message["text"], blocks=tuple(message.get("blocks", ())))


def reader(clock: Clock | None = None) -> Reader:
    clock = clock or Clock()
    return Reader(Workspace(clock=clock), clock=clock, zone=UTC)


def lines(parts: Iterable[RenderableType], width: int = 80) -> list[str]:
    """What is drawn, without colours."""
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return [line.rstrip() for line in capture.get().splitlines()]
