"""Working time against the oracle: a million random cases over all IANA zones, 2010 to 2035, on all cores.

`make oracle` runs it. A case is a calendar, an instant and a length; it asks for the working time elapsed, whether the instant
is working time, when the length is used up, and when the business day ends. The oracle (tests/worktime/oracle.py) counts minute
by minute and shares no code with the product. Then the speed of `add` and `elapsed` is measured on one core. Prints figures;
exits 1 on a single mismatch or when a figure is missed.
"""

from __future__ import annotations

import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from os import cpu_count

from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import Public
from itsm.worktime.intervals import week
from itsm.worktime.zones import tz_version
from tests.worktime.comparison import NASTY, YEARS, ZONES, clock_changes, compare
from tests.worktime.oracle import a_plan

FIRST, LAST = (datetime(year, 1, 5, tzinfo=UTC) for year in (YEARS.start, YEARS.stop))
SHAPES = ((5, 120),) * 13 + ((20, 500),) * 3 + ((400, 2000),)
"""Windows: days, and cases asked in each. The long ones cost seconds, and see a year's clock changes from afar."""

RATE_OF_THE_LINE = 200_000
RATE_OF_DEADLINES = 20_000
"""What is promised each second on one core: answers on stored instants, and deadlines from date to date."""

Round = tuple[str, int, str | None]
"""A zone, a seed, and the day around which to ask (None: dice decide)."""


def rounds(seed: int) -> Iterator[Round]:
    """The named days first, five times each; then every zone in turn, for ever."""
    for number in range(5):
        for zone, day in NASTY.values():
            yield zone, seed + number, day
    number = 0
    while True:
        for zone in ZONES:
            number += 1
            yield zone, seed * 1_000_003 + number, None


def one_round(zone: str, seed: int, day: str | None) -> tuple[int, int, int, list[str]]:
    """Cases, answers compared, whether a clock change was in the window, and mismatches."""
    dice = random.Random(f"{zone} {seed}")
    days, cases = (5, 120) if day else dice.choice(SHAPES)
    if day:
        around = datetime.fromisoformat(day).replace(tzinfo=UTC)
    elif (changes := clock_changes(zone)) and dice.random() < 0.5:
        around = dice.choice(changes) + timedelta(hours=dice.randint(-40, 40))
    else:
        around = FIRST + timedelta(hours=dice.randrange((LAST - FIRST) // timedelta(hours=1)))
    compared, differ = compare(dice, a_plan(dice, zone, around.date()), around, cases, days)
    near = any(abs(change - around) < timedelta(days=days / 2) for change in clock_changes(zone))
    return cases, compared, int(near), differ


def several(batch: list[Round]) -> list[tuple[int, int, int, list[str]]]:
    return [one_round(*one) for one in batch]


def campaign(cases: int, workers: int, seed: int) -> list[str]:
    """Runs until so many cases have been asked. The mismatches, at most a hundred."""
    told, begun = rounds(seed), time.perf_counter()
    asked = compared = windows = near = 0
    differ: list[str] = []
    zones: set[str] = set()
    with ProcessPoolExecutor(workers) as pool:
        waiting = set()
        while asked < cases or waiting:
            while asked < cases and len(waiting) < 2 * workers:
                batch = [next(told) for _ in range(5)]
                zones.update(zone for zone, _, _ in batch)
                waiting.add(pool.submit(several, batch))
            done = next(as_completed(waiting))
            waiting.remove(done)
            for its_cases, its_compared, its_near, its_differ in done.result():
                asked, compared, windows, near = asked + its_cases, compared + its_compared, windows + 1, near + its_near
                differ += its_differ[: 100 - len(differ)]
            progress(asked, cases, begun)
    seconds = time.perf_counter() - begun
    print(f"\r{asked:,} cases, {compared:,} answers in {seconds:,.0f} s on {workers} processes (seed {seed})")
    print(f"{len(zones)} zones, {windows:,} windows, {near:,} of them with a clock change; IANA {tz_version('Europe/Berlin')}")
    print(f"{len(differ)}{' or more' if len(differ) == 100 else ''} mismatches")
    return differ


def progress(asked: int, cases: int, begun: float) -> None:
    if sys.stderr.isatty():
        rate = asked / (time.perf_counter() - begun)
        print(f"\r{asked:>10,} of {cases:,} cases, {rate:,.0f} a second ", end="", file=sys.stderr, flush=True)


def speed() -> dict[str, float]:
    """Answers a second on one core, best of five, on Berlin's office hours with holidays, over the years 2010 to 2035."""
    hours = week({"mon-thu": ["08:00-12:00", "12:30-17:00"], "fri": ["08:00-14:00"]})
    office = Calendar("office", "Europe/Berlin", hours, (Public("DE", "BE"),))
    begun = time.perf_counter()
    office.elapsed(FIRST, LAST)
    print(f"26 years of calendar laid out in {time.perf_counter() - begun:.2f} s")
    dice, span = random.Random(1), (LAST - FIRST) // timedelta(seconds=1)
    instants = [FIRST + timedelta(seconds=dice.randrange(span), microseconds=dice.randrange(10**6)) for _ in range(20_000)]
    micros = [(instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for instant in instants]
    lengths = [dice.randrange(1, 400 * 3_600_000_000) for _ in instants]
    return {
        "elapsed, stored instants": best(office.elapsed_micros, micros, micros[::-1]),
        "add, stored instants": best(office.add_micros, micros, lengths),
        "elapsed, datetimes": best(office.elapsed, instants, instants[::-1]),
        "add, datetimes (deadlines)": best(office.add, instants, [timedelta(microseconds=length) for length in lengths]),
    }


def best(function: Callable[..., object], *arguments: list[object]) -> float:
    """Calls a second in the best of five runs."""
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        for pair in zip(*arguments, strict=True):
            function(*pair)
        seconds.append(time.perf_counter() - begun)
    return len(arguments[0]) / min(seconds)


def main() -> int:
    """Runs the campaign and the measurement; the exit code."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    differ = campaign(options.cases, options.workers, options.seed)
    for mismatch in differ[:20]:
        print(f"  {mismatch}")
    missed = bool(differ)
    for what, rate in speed().items():
        wanted = RATE_OF_THE_LINE if "stored" in what else RATE_OF_DEADLINES
        missed |= rate < wanted
        print(f"{what:<28} {rate:>10,.0f} a second (at least {wanted:,}){'' if rate >= wanted else ': MISSED'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
