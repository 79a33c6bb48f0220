"""How much memory this process has, and may have."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def used_bytes(statm: Path = _STATM) -> int:
    """Resident; where the system does not say so, the most it ever was."""
    try:
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def total_bytes(limit: Path = _CGROUP_LIMIT) -> int:
    """The container's, where that is less than the machine's."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(int(limit.read_text()), machine)
    except (OSError, ValueError):  # ValueError: the word `max`
        return machine
