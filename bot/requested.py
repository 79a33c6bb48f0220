"""What a request becomes: the record of a new instance."""

from __future__ import annotations

import secrets
import string
from datetime import datetime, timedelta

from bot.asking import Actor, Origin
from bot.errors import NotSent
from bot.timings import LONGEST_HEEDED
from storage.records import CreateRequest, Failure, Instance, State, Wish

_ALPHABET = string.ascii_lowercase + string.digits


def until_sent(refusal: NotSent | None) -> timedelta:
    """How long a create need not be looked at: before that it would only be put off again."""
    pause = None if refusal is None else refusal.retry_after
    return min(pause or timedelta(0), LONGEST_HEEDED)


def new_instance(
    request: CreateRequest, actor: Actor, origin: Origin, now: datetime, refusal: NotSent | None
) -> Instance:
    """`refusal`: why it has to wait at first, which its card says."""
    return Instance(
        id=random_text(16),
        name=request.name,
        requester=actor.user_id,
        team_id=actor.team_id,
        channel=origin.channel,
        request=request,
        created_at=now,
        state=State.CREATING,
        wish=Wish.CREATE,
        wished_by=actor.user_id,
        wished_at=now,
        refusal=None if refusal is None else Failure(code=refusal.code, message=str(refusal)),
        correlation_id=origin.correlation_id,
        acted_at=now,
        updated_at=now,
    )


def random_text(length: int) -> str:
    # Drawn at once: each draw asks the system.
    number = secrets.randbelow(len(_ALPHABET) ** length)
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
