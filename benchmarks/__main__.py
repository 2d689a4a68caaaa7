"""`make bench`: what the desk costs, on both databases, beside what the driver and an empty route cost in the same run.

Server, database and clients share this machine. Absolute figures move with it; the ratios are what to read. Exits 1 when a
target is missed. `ARGS="--sizes 1000,100000,1000000"` asks for more tickets, `--only postgresql` for one database, `--seconds`
for longer measurements. docs/performance.md says what is measured and why.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import conflicts, fill, load, orders, overdue, standing, whatif
from benchmarks.deeds import CLIENTS, Deeds
from benchmarks.installing import WORKERS, installation
from benchmarks.load import Figures
from benchmarks.raw import Raw, raw_rate
from benchmarks.site import Site, memory, processor_seconds, stop
from benchmarks.targets import Target
from itsm.platform.database import Database
from tests import world

PAGES = ("first page of a group's queue", "search for a rare word")


@dataclass
class Measured:
    """What was found for one size of one database."""

    raw: Raw
    results: dict[tuple[str, int], Figures] = field(default_factory=dict)
    started: float = 0.0
    memory: float = 0.0


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make bench")
    arguments.add_argument("--sizes", default="1000,100000", help="how many tickets, the smallest first")
    arguments.add_argument("--only", choices=["sqlite", "postgresql"])
    arguments.add_argument("--seconds", type=float, default=2.0, help="for each measurement over HTTP")
    arguments.add_argument(
        "--armed", default="1000,1000000", help="beside how many armed timers others fall due, the fewest first"
    )
    arguments.add_argument("--due", type=int, default=10_000, help="how many of them")
    told = arguments.parse_args()
    sizes, armed = ([int(count) for count in counts.split(",")] for counts in (told.sizes, told.armed))
    started_here = world.begin_run()
    targets: list[Target] = []
    try:
        for kind in [told.only] if told.only else ["sqlite", "postgresql"]:
            targets += bench(kind, sizes, told.seconds)
            targets += beside_the_web(kind, armed, told.due)
    finally:
        if started_here:
            world.end_run()
    print("\nTargets")
    for target in targets:
        print(f"  {target}")
    sys.exit(any(not target.met for target in targets))


def bench(kind: str, sizes: list[int], seconds: float) -> list[Target]:
    """All the figures of one kind of database."""
    measured: dict[int, Measured] = {}
    for size in sizes:
        with installation(kind) as (database, home):
            begun = time.perf_counter()
            fill.fill(database, size)
            print(f"\n{kind}, {size:,} tickets (made in {time.perf_counter() - begun:.0f} s)")
            measured[size] = measure(kind, size, database, home, seconds)
    targets = [target for size, each in measured.items() for target in of_one_size(f"{kind}, {size:,}", each)]
    first, last = measured[sizes[0]], measured[sizes[-1]]
    if len(sizes) > 1:
        for page in PAGES:
            ratio = last.results[page, 1].p50 / first.results[page, 1].p50
            targets.append(Target(f"{kind}: {page}, {sizes[-1]:,} tickets ÷ {sizes[0]:,}", ratio, most=1.5))
    # The first start after an installation or a change compiles; it is the others that count.
    targets.append(Target(f"{kind}: start-up, s", min(each.started for each in measured.values()), most=2))
    targets.append(Target(f"{kind}: memory of web and clock, MiB", max(each.memory for each in measured.values()), most=200))
    print(f"\n{kind}, orders")
    return [*targets, *orders.targets(kind, seconds)]


def measure(kind: str, size: int, database: Database, home: Path, seconds: float) -> Measured:
    """The figures over HTTP, and by the driver, of one filled database."""
    site = Site(database.url, home)
    token = site.token("g1")
    measured = Measured(raw_rate(database, home, token))
    web, clock = site.serve(WORKERS[kind]), site.clock()
    try:
        measured.started = site.wait(web)
        deeds = Deeds(site.port, token, size)
        print(f"  {'':32}{'clients':>8}{'/s':>9}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'CPU ms':>9}")
        for (name, requests), clients in itertools.product(deeds.by_name.items(), (1, CLIENTS)):
            found = load.run(site.port, token, clients, seconds, requests, lambda: processor_seconds(web.pid, clock.pid))
            measured.results[name, clients] = found
            print(f"  {name:32}{clients:>8}{found}")
        measured.memory = memory(web.pid, clock.pid)
    finally:
        stop(web, clock)
    raw = measured.raw
    print(f"  {'the SQL of a transition, driver':32}{1:>8}{raw.rate:>9.0f}   ({raw.statements:.1f} statements)")
    print(f"  start-up {measured.started:.2f} s, memory of web and clock {measured.memory:.0f} MiB")
    return measured


def of_one_size(what: str, measured: Measured) -> list[Target]:
    """What must be reached at every size."""
    results, mixed = measured.results, measured.results["mixed load", CLIENTS]
    best = max(results["transition", 1].rate, results["transition", CLIENTS].rate)
    targets = [Target(f"{what}: failed requests", sum(each.failed for each in results.values()), most=0)]
    if what.startswith("postgresql"):
        share = 100 * best / measured.raw.rate
        targets.append(Target(f"{what}: transition over HTTP ÷ its SQL by the driver, %", share, least=25))
    targets.append(Target(f"{what}: mixed load, requests/s", mixed.rate, least=250))
    targets.append(Target(f"{what}: mixed load, p99 ÷ p50", mixed.p99 / mixed.p50, most=4))
    return targets


def beside_the_web(kind: str, armed: list[int], due: int) -> list[Target]:
    """Sweeping with nothing due and with so many, beside so many armed timers; importing, and proving the event log."""
    print(f"\n{kind}, beside the web")
    targets = []
    for size in armed:
        with installation(kind) as (database, _):
            idle = standing.idle_sweep(database, size)
            print(f"  idle sweep with {size:>9,} timers armed{idle:>9.2f} ms")
        targets.append(Target(f"{kind}: idle sweep, {size:,} timers armed, ms", idle, most=2))
    rates = {}
    for size in (armed[0], armed[-1]):
        with installation(kind) as (database, _):
            rates[size] = overdue.answered_per_second(database, size, due)
        found = rates[size]
        print(f"  thresholds beside {size:>12,} armed{found.per_second:>9,.0f} /s{found.processor_ms:>9.2f} CPU ms each")
    targets += overdue.targets_of_rates(kind, rates)
    with installation(kind) as (database, home):
        rate = standing.imported_per_second(database, home)
        print(f"  import{rate:>41,.0f} events/s")
    targets.append(Target(f"{kind}: import, events/s", rate, least=1500))
    with installation(kind) as (database, _):
        targets += whatif.targets(kind, database)
    with installation(kind) as (database, _):
        targets += conflicts.targets(kind, database)
    with installation(kind) as (database, _):
        rate = standing.proved_per_second(database)
        print(f"  audit verify{rate:>35,.0f} events/s")
    return [*targets, Target(f"{kind}: audit verify, events/s", rate, least=50_000)]


if __name__ == "__main__":
    main()
