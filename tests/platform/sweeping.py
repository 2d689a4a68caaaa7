"""A process that sweeps, for the tests with several of them: `python -m tests.platform.sweeping URL NAME [stall]`.

It says when it is ready, waits for a line, sweeps until no timer is set, and ends. With `stall` it stops for good inside the
first handler, its work done and not committed.
"""

from __future__ import annotations

import sys
import time

from itsm.platform import timers
from itsm.platform.database import Database
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import SystemClock
from itsm.platform.timers import TimerRow
from tests.platform.effects import left, record, recording


def stalling(database: Database, by: str) -> None:
    def handle(timer: TimerRow) -> None:
        with database.session() as session:
            timers.take(session, timer)
            record(session, timer, by)
            sys.stdout.write("stalled\n")
            sys.stdout.flush()
            time.sleep(60)

    Sweeper(database, SystemClock(), {"wait": handle}).sweep()


def main(url: str, name: str, *how: str) -> None:
    database = Database(url)
    sweeper = Sweeper(database, SystemClock(), {"wait": recording(database, by=name)}, batch=5)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if how:
        stalling(database, name)
    while left(database):
        sweeper.sweep()


if __name__ == "__main__":
    main(*sys.argv[1:])
