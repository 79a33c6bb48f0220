"""What GET /api/metrics gives: numbers under the names that documented scripts read with jq."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Figures(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class RequestFigures(_Figures):
    """Since this process started. All that were answered here, probes and Slack's included."""

    total: int
    successful: int = Field(description="Answered with a status code below 400.")
    failed: int
    average_response_time: float = Field(description="Milliseconds")


class InstanceFigures(_Figures):
    """As the database has them now."""

    total: int = Field(description="All but the deleted ones.")
    creating: int
    running: int
    failed: int


class JobFigures(_Figures):
    """Steps of instances, and deliveries of events."""

    pending: int = Field(description="Due steps, and events that their target has not accepted yet.")
    processing: int = Field(description="Under way in this process.")
    completed: int = Field(description="Since this process started.")
    failed: int = Field(description="Events that were given up, until they are replayed.")


class CacheFigures(_Figures):
    """Of the catalogue, since this process started."""

    hits: int = Field(description="Answered from memory.")
    misses: int = Field(description="Whoever asked had to wait for Novita.")
    hit_rate: float = Field(ge=0, le=1, description="0 before anybody asked.")


class MemoryFigures(_Figures):
    used: float = Field(description="MB (2^20 bytes), resident")
    total: float = Field(description="MB, of the container or the machine")
    percentage: float = Field(ge=0)


class SystemFigures(_Figures):
    uptime: float = Field(description="Seconds")
    memory_usage: MemoryFigures


class FiguresOut(_Figures):
    """Every one is a number, always."""

    requests: RequestFigures
    instances: InstanceFigures
    jobs: JobFigures
    cache: CacheFigures
    system: SystemFigures
