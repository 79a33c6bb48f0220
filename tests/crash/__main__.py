"""`python -m tests.crash`: plays the matrix, prints its table, and keeps it with what went wrong."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from tests.crash.databases import Kind
from tests.crash.matrix import play_all, runs
from tests.crash.modes import Mode
from tests.crash.table import Progress, keep, table

KEPT = Path("build/crash")


def main() -> int:
    asked = _arguments()
    # A client that is killed in the middle of a request is nothing to tell.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    wanted = list(runs(asked.only, asked.mode or tuple(Mode), asked.database or tuple(Kind)))[:: asked.every]
    if not wanted:
        sys.stdout.write("Nothing has such a name.\n")
        return 2
    progress = Progress(len(wanted), KEPT)
    results = asyncio.run(play_all(wanted, side_by_side=asked.side_by_side, told=progress.tell))
    keep(results, KEPT)
    sys.stdout.write(f"{table(results)}\nKept in {KEPT}.\n")
    return int(not all(result.is_sound for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--only", default="", metavar="REGEX", help="of `point | mode | database`")
    parser.add_argument("--mode", action="append", type=Mode, choices=list(Mode))
    parser.add_argument("--database", action="append", type=Kind, choices=list(Kind))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth of them")
    parser.add_argument("--side-by-side", type=int, default=10, metavar="N", help="most of a case waits")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
