"""`python -m benchmarks.conflicts`: how long the change calendar takes to say what is in a change's way among 10,000.

The changes are copies of one, spread over a year so that ten share each instant, on 500 servers on which 50 services rest. The
worst of twenty checks counts.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

from benchmarks.fill import run_scripts
from benchmarks.targets import Target
from itsm.changes import conflicts, queries
from itsm.changes.rules import Period
from itsm.platform.database import Database
from itsm.platform.time import FrozenClock, SystemClock, to_micros
from tests import service as people
from tests import world
from tests.tickets.doing import Doing

SCHEDULED = 10_000
MOST_MS = 50.0
_CHECKS = 20
_SERVERS, _SERVICES = 500, 50
_APART = 365 * 86_400 * 1_000_000 // SCHEDULED
_LONG = 10 * _APART


def worst_check(database: Database) -> float:
    """The slowest of some checks for conflicts, in milliseconds."""
    clock = FrozenClock(SystemClock().now())
    desk = people.a_service(database, clock).desk
    number = Doing(desk, "g1").create("change", "Swap the switch", fields={}).number
    _fill(database, to_micros(clock.now()))
    slowest = 0.0
    with desk.reading(people.actor(desk, "g1")) as tx:
        record = queries.change(tx, number)
        for check in range(_CHECKS):
            record.values.update(service=f"service-{check}", ci=f"server-{check}", assignee="g1")
            start = clock.now() + timedelta(days=10 * check)
            begun = time.perf_counter()
            found = conflicts.conflicts(tx, conflicts.plan_of(tx, record), Period(start, start + timedelta(hours=8)))
            slowest = max(slowest, time.perf_counter() - begun)
            assert found
    return slowest * 1000


def _fill(database: Database, now: int) -> None:
    def series(count: int) -> str:
        if database.is_postgresql:
            return f"generate_series(1, {count}) AS s(n)"
        return f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s) AS s"

    copied = (
        "type, workflow_version_id, state, category, title, description, priority, priority_rank, fields, requester_id,"
        " opened_by_id, organisation_id, group_id, assignee_id, created_at, updated_at, entered_state_at, work_minutes,"
        " event_count, chain, seal"
    )
    run_scripts(
        database,
        [
            f"INSERT INTO tickets (id, number, {copied})"
            f" SELECT 1000 + n, 'X-' || n, {copied} FROM tickets t, {series(SCHEDULED)}"
            " WHERE t.id = (SELECT max(id) FROM tickets)",
            f"INSERT INTO services (id, key, name, version, words) SELECT 1000 + n - 1, 'service-' || (n - 1), 'X', 1, ''"
            f" FROM {series(_SERVICES)}",
            "INSERT INTO configuration_items (id, key, name, kind, version, words)"
            f" SELECT 1000 + n - 1, 'server-' || (n - 1), 'X', 'server', 1, '' FROM {series(_SERVERS)}",
            "INSERT INTO service_items (service_id, item_id)"
            f" SELECT 1000 + (n - 1) % {_SERVICES}, 1000 + n - 1 FROM {series(_SERVERS)}",
            "INSERT INTO change_schedule (ticket_id, start_at, end_at, standing, implementer_id, service_id, item_id)"
            f" SELECT 1000 + n, {now} + n * {_APART}, {now} + n * {_APART} + {_LONG}, 'scheduled',"
            f" (SELECT id FROM users WHERE login = 'g1'), 1000 + n % {_SERVICES}, 1000 + n % {_SERVERS}"
            f" FROM {series(SCHEDULED)}",
            "ANALYZE",
        ],
    )


def targets(kind: str, database: Database) -> list[Target]:
    """The figure as a target, printed."""
    slowest = worst_check(database)
    print(f"  conflicts among {SCHEDULED:,} changes{slowest:>18.1f} ms")
    return [Target(f"{kind}: conflict check against {SCHEDULED:,} scheduled changes, ms", slowest, most=MOST_MS)]


def main() -> None:
    begun = world.begin_run()
    found = []
    try:
        for kind, bring in {"sqlite": world.sqlite_database(), "postgresql": world.postgresql_database()}.items():
            with bring as database:
                found += targets(kind, database)
    finally:
        if begun:
            world.end_run()
    for target in found:
        print(f"  {target}")
    sys.exit(not all(target.met for target in found))


if __name__ == "__main__":
    main()
