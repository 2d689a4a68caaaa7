"""R-14: thousands of tickets, four thresholds each, three clock processes, and everything at once.

Processes are killed and stopped with claims in their hands, all of them are killed together, clocks are put, and meanwhile a
part of the tickets is paused and resumed all the time. On SQLite it is the machine's clock that jumps, on PostgreSQL that of
one of the processes' machines. In the end every threshold that the log calls for was answered once, and answered soon.
"""

from __future__ import annotations

import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.clocks import checks
from benchmarks.clocks.checks import Answer, Verdict
from benchmarks.clocks.hands import Hands, ShiftedClock
from benchmarks.clocks.rig import MIDDLE, Fleet, Member, Office, Stream, fleet, shuffled, wait_for
from benchmarks.targets import Target
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.time import SystemClock
from itsm.platform.timers import LEASE

SWEEPERS = 3
JUMPS = (20.0, -20.0, 3600.0, -300.0)
IN_THE_STORM = 0.1
"""The share of the tickets that are paused and resumed."""

BETWEEN_PAUSES_SECONDS = 0.1

IDLE_SECONDS, RESTARTED_SECONDS, TAKEN_OVER_SECONDS, JUMPED_SECONDS = 2.0, 5.0, 10.0, 10.0
UNSETTLED = timedelta(seconds=5)
"""Within this time after a restart or a jump a threshold counts as fallen due after it: the desk that it meets is not idle."""

JUST_BEFORE = timedelta(seconds=10)
"""What fell due so shortly before a jump, and was answered after it, had no more time than that."""

DOWN_SECONDS = 2.0
FATE_SECONDS = 60.0
REST_SECONDS = 120.0
PROMISED = timedelta(seconds=25)


@dataclass(frozen=True, slots=True)
class Strike:
    """Somebody was struck at `at`, and all was well again at `well`; nobody was left between if `all_down`."""

    at: datetime
    well: datetime
    what: str

    @property
    def all_down(self) -> bool:
        return self.what == "all"


@dataclass
class Outcome:
    """What a campaign came to: seconds of lateness by what had happened before."""

    verdict: Verdict
    done: dict[str, int] = field(default_factory=dict)
    idle: list[float] = field(default_factory=list)
    restarted: list[float] = field(default_factory=list)
    taken_over: list[float] = field(default_factory=list)
    jumped: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        return [*self.verdict.violations, *self.faults]


class Pauses(threading.Thread):
    """Pauses and resumes some of the tickets that a stream makes, in no order, until it is told to stop; then resumes all."""

    def __init__(self, office: Office, stream: Stream, seed: int) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._office, self._stream, self._dice = office, stream, random.Random(seed)
        self._waiting: dict[str, bool] = {}
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(BETWEEN_PAUSES_SECONDS):
            self._take_in()
            if self._waiting:
                self._turn(self._dice.choice(list(self._waiting)))
        for number, waits in self._waiting.items():
            if waits:
                self._turn(number)

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _take_in(self) -> None:
        wanted = int(len(self._stream.made) * IN_THE_STORM)
        if len(self._waiting) < wanted:
            number = self._stream.made[int(len(self._waiting) / IN_THE_STORM)]
            self._office.hand_over(number)
            self._waiting[number] = False

    def _turn(self, number: str) -> None:
        with suppress(DeskError):
            (self._office.resume if self._waiting[number] else self._office.pause)(number)
            self._waiting[number] = not self._waiting[number]
            self.count += 1


