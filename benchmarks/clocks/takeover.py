"""R-10: clock processes that die or fall asleep with a claim in their hands, while thresholds fall due all the time.

A victim is doomed while it runs, and killed or stopped at its next claim (`process.py`). A stopped one is continued when its
lease has long ended and another has done its work: it then tries to do it again, under a fence that is no longer the row's.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.clocks import checks
from benchmarks.clocks.checks import Verdict
from benchmarks.clocks.rig import Fleet, Member, Office, Stream, fleet, shuffled, wait_for
from benchmarks.targets import Target
from itsm.platform.database import Database
from itsm.platform.time import SystemClock, from_micros
from itsm.platform.timers import LEASE

TAKEOVER_SECONDS = 10.0
OVERSLEEP_SECONDS = 1.5
"""How much longer than its lease a victim sleeps."""

FATE_SECONDS = 60.0
REST_SECONDS = 60.0


@dataclass
class Outcome:
    """What a campaign came to. `takeovers` are the seconds until what a victim held was in other hands."""

    verdict: Verdict
    points: Counter[str] = field(default_factory=Counter)
    takeovers: list[float] = field(default_factory=list)
    woke_to_nothing: int = 0
    woke: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        return [*self.verdict.violations, *self.faults]


@dataclass
class Victim:
    """A member that is doomed, stopped, or being replaced."""

    member: Member
    what: str
    since: float = field(default_factory=time.monotonic)
    asleep_since: float | None = None


def campaign(
    database: Database,
    home: Path,
    size: int,
    kills: int,
    stops: int,
    lease: timedelta = LEASE,
    pace: float = 4,
    seed: int = 1,
) -> Outcome:
    """Kill and stop so many members of a fleet of this size, all but one of them at a time."""
    office = Office(database, home, SystemClock())
    with fleet(database, home, lease, seed) as clocks:
        clocks.start_all([None] * size)
        stream = Stream(office, pace)
        stream.start()
        faults = befall(office, clocks, shuffled(random.Random(seed), kill=kills, stop=stops), size - 1, random.Random(seed))
        stream.stop()
        if office.wait_until_answered(REST_SECONDS, timedelta(minutes=1)) == float("inf"):
            faults.append(f"{REST_SECONDS:.0f} s after the last there are still thresholds that nobody answers")
        fates = clocks.fates()
    outcome = Outcome(checks.judge(office.desk), faults=[*faults, *(f"a ticket was not made: {e}" for e in stream.failed)])
    measure(outcome, fates)
    return outcome


def befall(office: Office, clocks: Fleet, turns: Sequence[str], most: int, dice: random.Random) -> list[str]:
    """Let each of these fates befall a member, at most so many at a time; what did not go as it should."""
    waiting, victims, faults = list(turns), list[Victim](), list[str]()
    while waiting or victims:
        for victim in list(victims):
            if _is_over(office, clocks, victim):
                victims.remove(victim)
            elif time.monotonic() - victim.since > FATE_SECONDS:
                victims.remove(victim)
                faults.append(f"a clock process that was to {victim.what} is not through with it after {FATE_SECONDS:.0f} s")
        whole = [each for each in clocks.members if each.is_ready and not any(each is one.member for one in victims)]
        if waiting and whole and len(victims) < most:
            victims.append(Victim(dice.choice(whole), waiting.pop()))
            victims[-1].member.send(signal.SIGUSR1 if victims[-1].what == "kill" else signal.SIGUSR2)
        time.sleep(0.05)
    return faults


def _is_over(office: Office, clocks: Fleet, victim: Victim) -> bool:
    """Move a victim's fate on; whether it is at its end."""
    if victim.what == "kill":
        if victim.member.is_dead and victim.member in clocks.members:
            victim.member = clocks.replace(victim.member)
            victim.asleep_since = time.monotonic()
        return victim.asleep_since is not None and victim.member.is_ready
    if victim.asleep_since is None:
        victim.asleep_since = time.monotonic() if victim.member.is_stopped else None
        return False
    slept = time.monotonic() - victim.asleep_since
    if slept < clocks.lease.total_seconds() + OVERSLEEP_SECONDS:
        return False
    if slept < FATE_SECONDS / 2 and office.owed_by(clocks.held_until(victim.member)):
        return False  # nobody has done its work yet, and there is no zombie before that
    victim.member.send(signal.SIGCONT)
    return wait_for(lambda: clocks.has_woken(victim.member), FATE_SECONDS)


def measure(outcome: Outcome, fates: Sequence[dict[str, Any]]) -> None:
    """From the journal of the victims: where they were struck, and how soon others took over what they held.

    What the next victim held again when it was struck had been taken over by then.
    """
    struck: dict[tuple[Any, ...], list[datetime]] = defaultdict(list)
    for fate in fates:
        if fate["what"] == "woke":
            outcome.woke += 1
            outcome.woke_to_nothing += fate["point"] == "0"
            continue
        outcome.points[f"{fate['what']}, {fate['point']}"] += 1
        for row in fate["held"]:
            struck[tuple(row)].append(from_micros(fate["at"]))
    answers = checks.by_row(outcome.verdict.answers)
    for row, instants in struck.items():
        if row in answers:
            taken_over = pairwise([*sorted(instants), answers[row].at])
            outcome.takeovers += [gap for before, after in taken_over if (gap := (after - before).total_seconds()) > 0]


def targets(what: str, outcome: Outcome) -> list[Target]:
    """What must be reached."""
    verdict = outcome.verdict
    doubled = verdict.counts["doubled"] + verdict.counts["extra"] + verdict.counts["said, and not owed"]
    return [
        Target(f"R-10 {what}: double effects", doubled, most=0),
        Target(f"R-10 {what}: missing effects", verdict.counts["missing"] + verdict.counts["not said"], most=0),
        Target(f"R-10 {what}: other violations", len(outcome.violations), most=0),
        Target(f"R-10 {what}: takeover, s at most", max(outcome.takeovers, default=0.0), most=TAKEOVER_SECONDS),
    ]


def show(outcome: Outcome) -> list[str]:
    """What was done and found, in lines."""
    gaps = sorted(outcome.takeovers)
    middle = gaps[len(gaps) // 2] if gaps else 0.0
    return [
        "; ".join(f"{point}: {count}" for point, count in sorted(outcome.points.items())),
        f"{len(outcome.verdict.answers):,} thresholds answered, {outcome.verdict.messages:,} messages",
        f"taken over from victims: {len(gaps)} thresholds, after {middle:.1f} s (median)",
        f"{outcome.woke} sleepers woke, {outcome.woke_to_nothing} of them found nothing left to do",
    ]
