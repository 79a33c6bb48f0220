"""The errors that a person may see.

```
BotError
├── UsageError              what was typed or sent cannot be understood; says what to type instead
│   └── ForbiddenReceiver   a webhook's address that may not be named
├── NotAllowed              this person may not do this
├── TryAgain                a check that a change needs could not be made just now
├── InstanceNotFound        no instance of that name or id
├── KeyReused               a program's request key came before, with another request
├── DeliveryNotFound        no delivery of that id
├── NameTaken               a name that is in use; carries the next free one
├── InvalidState            the verb is not possible in the instance's state
├── CatalogError            what was asked for is not sold
│   ├── ProductNotFound     no GPU of that name (or several), with the nearest names
│   ├── TemplateNotFound
│   ├── RegionNotFound
│   └── NoOffer             known, but not to be had: no stock, too dear, no such billing mode
└── NovitaError             Novita's answer, or its absence
    ├── NovitaRefused       a definite no: certainly nothing was done
    │   ├── InsufficientResource
    │   ├── NovitaNotFound
    │   └── BadCredentials
    └── NovitaUnavailable   no definite answer; look-ups may be repeated
        ├── NotSent         certainly nothing was done: no byte was sent, or Novita's own 429
        └── OutcomeUnknown  a change may have been made: never repeat a create
```
"""

from __future__ import annotations

from datetime import timedelta

UPGRADING = "This bot is being upgraded. Please try again in a minute."
"""Where a later version wrote what was asked for."""


class BotError(Exception):
    """`str(error)` is a sentence for people; `code` is for programs; `hint` is a command or value to copy."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(BotError):
    code = "VALIDATION_ERROR"


class ForbiddenReceiver(UsageError):
    pass


class NotAllowed(BotError):
    code = "FORBIDDEN"


class TryAgain(BotError):
    code = "SERVICE_UNAVAILABLE"


class InstanceNotFound(BotError):
    code = "INSTANCE_NOT_FOUND"


class DeliveryNotFound(BotError):
    code = "DELIVERY_NOT_FOUND"


class KeyReused(BotError):
    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came before with another request. Send a new one.")


class NameTaken(BotError):
    code = "NAME_TAKEN"

    def __init__(self, name: str, free: str) -> None:
        super().__init__(f"The name {name} is in use.", hint=free)
        self.name = name
        self.free = free


class InvalidState(BotError):
    code = "INVALID_STATE"


class CatalogError(BotError):
    code = "NOT_FOUND"


class ProductNotFound(CatalogError):
    """`nearest` names what was probably meant, best first."""

    code = "PRODUCT_NOT_FOUND"

    def __init__(self, message: str, *, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class TemplateNotFound(CatalogError):
    code = "TEMPLATE_NOT_FOUND"

    def __init__(self, message: str, *, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class RegionNotFound(CatalogError):
    code = "REGION_NOT_FOUND"

    def __init__(self, message: str, *, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class NoOffer(CatalogError):
    code = "NO_AVAILABLE_PRODUCTS"


class NovitaError(BotError):
    """`status_code` is HTTP's, None where there was no answer."""

    code = "NOVITA_API_ERROR"

    def __init__(self, message: str, *, code: str | None = None, status_code: int | None = None) -> None:
        super().__init__(message, code=code)
        self.status_code = status_code


class NovitaRefused(NovitaError):
    """A 4xx with Novita's own error body; `code` is its `reason`, where it gave one."""


class InsufficientResource(NovitaRefused):
    code = "INSUFFICIENT_RESOURCE"


class NovitaNotFound(NovitaRefused):
    code = "NOT_FOUND"


class BadCredentials(NovitaRefused):
    code = "UNAUTHORIZED"


class NovitaUnavailable(NovitaError):
    """`retry_after`: how long Novita, the breaker or the budget ask us to wait, where they say."""

    code = "NOVITA_UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status_code: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, code=code, status_code=status_code)
        self.retry_after = retry_after


class NotSent(NovitaUnavailable):
    pass


class OutcomeUnknown(NovitaUnavailable):
    """Of a call that changes something: it may have happened, or may still happen."""
