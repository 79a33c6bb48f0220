"""Who asks for what: people in Slack and programs with a key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from bot.asking import Actor, Asked, Origin
from bot.errors import BotError
from bot.operations import Operations
from storage.cloud import BillingMode
from storage.errors import DatabaseUnavailable
from storage.records import Instance, Notify, Wish

OWN_HOOK = "https://own.example/hook"

_PEOPLE = (
    Actor(user_id="UADA", team_id="T1"),
    Actor(user_id="UBEN", team_id="T1"),
    Actor(user_id="UADMIN", team_id="T1"),
    Actor(user_id="UGUEST", team_id="T1", full_member=False),
)
_PROGRAM = Actor(user_id=None)
_NAMES = ("train", "infer", "notebook", "render")
_GPUS = ("4090", "4090", "4090", "h100", "5090")
_VERBS = (Wish.DELETE, Wish.DELETE, Wish.STOP, Wish.STOP, Wish.START, Wish.RESTART)


@dataclass(slots=True, kw_only=True)
class Request:
    verb: Wish
    actor: Actor
    origin: Origin
    asked: Asked | None = None
    """Of a create."""
    ref: str | None = None
    """Of the rest."""
    answers: list[Instance] = field(default_factory=list)
    """The instance of every acknowledgement that something is done about it."""

    def __str__(self) -> str:
        who = self.actor.user_id or "program"
        return f"{who} {self.verb} {self.ref or ''} ({self.origin.key})"


class People:
    def __init__(self, dice: Random, note: Callable[[str], None]) -> None:
        self._dice = dice
        self._note = note
        self.requests: list[Request] = []

    def next_request(self, known: list[str]) -> Request:
        """`known`: ids and names of instances. Sometimes one that was made before, as Slack delivers twice."""
        if self.requests and self._dice.random() < 0.12:
            return self._dice.choice(self.requests)
        if not known or self._dice.random() < (0.5 if len(known) < 4 else 0.15):
            request = self._create()
        else:
            request = self._act(self._dice.choice(known))
        self.requests.append(request)
        return request

    async def ask(self, request: Request, operations: Operations) -> None:
        try:
            answer = await self._answer(request, operations)
        except (BotError, DatabaseUnavailable) as error:
            self._note(f"{request}: {type(error).__name__}")
            return
        if answer is None:
            self._note(f"{request}: nothing to do")
            return
        request.answers.append(answer)
        self._note(f"{request}: {answer.id} {answer.name} {answer.state}")

    async def look(self, operations: Operations) -> None:
        """Somebody opens their Home tab, or says there how they want to be told."""
        actor = self._dice.choice(_PEOPLE[:3])
        notify = self._dice.choice((None, *Notify))
        self._note(f"{actor.user_id} looks at Home, chooses {notify}")
        with suppress(DatabaseUnavailable):
            if notify is None:
                await operations.open_home(actor)
            else:
                await operations.choose_notify(actor, notify)

    async def _answer(self, request: Request, operations: Operations) -> Instance | None:
        if request.asked is not None:
            in_slack = request.actor.user_id is not None
            return await operations.create(request.asked, request.actor, request.origin, unique_name=in_slack)
        acted = await operations.act(request.verb, request.ref, request.actor, request.origin)
        # A repetition of what changed nothing is answered with the instance as it is.
        return acted.instance if acted.instance.wish is request.verb else None

    def _create(self) -> Request:
        actor = self._actor()
        own_hook = actor.user_id is None and self._dice.random() < 0.5
        asked = Asked(
            gpu=self._dice.choice(_GPUS),
            name=self._dice.choice((*_NAMES, None)),
            billing_mode=self._dice.choice((BillingMode.SPOT, BillingMode.SPOT, BillingMode.ON_DEMAND)),
            webhook_url=OWN_HOOK if own_hook else None,
        )
        return Request(verb=Wish.CREATE, actor=actor, origin=self._origin(actor), asked=asked)

    def _act(self, ref: str) -> Request:
        actor = self._actor()
        return Request(verb=self._dice.choice(_VERBS), actor=actor, origin=self._origin(actor), ref=ref)

    def _actor(self) -> Actor:
        if self._dice.random() < 0.3:
            return _PROGRAM
        return self._dice.choice((*_PEOPLE, _PEOPLE[2], _PEOPLE[2]))

    def _origin(self, actor: Actor) -> Origin:
        key = f"key-{len(self.requests)}"
        if actor.user_id is None:
            return Origin(key=key, fingerprint=key, channel=self._dice.choice((None, "CROBOTS")))
        return Origin(key=key, channel="CPEOPLE")
