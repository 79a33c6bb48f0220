"""Time and chance of one run: an event loop that never waits, and ids that a seed draws."""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

BEGINNING = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

_A_TURN = 1e-7
"""Seconds that each turn of the loop takes: who asks for the time until it has moved must see it move."""

Clock = Callable[[], datetime]


class Stuck(Exception):
    """Everybody waits for somebody, and no timer will ever go off."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Its time stands still while anything can run, and goes on to the next timer at once when nothing can."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._selector = self

    def time(self) -> float:
        return self._seconds

    def select(self, timeout: float | None) -> tuple[()]:
        """Where other loops wait for sockets."""
        if timeout is None:
            raise Stuck
        self._seconds += max(timeout, _A_TURN)
        return ()

    def _process_events(self, event_list: object) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def clock_of(loop: asyncio.AbstractEventLoop) -> Clock:
    return lambda: BEGINNING + timedelta(seconds=loop.time())


@contextmanager
def drawn_ids(seed: object) -> Iterator[None]:
    """What draws from the system's chance, ids and leases above all, draws from the seed meanwhile."""
    dice = Random(f"ids {seed}")
    real = uuid.uuid4, secrets.randbelow
    uuid.uuid4 = lambda: uuid.UUID(int=dice.getrandbits(128))
    secrets.randbelow = dice.randrange
    random.seed(dice.random())  # of libraries: the jitter of repeated look-ups
    try:
        yield
    finally:
        uuid.uuid4, secrets.randbelow = real


@contextmanager
def undisturbed() -> Iterator[None]:
    gc.disable()  # what a run makes lives as long as the run
    try:
        with warnings.catch_warnings():
            # Of a process that was killed, between a task's making and its first step.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
    finally:
        gc.enable()
