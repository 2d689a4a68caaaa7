"""`make clocks`: the clocks of promises under everything that can befall them, on both databases.

R-10 kills and stops clock processes that have just claimed; R-11 works off an hour of downtime; R-12 puts clocks; R-14 does
all of it at once. `ARGS="--full"` asks for the full counts (an hour), `--only sqlite` for one database, `--what R-10,R-14`
for some of them, `--kills`, `--stops`, `--timers`, `--tickets` for other counts, `--seed` for other dice. Prints its figures;
exits 1 when one is missed. With n kills and no violation the chance of one in a kill is below 3/n (95 %).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.clocks import downtime, jumps, storm, takeover
from benchmarks.targets import Target
from itsm.platform import migrate
from itsm.platform.database import Database
from tests import world

KINDS = ("sqlite", "postgresql")
SHARES = {2: 0.3, 3: 0.7}
"""Which share of R-10 is played with how many processes."""

MOST_TOLD = 30
_ONE_AFTER_THE_OTHER = threading.Lock()
"""Migrations know one database at a time."""


@dataclass(frozen=True)
class Counts:
    """How much of everything, on each database."""

    kills: int = 40
    stops: int = 40
    timers: tuple[int, ...] = (1_000, 10_000)
    tickets: int = 2_000
    pace: float = 20
    strikes: tuple[int, int, int, int] = (3, 1, 1, 4)
    """Kills, stops, deaths of all, and jumps in the storm."""


FULL = Counts(200, 200, (1_000, 100_000), 10_000, 40, (10, 4, 2, 8))


@dataclass(frozen=True)
class Report:
    """What one campaign on one database has to tell."""

    title: str
    lines: Sequence[str]
    violations: Sequence[str]
    targets: Sequence[Target]


def main() -> None:
    told = _arguments()
    counts = FULL if told.full else Counts()
    counts = Counts(
        told.kills or counts.kills,
        told.stops or counts.stops,
        (told.timers,) if told.timers else counts.timers,
        told.tickets or counts.tickets,
        counts.pace,
        counts.strikes,
    )
    started_here = world.begin_run()
    missed: list[Target] = []
    try:
        kinds = [told.only] if told.only else list(KINDS)
        for what in told.what.split(","):
            missed += _show(WHAT[what](kinds, counts, told.seed))
    finally:
        if started_here:
            world.end_run()
    print(f"\n{len(missed)} missed" if missed else "\nall met")
    for target in missed:
        print(f"  {target}")
    sys.exit(bool(missed))


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="make clocks")
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--only", choices=KINDS)
    arguments.add_argument("--what", default=",".join(WHAT), help="which, by name")
    arguments.add_argument("--seed", type=int, default=1)
    for name in ("kills", "stops", "timers", "tickets"):
        arguments.add_argument(f"--{name}", type=int, help="of each database")
    return arguments.parse_args()


def _show(reports: Sequence[Report]) -> list[Target]:
    """Print what campaigns came to; the figures that were missed."""
    for report in reports:
        print(f"\n{report.title}")
        for line in report.lines:
            print(f"  {line}")
        for violation in report.violations[:MOST_TOLD]:
            print(f"  VIOLATED {violation}")
        for target in report.targets:
            print(f"  {target}")
    sys.stdout.flush()
    return [target for report in reports for target in report.targets if not target.met]


def takeovers(kinds: Sequence[str], counts: Counts, seed: int) -> list[Report]:
    """R-10: with two processes and with three, on both databases, all at once, for its processes mostly wait."""

    def run(kind: str, size: int, share: float) -> Report:
        kills, stops = (max(1, round(share * count)) for count in (counts.kills, counts.stops))
        with installation(kind, f"clocks_{size}") as (database, home):
            begun = time.perf_counter()
            outcome = takeover.campaign(database, home, size, kills, stops, seed=seed)
        title = f"R-10 {kind}, {size} processes: {kills} killed, {stops} stopped ({time.perf_counter() - begun:.0f} s)"
        found = takeover.targets(f"{kind}, {size} processes", outcome)
        return Report(title, takeover.show(outcome), outcome.violations, found)

    return _at_once([partial(run, kind, size, share) for kind in kinds for size, share in SHARES.items()])


def downtimes(kinds: Sequence[str], counts: Counts, seed: int) -> list[Report]:
    """R-11, one after the other, for it measures speed."""
    reports = []
    for kind in kinds:
        for timers in counts.timers:
            with installation(kind) as (database, home):
                outcome = downtime.campaign(database, home, timers, seed=seed)
            found = downtime.targets(kind, outcome)
            reports.append(Report(f"R-11 {kind}, an hour of downtime", downtime.show(outcome), outcome.violations, found))
    return reports


def put_clocks(kinds: Sequence[str], _counts: Counts, seed: int) -> list[Report]:
    """R-12, on both databases at once, for it mostly waits."""

    def run(kind: str) -> Report:
        with installation(kind) as (database, home):
            outcome = jumps.campaign(database, home, seed=seed)
        return Report(f"R-12 {kind}", jumps.show(outcome), outcome.violations, jumps.targets(kind, outcome))

    return _at_once([partial(run, kind) for kind in kinds])


def storms(kinds: Sequence[str], counts: Counts, seed: int) -> list[Report]:
    """R-14, one after the other, for it measures lateness."""
    reports = []
    for kind in kinds:
        with installation(kind) as (database, home):
            begun = time.perf_counter()
            outcome = storm.campaign(database, home, counts.tickets, counts.pace, *counts.strikes, seed=seed)
        title = f"R-14 {kind}, {counts.tickets:,} tickets ({time.perf_counter() - begun:.0f} s)"
        reports.append(Report(title, storm.show(outcome), outcome.violations, storm.targets(kind, outcome)))
    return reports


WHAT: dict[str, Callable[[Sequence[str], Counts, int], list[Report]]] = {
    "R-10": takeovers,
    "R-11": downtimes,
    "R-12": put_clocks,
    "R-14": storms,
}
"""The campaigns, by the names of their experiments."""


def _at_once(campaigns: Sequence[Callable[[], Report]]) -> list[Report]:
    with ThreadPoolExecutor(len(campaigns)) as pool:
        return [each.result() for each in [pool.submit(campaign) for campaign in campaigns]]


@contextmanager
def installation(kind: str, name: str = "clocks") -> Iterator[tuple[Database, Path]]:
    """An empty, migrated database on the disk that commits in earnest, and a home beside it."""
    with tempfile.TemporaryDirectory(prefix="itsm-clocks-") as folder:
        home = Path(folder)
        with _ONE_AFTER_THE_OTHER:
            if kind == "sqlite":
                database = Database(f"sqlite:///{home / 'clocks.db'}", statement_timeout=600)
            else:
                database = Database(world.create_database(name), statement_timeout=600)
                world.commit_in_earnest()
            migrate.upgrade(database)
        try:
            yield database, home
        finally:
            database.dispose()
            if kind == "postgresql":
                world.drop_database(name)


if __name__ == "__main__":
    main()
