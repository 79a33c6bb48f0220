"""Every window and pause, in one frozen value; tests and the demo pass shorter ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LONGEST_HEEDED = timedelta(minutes=5)
"""Of what Novita, the breaker or the budget ask us to wait: a GPU that is to be deleted bills meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    # a create
    unconfirmed_after: timedelta = timedelta(seconds=180)
    """An unknown create is given up when complete lists have covered this time without it, and ..."""
    lists_until_gone: int = 3
    """... there were this many. An instance that Novita acknowledged needs as many, and a get."""
    give_up_after: timedelta = timedelta(minutes=30)
    """A create or start that certainly was not made is no longer tried."""
    startup_timeout: timedelta = timedelta(minutes=10)
    """The setting INSTANCE_STARTUP_TIMEOUT."""

    # a change that has to be asked again
    repeat_after: timedelta = timedelta(seconds=30)
    """It was accepted, and Novita does not seem to act on it."""
    retry_first: timedelta = timedelta(seconds=2)
    retry_longest: timedelta = timedelta(seconds=60)
    """Pauses double between these two."""
    tries_until_told: int = 5
    """Refused this often, the person who asked is told."""

    # usability
    look_every: timedelta = timedelta(seconds=2)
    """While the connection details or a list after a deadline are awaited."""
    probe_every: timedelta = timedelta(seconds=2)
    probe_timeout: timedelta = timedelta(seconds=5)
    usable_wait: timedelta = timedelta(seconds=120)
    """Told as running after this long, even when the endpoints never answered."""

    # polling
    fast_poll: timedelta = timedelta(seconds=3)
    slow_poll: timedelta = timedelta(seconds=30)
    """The setting INSTANCE_POLL_INTERVAL."""
    acted_recently: timedelta = timedelta(seconds=30)
    """Polled fast for so long after somebody acted."""
    delayed_after: timedelta = timedelta(seconds=15)
    """Novita cannot be listed for so long: the cards of who waits say so."""

    # leases
    lease: timedelta = timedelta(seconds=20)
    renew_every: timedelta = timedelta(seconds=7)

    # Slack
    card_gap: timedelta = timedelta(seconds=3)
    """Between two edits of one card; its final states do not wait."""

    # what runs on its own
    tick: timedelta = timedelta(seconds=1)
    """The reconciler and the deliveries look for due rows at least so often; `wake` makes it at once."""
    clock_check: timedelta = timedelta(seconds=10)
    """Several replicas go by the clock of their database server: it is asked so often."""
    catalog_check: timedelta = timedelta(minutes=1)
    watchdog_every: timedelta = timedelta(seconds=10)
    admins_told_every: timedelta = timedelta(seconds=30)
    """A look for what only administrators can decide."""
    purge_every: timedelta = timedelta(hours=6)
    stop_within: timedelta = timedelta(seconds=30)
    """Calls in flight may take so long when the service stops."""
