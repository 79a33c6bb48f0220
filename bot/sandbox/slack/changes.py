"""What an observer of the workspace is told, one small event for each change that somebody can see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePosted:
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited:
    message: Message
    before: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted:
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class EphemeralShown:
    """To `user` alone: the text of an ack, a post to a response_url, or a chat.postEphemeral."""

    user: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class EphemeralEdited:
    user: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class EphemeralDeleted:
    user: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOpened:
    user: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewUpdated:
    user: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewClosed:
    user: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePublished:
    user: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFailed:
    """Slack's own notice to `user` that the app did not answer in time, or not properly."""

    user: str
    what: str
    error: str


Change = (
    MessagePosted
    | MessageEdited
    | MessageDeleted
    | EphemeralShown
    | EphemeralEdited
    | EphemeralDeleted
    | ViewOpened
    | ViewUpdated
    | ViewClosed
    | HomePublished
    | InteractionFailed
)


class Feed:
    """Calls each observer at each change, in the order of subscription, before whoever made it goes on."""

    def __init__(self) -> None:
        self._observers: list[Callable[[Change], None]] = []

    def subscribe(self, observer: Callable[[Change], None]) -> Callable[[], None]:
        """Returns what ends the subscription."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def publish(self, change: Change) -> None:
        for observer in tuple(self._observers):
            observer(change)
