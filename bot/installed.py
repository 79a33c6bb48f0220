"""The bot as it is installed in the demo's workspace: as `manifest.yml` asks for it, which a test holds."""

from __future__ import annotations

from bot.grammar.helptexts import help_text
from bot.sandbox.page.offers import Suggestion
from bot.sandbox.slack.installation import App, Shortcut
from bot.slack.listeners import ABOUT, RENT, RENT_HERE

INSTALLED = App(
    scopes=frozenset({"commands", "chat:write", "app_mentions:read", "im:history", "im:write", "users:read"}),
    events=frozenset({"app_home_opened", "app_mention", "message.im"}),
    shortcuts=(
        Shortcut(name="Rent a GPU", callback_id=RENT, reach="global"),
        Shortcut(name="Rent a GPU here", callback_id=RENT_HERE, reach="message"),
        Shortcut(name="GPU status", callback_id=ABOUT, reach="message"),
    ),
)


def suggestions() -> tuple[Suggestion, ...]:
    """The commands, as the help has them."""
    entries = (entry for group in help_text().groups for entry in group.entries)
    return tuple(Suggestion(usage=entry.usage, purpose=entry.purpose) for entry in entries)
