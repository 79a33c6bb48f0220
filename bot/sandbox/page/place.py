"""Who looks, at what: the query of the page's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.sandbox.slack.people import Channel, ChannelKind, User
from bot.sandbox.slack.workspace import Workspace

HOME = "home"
"""Of the app, in place of a channel's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`person`: a user id. `where`: a channel's id, or HOME. `thread`: the ts of its first message."""

    person: str
    where: str
    thread: str | None = None

    @property
    def is_home(self) -> bool:
        return self.where == HOME

    @property
    def url(self) -> str:
        thread = {"thread": self.thread} if self.thread else {}
        return f"/?{urlencode({'as': self.person, 'in': self.where, **thread})}"

    def at(self, where: str, thread: str | None = None) -> Place:
        return Place(person=self.person, where=where, thread=thread)


def read_place(query: Mapping[str, str], workspace: Workspace) -> Place:
    """What cannot be looked at becomes the nearest that can."""
    people = players(workspace)
    person = next((user for user in people if user.id == query.get("as")), people[0])
    where = query.get("in", "")
    if where == HOME:
        return Place(person=person.id, where=HOME)
    channel = workspace.channels.get(where)
    if channel is None or not may_read(person, channel):
        return Place(person=person.id, where=_first(workspace, person))
    thread = query.get("thread")
    parent = workspace.board.find(channel.id, thread) if thread else None
    return Place(person=person.id, where=channel.id, thread=thread if parent else None)


def players(workspace: Workspace) -> list[User]:
    """Whom one can be."""
    return [user for user in workspace.users.values() if not user.is_bot | user.deleted]


def may_read(user: User, channel: Channel) -> bool:
    """Guests see what they are in."""
    if user.id in channel.members:
        return True
    return channel.kind is ChannelKind.PUBLIC and not is_guest(user)


def is_guest(user: User) -> bool:
    return user.is_restricted or user.is_ultra_restricted or user.is_stranger


def _first(workspace: Workspace, person: User) -> str:
    readable = (c.id for c in workspace.channels.values() if c.name and may_read(person, c))
    return next(readable, HOME)
