"""What the store says about a name, as what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import UPGRADING, InstanceNotFound, KeyReused, TryAgain, UsageError
from storage import errors as refusals


@contextmanager
def finding(ref: str | None, verb: str) -> Iterator[None]:
    """`ref`: name or id; None: the only one. Raises InstanceNotFound, UsageError, KeyReused, TryAgain."""
    try:
        yield
    except refusals.Ambiguous as error:
        names = ", ".join(error.names)
        raise UsageError(
            f"You have several instances: {names}.", hint=f"/gpu {verb} {error.names[0]}"
        ) from error
    except refusals.KeyReused as error:
        raise KeyReused from error
    except refusals.NoSuchInstance as error:
        hint = f"/gpu {verb} {error.near[0]}" if error.near else "/gpu list all"
        raise InstanceNotFound(_not_found(ref), hint=hint) from error
    except refusals.Unreadable as error:
        raise TryAgain(UPGRADING) from error


def _not_found(ref: str | None) -> str:
    return "You have no instance." if ref is None else f"There is no instance called {ref}."
