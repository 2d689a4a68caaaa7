"""The sweeper does what is due. It knows timers and handlers by kind, and nothing of tickets.

Any number of sweepers may run, in threads, processes and machines. `wakeup.py` calls `sweep` about once a second; a look that
finds nothing due costs one indexed statement.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, islice

from itsm.platform import timers
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.time import Clock
from itsm.platform.timers import TimerLost, TimerRow

BATCH = 100
"""Claimed at once, and done in one transaction where a kind allows it: enough that claiming and committing cost little per
timer, few enough that a batch is done well within its lease.
"""

SHORT_BATCH = 10
"""Done in one transaction on SQLite while others want to write, too, and cannot meanwhile: some 8 ms."""

LONE_BATCH = 40
"""Done in one transaction on SQLite while nobody else has been met there."""

BREATH_SECONDS = 0.003
"""Between two batches on SQLite, for those who wait to write: a backlog of hours must not shut the others out."""

LONE_BREATH_SECONDS = 0.001
"""The same while nobody has been met: time enough for the first to come in, and so to be noticed."""

Handler = Callable[[TimerRow], None]
"""Does a timer's work as one command, in one transaction of its own that calls `timers.take`."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a batch: how many were done, and those that are left to be done singly, in their order."""

    count: int
    left: Sequence[TimerRow]


BatchHandler = Callable[[Sequence[TimerRow]], Done]
"""Does the work of several timers of one kind in one transaction, taking each as a `Handler` does. What is lost is left out."""

_log = logging.getLogger(__name__)


class Sweeper:
    """Claims due timers and gives each to the handler of its kind, in due order.

    Those of a kind in `together` that follow upon each other are given to that handler at once; if it fails, each is done
    singly, so that one that cannot be done holds up nobody.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        batch: int = BATCH,
        lease: timedelta = timers.LEASE,
        together: Mapping[str, BatchHandler] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = handlers
        self._together = together or {}
        self._batch = batch
        self._lease = lease
        self._stopped = threading.Event()

    def sweep(self) -> int:
        """Work off all that is due by now, however much; how many were done here."""
        done = 0
        while not self._stopped.is_set() and self._something_is_due():
            claimed = self._claim(None)
            if not claimed:
                break  # what is due is in other hands, or backing off
            done += self._work_off(claimed)
        return done

    def sweep_ticket(self, ticket_id: int) -> int:
        """Work off what is due of one ticket, for a door that has just armed something for now; how many were done here.

        A database in trouble is no fault of the command that was committed already: it is left to the next sweep.
        """
        done = 0
        try:
            while claimed := self._claim(ticket_id):
                done += self._work_off(claimed)
        except DeskError as error:
            _log.warning("what is due of ticket %s is left to the next sweep: %s", ticket_id, error.detail)
        return done

    def stop(self) -> None:
        """Finish the timer at hand, give the others back, and claim no more. For good."""
        self._stopped.set()

    def _something_is_due(self) -> bool:
        with self._database.session(write=False) as session:
            first = timers.next_due(session)
        return first is not None and first <= self._clock.now()

    def _claim(self, ticket_id: int | None) -> list[TimerRow]:
        def claim() -> list[TimerRow]:
            with self._database.session() as session:
                return timers.claim(session, self._clock.now(), self._batch, self._lease, ticket_id)

        return self._database.retrying(claim)

    def _work_off(self, claimed: list[TimerRow]) -> int:
        """Do what was claimed, at least the first, until the lease runs out or we are stopped; give the rest back."""
        done, begun = 0, False
        waiting = deque(self._runs(claimed))
        lease_ends = time.monotonic() + self._lease.total_seconds()
        try:
            while waiting and not (begun and (self._stopped.is_set() or time.monotonic() > lease_ends)):
                run = waiting.popleft()
                if len(run) == 1:
                    begun = True
                    done += self._do(run[0])
                else:
                    result = self._do_together(run)
                    begun = begun or len(result.left) < len(run)
                    done += result.count
                    waiting.extendleft([timer] for timer in reversed(result.left))
        finally:
            if waiting:
                self._write(lambda: self._release(timer for run in waiting for timer in run))
        return done

    def _runs(self, claimed: list[TimerRow]) -> Iterator[list[TimerRow]]:
        """The timers as they are to be done: those of one kind that may be done together, and the others one by one."""
        for kind, run in groupby(claimed, key=lambda timer: timer.kind):
            most = self._most_together() if kind in self._together else 1
            while some := list(islice(run, most)):
                yield some

    def _most_together(self) -> int:
        if self._database.is_postgresql:
            return self._batch
        return SHORT_BATCH if self._database.is_crowded else LONE_BATCH

    def _do_together(self, run: list[TimerRow]) -> Done:
        """Run one batch. Whatever goes wrong, nothing of it was done, and each is left to be done singly."""
        handler = self._together[run[0].kind]
        if not self._database.is_postgresql:
            time.sleep(BREATH_SECONDS if self._database.is_crowded else LONE_BREATH_SECONDS)
        try:
            return self._database.retrying(lambda: handler(run))
        except Exception as error:  # noqa: BLE001  (the one at fault is found when it is done singly)
            _log.warning("%s timers of the kind %s are done singly: %s", len(run), run[0].kind, error)
            return Done(0, run)

    def _do(self, timer: TimerRow) -> bool:
        """Run one handler; whether its work was committed. Its faults become a back-off, never ours."""
        if timer.attempts > timers.MAX_ATTEMPTS:
            self._write(lambda: self._fail(timer, f"taken up {timer.attempts - 1} times without ever coming to an end"))
            return False
        try:
            handler = self._handlers[timer.kind]
            self._database.retrying(lambda: handler(timer))
        except TimerLost:
            return False
        except Exception as error:  # noqa: BLE001  (a handler may fail in any way; the sweep goes on)
            _log.warning("timer %s %s of ticket %s failed", timer.kind, timer.name, timer.ticket_id, exc_info=error)
            why = f"{type(error).__name__}: {error}"
            self._write(lambda: self._fail(timer, why))
            return False
        return True

    def _write(self, command: Callable[[], None]) -> None:
        self._database.retrying(command)

    def _release(self, unbegun: Iterable[TimerRow]) -> None:
        with self._database.session() as session:
            timers.release(session, unbegun)

    def _fail(self, timer: TimerRow, why: str) -> None:
        with self._database.session() as session:
            timers.fail(session, timer, self._clock.now(), why)
