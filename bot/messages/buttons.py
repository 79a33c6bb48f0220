"""The buttons of an instance: `gpu:<what>`, the value being the instance's id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from bot.messages.blocks import Block, actions, button, confirmation
from storage.records import Instance, State, Wish


def row(i: Instance, *, place: str) -> Block | None:
    """`place`: card, list ...; with the id it makes the block's id, the same at every edit."""
    return actions(_buttons(i), block_id=f"gpu:{place}:{i.id}"[:255])


def connect(i: Instance) -> Block:
    return button("Connect", "gpu:connect", i.id, style="primary")


def _buttons(i: Instance) -> Iterator[Block]:
    status = button("Status", "gpu:status", i.id)
    match i.state:
        case State.CREATING | State.STOPPING:
            yield from (status, _delete(i))
        case State.STARTING:
            yield from (status, _stop(i), _delete(i))
        case State.RUNNING:
            yield from (status, connect(i), _stop(i), _delete(i))
        case State.STOPPED:
            yield from (status, button("Start", "gpu:start", i.id), _delete(i))
        case State.DELETING:
            yield status
        case State.FAILED:
            if i.novita_id is not None and i.wish is not Wish.REMOVE:
                yield _delete(i)
        case State.DELETED:
            return
        case _:
            assert_never(i.state)


def _stop(i: Instance) -> Block:
    return button("Stop", "gpu:stop", i.id)


def _delete(i: Instance) -> Block:
    asked = confirmation(
        title=f"Delete {i.name}?"[:100],
        text="This is final. The GPU is given back, and everything on the disk of this instance is lost.",
        confirm="Delete it",
        deny="Keep it",
    )
    return button("Delete", "gpu:delete", i.id, style="danger", confirm=asked)
