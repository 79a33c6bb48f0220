"""Who and what a workspace has: its people and its channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.sandbox.slack.installation import App


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    id: str = "T0SANDBOX"
    domain: str = "sandbox"
    name: str = "Sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: str
    name: str
    real_name: str = ""
    team_id: str = Team().id
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_bot: bool = False
    is_stranger: bool = False
    deleted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Like Slack, a deleted user has no roles left to show."""
        body: dict[str, Any] = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "real_name": self.real_name or self.name,
            "deleted": self.deleted,
            "tz": "Etc/UTC",
            "tz_offset": 0,
            "profile": {"real_name": self.real_name or self.name, "display_name": self.name},
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 0,
        }
        return body if self.deleted else body | self._roles()

    def _roles(self) -> dict[str, bool]:
        roles = {
            "is_admin": self.is_admin,
            "is_owner": self.is_owner,
            "is_primary_owner": self.is_owner,
            "is_restricted": self.is_restricted or self.is_ultra_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
        }
        return roles | ({"is_stranger": True} if self.is_stranger else {})


class ChannelKind(StrEnum):
    PUBLIC = "channel"
    PRIVATE = "group"
    DIRECT = "im"
    GROUP_DIRECT = "mpim"


@dataclass(slots=True, kw_only=True)
class Channel:
    """Not frozen: people and the bot come and go, and it can be archived."""

    id: str
    name: str
    kind: ChannelKind = ChannelKind.PUBLIC
    members: set[str] = field(default_factory=set)
    is_archived: bool = False

    @property
    def payload_name(self) -> str:
        """The name as commands and interactions carry it: Slack hides that of a private conversation."""
        match self.kind:
            case ChannelKind.PUBLIC:
                return self.name
            case ChannelKind.PRIVATE:
                return "privategroup"
            case ChannelKind.DIRECT:
                return "directmessage"
            case ChannelKind.GROUP_DIRECT:
                return self.name

    def as_json(self, reader: str) -> dict[str, Any]:
        """As `reader` (a user id) gets it."""
        body: dict[str, Any] = {"id": self.id, "is_archived": self.is_archived}
        body |= {f"is_{kind.value}": kind is self.kind for kind in ChannelKind}
        if self.kind is ChannelKind.DIRECT:
            others = sorted(self.members - {reader})
            return body | {"user": others[0] if others else reader, "is_open": True}
        private = self.kind is not ChannelKind.PUBLIC
        member = reader in self.members
        count = len(self.members)
        return body | {"name": self.name, "is_private": private, "is_member": member, "num_members": count}


def cast_of_users(app: App) -> list[User]:
    """Ada administers, Ben and Cleo are members, Gus and Mia guests, Sam is from elsewhere, Dan has left."""
    return [
        User(id="U0ADA", name="ada", real_name="Ada Moss", is_admin=True),
        User(id="U0BEN", name="ben", real_name="Ben Ortiz"),
        User(id="U0CLEO", name="cleo", real_name="Cleo Hahn"),
        User(id="U0GUS", name="gus", real_name="Gus Single", is_restricted=True, is_ultra_restricted=True),
        User(id="U0MIA", name="mia", real_name="Mia Multi", is_restricted=True),
        User(id="U0SAM", name="sam", real_name="Sam Stranger", is_stranger=True, team_id="T0ELSEWHERE"),
        User(id="U0DAN", name="dan", real_name="Dan Departed", deleted=True),
        User(id=app.user_id, name=app.name, real_name="GPU Ops", is_bot=True),
    ]


def cast_of_channels(app: App) -> list[Channel]:
    """Two with the bot, two without it (#secret is private), an archived one, and Ada's DM with Ben."""
    members = {"U0ADA", "U0BEN", "U0CLEO"}
    guests = {"U0GUS", "U0MIA", "U0SAM"}
    direct, private = ChannelKind.DIRECT, ChannelKind.PRIVATE
    return [
        Channel(id="C0GPU", name="gpu", members=members | guests | {app.user_id}),
        Channel(id="C0LAB", name="lab", kind=private, members=members | {app.user_id}),
        Channel(id="C0RANDOM", name="random", members=members),
        Channel(id="C0SECRET", name="secret", kind=private, members=members),
        Channel(id="C0OLD", name="old", members=members | {app.user_id}, is_archived=True),
        Channel(id="D0ADABEN", name="", kind=direct, members={"U0ADA", "U0BEN"}),
    ]
