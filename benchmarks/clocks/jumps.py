"""R-12: clocks that are put forward and back, that jitter, stand apart, or sleep, while thresholds fall due.

With SQLite there is one machine, and its clock is the only one: all processes, and whoever makes tickets, jump together. With
PostgreSQL the database server's clock is the reference and stays; it is the machines of the clock processes that are off, each
by hands of its own, and an onlooker with the right time watches that nothing is answered early or late.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.clocks import checks
from benchmarks.clocks.checks import Verdict
from benchmarks.clocks.hands import Hands, ShiftedClock
from benchmarks.clocks.rig import LONG, SHORT, Fleet, Office, Stream, fleet
from benchmarks.targets import Target
from itsm.platform.database import Database, Prepared
from itsm.platform.schema import Json
from itsm.platform.time import SystemClock
from itsm.platform.timers import LEASE
from itsm.sla.moments import THRESHOLD_REACHED
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent

AFTER_A_JUMP_SECONDS = 10.0
LATE_SECONDS = 5.0
"""How late a threshold may be answered on machines whose clocks are off."""

EARLY_SECONDS = 0.5
"""How early, measured by an onlooker's own reading of the time."""

PATIENCE_SECONDS = 60.0
ALL_SECONDS = 2.5
"""In which the last of the short promises has fallen due."""

HOUR, MONTH = 3600.0, 30 * 86400.0
JITTER = 0.5
ALARM = "This machine's clock is"
SUSPENDED_SECONDS = 12.0

_ANSWERED = Prepared(
    sa.select(TicketEvent.id, sa.type_coerce(TicketEvent.payload, Json).label("payload"))
    .where(TicketEvent.kind == THRESHOLD_REACHED, TicketEvent.id > sa.bindparam("after"))
    .order_by(TicketEvent.id)
)


@dataclass
class Outcome:
    """What a campaign came to: seconds by what was done, and what is wrong."""

    figures: list[Target] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def violations(self) -> list[str]:
        return self.verdict.violations

    def at_most(self, what: str, seconds: float, most: float) -> None:
        """Note a figure and its bound."""
        self.figures.append(Target(f"R-12 {what}, s", seconds, most=most))


@dataclass(frozen=True)
class Trial:
    """One campaign under way."""

    office: Office
    clocks: Fleet
    outcome: Outcome
    tickets: int
    kind: str
    watched: float

    def prepare(self) -> None:
        """Tickets whose thresholds fall due within seconds, and within the hour; the first of them are being answered."""
        self.office.create(self.tickets, SHORT)
        self.office.create(self.tickets, LONG)
        time.sleep(1)

    def note(self, what: str, seconds: float, most: float = AFTER_A_JUMP_SECONDS) -> None:
        self.outcome.at_most(f"{self.kind}, {what}", seconds, most)

    def answered(self) -> float:
        """Seconds until nothing is owed any more by this machine's clock."""
        return self.office.wait_until_answered(PATIENCE_SECONDS)


def campaign(
    database: Database,
    home: Path,
    tickets: int = 20,
    lease: timedelta = LEASE,
    only: Sequence[str] = (),
    watched: float = 10,
    seed: int = 1,
) -> Outcome:
    """Every trial that this kind of database knows, or some by name, and the judgement at the end.

    `watched` is for how many seconds tickets are made while a machine's clock is off.
    """
    machine = Hands(home / "machine.hands")
    office = Office(database, home, SystemClock() if database.is_postgresql else ShiftedClock(machine))
    outcome = Outcome()
    trials = OF_NODES if database.is_postgresql else OF_THE_MACHINE
    with fleet(database, home, lease, seed) as clocks:
        nodes = (Hands(home / f"node-{number}.hands") for number in (1, 2))
        clocks.start_all(list(nodes) if database.is_postgresql else [machine, machine])
        trial = Trial(office, clocks, outcome, tickets, "postgresql" if database.is_postgresql else "sqlite", watched)
        for name, run in trials.items():
            if not only or name in only:
                run(trial, machine)
        _wind_up(trial, machine)
    outcome.verdict = checks.judge(office.desk)
    return outcome


def _wind_up(trial: Trial, machine: Hands) -> None:
    """Let all that is promised fall due, and be answered."""
    if trial.kind == "sqlite":
        machine.put(machine.read()[0] + HOUR)
    trial.office.wait_until_answered(PATIENCE_SECONDS, timedelta(seconds=10))


def forward(by: float) -> Callable[[Trial, Hands], None]:
    """The machine's clock is put forward: what is due by it then is answered soon."""

    def run(trial: Trial, machine: Hands) -> None:
        trial.prepare()
        machine.move(by)
        trial.note(f"put forward by {by:,.0f} s, all that is due answered after", trial.answered())

    return run


def back(by: float) -> Callable[[Trial, Hands], None]:
    """The machine's clock is put back, and forward again later: what falls due between is answered in time."""

    def run(trial: Trial, machine: Hands) -> None:
        trial.prepare()
        machine.move(-by)
        seen = Onlooker(trial.office.desk)
        trial.office.create(trial.tickets, SHORT)
        time.sleep(ALL_SECONDS + 1)
        trial.note(f"put back by {by:,.0f} s, all that is due answered after", trial.answered())
        trial.outcome.told.append(f"answered while the clock was {by:,.0f} s behind: {len(seen.look())}")
        machine.move(by)
        trial.note("put right again, all that is due answered after", trial.answered())

    return run


