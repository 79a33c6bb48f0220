"""What can be chosen in a menu, and what is chosen, whatever kind of menu it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bot.sandbox.page.kit.texts import Texts
from bot.sandbox.slack.blocktree import Element
from bot.sandbox.slack.forms import ANSWERS
from bot.sandbox.slack.people import ChannelKind, User
from bot.sandbox.slack.workspace import Workspace

_KINDS = {
    ChannelKind.DIRECT: "im",
    ChannelKind.GROUP_DIRECT: "mpim",
    ChannelKind.PRIVATE: "private",
    ChannelKind.PUBLIC: "public",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    label: Markup
    words: str
    """The label where no tag can be."""
    description: Markup | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    label: str
    """Empty: they are in no group."""
    choices: tuple[Choice, ...]


class Choices:
    def __init__(self, workspace: Workspace, texts: Texts, *, reader: str) -> None:
        self._workspace = workspace
        self._texts = texts
        self._reader = reader

    def offered(self, element: Element) -> tuple[Group, ...]:
        """None where the app has to be asked."""
        if "option_groups" in element:
            return tuple(
                Group(label=self._texts.words(group["label"]), choices=self.of_options(group["options"]))
                for group in element["option_groups"]
            )
        if "options" in element:
            return (Group(label="", choices=self.of_options(element["options"])),)
        listed = self._LISTED.get(element["type"].removeprefix("multi_"))
        return (Group(label="", choices=tuple(listed(self, element))),) if listed else ()

    def chosen(self, element: Element, entry: Mapping[str, Any]) -> tuple[Choice, ...]:
        """`entry`: of `state.values`."""
        value = entry.get(ANSWERS[element["type"]][0])
        if not value:
            return ()
        values = value if isinstance(value, list) else [value]
        return tuple(self._option(item) if isinstance(item, dict) else self._named(item) for item in values)

    def of_options(self, options: Iterable[Mapping[str, Any]]) -> tuple[Choice, ...]:
        return tuple(map(self._option, options))

    def _option(self, option: Mapping[str, Any]) -> Choice:
        described = option.get("description")
        return Choice(
            value=option.get("value", ""),
            label=self._texts.of(option["text"]),
            words=self._texts.words(option["text"]),
            description=self._texts.of(described) if described else None,
        )

    def _named(self, item: str) -> Choice:
        """By the id of a person or a conversation."""
        if item in self._workspace.users:
            return _plain(item, self._texts.user_name(item))
        return _plain(item, self._channel_name(item))

    def _users(self, _: Element) -> Iterable[Choice]:
        people = (user for user in self._workspace.users.values() if not user.deleted)
        return (_plain(user.id, _with_role(user, self._texts.user_name(user.id))) for user in people)

    def _channels(self, _: Element) -> Iterable[Choice]:
        return self._talks({"public"})

    def _conversations(self, element: Element) -> Iterable[Choice]:
        return self._talks(set(element.get("filter", {}).get("include", _KINDS.values())))

    def _talks(self, kinds: set[str]) -> Iterable[Choice]:
        for channel in self._workspace.channels.values():
            is_open = channel.kind is ChannelKind.PUBLIC or self._reader in channel.members
            if is_open and _KINDS[channel.kind] in kinds and not channel.is_archived:
                yield _plain(channel.id, self._channel_name(channel.id))

    def _channel_name(self, channel_id: str) -> str:
        channel = self._workspace.channels.get(channel_id)
        if channel is None:
            return channel_id
        others = sorted(channel.members - {self._reader})
        return f"#{channel.name}" if channel.name else ", ".join(map(self._texts.user_name, others))

    _LISTED: Mapping[str, Callable[[Choices, Element], Iterable[Choice]]] = {
        "users_select": _users,
        "channels_select": _channels,
        "conversations_select": _conversations,
    }


def _plain(value: str, words: str) -> Choice:
    return Choice(value=value, label=Markup("{}").format(words), words=words)


def _with_role(user: User, name: str) -> str:
    return f"{name} (app)" if user.is_bot else name
