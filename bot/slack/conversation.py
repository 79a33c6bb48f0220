"""What is said in answer to a command or a press, without Bolt: a request in, a message out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from bot.asking import Actor, Origin
from bot.errors import InvalidState, UsageError
from bot.grammar.commands import Act, Command, Create, Help, List, Mine, Offers, Ssh, Status
from bot.messages import answers
from bot.messages.blocks import Message
from bot.messages.listing import LIST_PAGE
from bot.operations import Operations
from bot.slack.buying import Buying
from bot.slack.people import People
from bot.slack.spoken import Spoken, Surface
from storage.records import Notify, Wish

_MOST_HISTORY = 8


class Conversation:
    """Every method raises `bot.errors.BotError` for what a person can mend."""

    def __init__(
        self, operations: Operations, people: People, buying: Buying, *, clock: Callable[[], datetime]
    ) -> None:
        self._operations = operations
        self._people = people
        self._buying = buying
        self._clock = clock

    async def require_member(self, spoken: Spoken) -> None:
        self._operations.require_member(await self._actor(spoken))

    async def carry_out(  # noqa: PLR0911 - one return a command
        self, command: Command, spoken: Spoken
    ) -> Message:
        match command:
            case Create():
                return await self._buying.ask(command, spoken)
            case Offers():
                return await self._buying.offers(command, spoken)
            case Act(verb=verb, name=name):
                return await self.act(verb, name, spoken)
            case List(everybody=everybody):
                return await self.list_instances(spoken, everybody=everybody)
            case Mine():
                return await self.list_instances(spoken, everybody=False)
            case Status(name=name):
                return await self.status(name, spoken)
            case Ssh(name=name):
                return await self.connect(name, spoken)
            case Help(verb=verb):
                await self.require_member(spoken)
                return answers.help_message(verb)
            case _:
                assert_never(command)

    async def act(self, verb: Wish, ref: str | None, spoken: Spoken) -> Message:
        acted = await self._operations.act(verb, ref, await self._actor(spoken), Origin(key=spoken.key))
        return answers.acted(acted.instance, verb, nothing_to_do=acted.nothing_to_do)

    async def press(self, verb: Wish, instance_id: str, spoken: Spoken) -> Message | None:
        """As `act`; a button that fits no longer is answered with how things are now.

        None: the Home tab shows by itself what came of it.
        """
        actor = await self._actor(spoken)
        try:
            acted = await self._operations.act(verb, instance_id, actor, Origin(key=spoken.key))
        except InvalidState:
            return answers.stale(await self._operations.get(instance_id, actor), verb, now=self._clock())
        if acted.nothing_to_do:
            return answers.stale(acted.instance, verb, now=self._clock())
        return None if spoken.surface is Surface.HOME else answers.acted(acted.instance, verb)

    async def list_instances(self, spoken: Spoken, *, everybody: bool, offset: int = 0) -> Message:
        instances, total = await self._operations.list_instances(
            await self._actor(spoken), everybody=everybody, limit=LIST_PAGE, offset=offset
        )
        return answers.instance_list(
            instances, everybody=everybody, total=total, offset=offset, now=self._clock()
        )

    async def status(self, ref: str | None, spoken: Spoken) -> Message:
        i = await self._operations.get(ref, await self._actor(spoken))
        return answers.status(
            i,
            self._clock(),
            usual=await self._operations.usual.of(i),
            history=await self._operations.history(i, _MOST_HISTORY),
        )

    async def connect(self, ref: str | None, spoken: Spoken) -> Message:
        if spoken.surface is Surface.DIRECT:
            # What is written there stays there; the answer to a button does not.
            return await self.status(ref, spoken)
        instance, details = await self._operations.connect(ref, await self._actor(spoken))
        return answers.connect(instance, details)

    async def about_message(self, channel: str, *message_ts: str | None, spoken: Spoken) -> Message:
        """The instance whose card, or whose thread, one of these messages is."""
        await self.require_member(spoken)
        found = await self.instance_at(channel, *message_ts)
        if found is None:
            raise UsageError("That message is about no GPU of mine.", hint="/gpu list")
        return await self.status(found, spoken)

    async def instance_at(self, channel: str, *message_ts: str | None) -> str | None:
        for ts in message_ts:
            if ts is not None and (found := await self._operations.instance_at(channel, ts)) is not None:
                return found
        return None

    async def choose_notify(self, notify: Notify, spoken: Spoken) -> None:
        await self._operations.choose_notify(await self._actor(spoken), notify)

    async def open_home(self, spoken: Spoken) -> None:
        """Shown soon, and kept fresh from now on. Raises NotAllowed: guests see none."""
        await self._operations.open_home(await self._actor(spoken))

    async def close_home(self, user_id: str) -> None:
        """Of who may not see it any more."""
        await self._operations.close_home(user_id)

    async def _actor(self, spoken: Spoken) -> Actor:
        return await self._people.actor(spoken.user_id)
