"""Whose clock counts: the database server's, for it is the one clock that all processes and machines of a desk share.

Each process compares its own clock with the server's every few seconds and works by the difference, so that machines whose
clocks stand apart agree on what is due and whose lease has ended. Between two comparisons time goes on as the machine's own
steady clock measures it: a wall clock that is put forward or back in the meantime changes nothing. With SQLite the machine's
clock is the only one there is, and is taken as it is.

The correction is Cristian's: the server's reading is taken as that of the middle of the round trip (F. Cristian, "Probabilistic
clock synchronization", 1989), and the shortest of a few round trips is believed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import Instant
from itsm.platform.time import Clock

EVERY: Final = timedelta(seconds=10)
"""How often a process compares."""

ALARM: Final = timedelta(seconds=5)
"""The difference from which on somebody should see to the machine's clock."""

JITTER: Final = timedelta(milliseconds=20)
"""A change of the difference that is not followed: it says more about the network than about clocks."""

JUMP: Final = timedelta(seconds=1)
"""How far wall clock and steady clock may drift apart between two comparisons before the wall clock counts as put."""

_TRIES: Final = 3
_SERVER: Final = Prepared(
    sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now").columns(sa.column("now", Instant))
)
_log = logging.getLogger(__name__)


def steady() -> float:
    """Seconds on a clock that nobody puts, and that goes on while the machine sleeps, where there is one that does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One look at both clocks: our wall clock and steady clock at that moment, and how far the server was ahead of us."""

    wall: datetime
    steady: float
    offset: timedelta


class ReferenceClock:
    """The database server's time, told by this machine's clock and what it was off by when last compared."""

    def __init__(self, database: Database, clock: Clock, ticks: Callable[[], float] = steady) -> None:
        self._database = database
        self._clock = clock
        self._ticks = ticks
        self._last = _Comparison(clock.now(), ticks(), timedelta())
        self._is_alarmed = False

    def now(self) -> datetime:
        """The present instant by the server's clock, aware, in UTC."""
        wall = self._clock.now()
        if not self._database.is_postgresql:
            return wall
        last = self._last
        passed = timedelta(seconds=self._ticks() - last.steady)
        if abs(wall - last.wall - passed) > JUMP:
            wall = last.wall + passed
        return wall + last.offset

    @property
    def offset(self) -> timedelta:
        """How far the server's clock is ahead of this machine's, as last compared; zero with SQLite."""
        return self._last.offset

    def compare(self) -> timedelta:
        """Compare with the server's clock, and work by the difference from now on; the difference.

        Raises `DeskError` when the database is not there; then what was found before goes on to hold.
        """
        if self._database.is_postgresql:
            self._last = self._followed(self._look())
            self._tell()
        return self.offset

    def _look(self) -> _Comparison:
        """The comparison with the shortest round trip."""
        found: list[tuple[float, _Comparison]] = []
        with self._database.session(write=False) as session:
            session.one(_SERVER)  # the first also begins the transaction
            for _ in range(_TRIES):
                began, wall = self._ticks(), self._clock.now()
                server = session.one(_SERVER).now
                trip = self._ticks() - began
                found.append((trip, _Comparison(wall, began, server - wall - timedelta(seconds=trip / 2))))
        return min(found, key=lambda one: one[0])[1]

    def _followed(self, found: _Comparison) -> _Comparison:
        """What was found, with the old difference if only the network has moved."""
        settled = abs(found.offset - self.offset) <= JITTER
        return _Comparison(found.wall, found.steady, self.offset if settled else found.offset)

    def _tell(self) -> None:
        is_off = abs(self.offset) > ALARM
        if is_off and not self._is_alarmed:
            _log.warning("%s The desk works by the database's.", told(self.offset))
        self._is_alarmed = is_off


def told(offset: timedelta) -> str:
    """A difference in words."""
    seconds = abs(offset).total_seconds()
    return f"This machine's clock is {seconds:.1f} s {'behind' if offset > timedelta() else 'ahead of'} the database server's."


def refuse_unless_near(reference: ReferenceClock) -> None:
    """Raises `DeskError` (`clock_is_off`) when the clocks are further apart than `ALARM`, or when they cannot be compared."""
    offset = reference.compare()
    if abs(offset) > ALARM:
        raise DeskError(Kind.SETUP, "clock_is_off", told(offset))
