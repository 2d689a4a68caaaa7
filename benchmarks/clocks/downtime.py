"""R-11: nobody kept the clock for an hour, and everything that fell due meanwhile is worked off, beside a web server in use.

The tickets are made by the product's own commands, twenty at a moment, by a clock that goes through that hour; each has one
promise, which ran out during the downtime. One clock process works them off; one client reads and writes, before and meanwhile.
"""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle, pairwise
from pathlib import Path

from benchmarks.client import Client
from benchmarks.clocks import checks
from benchmarks.clocks.checks import Verdict
from benchmarks.clocks.rig import AT_ONCE, BACKLOG, LONG, Office, fleet
from benchmarks.site import Site, stop
from benchmarks.targets import Target
from itsm.platform.database import Database
from itsm.platform.time import FrozenClock, SystemClock
from itsm.platform.timers import LEASE

DOWNTIME = timedelta(hours=1)
SECONDS_FOR = {1_000: 5.0, 100_000: 120.0}
WEB_SECONDS = 8.0
MOST_SECONDS = 600.0
ASKED_PER_SECOND = 30.0
"""As 300 people ask of whom each does so every ten seconds, whether or not the desk is slow."""

FEWEST_REQUESTS = 40
"""With fewer during the backlog a 95th percentile says nothing."""


@dataclass
class Outcome:
    """What a campaign came to. The p95 are milliseconds of a visitor's requests; None without a web server."""

    timers: int
    seconds: float
    verdict: Verdict
    out_of_order: int
    before: float | None = None
    meanwhile: float | None = None
    requests: int = 0
    failed: int = 0

    @property
    def violations(self) -> list[str]:
        found = list(self.verdict.violations)
        if self.verdict.answers and len(self.verdict.answers) != self.timers:
            found.append(f"{len(self.verdict.answers)} thresholds were answered of {self.timers}")
        return [*found, *([f"{self.failed} requests failed"] if self.failed else [])]


@dataclass
class Visitor(threading.Thread):
    """Reads a ticket and writes to it in turn, at a pace of its own, and notes how long after its turn each was answered."""

    client: Client
    number: str
    taken: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        path = f"/api/v1/tickets/{self.number}"
        asked = cycle((("GET", path, None), ("POST", f"{path}/comments", {"body": "-", "visibility": "public"})))
        begun = time.perf_counter()
        for turn, (method, where, body) in enumerate(asked):
            due = begun + turn / ASKED_PER_SECOND
            if self._stopped.wait(max(0.0, due - time.perf_counter())):
                break
            status = self.client.call(method, where, body).status
            self.taken.append((due, time.perf_counter() - due))
            self.failed += status >= 400
        self.client.close()

    def stop(self) -> None:
        """Make no more requests."""
        self._stopped.set()
        self.join()

    def between(self, begin: float, end: float) -> list[float]:
        """What the requests took that were made in this time."""
        return [seconds for begun, seconds in self.taken if begin <= begun <= end]


def campaign(
    database: Database, home: Path, timers: int, with_web: bool = True, lease: timedelta = LEASE, seed: int = 1
) -> Outcome:
    """So many clocks that ran out during an hour without a clock process."""
    office, number = fallen_due(database, home, timers)
    site = Site(database.url, home)
    web = site.serve(1) if with_web else None
    visitor: Visitor | None = None
    begun = time.perf_counter()
    try:
        if web is not None:
            site.wait(web)
            visitor = Visitor(Client(site.port, site.token("ra1")), number)
            visitor.start()
            begun = time.perf_counter()
            time.sleep(WEB_SECONDS)
        quiet = time.perf_counter()
        worked = work_off(office, database, home, lease, seed)
        if visitor is not None:
            visitor.stop()
    finally:
        stop(*([web] if web is not None else []))
    verdict = checks.judge(office.desk)
    due = [answer.due for answer in verdict.answers]
    out_of_order = sum(one > following for one, following in pairwise(due))
    outcome = Outcome(timers, worked[1] - worked[0], verdict, out_of_order)
    if visitor is not None:
        meanwhile = visitor.between(*worked)
        outcome.before, outcome.meanwhile = p95(visitor.between(begun, quiet)), p95(meanwhile)
        outcome.requests, outcome.failed = len(meanwhile), visitor.failed
    return outcome


def fallen_due(database: Database, home: Path, timers: int) -> tuple[Office, str]:
    """The desk after the downtime, and a ticket that is to be visited."""
    now = SystemClock().now()
    clock = FrozenClock(now - DOWNTIME)
    office = Office(database, home, clock)
    step = (DOWNTIME - timedelta(seconds=1)) / max(1, -(-timers // AT_ONCE))
    made = 0
    while made < timers:
        made += len(office.create(min(AT_ONCE, timers - made), BACKLOG))
        clock.advance(step)
    office.clock = office.desk.clock = SystemClock()
    return office, office.create(1, LONG)[0]


def work_off(office: Office, database: Database, home: Path, lease: timedelta, seed: int) -> tuple[float, float]:
    """Start a clock process and wait until nothing is owed: when its clock ran, and when it was done."""
    with fleet(database, home, lease, seed) as clocks:
        clocks.start(None)
        owed = office.owed()
        while office.owed() == owed and not clocks.members[0].is_ready:
            time.sleep(0.01)
        begun = time.perf_counter()
        office.wait_until_answered(MOST_SECONDS)
        return begun, time.perf_counter()


def p95(seconds: list[float]) -> float:
    """The 95th percentile, in milliseconds."""
    return 1000 * statistics.quantiles(seconds, n=100)[94] if len(seconds) > 1 else float("nan")


def show(outcome: Outcome) -> list[str]:
    """What was done and found, in lines."""
    lines = [
        f"{outcome.timers:,} timers worked off in {outcome.seconds:.1f} s ({outcome.timers / outcome.seconds:,.0f}/s),"
        f" {outcome.verdict.messages} messages"
    ]
    if outcome.before is not None:
        lines.append(
            f"web p95 {outcome.before:.1f} ms before, {outcome.meanwhile:.1f} ms meanwhile ({outcome.requests} requests)"
        )
    return lines


def targets(what: str, outcome: Outcome) -> list[Target]:
    """What must be reached; between the two sizes for which seconds are promised, in proportion to the larger."""
    counts, timers = outcome.verdict.counts, outcome.timers
    seconds = SECONDS_FOR.get(timers, max(SECONDS_FOR[1_000], SECONDS_FOR[100_000] * timers / 100_000))
    name = f"R-11 {what}, {timers:,} timers"
    found = [
        Target(f"{name}: worked off in s", outcome.seconds, most=seconds),
        Target(f"{name}: doubled or missing", counts["doubled"] + counts["extra"] + counts["missing"], most=0),
        Target(f"{name}: out of due order", outcome.out_of_order, most=0),
        Target(f"{name}: other violations", len(outcome.violations), most=0),
        Target(f"{name}: messages about the standstill", outcome.verdict.standstill, least=1, most=2),
    ]
    if outcome.before and outcome.meanwhile and outcome.requests >= FEWEST_REQUESTS:
        found.append(Target(f"{name}: web p95 meanwhile ÷ before", outcome.meanwhile / outcome.before, most=2))
    return found
