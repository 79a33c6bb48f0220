"""The name of an instance at Novita, which tells whose it is: `gb-<deployment>-<id>-a<attempt>`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(r"gb-([a-z0-9]{8})-([a-z0-9]{16})-a([1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    deployment: str
    """8 characters `[a-z0-9]`: two deployments on one account never touch each other's GPUs."""
    instance_id: str
    attempt: int

    def __str__(self) -> str:
        """At most 40 characters for any attempt below ten thousand million."""
        return f"gb-{self.deployment}-{self.instance_id}-a{self.attempt}"


def prefix(deployment: str) -> str:
    return f"gb-{deployment}-"


def read_token(name: str) -> Token | None:
    """None for a name that is not of this form, whoever made it."""
    if (found := _FORM.fullmatch(name)) is None:
        return None
    return Token(deployment=found[1], instance_id=found[2], attempt=int(found[3]))
