"""The app as its manifest describes it: what it may do, what it hears, and what a client offers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from bot.sandbox.slack.scopes import ALL_SCOPES, SCOPE_OF_EVENT, USUAL_EVENTS

Reach = Literal["global", "message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    name: str
    callback_id: str
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Without a manifest it may do and hears whatever is simulated here.

    `events`: names as under `bot_events` of a manifest. `shortcuts`: None where nothing is known of them, so
    that any can be used.
    """

    id: str = "A0GPUBOT"
    bot_id: str = "B0GPUBOT"
    user_id: str = "U0GPUBOT"
    name: str = "gpu-ops"
    scopes: frozenset[str] = ALL_SCOPES
    events: frozenset[str] = USUAL_EVENTS
    shortcuts: tuple[Shortcut, ...] | None = None
    has_home_tab: bool = True
    has_messages_tab: bool = True
    may_be_written_to: bool = True

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self:
        """`manifest`: as parsed from its YAML or JSON. What it leaves out is off, as at Slack."""
        features, settings = manifest.get("features", {}), manifest.get("settings", {})
        tabs = features.get("app_home", {})
        messages_tab = bool(tabs.get("messages_tab_enabled", False))
        return cls(
            scopes=frozenset(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ())),
            events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
            shortcuts=tuple(_shortcut(item) for item in features.get("shortcuts", ())),
            has_home_tab=bool(tabs.get("home_tab_enabled", False)),
            has_messages_tab=messages_tab,
            may_be_written_to=messages_tab and not tabs.get("messages_tab_read_only_enabled", False),
        )

    def hears(self, event: str) -> bool:
        """Subscribed to, and with the scope that it needs: without that Slack sends nothing."""
        return event in self.events and SCOPE_OF_EVENT.get(event) in {None, *self.scopes}

    def offered(self, reach: Reach) -> tuple[Shortcut, ...]:
        return tuple(shortcut for shortcut in self.shortcuts or () if shortcut.reach == reach)

    def shortcut(self, wanted: str, reach: Reach) -> Shortcut:
        """By its callback_id or its name. Raises LookupError, with what Slack's client offers instead."""
        if self.shortcuts is None:
            return Shortcut(name=wanted, callback_id=wanted, reach=reach)
        offered = self.offered(reach)
        for shortcut in offered:
            if wanted == shortcut.callback_id or wanted.casefold() == shortcut.name.casefold():
                return shortcut
        listing = ", ".join(shortcut.name for shortcut in offered)
        raise LookupError(f"there is no {reach} shortcut {wanted!r}, only: {listing or 'none'}")


def _shortcut(item: Mapping[str, Any]) -> Shortcut:
    return Shortcut(name=item["name"], callback_id=item["callback_id"], reach=item["type"])
