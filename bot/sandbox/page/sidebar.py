"""What the sidebar lists for one person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from bot.sandbox.page.faces import Face, face
from bot.sandbox.page.place import HOME, Place, is_guest, may_read, players
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel, ChannelKind, User
from bot.sandbox.slack.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`unread`: messages that came since this person looked there."""

    kind: Literal["public", "private", "archived", "person", "app"]
    name: str
    url: str
    is_current: bool
    unread: int = 0
    face: Face | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    face: Face
    role: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidebar:
    channels: tuple[Row, ...]
    people: tuple[Row, ...]
    app: Row
    players: tuple[Player, ...]


@dataclass(slots=True)
class Seen:
    """How far each person has read in each channel."""

    _until: dict[tuple[str, str], str] = field(default_factory=dict)

    def look(self, person: str, channel: str, messages: list[Message]) -> None:
        if messages:
            self._until[person, channel] = messages[-1].ts

    def unread(self, person: str, channel: str, messages: list[Message]) -> int:
        until = self._until.get((person, channel), "")
        return sum(message.ts > until and message.user != person for message in messages)


def sidebar(workspace: Workspace, place: Place, seen: Seen) -> Sidebar:
    user = workspace.users[place.person]
    rows = [_row(workspace, place, seen, channel) for channel in _listed(workspace, user)]
    direct = workspace.direct_channel({workspace.app.user_id, place.person})
    messages = _row(workspace, place, seen, direct)
    app = replace(
        messages,
        kind="app",
        name=workspace.app.name,
        url=place.at(HOME if workspace.app.has_home_tab else direct.id).url,
        is_current=place.where in {HOME, direct.id},
    )
    return Sidebar(
        channels=tuple(row for row in rows if row.kind != "person"),
        people=tuple(row for row in rows if row.kind == "person"),
        app=app,
        players=tuple(_player(workspace, place, player) for player in players(workspace)),
    )


def role(user: User) -> str:
    """Empty for a plain member."""
    if user.is_stranger:
        return "other workspace"
    if is_guest(user):
        return "guest"
    return "admin" if user.is_admin else ""


def _listed(workspace: Workspace, user: User) -> list[Channel]:
    """The app's own conversation has a place of its own."""
    readable = (channel for channel in workspace.channels.values() if may_read(user, channel))
    return [channel for channel in readable if channel.name or workspace.app.user_id not in channel.members]


def _row(workspace: Workspace, place: Place, seen: Seen, channel: Channel) -> Row:
    messages = workspace.board.seen_by(place.person, channel.id)
    other = _other(workspace, place, channel)
    return Row(
        kind=_kind(channel),
        name=channel.name or (other.real_name if other else "you"),
        url=place.at(channel.id).url,
        is_current=place.where == channel.id,
        unread=seen.unread(place.person, channel.id, messages),
        face=face(workspace, other.id) if other and not channel.name else None,
    )


def _other(workspace: Workspace, place: Place, channel: Channel) -> User | None:
    others = sorted(channel.members - {place.person})
    return workspace.users[others[0]] if others else None


def _kind(channel: Channel) -> Literal["public", "private", "archived", "person"]:
    if channel.is_archived:
        return "archived"
    match channel.kind:
        case ChannelKind.PUBLIC:
            return "public"
        case ChannelKind.PRIVATE:
            return "private"
        case _:
            return "person"


def _player(workspace: Workspace, place: Place, user: User) -> Player:
    there = Place(person=user.id, where=place.where)
    return Player(
        face=face(workspace, user.id), role=role(user), url=there.url, is_current=user.id == place.person
    )
