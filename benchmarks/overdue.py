"""`python -m benchmarks.overdue [BACKLOG] [ARMED]`: thresholds answered in bulk, and what a web server beside it feels.

Rates: 2,000 due thresholds, each with an event of its ticket and a message, beside a thousand armed timers and beside ARMED
(a million unless said). Backlog: BACKLOG tickets (14,000 unless said) whose clocks ran out while no clock process ran. Each has
some seven thresholds, for a clock's timer is armed again for the next; a real `itsm clock` works them off, while a real
`itsm serve` answers the mixed load of 300 people at work, who ask 30 times a second. They ask as often whether or not the desk
is slow: clients that ask as fast as they are answered take what processor time the clock leaves, and it what they
leave: that says nothing about either. Exits 1 when a target is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks import fill, load
from benchmarks.deeds import Deeds
from benchmarks.fill import run_scripts
from benchmarks.installing import WORKERS, installation
from benchmarks.site import Site, stop
from benchmarks.targets import Target
from itsm.people.access import Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.schema import Instant
from itsm.platform.time import FrozenClock, SystemClock, to_micros
from itsm.platform.work import Timer
from itsm.sla.moments import THRESHOLD_REACHED
from itsm.tickets import opening
from itsm.tickets.models import TicketEvent
from itsm.tickets.opening import NewTicket
from tests import world
from tests.service import actor
from tests.sla.sweeping import a_desk, a_promise, notify

DUE = 2_000
FEW, MANY = 1_000, 1_000_000
CLIENTS = 8
ASKED_PER_SECOND = 30.0
"""The mixed load of 300 people each of whom asks every ten seconds; 3 of 13 requests write."""

WEB_SECONDS = 10.0
_ANSWERED = Prepared(sa.select(sa.func.count().label("n")).where(TicketEvent.kind == THRESHOLD_REACHED))
_OWED = Prepared(
    sa.select(sa.func.count().label("n")).where(Timer.kind == "sla", Timer.due_at <= sa.bindparam("now", type_=Instant))
)


@dataclass(frozen=True)
class Rate:
    """Thresholds answered each second, and the processor time of the clock process for each."""

    per_second: float
    processor_ms: float


@dataclass(frozen=True)
class Backlog:
    """What was worked off: thresholds each second while the web was asked, and its p95 in milliseconds before and meanwhile.

    `thresholds` were answered in all, in so many `seconds`; some of them fire transitions and begin escalations.
    """

    per_second: float
    thresholds: int
    seconds: float
    p95_before: float
    p95_meanwhile: float


def answered_per_second(database: Database, armed: int, due: int = DUE) -> Rate:
    """Due thresholds answered each second, with an event and a message each, beside so many armed timers."""
    clock = FrozenClock(SystemClock().now())
    service = a_desk(database, clock, a_promise("4 hours", at_75=[notify("requester")], at_100=[notify("requester")]))
    for _ in range(fill.SEEDS // 50):
        with service.desk.transaction(actor(service.desk, "ra1"), Channel.API) as tx:
            for number in range(50):
                opening.create(tx, NewTicket("incident", f"Screen {number} stays black"))
    fill.multiply(database, due)
    run_scripts(database, [*_clocks_for(database, due), _far_away(database, armed, to_micros(clock.now())), "ANALYZE"])
    rates = []
    for pause in (3, 1):
        clock.advance(timedelta(hours=pause))
        began, taken = time.perf_counter(), time.process_time()
        assert service.sweeper.sweep() == due
        rates.append(Rate(due / (time.perf_counter() - began), 1000 * (time.process_time() - taken) / due))
    return max(rates, key=lambda rate: rate.per_second)


def worked_off(kind: str, database: Database, home: Path, tickets: int) -> Backlog:
    """A backlog of so many tickets, worked off by a clock process beside a web server that is asked all the while."""
    fill.fill(database, tickets)
    run_scripts(database, [*_clocks_for(database, tickets), "ANALYZE"])
    site = Site(database.url, home)
    token = site.token("g1")
    owed = _owed(database)
    web = site.serve(WORKERS[kind])
    clock = None
    try:
        site.wait(web)
        mixed = Deeds(site.port, token, tickets).by_name["mixed load"]
        before = load.paced(site.port, token, CLIENTS, ASKED_PER_SECOND, WEB_SECONDS, mixed)
        clock = site.clock()
        began = time.perf_counter()
        while _owed(database) == owed:
            time.sleep(0.05)
        answered, window = _count(database, _ANSWERED), time.perf_counter()
        meanwhile = load.paced(site.port, token, CLIENTS, ASKED_PER_SECOND, WEB_SECONDS, mixed)
        done, window = _count(database, _ANSWERED) - answered, time.perf_counter() - window
        while _owed(database):
            time.sleep(0.2)
        seconds = time.perf_counter() - began
    finally:
        stop(*(process for process in (web, clock) if process is not None))
    assert not before.failed + meanwhile.failed, "every request is answered"
    return Backlog(done / window, _count(database, _ANSWERED), seconds, before.p95, meanwhile.p95)


def _owed(database: Database) -> int:
    with database.session(write=False) as session:
        return int(session.one(_OWED, now=SystemClock().now()).n)


def _count(database: Database, statement: Prepared) -> int:
    with database.session(write=False) as session:
        return int(session.one(statement).n)


def _clocks_for(database: Database, tickets: int) -> list[str]:
    """The clocks of the first tickets for all that were multiplied from them, each a moment later than the one before."""
    copies = -(-tickets // fill.SEEDS) - 1
    series = f"generate_series(1, {copies}) AS s(n)"
    if not database.is_postgresql:
        series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {copies}) SELECT n FROM s) AS s"
    shift = f"t.ticket_id + n * {fill.SEEDS}"
    clock = "clock, part, cycle, kind, status, started_at, due_at, stopped_at, excused, detail"
    timer = "kind, name, cycle, due_at, payload, fence, attempts"
    return [
        f"INSERT INTO sla_standings (ticket_id, version_id, state)"
        f" SELECT {shift}, version_id, state FROM sla_standings t, {series}",
        f"INSERT INTO sla_clocks (ticket_id, {clock}) SELECT {shift}, {clock} FROM sla_clocks t, {series}",
        f"INSERT INTO timers (ticket_id, {timer}) SELECT {shift}, {timer} FROM timers t, {series} WHERE kind = 'sla'",
    ]


def _far_away(database: Database, armed: int, now: int) -> str:
    """Timers that are not due for a long while."""
    series = f"generate_series(1, {armed}) AS s(n)"
    if not database.is_postgresql:
        series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {armed}) SELECT n FROM s) AS s"
    columns = "ticket_id, kind, name, cycle, due_at, payload, fence, attempts"
    later = now + 30 * 86_400 * 1_000_000
    return f"INSERT INTO timers ({columns}) SELECT n, 'workflow', 'chase', 0, {later} + n, '{{}}', 0, 0 FROM {series}"


def targets_of_rates(kind: str, rates: Mapping[int, Rate]) -> list[Target]:
    """What must be reached, by the number of timers armed beside, the fewest first."""
    few, many = min(rates), max(rates)
    ratio = rates[many].processor_ms / rates[few].processor_ms
    return [
        *(
            Target(f"{kind}: thresholds answered, /s, {each:,} timers armed", rates[each].per_second, least=1000)
            for each in rates
        ),
        Target(f"{kind}: processor time for each, {many:,} armed ÷ {few:,}", ratio, most=1.25),
    ]


def main() -> None:
    backlog = int(sys.argv[1]) if len(sys.argv) > 1 else 14_000
    armed = int(sys.argv[2]) if len(sys.argv) > 2 else MANY
    started_here = world.begin_run()
    targets: list[Target] = []
    try:
        for kind in ("sqlite", "postgresql"):
            rates = {}
            for beside in (FEW, armed):
                with installation(kind) as (database, _):
                    rates[beside] = answered_per_second(database, beside)
                print(f"{kind}: beside {beside:,} armed: {rates[beside]}")
            targets += targets_of_rates(kind, rates)
            if backlog:
                with installation(kind) as (database, home):
                    found = worked_off(kind, database, home, backlog)
                print(f"{kind}: {found}")
                targets.append(Target(f"{kind}: backlog beside the web, thresholds/s", found.per_second, least=100_000 / 120))
                targets.append(Target(f"{kind}: 100,000 of a backlog, s", 1e5 * found.seconds / found.thresholds, most=120))
                ratio = found.p95_meanwhile / found.p95_before
                targets.append(Target(f"{kind}: web p95 during a backlog ÷ before", ratio, most=2))
    finally:
        if started_here:
            world.end_run()
    for target in targets:
        print(target)
    sys.exit(any(not target.met for target in targets))


if __name__ == "__main__":
    main()
