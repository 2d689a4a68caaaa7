"""`python -m benchmarks.audit`: how fast the event log is proved, marked and extended. Exits 1 below 50,000 events/s."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager

from itsm.platform.database import Database
from itsm.platform.time import SystemClock
from itsm.tickets import audit
from tests import world
from tests.tickets.corpus import KEY, Log

TICKETS, EVENTS_EACH = 5_000, 20
LEAST_PER_SECOND = 50_000
REPEATS = 3


def measure(name: str, database: Database) -> bool:
    log = Log(database, SystemClock())
    for _ in range(TICKETS):
        log.open(EVENTS_EACH)
    rows = TICKETS * EVENTS_EACH
    began = time.perf_counter()
    audit.checkpoint(database, KEY, SystemClock())
    marked = time.perf_counter() - began
    proved, busy = [], []
    for _ in range(REPEATS):
        began, cpu = time.perf_counter(), time.process_time()
        report = audit.verify(database, KEY)
        proved.append(time.perf_counter() - began)
        busy.append(time.process_time() - cpu)
        assert (report.rows, report.findings) == (rows, ())
    rate = rows / min(proved)
    print(
        f"{name:12} {rows:,} events: verify {rate:,.0f}/s (worst {rows / max(proved):,.0f}, "
        f"{1e6 * min(busy) / rows:.1f} µs of processor each), first checkpoint {marked:.2f} s"
    )
    return rate >= LEAST_PER_SECOND


def linking() -> None:
    began = time.perf_counter()
    previous = audit.GENESIS
    payload = '{"changes":{"priority":["3 - moderate","2 - high"]}}'
    for seq in range(100_000):
        previous = audit.link(
            KEY,
            previous,
            ticket_id=1,
            seq=seq,
            kind="edited",
            at=1772442000000000,
            recorded_at=1772442000000000,
            actor="ada",
            on_behalf_of=None,
            channel="api",
            internal=False,
            payload=payload,
        )
    print(f"{'link':12} {(time.perf_counter() - began) * 10:.1f} µs an event")


def main() -> None:
    kinds: dict[str, AbstractContextManager[Database]] = {
        "sqlite": world.sqlite_database(),
        "postgresql": world.postgresql_database(),
    }
    begun = world.begin_run()
    met = []
    try:
        linking()
        for name, bring in kinds.items():
            with bring as database:
                met.append(measure(name, database))
    finally:
        if begun:
            world.end_run()
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
