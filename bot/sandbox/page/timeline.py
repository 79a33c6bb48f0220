"""The messages of a channel or a thread in the order and the groups in which a client shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from bot.sandbox.slack.messages import Message

MOST_SHOWN = 200
_TOGETHER = timedelta(minutes=5)
"""Messages of one author that are not further apart share one name and picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """`begins_day`: a divider goes before it. `is_grouped`: its author is said above."""

    message: Message
    at: datetime
    begins_day: bool
    is_grouped: bool
    replies: tuple[Message, ...] = ()

    @property
    def repliers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reply.user for reply in self.replies))[:4]


def of_channel(messages: Sequence[Message], *, zone: tzinfo | None = None) -> tuple[Shown, ...]:
    """The newest. Replies only where they were sent to the channel too."""
    replies: dict[str, list[Message]] = {}
    for message in messages:
        if _is_reply(message) and not message.is_ephemeral:
            replies.setdefault(str(message.thread_ts), []).append(message)
    own = [message for message in messages if not _is_reply(message) or message.is_broadcast]
    return tuple(_lined_up(own[-MOST_SHOWN:], replies, zone))


def of_thread(messages: Sequence[Message], ts: str, *, zone: tzinfo | None = None) -> tuple[Shown, ...]:
    """The first message of the thread, then the newest replies."""
    own = [message for message in messages if ts in {message.ts, message.thread_ts}]
    replies = tuple(_lined_up(own[1:][-MOST_SHOWN:], {}, zone))
    return (*_lined_up(own[:1], {}, zone), *replies)


def sent_at(ts: str) -> datetime:
    seconds, _, micros = ts.partition(".")
    return datetime.fromtimestamp(int(seconds), tz=UTC) + timedelta(microseconds=int(micros or 0))


def _lined_up(
    messages: Iterable[Message], replies: dict[str, list[Message]], zone: tzinfo | None
) -> Iterator[Shown]:
    before: Message | None = None
    for message in messages:
        at = sent_at(message.ts)
        begins_day = before is None or _day(at, zone) != _day(sent_at(before.ts), zone)
        yield Shown(
            message=message,
            at=at,
            begins_day=begins_day,
            is_grouped=not begins_day and before is not None and _belong_together(before, message),
            replies=tuple(replies.get(message.ts, ())),
        )
        before = message


def _belong_together(before: Message, message: Message) -> bool:
    same = before.user == message.user and before.is_ephemeral == message.is_ephemeral
    return same and not message.is_broadcast and sent_at(message.ts) - sent_at(before.ts) <= _TOGETHER


def _day(at: datetime, zone: tzinfo | None) -> date:
    return at.astimezone(zone).date()


def _is_reply(message: Message) -> bool:
    return message.thread_ts not in {None, message.ts}
