"""The rig: a desk that makes tickets with short promises, and a fleet of clock processes that answer them, or die over it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from benchmarks.clocks.hands import Hands
from benchmarks.clocks.process import POINTS
from benchmarks.site import Site
from itsm.people.access import Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError
from itsm.platform.schema import Instant
from itsm.platform.settings import PROJECT_ROOT
from itsm.platform.time import Clock, from_micros
from itsm.platform.timers import LEASE
from itsm.platform.work import Timer
from itsm.sla.agreements import publish
from itsm.tickets import commands, opening
from itsm.tickets.opening import NewTicket
from tests import service as people

PROMISES = Path(__file__).with_name("promises.yaml")
AT_ONCE = 20
"""Tickets made in one transaction."""

READY_SECONDS = 60.0
SHORT, MIDDLE, LONG = "medium", "high", "low"
"""Urgencies, by the length of what is promised for them: 2 seconds, 20 seconds, 40 minutes; four thresholds each."""

BACKLOG = "critical"
"""The urgency whose promise is a second, and has one threshold."""

_OWED = Prepared(
    sa.select(sa.func.count().label("n")).where(Timer.kind == "sla", Timer.due_at <= sa.bindparam("until", type_=Instant))
)


class Office:
    """The desk from which tickets are made and moved: in this process, by the product's own commands."""

    def __init__(self, database: Database, home: Path, clock: Clock) -> None:
        self.clock = clock
        self.desk = people.a_service(database, clock, home).desk
        shipped = people.promises()
        source = replace(shipped, files={**shipped.files, "sla.yaml": PROMISES.read_text()})
        with database.session() as session:
            publish(session, source, "campaign", "", clock.now())
        self._requester, self._agent = (people.actor(self.desk, login) for login in ("ra1", "g1"))

    def create(self, count: int, urgency: str = SHORT) -> list[str]:
        """So many new incidents; their numbers."""
        made: list[str] = []
        for first in range(0, count, AT_ONCE):
            made += self.desk.database.retrying(partial(self._create, min(AT_ONCE, count - first), urgency))
        return made

    def hand_over(self, number: str) -> None:
        """Give a ticket to those who can then pause it."""
        self._fire(number, "assign", group="network")

    def pause(self, number: str) -> None:
        """Let it wait, and its clocks with it."""
        self._fire(number, "hold", pending_reason="vendor")

    def resume(self, number: str) -> None:
        """Let it go on."""
        self._fire(number, "resume")

    def owed(self, ahead: timedelta = timedelta()) -> int:
        """How many clocks have a threshold to be answered by now, or so far `ahead`."""
        return self.owed_by(self.clock.now() + ahead)

    def owed_by(self, instant: datetime) -> int:
        """How many clocks have a threshold to be answered that was reached by an instant."""
        with self.desk.database.session(write=False) as session:
            return int(session.one(_OWED, until=instant).n)

    def wait_until_answered(self, seconds: float, ahead: timedelta = timedelta()) -> float:
        """Wait until nothing is owed; how long it took, or `inf` when it has not come to that in so many seconds."""
        begun = time.monotonic()
        while self.owed(ahead):
            if time.monotonic() - begun > seconds:
                return float("inf")
            time.sleep(0.05)
        return time.monotonic() - begun

    def _create(self, count: int, urgency: str) -> list[str]:
        with self.desk.transaction(self._requester, Channel.API) as tx:
            made = [opening.create(tx, NewTicket("incident", "Screen", "Black.", {"urgency": urgency})) for _ in range(count)]
        return [record.number for record in made]

    def _fire(self, number: str, trigger: str, **fields: Any) -> None:
        def command() -> None:
            with self.desk.transaction(self._agent, Channel.API) as tx:
                commands.transition(tx, number, trigger, fields, None, None)

        self.desk.database.retrying(command)