def jitter(trial: Trial, machine: Hands) -> None:
    """Every reading of the machine's clock is off by up to half a second."""
    machine.put(machine.read()[0], JITTER)
    stream = Stream(trial.office, each_second=trial.tickets / 4)
    stream.start()
    time.sleep(trial.watched)
    stream.stop()
    machine.put(machine.read()[0])
    time.sleep(ALL_SECONDS)
    trial.note(f"readings {JITTER:g} s off at random, all that is due answered after", trial.answered())


def suspended(trial: Trial, _machine: Hands) -> None:
    """All clock processes stand still for longer than a lease, and go on."""
    trial.office.create(trial.tickets, SHORT)
    seconds = min(SUSPENDED_SECONDS, trial.clocks.lease.total_seconds() * 1.5)
    for member in trial.clocks.members:
        member.send(signal.SIGSTOP)
    time.sleep(seconds)
    for member in trial.clocks.members:
        member.send(signal.SIGCONT)
    trial.note(f"suspended for {seconds:.0f} s, all that is due answered after", trial.answered())


def node_jumps(by: float) -> Callable[[Trial, Hands], None]:
    """The clock of one of two machines is put: nothing is answered early, nothing late."""

    def run(trial: Trial, _machine: Hands) -> None:
        hands = _own_hands(trial)
        seen = Onlooker(trial.office.desk)
        trial.prepare()
        hands[0].move(by)
        _watch(trial, seen, f"one machine put by {by:+,.0f} s")
        hands[0].move(-by)

    return run


def node_jitter(trial: Trial, _machine: Hands) -> None:
    """Every reading of one machine's clock is off by up to half a second."""
    hands = _own_hands(trial)
    hands[0].put(0, JITTER)
    _watch(trial, Onlooker(trial.office.desk), f"one machine's readings {JITTER:g} s off at random", EARLY_SECONDS + 2 * JITTER)
    hands[0].put()


def apart(*shifts: float) -> Callable[[Trial, Hands], None]:
    """Machines whose clocks stand apart from the beginning."""

    def run(trial: Trial, _machine: Hands) -> None:
        for member, shift in zip(trial.clocks.members, shifts, strict=True):
            member.hands.put(shift)
            member.process.kill()
        trial.clocks.replace_all()
        between = max(shifts) - min(shifts)
        _watch(trial, Onlooker(trial.office.desk), f"machines {between:.0f} s apart")
        alarms = trial.clocks.said(ALARM)
        trial.outcome.told.append(f"machines {between:.0f} s apart: {alarms} processes have raised the alarm")
        trial.outcome.figures.append(Target(f"R-12 postgresql, machines {between:.0f} s apart, alarms", alarms, least=1))
        for hands in _own_hands(trial):
            hands.put()

    return run


def _own_hands(trial: Trial) -> list[Hands]:
    """The hands of each machine: the fleet's members have none but their own."""
    return [member.hands for member in trial.clocks.members]


def _watch(trial: Trial, seen: Onlooker, what: str, early: float = EARLY_SECONDS) -> None:
    """Have tickets made for so long, and look when their thresholds are answered."""
    stream = Stream(trial.office, each_second=trial.tickets / 4)
    stream.start()
    begun, late = time.monotonic(), list[float]()
    while (passed := time.monotonic() - begun) < trial.watched + ALL_SECONDS or trial.office.owed():
        if passed > trial.watched + PATIENCE_SECONDS:
            break
        if passed > trial.watched:
            stream.stop()
        late += seen.look()
        time.sleep(0.1)
    trial.note(f"{what}, latest answer", max(late, default=float("inf")), LATE_SECONDS)
    trial.note(f"{what}, earliest answer before it was due", max(0.0, -min(late, default=0.0)), early)


class Onlooker:
    """Looks at the log by the right time, and says by how many seconds each threshold was answered late when he saw it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last = 0
        self.look()

    def look(self) -> list[float]:
        """What has been answered since he looked last."""
        with self._desk.database.session(write=False) as session:
            rows = session.all(_ANSWERED, after=self._last)
        now = self._desk.clock.now()
        self._last = rows[-1].id if rows else self._last
        return [(now - datetime.fromisoformat(row.payload["due"])).total_seconds() for row in rows]


OF_THE_MACHINE = {
    "+1 h": forward(HOUR),
    "-5 min": back(300),
    "-1 h": back(HOUR),
    "jitter": jitter,
    "suspended": suspended,
    "+30 d": forward(MONTH),
}
OF_NODES = {
    "+1 h": node_jumps(HOUR),
    "-1 h": node_jumps(-HOUR),
    "-5 min": node_jumps(-300),
    "+30 d": node_jumps(MONTH),
    "jitter": node_jitter,
    "suspended": suspended,
    "30 s apart": apart(15, -15),
    "60 s apart": apart(30, -30),
}
"""What may befall clocks, by name."""


def show(outcome: Outcome) -> list[str]:
    """What was done and found, in lines."""
    verdict = outcome.verdict
    return [f"{len(verdict.answers):,} thresholds answered, {verdict.messages:,} messages", *outcome.told]


def targets(what: str, outcome: Outcome) -> list[Target]:
    """What must be reached."""
    counts = outcome.verdict.counts
    doubled = counts["doubled"] + counts["extra"] + counts["said, and not owed"]
    return [
        *outcome.figures,
        Target(f"R-12 {what}: answered twice", doubled, most=0),
        Target(f"R-12 {what}: suppressed", counts["missing"] + counts["not said"], most=0),
        Target(f"R-12 {what}: other violations", len(outcome.violations), most=0),
    ]
