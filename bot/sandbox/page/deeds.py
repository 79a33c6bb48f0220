"""What is clicked and typed in the page becomes a deed of the person whom the page shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from multidict import MultiMapping

from bot.sandbox.page.composing import Composing
from bot.sandbox.page.entries import value_of
from bot.sandbox.page.guarding import Handler
from bot.sandbox.page.kit.address import Address, InMessage, InView, read_address, read_option
from bot.sandbox.page.openforms import OpenForms
from bot.sandbox.page.place import read_place
from bot.sandbox.page.refusals import sentence
from bot.sandbox.slack.blocktree import find_element
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.forms import is_text
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View

Form = MultiMapping[Any]
Deed = Callable[[Person, Form], Awaitable[None]]

_GONE = "That is no longer there. The page shows what is."


class Refused(Exception):
    """Its text is for the person."""


class Deeds:
    """Each answers 204, or 422 and why; what came of it, the page is told as a change."""

    def __init__(
        self, slack: SlackServer, forms: OpenForms, composing: Composing, *, changed: Callable[[], None]
    ) -> None:
        self._slack = slack
        self._workspace = slack.workspace
        self._forms = forms
        self._composing = composing
        self._changed = changed

    def routes(self) -> list[web.RouteDef]:
        deeds: dict[str, Deed] = {
            "arrive": self._arrive,
            "compose": self._compose,
            "press": self._press,
            "pick": self._pick,
            "type": self._type,
            "choose": self._choose,
            "submit": self._submit,
            "close": self._close,
            "shortcut": self._shortcut,
        }
        return [web.post(f"/slack/{name}", self._handler(deed)) for name, deed in deeds.items()]

    async def search(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """The options of an external select. Raises LookupError."""
        person = self._person(query)
        address = read_address(query.get("at", ""))
        where = self._where(person, address)
        return await person.search(
            where, address.action_id, query.get("typed", ""), block_id=address.block_id
        )

    def _handler(self, deed: Deed) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            form = await request.post()
            try:
                await deed(self._person(_texts(form)), form)
            except Refused as refused:
                return _unprocessable(str(refused))
            except (LookupError, SlackError):
                return _unprocessable(_GONE)
            finally:
                self._changed()
            return web.Response(status=204)

        return handle

    async def _arrive(self, person: Person, form: Form) -> None:
        """The app hears of it when somebody opens one of its own tabs."""
        place, app = read_place(_texts(form), self._workspace), self._workspace.app
        if place.is_home and app.has_home_tab:
            await person.home("home")
        elif place.where == person.direct_channel and app.has_messages_tab:
            await person.home("messages")

    async def _compose(self, person: Person, form: Form) -> None:
        place = read_place(_texts(form), self._workspace)
        text = _text(form, "text").replace("\r\n", "\n").strip()
        if text and not place.is_home and (refusal := await self._composing.send(person, place, text)):
            raise Refused(refusal)

    async def _press(self, person: Person, form: Form) -> None:
        at = read_address(_text(form, "at"))
        where = self._where(person, at)
        _, element = find_element(_blocks(where), at.action_id, at.block_id)
        reply = await person.press(where, at.action_id, block_id=at.block_id)
        self._check(reply, str(element["text"]["text"]))

    async def _pick(self, person: Person, form: Form) -> None:
        """In an overflow menu."""
        at, value = read_option(_text(form, "option"))
        where = self._where(person, at)
        self._check(await person.choose(where, at.action_id, value, block_id=at.block_id), "that choice")

    async def _type(self, person: Person, form: Form) -> None:
        """A text that is not finished."""
        at = read_address(_text(form, "at"))
        where = self._where(person, at)
        self._touch(at)
        reply = await person.type_into(where, at.action_id, _text(form, "value"), block_id=at.block_id)
        self._check(reply, "that input")

    async def _choose(self, person: Person, form: Form) -> None:
        """In a menu, a picker ...; or a text that is finished."""
        at = read_address(_text(form, "at"))
        where = self._where(person, at)
        block, element = find_element(_blocks(where), at.action_id, at.block_id)
        sent = [str(text) for text in form.getall("value", [])]
        entry = _values(person, where)[block["block_id"]][element["action_id"]]
        value = sent[0] if is_text(element) and sent else value_of(element, sent, entry)
        self._touch(at)
        self._check(await person.choose(where, at.action_id, value, block_id=at.block_id), "that choice")

    async def _submit(self, person: Person, form: Form) -> None:
        """What is typed has been sent before, field by field."""
        view = self._open(person, _text(form, "view"))
        reply = await person.submit(view)
        self._forms.complain(view.id, reply.errors)
        if not reply.errors:
            self._check(reply, f"“{view.title}”")

    async def _close(self, person: Person, form: Form) -> None:
        await person.close_view(self._open(person, _text(form, "view")))

    async def _shortcut(self, person: Person, form: Form) -> None:
        """A global one, or one on a message, whose address then goes before it."""
        at, _, callback_id = _text(form, "shortcut").rpartition("/")
        message = self._message(person, read_address(at)) if at else None
        self._check(await person.shortcut(unquote(callback_id), message), "that shortcut")

    def _person(self, texts: Mapping[str, str]) -> Person:
        return self._slack.person(read_place(texts, self._workspace).person)

    def _where(self, person: Person, address: Address) -> Message | View:
        match address.where:
            case InView(view_id=view_id):
                return self._open(person, view_id)
            case InMessage():
                return self._message(person, address)

    def _message(self, person: Person, address: Address) -> Message:
        found = None
        if isinstance(address.where, InMessage):
            board, channel, ts = self._workspace.board, address.where.channel, address.where.ts
            found = board.find_whispered(person.id, ts) or board.find(channel, ts)
        if found is None:
            raise LookupError(str(address))
        return found

    def _open(self, person: Person, view_id: str) -> View:
        view = self._workspace.views.find(view_id)
        if view is None or view.user != person.id:
            raise LookupError(view_id)
        return view

    def _touch(self, address: Address) -> None:
        if isinstance(address.where, InView):
            self._forms.touched(address.where.view_id, address.block_id)

    def _check(self, reply: Reply, what: str) -> None:
        if not reply.ok:
            raise Refused(sentence(str(reply.error), app=self._workspace.app.name, what=what))


def _blocks(where: Message | View) -> tuple[dict[str, Any], ...]:
    return where.blocks if isinstance(where, View) else where.all_blocks


def _values(person: Person, where: Message | View) -> Mapping[str, Mapping[str, Any]]:
    return where.values if isinstance(where, View) else person.state_of(where)


def _texts(form: Form) -> dict[str, str]:
    return {key: str(value) for key, value in form.items()}


def _text(form: Form, key: str) -> str:
    return str(form.get(key, ""))


def _unprocessable(error: str) -> web.Response:
    return web.json_response({"error": error}, status=422)
