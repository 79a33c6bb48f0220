"""Metrics, as Prometheus would read them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bot.metrics import Metrics

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: bytes | str) -> Series:
    """By name and labels."""
    plain = text if isinstance(text, str) else text.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(plain)
        for sample in family.samples
    }


def told(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One value of ours; None: it is not told."""
    return series(metrics.text()).get((f"gpu_bot_{name}", frozenset(labels.items())))


def tally(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """A counter, or how often a histogram was moved, by the values of its labels in the order of their names.

    Without what has not happened yet.
    """
    name = f"gpu_bot_{name}"
    return {
        tuple(value for _, value in sorted(labels)): value
        for (found, labels), value in series(metrics.text()).items()
        if found in (f"{name}_total", f"{name}_count") and value
    }
