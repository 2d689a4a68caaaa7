"""`python -m benchmarks.sweeper [ARMED]`: what an idle look and a due timer cost beside many armed (a million unless said).

Exits 1 when an idle sweep takes more than 2 ms (median), or 1,000 overdue timers with one row of work each more than 5 s.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import AbstractContextManager
from datetime import timedelta

from itsm.platform.database import Database
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import FrozenClock, SystemClock
from itsm.platform.timers import NewTimer
from tests import world
from tests.platform.effects import arm, effects, recording

DUE = 10_000
MOST_IDLE_MS = 2.0
LEAST_PER_SECOND = 1_000 / 5


def measure(name: str, database: Database, armed: int) -> bool:
    clock = FrozenClock(SystemClock().now())
    for start in range(0, armed, 50_000):
        count = min(50_000, armed - start)
        arm(database, *(NewTimer(start + n, "wait", "later", clock.now() + timedelta(days=1)) for n in range(count)))
    sweeper = Sweeper(database, clock, {"wait": recording(database)})
    idle = []
    for _ in range(300):
        began = time.perf_counter()
        sweeper.sweep()
        idle.append((time.perf_counter() - began) * 1000)
    arm(database, *(NewTimer(n, "wait", str(n), clock.now() - timedelta(seconds=DUE - n)) for n in range(DUE)))
    began = time.perf_counter()
    done = sweeper.sweep()
    seconds = time.perf_counter() - began
    assert effects(database) == [str(n) for n in range(DUE)], "each once, in due order"
    print(
        f"{name:12} {armed:,} armed: idle sweep {statistics.median(idle):.2f} ms (p99 {sorted(idle)[296]:.2f}); "
        f"{done:,} due: {done / seconds:,.0f}/s, {1000 * seconds / done:.2f} ms each"
    )
    return statistics.median(idle) <= MOST_IDLE_MS and done / seconds >= LEAST_PER_SECOND


def main() -> None:
    armed = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    begun = world.begin_run()
    met = []
    try:
        kinds: dict[str, AbstractContextManager[Database]] = {
            "sqlite": world.sqlite_database(),
            "postgresql": world.postgresql_database(),
        }
        for name, bring in kinds.items():
            with bring as database:
                met.append(measure(name, database, armed))
    finally:
        if begun:
            world.end_run()
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