@dataclass
class Member:
    """One clock process, the hands that it reads, and the file it touches when it has begun."""

    process: subprocess.Popen[bytes]
    hands: Hands
    ready: Path
    log: Path

    @property
    def is_ready(self) -> bool:
        """Whether its clock runs. Raises `RuntimeError` when it has ended before that."""
        if not self.ready.exists() and self.is_dead:
            raise RuntimeError(f"a clock process did not start: {self.log.read_text(errors='replace')[-2000:]}")
        return self.ready.exists()

    @property
    def is_dead(self) -> bool:
        return self.process.poll() is not None

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still, by SIGSTOP."""
        try:
            return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


@dataclass
class Fleet:
    """The clock processes over one database, and the journal of their deaths."""

    database: Database
    home: Path
    lease: timedelta = LEASE
    seed: int = 1
    members: list[Member] = field(default_factory=list)
    _started: int = 0

    @property
    def journal(self) -> Path:
        return self.home / "fates.journal"

    def start(self, hands: Hands | None = None) -> Member:
        """Start one; it runs once it `is_ready`. Without hands of its own it goes by the machine's."""
        self._started += 1
        hands = hands or Hands(self.home / "machine.hands")
        ready, log = (self.home / f"clock-{self._started}.{what}" for what in ("ready", "log"))
        options: dict[str, object] = {
            "hands": hands.path,
            "journal": self.journal,
            "ready": ready,
            "lease": self.lease.total_seconds(),
            "point": POINTS[(self.seed + self._started) % len(POINTS)],
        }
        told = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        environment = Site(self.database.url, self.home).environment()
        command = [sys.executable, "-m", "benchmarks.clocks.process", *told]
        with log.open("ab") as output:
            process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=output)
        self.members.append(Member(process, hands, ready, log))
        return self.members[-1]

    def start_all(self, hands: Sequence[Hands | None]) -> None:
        """Start one for each of these hands, and wait until they run."""
        for each in hands:
            self.start(each)
        self._wait()

    def replace(self, member: Member) -> Member:
        """Start another in the place of one that is dead."""
        self.members.remove(member)
        return self.start(member.hands)

    def replace_all(self) -> None:
        """Start others in the places of all, which are dead or dying, and wait until they run."""
        for member in list(self.members):
            member.process.wait()
            self.replace(member)
        self._wait()

    def end(self) -> None:
        """End every process, the stopped ones too."""
        for member in self.members:
            if not member.is_dead:
                member.send(signal.SIGCONT)
                member.send(signal.SIGTERM)
        for member in self.members:
            try:
                member.process.wait(15)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()

    def _wait(self) -> None:
        if not wait_for(lambda: all(member.is_ready for member in self.members), READY_SECONDS):
            raise RuntimeError(f"the clocks do not run after {READY_SECONDS:.0f} s")

    def fates(self) -> list[dict[str, Any]]:
        """What the processes wrote down before they died or stopped, and when they woke."""
        return [orjson.loads(line) for line in self.journal.read_bytes().splitlines()] if self.journal.exists() else []

    def held_until(self, member: Member) -> datetime:
        """The latest instant at which something was due that a stopped member held when it stopped."""
        stops = [fate for fate in self.fates() if fate["what"] == "stop" and fate["pid"] == member.process.pid]
        return from_micros(max(due for *_, due in stops[-1]["held"]))

    def has_woken(self, member: Member) -> bool:
        """Whether a member has come to the end of what it held when it last stopped."""
        mine = [fate["what"] for fate in self.fates() if fate["pid"] == member.process.pid]
        return mine.count("woke") == mine.count("stop")

    def said(self, words: str) -> int:
        """How many of the processes have said this in their logs."""
        return sum(words in path.read_text(errors="replace") for path in self.home.glob("clock-*.log"))


@contextmanager
def fleet(database: Database, home: Path, lease: timedelta, seed: int) -> Iterator[Fleet]:
    """A fleet that leaves no process behind."""
    found = Fleet(database, home, lease, seed)
    try:
        yield found
    finally:
        found.end()


class Stream(threading.Thread):
    """Makes tickets at a pace until it is told to stop."""

    def __init__(self, office: Office, each_second: float, urgency: str = SHORT) -> None:
        super().__init__(daemon=True)
        self.made: list[str] = []
        self.failed: list[str] = []
        self._office, self._pace, self._urgency = office, each_second, urgency
        self._stopped = threading.Event()

    def run(self) -> None:
        begun = time.monotonic()
        while not self._stopped.is_set():
            wanted = int((time.monotonic() - begun) * self._pace) + 1
            if wanted > len(self.made):
                try:
                    self.made += self._office.create(wanted - len(self.made), self._urgency)
                except DeskError as error:
                    self.failed.append(error.code)
            self._stopped.wait(0.25)

    def stop(self) -> None:
        """Make no more."""
        self._stopped.set()
        self.join()


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; whether it came to that in so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def shuffled(dice: random.Random, **counts: int) -> Sequence[str]:
    """So many of each, in an order drawn by the dice."""
    every = [what for what, count in counts.items() for _ in range(count)]
    dice.shuffle(every)
    return every
