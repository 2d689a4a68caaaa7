"""The sweeper does what is due. It knows timers and handlers by kind, and nothing of tickets.

Any number of sweepers may run, in threads, processes and machines. `wakeup.py` calls `sweep` about once a second; a look that
finds nothing due costs one indexed statement.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from itsm.platform import timers
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.time import Clock
from itsm.platform.timers import TimerLost, TimerRow

BATCH = 50
"""Claimed at once: enough that claiming costs little per timer, few enough that a batch is done well within its lease."""

Handler = Callable[[TimerRow], None]
"""Does a timer's work as one command, in one transaction of its own that calls `timers.take`."""

_log = logging.getLogger(__name__)


class Sweeper:
    """Claims due timers and gives each to the handler of its kind, in due order."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        batch: int = BATCH,
        lease: timedelta = timers.LEASE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = handlers
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
        done, begun = 0, 0
        lease_ends = time.monotonic() + self._lease.total_seconds()
        try:
            for timer in claimed:
                if begun and (self._stopped.is_set() or time.monotonic() > lease_ends):
                    break
                begun += 1
                done += self._do(timer)
        finally:
            if begun < len(claimed):
                self._write(lambda: self._release(claimed[begun:]))
        return done

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

    def _release(self, unbegun: list[TimerRow]) -> None:
        with self._database.session() as session:
            timers.release(session, unbegun)

    def _fail(self, timer: TimerRow, why: str) -> None:
        with self._database.session() as session:
            timers.fail(session, timer, self._clock.now(), why)
