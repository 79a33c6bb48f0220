"""What is logged, as a reader of the log gets it: with the ids that are bound around the work."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs


@contextmanager
def logged(*, details: bool = False) -> Iterator[list[Any]]:
    """`details`: the lines of level DEBUG too."""
    before = structlog.get_config()["wrapper_class"]
    if details:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        with capture_logs([structlog.contextvars.merge_contextvars]) as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=before)


def events(lines: list[Any], *names: str) -> list[str]:
    """Their names, in order; of those that begin with one of `names`, if any are given."""
    return [line["event"] for line in lines if not names or line["event"].startswith(names)]
