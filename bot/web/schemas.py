"""What REST takes and gives. Names are camelCase outside, unknown fields of a request are ignored."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from bot.instants import Instant
from storage.cloud import BillingMode
from storage.records import Reason, State

NAME_PATTERN = r"^[A-Za-z0-9_-]+$"
_TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*[A-Za-z0-9][^\x00-\x1f\x7f]*$"
_URL_PATTERN = r"^[hH][tT][tT][pP][sS]?://[^\x00-\x20\x7f-\uffff]+$"
_HIGHEST_TEMPLATE = 10**15
"""Up to here JSON numbers are exact everywhere."""
_NOT_A_URL = "must be an http or https URL with a host and without user and password"


def only(pattern: str, sentence: str) -> Callable[[str], str]:
    """A check that says in words what a pattern would say in signs."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(sentence)
        return text

    return check


def _whole(value: object) -> object:
    """JSON knows one kind of number: 2.0 is as good as 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _template(value: object) -> object:
    number = _whole(value)
    # A bool is an int to Python, but none to whoever writes JSON.
    if isinstance(number, bool) or not isinstance(number, int):
        return value
    return str(number) if 0 <= number <= _HIGHEST_TEMPLATE else value


def _split(values: list[str]) -> list[str]:
    """`?status=a,b` says the same as `?status=a&status=b`."""
    return [word for value in values for word in value.split(",")]


def _http_url(text: str) -> str:
    try:
        url = urlsplit(text)
        sound = bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or not re.fullmatch(_URL_PATTERN, text) or "@" in url.netloc:
        raise ValueError(_NOT_A_URL)
    return text


Name = Annotated[
    str,
    Field(min_length=1, max_length=100, json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(only(NAME_PATTERN, "may have letters, digits, - and _ only")),
]
Text = Annotated[
    str,
    Field(min_length=1, max_length=200, json_schema_extra={"pattern": _TEXT_PATTERN}),
    AfterValidator(
        only(_TEXT_PATTERN, "must have a letter or a digit, all on one line without control characters")
    ),
]
TemplateRef = Annotated[
    Text,
    BeforeValidator(_template),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 200, "pattern": _TEXT_PATTERN},
                {"type": "integer", "minimum": 0, "maximum": _HIGHEST_TEMPLATE},
            ]
        }
    ),
]
WebhookUrl = Annotated[
    str,
    Field(max_length=2_000, json_schema_extra={"pattern": _URL_PATTERN}),
    AfterValidator(_http_url),
]
GpuCount = Annotated[int, Field(strict=True, ge=1, le=8), BeforeValidator(_whole)]
DiskGb = Annotated[int, Field(strict=True, ge=10, le=6_144), BeforeValidator(_whole)]

UsdPerHour = Annotated[Decimal, PlainSerializer(float, return_type=float)]


class CreateIn(BaseModel):
    """A number in place of `templateId` is read as text; null is the same as leaving a field out."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)

    name: Name = Field(description="Names may repeat.", examples=["my-training"])
    product_name: Text = Field(
        description="A product's name or an unambiguous part of it.", examples=["RTX 4090 24GB"]
    )
    template_id: TemplateRef | None = Field(
        None,
        description="Id or name. Left out: DEFAULT_TEMPLATE, where that is set.",
        examples=["pytorch-jupyter"],
    )
    gpu_num: GpuCount | None = Field(None, description="Left out: DEFAULT_GPU_COUNT.")
    rootfs_size: DiskGb | None = Field(
        None, description="GB of container disk. Left out: DEFAULT_ROOTFS_SIZE."
    )
    region: Text | None = Field(
        None,
        description="Preferred, not required: the others follow. Left out: DEFAULT_REGION.",
        examples=["CN-HK-01"],
    )
    webhook_url: WebhookUrl | None = Field(
        None,
        description="Told besides WEBHOOK_URL. A public host, or one of WEBHOOK_ALLOWED_HOSTS.",
        examples=["https://hooks.example.com/gpu"],
    )
    billing_mode: BillingMode | None = Field(None, description="Left out: DEFAULT_BILLING_MODE.")


