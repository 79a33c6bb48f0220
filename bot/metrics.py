"""What is counted and measured, and how Prometheus is told. The only file that knows its client library.

```
parts ──── as it happens ───────► counters, histograms ┐
parts ◄─── asked at each scrape ─ gauges, from memory  ├─► text(), requests(), ...
census ─── read for each scrape ► gauges, from the store ┘
```

Labels come from closed sets of ours, such as names of calls, route templates and states: never an id, an
address, a person or a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.census import Census

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
UNROUTED = "unrouted"
"""In place of a route: an address that does not exist, or a request that was refused before it got to one."""

_PREFIX = "gpu_bot_"
_NO_CODE = "none"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_REST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_ACK_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3)
"""We promise 0.3, Slack gives 3."""
_CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LAG_SECONDS = (0.5, 1, 2, 3, 5, 7.5, 10, 15, 30, 60, 120, 300, 900, 3600)
_LOOP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

Reading = float | Mapping[str, float] | None
"""Of a gauge: one value, one for each value of its label, or None: there is nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    total: int
    failed: int
    """Answered with 400 or more, or not at all."""
    seconds: float
    """All of them together."""


_COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "rest_requests": ("REST requests by what was answered.", ("method", "route", "code")),
    "novita_calls": ("Calls to Novita by what became of them.", ("call", "outcome")),
    "slack_calls": ("Calls to Slack's Web API.", ("method", "outcome")),
    "delivery_attempts": ("Tries to tell somebody.", ("kind", "outcome")),
    "reconciler_steps": ("Steps taken with due instances.", ("outcome",)),
    "cache_requests": ("Questions to the catalogue in memory.", ("outcome",)),
}
"""Name, without the `_total` that it is told with -> help and labels."""

_HISTOGRAMS: dict[str, tuple[str, tuple[float, ...], tuple[str, ...]]] = {
    "rest_request_duration_seconds": ("To the end of the answer.", _REST_SECONDS, ("method", "route")),
    "novita_call_duration_seconds": ("What Novita took, waits of ours left out.", _CALL_SECONDS, ("call",)),
    "poll_duration_seconds": ("The list, and writing what changed.", _CALL_SECONDS, ("outcome",)),
    "slack_ack_duration_seconds": ("From receipt to acknowledgement.", _ACK_SECONDS, ("transport",)),
    "delivery_lag_seconds": ("From an event to its acceptance by the target.", _LAG_SECONDS, ("kind",)),
    "ready_notice_lag_seconds": (
        "From the list that first showed it running to the acceptance of the notice.",
        _LAG_SECONDS,
        ("kind",),
    ),
    "event_loop_lag_seconds": ("How late a timer went off.", _LOOP_SECONDS, ()),
}
"""Name -> help, buckets and labels."""

_FROM_ZERO = (
    ("novita_calls", "create_instance", "unknown"),
    ("novita_calls", "list_instances", "bad_credentials"),
    ("reconciler_steps", "failed"),
)
"""What alerts watch is told before it happens: a series that begins at 1 has not increased."""


