"""What a person or a program may ask for, and who may. Records wishes; calls nobody but for a password.

Every change is one transaction, keyed by the request, so that a redelivery acts once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot import trail
from bot.asking import Acted, Actor, Asked, Defaults, Origin
from bot.catalog import Catalog
from bot.cloud import Cloud
from bot.errors import (
    BotError,
    InvalidState,
    KeyReused,
    NameTaken,
    NotAllowed,
    UsageError,
)
from bot.matching import match_gpu
from bot.naming import finding
from bot.receivers import PUBLIC_ONLY, Receivers
from bot.requested import new_instance, random_text, until_sent
from bot.usual import UsualStarts
from bot.wishes import grant
from storage import errors as refusals
from storage.cloud import Details, Secrets
from storage.errors import NameInUse
from storage.records import CreateRequest, EventKind, Instance, NewCard, NewEvent, Notify, State, Wish
from storage.store.finding import Find
from storage.store.store import Store


class Operations:
    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        *,
        store: Store,
        catalog: Catalog,
        novita: Cloud,
        clock: Callable[[], datetime],
        defaults: Defaults,
        admins: frozenset[str],
        wake: Callable[[], None],
        receivers: Receivers = PUBLIC_ONLY,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._novita = novita
        self._clock = clock
        self.defaults = defaults
        self._admins = admins
        self._wake = wake
        self._receivers = receivers
        self.usual = UsualStarts(store, clock=clock)

    async def create(self, asked: Asked, actor: Actor, origin: Origin, *, unique_name: bool) -> Instance:
        """One transaction, durable when it returns. A key seen before gives the earlier instance.

        Raises NotAllowed, UsageError, CatalogError (what memory disproves), NameTaken, KeyReused.
        """
        self.require_member(actor)
        try:
            request = self._possible(asked)
        except BotError:
            # A repetition is answered as the first time, whatever has become impossible since.
            if (earlier := await self._served(origin)) is not None:
                return earlier
            raise
        now = self._clock()
        refusal = self._novita.refusal()
        instance = new_instance(request, actor, origin, now, refusal)
        if asked.quoted_usd_per_hour is not None:
            # What was quoted is the first price: a fallback is judged by it, whatever prices did meanwhile.
            instance = replace(instance, first_usd_per_hour=asked.quoted_usd_per_hour)
        card = None
        if origin.channel is not None:
            card = NewCard(channel=origin.channel, response_url=origin.response_url)
        event = NewEvent(kind=EventKind.REQUESTED, at=now, actor=actor.user_id, verb=Wish.CREATE)
        try:
            created = await self._store.instances.add(
                instance,
                due_after=until_sent(refusal),
                key=origin.request_key,
                event=event,
                card=card,
                unique_name=unique_name,
            )
        except NameInUse as error:
            raise NameTaken(request.name, error.free) from error
        except refusals.KeyReused as error:
            raise KeyReused from error
        if created.id == instance.id:  # else the earlier one of the same key
            trail.requested(created, Wish.CREATE, actor.user_id)
        self._wake()
        return created

    async def act(self, verb: Wish, ref: str | None, actor: Actor, origin: Origin) -> Acted:
        """Start, stop, restart or delete. `ref`: id or name; None: the actor's only instance.

        One transaction. A key seen before gives the earlier answer.
        Raises NotAllowed, InstanceNotFound, UsageError (several fit), InvalidState, KeyReused.
        """
        self.require_member(actor)
        changed = False

        def decide(i: Instance) -> tuple[Instance, NewEvent | None]:
            nonlocal changed
            self._require_may_act(actor, i)
            after, event = grant(i, verb, actor.user_id, self._clock())
            changed = event is not None
            return (replace(after, correlation_id=origin.correlation_id) if changed else after), event

        with finding(ref, verb.value):
            wished = await self._store.instances.wish(
                self._find(ref, actor), key=origin.request_key, decide=decide
            )
        if changed:
            self._wake()
        if changed and not wished.repeated:
            trail.requested(wished.instance, verb, actor.user_id)
        return Acted(instance=wished.instance, nothing_to_do=not changed and not wished.repeated)

    async def get(self, ref: str | None, actor: Actor) -> Instance:
        """Any full member reads. Raises NotAllowed, InstanceNotFound, UsageError."""
        self.require_member(actor)
        with finding(ref, "status"):
            return await self._store.instances.get(self._find(ref, actor))

    async def list_instances(
        self,
        actor: Actor,
        *,
        everybody: bool,
        states: frozenset[State] | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[tuple[Instance, ...], int]:
        """Newest first, and how many there are in all; deleted ones only where `states` asks for them."""
        self.require_member(actor)
        requester = None if everybody else actor.user_id
        return await self._store.instances.list_instances(
            requester=requester, states=states, limit=limit, offset=offset
        )

    async def served(self, key: str) -> Instance | None:
        """What came of an earlier request of a person's with this key; None: it is new."""
        return await self._served(Origin(key=key))

    async def history(self, i: Instance, limit: int) -> tuple[NewEvent, ...]:
        """Of one that was given to somebody who may read it; latest first."""
        return await self._store.instances.history(i.id, limit)

    async def instance_at(self, channel: str, ts: str) -> str | None:
        """The id of the instance whose card this message is."""
        return await self._store.cards.instance_at(channel, ts)

    async def choose_notify(self, actor: Actor, notify: Notify) -> None:
        """Idempotent. Raises NotAllowed."""
        await self._store.people.choose(self._person(actor), notify)
        self._wake()

    async def open_home(self, actor: Actor) -> None:
        """Raises NotAllowed."""
        await self._store.people.open_home(self._person(actor))
        self._wake()

    async def close_home(self, user_id: str) -> None:
        """Not kept fresh any more. Idempotent."""
        await self._store.people.close_home(user_id)

    async def connect(self, ref: str | None, actor: Actor) -> tuple[Instance, Details]:
        """Connection details with the password, fetched now and kept nowhere. Connecting is acting.

        Raises NotAllowed, InstanceNotFound, InvalidState, NovitaError.
        """
        self.require_member(actor)
        with finding(ref, "ssh"):
            i = await self._store.instances.get(self._find(ref, actor))
        self._require_may_act(actor, i)
        if i.novita_id is None or i.state not in (State.STARTING, State.RUNNING):
            raise InvalidState(f"{i.name} is {i.state}: there is nothing to connect to.", hint=_how_to_run(i))
        return i, await self._novita.get_instance(i.novita_id)

    async def look_inside(self, ref: str, actor: Actor) -> tuple[Instance, Secrets]:
        """As `connect`, for who reads on and on: while there is nothing to connect to, there are no secrets.

        Raises NotAllowed, InstanceNotFound, NovitaError.
        """
        try:
            i, details = await self.connect(ref, actor)
        except InvalidState:
            return await self.get(ref, actor), Secrets()
        return i, details.secrets

    def request_of(self, asked: Asked) -> CreateRequest:
        """What would be recorded, defaults filled in. Raises UsageError."""
        return self._filled(asked)

    def _possible(self, asked: Asked) -> CreateRequest:
        if asked.webhook_url is not None:
            self._receivers.check(asked.webhook_url)
        request = self._filled(asked)
        self._catalog.disprove(request)
        return request

    async def _served(self, origin: Origin) -> Instance | None:
        if origin.request_key is None:
            return None
        try:
            return await self._store.instances.served(origin.request_key)
        except refusals.KeyReused as error:
            raise KeyReused from error

    def may_act(self, actor: Actor, i: Instance) -> bool:
        if actor.is_program:
            return True
        if not actor.full_member:
            return False
        if actor.user_id == i.requester or actor.user_id in self._admins:
            return True
        return i.requester is None and not self._admins

    def require_member(self, actor: Actor) -> None:
        if not actor.full_member:
            raise NotAllowed("Guests and people of other workspaces cannot use this bot.")

    def _person(self, actor: Actor) -> str:
        self.require_member(actor)
        if actor.user_id is None:
            raise NotAllowed("That is for people.")
        return actor.user_id

    def _require_may_act(self, actor: Actor, i: Instance) -> None:
        if self.may_act(actor, i):
            return
        owner = f"<@{i.requester}>" if i.requester is not None else "an administrator"
        raise NotAllowed(f"Only {owner} or an administrator of this bot may do that with {i.name}.")

    def _filled(self, asked: Asked) -> CreateRequest:
        template = asked.template if asked.template or asked.image else self.defaults.template
        if template is None and asked.image is None:
            hint = f"/gpu create {asked.gpu} --template pytorch-jupyter"
            raise UsageError("It needs a template or an image.", hint=hint)
        gpu_count = asked.gpu_count or self.defaults.gpu_count
        return CreateRequest(
            name=asked.name or self._generated_name(asked.gpu),
            gpu=asked.gpu,
            gpu_count=gpu_count,
            template=template,
            image=asked.image,
            billing_mode=asked.billing_mode or self.defaults.billing_mode,
            regions=asked.regions or (self.defaults.region,),
            regions_only=bool(asked.regions) and asked.regions_only,
            disk_gb=asked.disk_gb or self.defaults.disk_gb,
            max_usd_per_hour=asked.max_usd_per_hour,
            webhook_url=asked.webhook_url,
        )

    def _generated_name(self, gpu: str) -> str:
        """Such as `rtx-4090-x7k2`: what it is, and four characters that nobody has to think up."""
        names = [product.name for product in self._catalog.known_products(self.defaults.billing_mode)]
        full = match_gpu(gpu, names) if names else gpu
        words = "".join(c if c.isascii() and c.isalnum() else " " for c in full.lower()).split()
        stem = "-".join(words[:2])[:30] or "gpu"
        return f"{stem}-{random_text(4)}"

    @staticmethod
    def _find(ref: str | None, actor: Actor) -> Find:
        return Find(ref=ref, requester=actor.user_id)


def _how_to_run(i: Instance) -> str:
    return f"/gpu start {i.name}" if i.state is State.STOPPED else f"/gpu status {i.name}"
