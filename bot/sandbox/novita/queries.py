"""Query strings. Unknown names are ignored in silence, as the real service does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from bot.sandbox.novita.catalogue import BillingMode
from bot.sandbox.novita.instances import STATUSES
from bot.sandbox.novita.refusals import invalid

_Count = Field(default=0, ge=0)


class Query(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)


class Page(Query):
    page_size: int = _Count
    """0: the server's default."""
    page_num: int | None = Field(default=None, ge=0)
    """None: the first."""


class ProductsQuery(Query):
    cluster_id: str = Field(default="", max_length=255)
    gpu_num: int = Field(default=0, ge=0, le=8)
    product_name: str = Field(default="", max_length=255)
    min_cpu_per_gpu: int = _Count
    min_memory_per_gpu: int = _Count
    min_root_fs_size: int = Field(default=0, ge=0, alias="minRootFSSize")
    billing_method: BillingMode = "onDemand"


class InstancesQuery(Page):
    name: str = ""
    product_name: str = ""
    status: str = ""

    @property
    def narrows(self) -> bool:
        """Asked of each of ten thousand instances, it would take most of an answer's time."""
        return bool(self.name or self.product_name or self.status)

    @model_validator(mode="after")
    def _has_a_known_status(self) -> Self:
        if self.status and self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is unknown")
        return self


class TemplatesQuery(Page):
    name: str = Field(default="", max_length=255)
    type: str = ""
    channel: Literal["official", "community", "private"]
    is_my_community: bool

    @model_validator(mode="after")
    def _mine_are_private(self) -> Self:
        if self.is_my_community != (self.channel == "private"):
            raise ValueError("isMyCommunity must be true for private templates and false for others")
        return self


Q = TypeVar("Q", bound=Query)


def parse_query(kind: type[Q], query: Mapping[str, str]) -> Q:
    try:
        return kind.model_validate(dict(query))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "query"
        raise invalid(f"{place}: {first['msg']}") from error


def is_like(wanted: str, text: str) -> bool:
    """The API's fuzzy search, as far as it is known: a part of the text, in any case."""
    return wanted.casefold() in text.casefold()
