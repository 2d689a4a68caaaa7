"""The one way to ask the time, and the one form in which instants are kept.

Instants are aware datetimes in UTC to the microsecond; in the database they are whole microseconds since 1970, so that both
databases order, compare and hash them alike. No other module calls `datetime.now()`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Something that knows what time it is."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=time.time_ns() // 1000)


class FrozenClock:
    """A clock that stands still until it is told to move; for tests, seeding and replay."""

    def __init__(self, at: datetime) -> None:
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the hands by `by`, forwards or backwards."""
        self._now += by

    def set(self, at: datetime) -> None:
        """Put the hands at `at`."""
        self._now = at.astimezone(UTC)


def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant. Raises `ValueError` for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (instant - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant, in UTC, that `to_micros` made `micros` of."""
    return EPOCH + timedelta(microseconds=micros)


def rfc3339(instant: datetime) -> str:
    """The instant as RFC 3339 writes it, in UTC, with `Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
