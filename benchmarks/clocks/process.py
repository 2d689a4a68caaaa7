"""A clock process of a campaign: the product's own desk, sweeper and wake-up, on a clock that can be put, with a fate.

SIGUSR1 dooms it: it kills itself (SIGKILL) at its next claim, at the point that it was told: when it has claimed and not begun,
in the middle of the work, right before the commit, or right after. SIGUSR2 has it stop (SIGSTOP) with a fresh claim in hand; it
goes on, as if nothing had been, when somebody continues it. Before either it writes down what it held.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson

from benchmarks.clocks.hands import Hands, ShiftedClock
from itsm import app
from itsm.cli.serving import start_clock
from itsm.platform.database import Database
from itsm.platform.settings import from_environment
from itsm.platform.skew import ReferenceClock
from itsm.platform.sweeper import BatchHandler, Done, Handler, Sweeper
from itsm.platform.time import to_micros
from itsm.platform.timers import TimerRow
from itsm.sla import handlers as clocks
from itsm.sla.keeping import Keeper
from itsm.tickets import due
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.records import Record

IMPATIENCE_SECONDS = 0.1
"""How often a process whose fate is sealed looks for work: of two that look each second, the later may never find any."""

POINTS = CLAIMED, MIDWAY, BEFORE_COMMIT, COMMITTED = ("claimed", "midway", "before the commit", "committed")
Result = TypeVar("Result")


@dataclass
class Fate:
    """What is to become of this process at its next claim, and where it writes down what it held then."""

    desk: Desk
    journal: Path
    destined: str
    doomed: threading.Event = field(default_factory=threading.Event)
    to_stop: threading.Event = field(default_factory=threading.Event)
    dying: threading.Lock = field(default_factory=threading.Lock)
    point: str | None = None
    claimed: Sequence[TimerRow] = ()

    @property
    def is_sealed(self) -> bool:
        """Whether it is told to die or to stop, and has had no claim since."""
        return self.doomed.is_set() or self.to_stop.is_set()

    def meet(self, work: Callable[[], Result]) -> Result:
        """Do the work of a claim, if fate lets us."""
        if self.to_stop.is_set():
            self.to_stop.clear()
            self.write("stop", CLAIMED)
            with self.desk.database._taking_turns(write=True):  # no thread of ours sleeps with SQLite's one write in its hands
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to the process, it may reach this thread too late
            return self.wake(work)
        if self.doomed.is_set():
            self.point = self.destined
        self.die_if(CLAIMED)
        result = work()
        if self.point is not None:  # the work may have had no point in its middle
            self.point = COMMITTED
            self.die_if(COMMITTED)
        return result

    def wake(self, work: Callable[[], Result]) -> Result:
        """Go on with the work of a claim that may long be another's, and write down how much of it was still to be done."""
        done = 0
        try:
            result = work()
            done = result.count if isinstance(result, Done) else 1
            return result
        finally:  # what was lost is told by an exception where it is one timer, and by the count where there are several
            self.write("woke", str(done))

    def observe(self, tx: Tx, _record: Record) -> None:
        """What runs while the work is under way: at the saving of each ticket."""
        self.die_if(MIDWAY)
        if self.point == BEFORE_COMMIT and not any(self.before_commit == each for each in tx.at_end):
            tx.at_end.append(self.before_commit)

    def before_commit(self, _tx: Tx) -> None:
        """What runs last in the transaction."""
        self.die_if(BEFORE_COMMIT)

    def die_if(self, point: str) -> None:
        """Die, if this is the point."""
        if self.point == point:
            self.dying.acquire()  # for good: a second thread that is at this point at the same time does not die a second time
            self.write("kill", point)
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, what: str, point: str) -> None:
        """A line of the journal, on the disk when this returns: with the whole claim, not only what of it is at hand."""
        held = [[row.ticket_id, row.name, row.cycle, to_micros(row.due_at)] for row in self.claimed]
        line = {"what": what, "pid": os.getpid(), "point": point, "at": to_micros(self.desk.clock.now()), "held": held}
        file = os.open(self.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, orjson.dumps(line) + b"\n")
        os.fsync(file)
        os.close(file)


class Watched(Sweeper):
    """A sweeper that shows fate what it has claimed, and sweeps once at a time: who stops holds no other claim, and no lock."""

    def __init__(self, fate: Fate, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._fate = fate
        self._one = threading.Lock()

    def sweep(self) -> int:
        with self._one:
            return super().sweep()

    def _claim(self, ticket_id: int | None) -> list[TimerRow]:
        self._fate.claimed = super()._claim(ticket_id)
        return list(self._fate.claimed)


def fated(service: app.Service, fate: Fate, lease: timedelta) -> app.Service:
    """The service with a sweeper whose work on clocks is in the hands of fate."""
    desk = service.desk
    keeper = desk.part(Keeper)

    def singly(handler: Handler) -> Handler:
        return lambda row: fate.meet(lambda: handler(row))

    def together(handler: BatchHandler) -> BatchHandler:
        return lambda rows: fate.meet(lambda: handler(rows))

    one = {kind: singly(each) for kind, each in clocks.handlers(desk, keeper).items()}
    many = {kind: together(each) for kind, each in clocks.together(desk, keeper).items()}
    sweeper = Watched(fate, desk.database, desk.clock, {**due.handlers(desk), **one}, lease=lease, together=many)
    desk.observers = (*desk.observers, fate.observe)
    desk.run_followup = sweeper.sweep_ticket
    return replace(service, sweeper=sweeper)


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("hands", "journal", "ready"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    arguments.add_argument("--lease", type=float, required=True)
    arguments.add_argument("--point", choices=POINTS, required=True)
    told = arguments.parse_args()
    settings = from_environment()
    database = Database(settings.database_url)
    built = app.build(settings, ReferenceClock(database, ShiftedClock(Hands(told.hands))), database=database)
    fate = Fate(built.desk, told.journal, told.point)
    service = fated(built, fate, timedelta(seconds=told.lease))
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGUSR1, lambda *_: fate.doomed.set())
    signal.signal(signal.SIGUSR2, lambda *_: fate.to_stop.set())
    wakeup = start_clock(service)
    told.ready.touch()
    while not stopped.wait(IMPATIENCE_SECONDS):
        if fate.is_sealed:
            service.sweeper.sweep()
    service.sweeper.stop()
    wakeup.stop()


if __name__ == "__main__":
    main()
