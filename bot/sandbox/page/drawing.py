"""The page as HTML, for one person at one place. Only looks: what is remembered is who has read how far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.sandbox.page.composing import forbidden
from bot.sandbox.page.faces import Face, face
from bot.sandbox.page.kit.address import Address, InMessage, InView
from bot.sandbox.page.kit.choices import Choices
from bot.sandbox.page.kit.surface import Surface
from bot.sandbox.page.kit.texts import Texts
from bot.sandbox.page.offers import Suggestion
from bot.sandbox.page.openforms import OpenForms
from bot.sandbox.page.place import Place
from bot.sandbox.page.sidebar import Seen, sidebar
from bot.sandbox.page.timeline import MOST_SHOWN, Shown, of_channel, of_thread
from bot.sandbox.slack.forms import stateful
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_BODIES = 3000
"""Bodies of messages to keep: most of a page is as it was a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    shown: Shown
    face: Face
    body: Markup
    at: str
    """The address of the message."""
    repliers: tuple[Face, ...]


class Drawing:
    def __init__(
        self,
        slack: SlackServer,
        forms: OpenForms,
        *,
        suggestions: Sequence[Suggestion],
        first_line: str = "",
        zone: tzinfo | None = None,
    ) -> None:
        """`first_line`: tried where nothing is yet. `zone`: in which days begin; None: this machine's."""
        self._slack_server = slack
        self._workspace = slack.workspace
        self._forms = forms
        self._suggestions = tuple(suggestions)
        self._first_line = first_line
        self._zone = zone
        self._seen = Seen()
        self._bodies: dict[tuple[Any, ...], Markup] = {}
        self._environment = environment()

    def page(self, place: Place, backstage: Mapping[str, Any] | None) -> str:
        context = {"slack": self._slack(place), "place": place, "backstage": self._behind(place, backstage)}
        return self._environment.get_template("page.html").render(context)

    def slack(self, place: Place) -> str:
        return str(self._slack(place))

    def backstage(self, place: Place, context: Mapping[str, Any]) -> str:
        return str(self._behind(place, context))

    def options(self, place: Place, options: Iterable[Mapping[str, Any]]) -> str:
        """Of an external select: the items of its list."""
        choices = self._choices(self._texts(place.person), place.person)
        return self._environment.get_template("options.html").render(choices=choices.of_options(options))

    def _slack(self, place: Place) -> Markup:
        channel = None if place.is_home else self._workspace.channels[place.where]
        messages = [] if channel is None else self._workspace.board.seen_by(place.person, channel.id)
        self._seen.look(place.person, place.where, messages)
        texts = self._texts(place.person)
        context = {
            "place": place,
            "me": face(self._workspace, place.person),
            "app": face(self._workspace, self._workspace.app.user_id),
            "team": self._workspace.team,
            "sidebar": sidebar(self._workspace, place, self._seen),
            "channel": channel,
            "other": self._other(place, channel),
            "app_channel": self._workspace.direct_channel({self._workspace.app.user_id, place.person}).id,
            "app_tabs": {
                "home": self._workspace.app.has_home_tab,
                "messages": self._workspace.app.has_messages_tab,
            },
            "bot_is_here": channel is not None and self._workspace.app.user_id in channel.members,
            "forbidden": forbidden(self._workspace, channel, place.person) if channel else None,
            "lines": self._lines(place, of_channel(messages, zone=self._zone)),
            "are_cut": len(messages) > MOST_SHOWN,
            "thread": self._thread(place, messages),
            "home": self._view(place, self._workspace.views.home(place.person)) if place.is_home else None,
            "modal": self._view(place, self._workspace.views.top(place.person)),
            "depth": len(self._workspace.views.stack(place.person)),
            "suggestions": self._suggestions,
            "first_line": self._first_line,
            "message_shortcuts": self._workspace.app.offered("message"),
            "global_shortcuts": self._workspace.app.offered("global"),
            "texts": texts,
        }
        return Markup(self._environment.get_template("slack.html").render(context))  # noqa: S704 - autoescaped

    def _behind(self, place: Place, context: Mapping[str, Any] | None) -> Markup | None:
        if context is None:
            return None
        template = self._environment.get_template("backstage.html")
        return Markup(template.render({"person": place.person, **context}))  # noqa: S704 - autoescaped

    def _other(self, place: Place, channel: Channel | None) -> Face | None:
        """With whom one speaks in a conversation that has no name."""
        others = sorted(channel.members - {place.person}) if channel and not channel.name else []
        return face(self._workspace, others[0]) if others else None

    def _thread(self, place: Place, messages: Sequence[Message]) -> tuple[Line, ...]:
        return self._lines(place, of_thread(messages, place.thread, zone=self._zone)) if place.thread else ()

    def _lines(self, place: Place, shown: Iterable[Shown]) -> tuple[Line, ...]:
        return tuple(self._line(place, one) for one in shown)

    def _line(self, place: Place, shown: Shown) -> Line:
        message = shown.message
        surface = self._on_message(place.person, message)
        return Line(
            shown=shown,
            face=face(self._workspace, message.user),
            body=self._body(place.person, message, surface),
            at=str(Address(where=surface.where)),
            repliers=tuple(face(self._workspace, user) for user in shown.repliers),
        )

    def _body(self, person: str, message: Message, surface: Surface) -> Markup:
        if any(stateful(message.all_blocks)):
            return self._drawn(message, surface)  # What is chosen in it changes without an edit.
        key = (person, message.channel, message.ts, message.is_ephemeral, message.revision)
        if key not in self._bodies:
            if len(self._bodies) >= _MOST_BODIES:
                self._bodies.clear()
            self._bodies[key] = self._drawn(message, surface)
        return self._bodies[key]

    def _drawn(self, message: Message, surface: Surface) -> Markup:
        drawn = self._environment.get_template("body.html").render(
            s=surface, content=message.content, is_edited=message.edited_ts is not None
        )
        return Markup(drawn)  # noqa: S704 - autoescaped

    def _on_message(self, person: str, message: Message) -> Surface:
        texts = self._texts(person)
        where = InMessage(channel=message.channel, ts=message.ts)
        values = self._slack_server.person(person).state_of(message)
        return Surface(texts=texts, choices=self._choices(texts, person), where=where, values=values)

    def _view(self, place: Place, view: View | None) -> dict[str, Any] | None:
        if view is None:
            return None
        texts = self._texts(place.person)
        surface = Surface(
            texts=texts,
            choices=self._choices(texts, place.person),
            where=InView(view_id=view.id),
            values=view.values,
            complaints=self._forms.complaints(view.id),
            form=f"form-{view.id}" if view.type == "modal" else "",
        )
        return {"view": view, "surface": surface}

    def _texts(self, person: str) -> Texts:
        return Texts(self._workspace, reader=person, clock=self._workspace.clock, zone=self._zone)

    def _choices(self, texts: Texts, person: str) -> Choices:
        return Choices(self._workspace, texts, reader=person)


@cache
def environment() -> Environment:
    """One for all pages: reading the templates takes longer than drawing with them."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