class ListQuery(BaseModel):
    status: Annotated[list[State], BeforeValidator(_split)] = Field(
        [], description="One or several, also as a comma list. Deleted ones are listed only when asked for."
    )
    limit: int = Field(50, ge=1, le=100)
    offset: int = Field(0, ge=0, le=10**9)


OUT = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class _Out(BaseModel):
    model_config = OUT


class CreatedOut(_Out):
    instance_id: str
    status: State
    message: str
    estimated_ready_time: Instant


class ChangedOut(_Out):
    instance_id: str
    novita_instance_id: str | None
    name: str
    status: State
    message: str


class PortMapping(_Out):
    port: int
    endpoint: str
    type: str


class ConnectionDetails(_Out):
    """All three keys are always there, null where the image has none. Without passwords and tokens."""

    ssh: str | None
    jupyter: str | None
    web_terminal: str | None


class ConnectionSecrets(ConnectionDetails):
    """With what `include=password` asks for, fetched from Novita now and kept nowhere."""

    password: str | None = Field(description="Of SSH.")
    jupyter_url: str | None = Field(description="With its token.")


class FailureOut(_Out):
    code: str
    message: str


class InstanceOut(_Out):
    """Every key is always there; null says that there is nothing, or nothing yet."""

    id: str
    name: str
    status: State
    product_name: str = Field(description="As asked for, until a product is chosen.")
    gpu_num: int
    region: str = Field(description="The preferred one, until one is chosen.")
    template_id: str | None
    image: str | None = Field(description="Where it was made from an image in place of a template.")
    rootfs_size: int = Field(description="GB")
    billing_mode: BillingMode
    price_per_hour: UsdPerHour | None = Field(description="USD for the whole instance; null until chosen.")
    port_mappings: list[PortMapping]
    connection_details: ConnectionSecrets | ConnectionDetails | None = Field(
        description="An object whenever the status is running."
    )
    requester: str | None = Field(description="Slack user id; null: it came by REST.")
    created_at: Instant
    ready_at: Instant | None = Field(description="When it was usable for the first time.")
    updated_at: Instant
    reclaim_at: Instant | None = Field(description="When Novita takes a spot instance back, as announced.")
    reason: Reason | None = Field(description="Why it changed, where nobody asked for that.")
    error: FailureOut | None
    novita_instance_id: str | None
    novita_status: str | None = Field(description="Novita's own word.")


class InstanceListOut(_Out):
    instances: list[InstanceOut]
    total: int
    limit: int
    offset: int


class ProductOut(_Out):
    """One thing that Novita sells in one billing mode; several may share a name."""

    id: str
    name: str
    billing_mode: BillingMode
    price_per_hour: UsdPerHour = Field(description="USD for one GPU.")
    regions: list[str] = Field(description="Empty: all of them.")
    stock: str | None = Field(description="Novita's word: `low`, `normal`, `high`; null: it does not say.")
    cpu_per_gpu: int | None
    memory_per_gpu: int | None = Field(description="GB")
    min_rootfs_size: int | None = Field(description="GB")
    max_rootfs_size: int | None = Field(description="GB")


class ProductListOut(_Out):
    products: list[ProductOut]
    total: int


class HealthOut(_Out):
    status: Literal["healthy", "unhealthy"]
    timestamp: Instant
    uptime: float = Field(description="Seconds")
    version: str
    dependencies: dict[str, Literal["healthy", "unhealthy"]]
    services: dict[str, Literal["up", "down"]]
    unhealthy_since: dict[str, Instant] = Field(description="Of those that are unhealthy.")


class ReadyOut(_Out):
    status: Literal["ready", "starting", "stopping", "database"] = Field(
        description="Anything but ready says what is in the way."
    )


class DetailOut(_Out):
    field: str
    reason: str


class ErrorDetails(_Out):
    code: str
    message: str
    details: list[DetailOut] | None = None
    timestamp: Instant
    request_id: str
    correlation_id: str
    retryable: Literal[True] | None = Field(None, description="The same request may succeed later.")
    retry_after: int | None = Field(None, description="Seconds")


class ErrorOut(_Out):
    error: ErrorDetails
