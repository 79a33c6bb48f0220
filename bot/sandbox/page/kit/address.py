"""Which element of which message or view a control stands for, as it travels through the browser."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True, kw_only=True)
class InMessage:
    channel: str
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InView:
    view_id: str


Where = InMessage | InView


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    where: Where
    block_id: str = ""
    action_id: str = ""

    def __str__(self) -> str:
        where = self.where
        parts = ("view", where.view_id) if isinstance(where, InView) else ("message", where.channel, where.ts)
        return "/".join(quote(part, safe="") for part in (*parts, self.block_id, self.action_id))


def read_address(text: str) -> Address:
    """Raises LookupError for what is none."""
    match [unquote(part) for part in text.split("/")]:
        case ["view", view_id, block_id, action_id]:
            return Address(where=InView(view_id=view_id), block_id=block_id, action_id=action_id)
        case ["message", channel, ts, block_id, action_id]:
            where = InMessage(channel=channel, ts=ts)
            return Address(where=where, block_id=block_id, action_id=action_id)
        case _:
            raise LookupError(f"{text!r} is no address")


def option_address(at: str, value: str) -> str:
    """Of one option of an overflow menu."""
    return f"{at}/{quote(value, safe='')}"


def read_option(text: str) -> tuple[Address, str]:
    """Raises LookupError for what is none."""
    at, _, value = text.rpartition("/")
    return read_address(at), unquote(value)