class Metrics:
    """One registry; several in one process share nothing. Works as it is made: who is given none makes one.

    Durations are `start()` at the beginning, handed back at the end.
    """

    def __init__(self, *, monotonic: Callable[[], float] = perf_counter) -> None:
        """`monotonic`: seconds."""
        # A series more for each of ours; the library knows no smaller switch.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.start = monotonic
        registry = self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(_PREFIX + name, text, labels, registry=registry)
            for name, (text, labels) in _COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(_PREFIX + name, text, labels, buckets=seconds, registry=registry)
            for name, (text, seconds, labels) in _HISTOGRAMS.items()
        }
        self._gauges = _Gauges()
        registry.register(self._gauges)
        ProcessCollector(registry=registry)
        self._answers: dict[tuple[str, str, int | None], tuple[Counter, Histogram]] = {}
        for name, *values in _FROM_ZERO:
            self._counters[name].labels(*values)

    def requested(self, method: str, route: str, status_code: int | None, began: float) -> None:
        """`status_code` None: nothing was answered. On the way of every request: its children are kept."""
        key = (method if method in _METHODS else "other", route, status_code)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._children(*key)
        requests, seconds = found
        requests.inc()
        seconds.observe(self.start() - began)

    def novita_called(self, call: str, outcome: str) -> None:
        self._count("novita_calls", call, outcome)

    def novita_answered(self, call: str, began: float) -> None:
        """Or has not: the time until it was given up."""
        self._observe("novita_call_duration_seconds", self.start() - began, call)

    def polled(self, outcome: str, began: float) -> None:
        self._observe("poll_duration_seconds", self.start() - began, outcome)

    def stepped(self, outcome: str) -> None:
        self._count("reconciler_steps", outcome)

    def attempted(self, kind: str, outcome: str) -> None:
        self._count("delivery_attempts", kind, outcome)

    def delivered(self, kind: str, *, after: timedelta, after_running: timedelta | None) -> None:
        """`after`: the event. `after_running`: None where the event is not that it became usable."""
        self._observe("delivery_lag_seconds", after.total_seconds(), kind)
        if after_running is not None:
            self._observe("ready_notice_lag_seconds", after_running.total_seconds(), kind)

    def slack_called(self, method: str, outcome: str) -> None:
        self._count("slack_calls", method, outcome)

    def acknowledged(self, transport: str, began: float) -> None:
        self._observe("slack_ack_duration_seconds", self.start() - began, transport)

    def cache_asked(self, *, hit: bool) -> None:
        self._count("cache_requests", "hit" if hit else "miss")

    def loop_late(self, lag: float) -> None:
        self._histograms["event_loop_lag_seconds"].observe(max(lag, 0.0))

    def read(self, name: str, source: Callable[[], Reading]) -> None:
        """Where that gauge is read from, at each scrape; from memory, at once."""
        self._gauges.sources[name] = source

    def see(self, census: Census | None, now: datetime) -> None:
        """None: the database did not answer, and what it would say is left out."""
        self._gauges.kept = {} if census is None else _kept(census, now)

    def text(self) -> bytes:
        """Everything, as `CONTENT_TYPE` says."""
        return generate_latest(self._registry)

    def requests(self) -> Requests:
        counts = [(of["code"], count) for of, count in self._counted("rest_requests")]
        seconds = _samples(self._histograms["rest_request_duration_seconds"], "_sum")
        return Requests(
            total=sum(count for _, count in counts),
            failed=sum(count for code, count in counts if code == _NO_CODE or int(code) >= 400),
            seconds=sum(value for _, value in seconds),
        )

    def jobs_done(self) -> int:
        """Steps taken, and events accepted by their targets."""
        tries = self._counted("delivery_attempts")
        events = sum(n for of, n in tries if of["kind"] != "card" and of["outcome"] == "delivered")
        return events + sum(n for of, n in self._counted("reconciler_steps") if of["outcome"] == "done")

    def cache_hits(self) -> tuple[int, int]:
        """Hits and misses."""
        counts = {of["outcome"]: count for of, count in self._counted("cache_requests")}
        return counts.get("hit", 0), counts.get("miss", 0)

    def in_flight(self, *kinds: str) -> int:
        reading = self._gauges.reading("in_flight")
        return int(sum(reading.get(kind, 0) for kind in kinds)) if isinstance(reading, Mapping) else 0

    def _count(self, name: str, *labels: str) -> None:
        self._counters[name].labels(*labels).inc()

    def _observe(self, name: str, seconds: float, *labels: str) -> None:
        self._histograms[name].labels(*labels).observe(seconds)

    def _children(self, method: str, route: str, status_code: int | None) -> tuple[Counter, Histogram]:
        code = _NO_CODE if status_code is None else str(status_code)
        seconds = self._histograms["rest_request_duration_seconds"]
        return self._counters["rest_requests"].labels(method, route, code), seconds.labels(method, route)

    def _counted(self, name: str) -> list[tuple[Mapping[str, str], int]]:
        return [(labels, int(value)) for labels, value in _samples(self._counters[name], "_total")]


_GAUGES: dict[str, tuple[str, str | None]] = {
    "build_info": ("Always 1; the version of this program.", "version"),
    "dependency_up": ("1: it is well, 0: it is not, as GET /health says.", "dependency"),
    "instances": ("Instances by state, those that are kept after their end included.", "state"),
    "instances_due": ("Instances with a step that is due now.", None),
    "spend_usd_per_hour": ("Price of everything that Novita bills at present.", None),
    "gpus_quarantined": ("GPUs with our mark that no instance accounts for; left alone.", None),
    "list_age_seconds": ("Since the beginning of the latest complete list of Novita's instances.", None),
    "deliveries_pending": ("Events that a target has not accepted yet.", None),
    "deliveries_dead": ("Events that were given up; a replay sends them again.", None),
    "delivery_oldest_age_seconds": ("Since the oldest pending event was written; 0: none pends.", None),
    "in_flight": ("What is being worked on in this process.", "work"),
    "novita_calls_left": ("Calls that NOVITA_RATE_LIMIT allows now without a wait.", None),
    "novita_breaker_open": ("1: Novita does not answer, and calls to it are held back.", None),
    "slack_connections": ("Socket Mode connections that stand; absent in HTTP mode.", None),
}
"""Name -> help and label."""


class _Gauges(Collector):
    """All gauges are read when they are asked for: none shows what was true once."""

    def __init__(self) -> None:
        self.sources: dict[str, Callable[[], Reading]] = {}
        self.kept: dict[str, Reading] = {}

    def reading(self, name: str) -> Reading:
        source = self.sources.get(name)
        return self.kept.get(name) if source is None else source()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, (text, label) in _GAUGES.items():
            family = GaugeMetricFamily(_PREFIX + name, text, labels=[] if label is None else [label])
            reading = self.reading(name)
            if isinstance(reading, Mapping):
                for of, value in reading.items():
                    family.add_metric([of], value)
            elif reading is not None:
                family.add_metric([], reading)
            yield family


def _kept(census: Census, now: datetime) -> dict[str, Reading]:
    return {
        "instances": census.instances,
        "instances_due": census.due,
        "spend_usd_per_hour": float(census.usd_per_hour),
        "gpus_quarantined": census.quarantined,
        "list_age_seconds": _age(census.listed_at, now),
        "deliveries_pending": census.pending,
        "deliveries_dead": census.dead,
        "delivery_oldest_age_seconds": _age(census.oldest_pending_at, now) or 0.0,
    }


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max((now - at).total_seconds(), 0.0)


def _samples(metric: Counter | Histogram, suffix: str) -> Iterable[tuple[Mapping[str, str], float]]:
    for family in metric.collect():
        for sample in family.samples:
            if sample.name == family.name + suffix:
                yield sample.labels, sample.value