@dataclass
class Storm:
    """What befalls the clocks, one thing after the other, and when."""

    office: Office
    clocks: Fleet
    machine: Hands
    dice: random.Random
    strikes: list[Strike] = field(default_factory=list)
    jumps: list[tuple[datetime, datetime]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    behind: float = 0.0

    def befall(self, what: str) -> None:
        """Let one thing happen, and see it through."""
        if what == "jump":
            self.jump(JUMPS[len(self.jumps) % len(JUMPS)])
            return
        member = self.dice.choice(self.clocks.members)
        if what == "all":
            struck = self._kill_all()
        elif what == "kill":
            struck = self._doom(member, signal.SIGUSR1, lambda: member.is_dead)
            fresh = self.clocks.replace(member)
            wait_for(lambda: fresh.is_ready, FATE_SECONDS)
        else:
            struck = self._doom(member, signal.SIGUSR2, lambda: member.is_stopped)
            time.sleep(self.clocks.lease.total_seconds() + 1.5)
            member.send(signal.SIGCONT)
            wait_for(lambda: self.clocks.has_woken(member), FATE_SECONDS)
        self.strikes.append(Strike(struck, self.office.clock.now(), what))

    def jump(self, by: float) -> None:
        """Put the machine's clock, or on PostgreSQL that of one of the machines."""
        before = self.office.clock.now()
        if self.office.desk.database.is_postgresql:
            self.dice.choice(self.clocks.members).hands.move(by)
        else:
            self.machine.move(by)
            self.behind = max(0.0, self.behind - by)
        self.jumps.append((before, self.office.clock.now()))

    def _doom(self, member: Member, number: signal.Signals, is_over: Callable[[], bool]) -> datetime:
        """Have a member struck at its next claim; when it was."""
        member.send(number)
        if not wait_for(is_over, FATE_SECONDS):
            self.faults.append(f"a clock process claimed nothing for {FATE_SECONDS:.0f} s")
            member.process.kill()
        return self.office.clock.now()

    def _kill_all(self) -> datetime:
        struck = self.office.clock.now()
        for member in self.clocks.members:
            member.process.kill()
        time.sleep(DOWN_SECONDS)
        self.clocks.replace_all()
        return struck


def campaign(
    database: Database,
    home: Path,
    tickets: int,
    pace: float,
    kills: int,
    stops: int,
    downs: int,
    jumps: int,
    lease: timedelta = LEASE,
    urgency: str = MIDDLE,
    sweepers: int = SWEEPERS,
    seed: int = 1,
) -> Outcome:
    """At least so many tickets, made at a pace, while so many things of each kind happen at even distances."""
    machine, dice = Hands(home / "machine.hands"), random.Random(seed)
    office = Office(database, home, SystemClock() if database.is_postgresql else ShiftedClock(machine))
    with fleet(database, home, lease, seed) as clocks:
        nodes = [Hands(home / f"node-{number}.hands") for number in range(sweepers)]
        clocks.start_all(nodes if database.is_postgresql else [machine] * sweepers)
        storm = Storm(office, clocks, machine, dice)
        stream = Stream(office, pace, urgency=urgency)
        stream.start()
        pauses = Pauses(office, stream, seed)
        pauses.start()
        turns = shuffled(dice, kill=kills, stop=stops, all=downs, jump=jumps)
        _all_of(storm, turns, tickets / pace)
        wait_for(lambda: len(stream.made) >= tickets, REST_SECONDS)
        stream.stop()
        pauses.stop()
        if storm.behind:
            storm.jump(storm.behind)
        if office.wait_until_answered(REST_SECONDS, PROMISED) == float("inf"):
            storm.faults.append(f"{REST_SECONDS:.0f} s after the last there are still thresholds that nobody answers")
    outcome = Outcome(checks.judge(office.desk), {each: turns.count(each) for each in sorted(set(turns))})
    outcome.done["paused or resumed"] = pauses.count
    outcome.faults = storm.faults + [f"a ticket was not made: {code}" for code in stream.failed]
    for answer in outcome.verdict.answers:
        _sort(outcome, answer, storm)
    return outcome


def _all_of(storm: Storm, turns: Sequence[str], seconds: float) -> None:
    """Everything in its turn, at even distances over so many seconds."""
    begun = time.monotonic()
    for place, what in enumerate(turns, 1):
        time.sleep(max(0.0, begun + seconds * place / (len(turns) + 1) - time.monotonic()))
        storm.befall(what)


def _sort(outcome: Outcome, answer: Answer, storm: Storm) -> None:
    """Put an answer's lateness down to what had happened before."""
    for before, after in reversed(storm.jumps):  # some of the time passes twice
        if before - JUST_BEFORE < answer.due <= after <= answer.at:
            outcome.jumped.append((answer.at - after).total_seconds())
            return
    if any(after < answer.due <= after + UNSETTLED for _, after in storm.jumps):
        outcome.jumped.append(answer.late)
        return
    for strike in storm.strikes:
        if answer.due <= strike.at < answer.at:
            outcome.taken_over.append((answer.at - strike.at).total_seconds())
            return
    for strike in storm.strikes:
        if strike.what != "stop" and strike.at < answer.due <= strike.well + UNSETTLED:
            since = max(answer.due, strike.well) if strike.all_down else answer.due
            outcome.restarted.append((answer.at - since).total_seconds())
            return
    outcome.idle.append(answer.late)


def show(outcome: Outcome) -> list[str]:
    """What was done and found, in lines."""
    verdict = outcome.verdict
    return [
        ", ".join(f"{what}: {count}" for what, count in outcome.done.items()),
        f"{len(verdict.answers):,} thresholds answered, {verdict.messages:,} messages",
        f"answered on an idle desk {len(outcome.idle):,}, after a restart {len(outcome.restarted):,},"
        f" taken over {len(outcome.taken_over):,}, after a jump {len(outcome.jumped):,}",
    ]


def targets(what: str, outcome: Outcome) -> list[Target]:
    """What must be reached."""
    counts = outcome.verdict.counts
    doubled = counts["doubled"] + counts["extra"] + counts["said, and not owed"]
    return [
        Target(f"R-14 {what}: extra", doubled, most=0),
        Target(f"R-14 {what}: missing", counts["missing"] + counts["not said"], most=0),
        Target(f"R-14 {what}: other violations", len(outcome.violations), most=0),
        Target(f"R-14 {what}: p99 lateness idle, s", p99(outcome.idle), most=IDLE_SECONDS),
        Target(f"R-14 {what}: p99 lateness after a restart, s", p99(outcome.restarted), most=RESTARTED_SECONDS),
        Target(f"R-14 {what}: taken over, s at most", max(outcome.taken_over, default=0.0), most=TAKEN_OVER_SECONDS),
        Target(f"R-14 {what}: after a jump, s at most", max(outcome.jumped, default=0.0), most=JUMPED_SECONDS),
    ]


def p99(seconds: Sequence[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else max(seconds, default=0.0)
