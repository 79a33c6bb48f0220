"""Modals, at most three on top of each other per person, and each person's Home tab."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from bot.sandbox.slack.blocktree import Block, named, random_name, words_of
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.forms import Entries, entries, state_values

DEEPEST_STACK = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    id: str
    user: str
    definition: dict[str, Any]
    hash: str
    root_id: str
    previous_id: str | None = None
    typed: Entries = field(default_factory=dict)

    @property
    def type(self) -> str:
        return str(self.definition["type"])

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(self.definition["blocks"])

    @property
    def title(self) -> str:
        return str(self.definition.get("title", {}).get("text", ""))

    @property
    def callback_id(self) -> str:
        return str(self.definition.get("callback_id", ""))

    @property
    def private_metadata(self) -> str:
        return str(self.definition.get("private_metadata", ""))

    @property
    def words(self) -> str:
        return words_of([self.definition.get("title"), *self.blocks, self.definition.get("submit")])

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        """`state.values`: block_id to action_id to what is chosen or typed; None or [] where nothing is."""
        return state_values(self.blocks, self.typed)

    def as_json(self, *, team_id: str, app_id: str, bot_id: str) -> dict[str, Any]:
        shown = copy.deepcopy(self.definition)
        return {
            "id": self.id,
            "team_id": team_id,
            "type": self.type,
            "blocks": shown["blocks"],
            "private_metadata": self.private_metadata,
            "callback_id": self.callback_id,
            "state": {"values": self.values},
            "hash": self.hash,
            "title": shown.get("title"),
            "submit": shown.get("submit"),
            "close": shown.get("close"),
            "clear_on_close": shown.get("clear_on_close", False),
            "notify_on_close": shown.get("notify_on_close", False),
            "submit_disabled": False,
            "root_view_id": self.root_id,
            "previous_view_id": self.previous_id,
            "external_id": shown.get("external_id", ""),
            "app_id": app_id,
            "bot_id": bot_id,
            "app_installed_team_id": team_id,
        }


@dataclass(slots=True)
class ViewStacks:
    """Only stores, apart from the depth of a stack, the hash, and the uniqueness of an external_id."""

    rng: Random
    _open: dict[str, list[str]] = field(default_factory=dict)
    _homes: dict[str, str] = field(default_factory=dict)
    _views: dict[str, View] = field(default_factory=dict)

    def top(self, user: str) -> View | None:
        stack = self.stack(user)
        return stack[-1] if stack else None

    def stack(self, user: str) -> list[View]:
        """The bottom one first."""
        return [self._views[view_id] for view_id in self._open.get(user, [])]

    def home(self, user: str) -> View | None:
        return self._views.get(self._homes.get(user, ""))

    def find(self, view_id: str) -> View | None:
        """None as well for one that has been closed."""
        return self._views.get(view_id)

    def get(self, *, view_id: str | None, external_id: str | None) -> View:
        """Raises SlackError not_found."""
        named_so = (
            v for v in self._views.values() if external_id and v.definition.get("external_id") == external_id
        )
        found = self._views.get(view_id) if view_id else next(named_so, None)
        if found is None:
            raise SlackError("not_found")
        return found

    def push(self, user: str, definition: dict[str, Any]) -> View:
        """Raises SlackError push_limit_reached or duplicate_external_id."""
        below = self.stack(user)
        if len(below) >= DEEPEST_STACK:
            raise SlackError("push_limit_reached")
        view = self._new(user, definition, below)
        self._open.setdefault(user, []).append(view.id)
        return view

    def publish(self, user: str, definition: dict[str, Any], wanted_hash: str | None) -> View:
        """Raises SlackError hash_conflict."""
        shown = self.home(user)
        if shown is not None:
            return self.replace(shown, definition, wanted_hash)
        view = self._new(user, definition, [])
        self._homes[user] = view.id
        return view

    def replace(self, view: View, definition: dict[str, Any], wanted_hash: str | None = None) -> View:
        """Where block_id and action_id stay, so does what is in the field, even untouched: a new initial
        value is for new fields only (slackapi/bolt-js#290, bolt-python#572). Raises SlackError
        hash_conflict."""
        if wanted_hash is not None and wanted_hash != view.hash:
            raise SlackError("hash_conflict")
        self._refuse_taken(definition, except_id=view.id)
        newer = replace(
            view, definition=self._named(definition), hash=self._fresh_hash(), typed=entries(view.values)
        )
        self._views[view.id] = newer
        return newer

    def fill(self, view: View, typed: Entries) -> View:
        newer = replace(view, typed={**view.typed, **typed})
        self._views[view.id] = newer
        return newer

    def reset(self, view: View) -> View:
        """Every field is as the app defined it."""
        newer = replace(view, typed={})
        self._views[view.id] = newer
        return newer

    def close(self, view: View) -> None:
        self._open[view.user].remove(view.id)
        del self._views[view.id]

    def _new(self, user: str, definition: dict[str, Any], below: list[View]) -> View:
        self._refuse_taken(definition, except_id="")
        view_id = f"V{random_name(self.rng, 10).upper()}"
        view = View(
            id=view_id,
            user=user,
            definition=self._named(definition),
            hash=self._fresh_hash(),
            root_id=below[0].id if below else view_id,
            previous_id=below[-1].id if below else None,
        )
        self._views[view_id] = view
        return view

    def _refuse_taken(self, definition: dict[str, Any], *, except_id: str) -> None:
        wanted = definition.get("external_id")
        taken = {view.definition.get("external_id") for view in self._views.values() if view.id != except_id}
        if wanted and wanted in taken:
            raise SlackError("duplicate_external_id")

    def _named(self, definition: dict[str, Any]) -> dict[str, Any]:
        return {**copy.deepcopy(definition), "blocks": named(definition["blocks"], self.rng)}

    def _fresh_hash(self) -> str:
        return f"{self.rng.randrange(10**10)}.{random_name(self.rng, 8)}"
