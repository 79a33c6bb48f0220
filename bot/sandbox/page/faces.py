"""Who wrote something, as a small picture without any picture."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.slack.workspace import Workspace

_HUES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """`hue`: a number of one of the stylesheet's colours, the same for the same person each time."""

    name: str
    initials: str
    hue: int
    is_app: bool


def face(workspace: Workspace, user_id: str) -> Face:
    user = workspace.users.get(user_id)
    is_app = user_id == workspace.app.user_id
    name = user_id if user is None else user.name if is_app else user.real_name or user.name
    words = name.replace("-", " ").split()
    known = [*workspace.users]
    return Face(
        name=name,
        initials="".join(word[0] for word in words[:2]).upper(),
        hue=known.index(user_id) % _HUES if user_id in known else 0,
        is_app=is_app,
    )
