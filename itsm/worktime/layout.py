"""From opening hours on paper to stretches of real time: the one place where wall-clock readings become instants.

The definition (docs/working-time.md, rule 1) is about readings: an instant is working time if its local reading lies in one of
that date's intervals. Within a stretch of one UTC offset, reading and instant differ by that offset and by nothing else, so
the intervals are carried over as they are. What a spring gap skips was never read; what an autumn overlap repeats is read
twice; a date that did not exist (Apia, 30 December 2011) has no readings of its own, and what its night shift left to the next
morning is read there.

Readings are seconds of wall clock since 1970-01-01 00:00; instants are microseconds since 1970 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

from itsm.worktime import zones
from itsm.worktime.intervals import DAY, Day, minus, union

Segments: TypeAlias = list[tuple[int, int]]
"""Half-open stretches of working time, in order and apart."""

SECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_ZERO: Final = date(1970, 1, 1).toordinal()


def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant. Raises `ValueError` for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant, in UTC, that `to_micros` made this of."""
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True)
class Layout:
    """The hours that open on each date and the breaks in them, as they fall in a zone."""

    zone: str
    hours: Callable[[date], Day]
    breaks: Callable[[date], Day]

    def segments(self, first: int, last: int) -> Segments:
        """The working time between two instants of one UTC year, each a whole second."""
        found: list[tuple[int, int]] = []
        for start, end, offset in zones.stretches(self.zone, from_micros(first).year):
            begin, until = max(start, first // SECOND) + offset, min(end, last // SECOND) + offset
            if begin < until:
                found.extend(_carried(self._open(begin, until), begin, until, offset))
        return union(found)

    def closing(self, day: date) -> int | None:
        """The instant at which the working time that opens on a date is over; None if there is none or none of it exists."""
        number = day.toordinal() - _DAY_ZERO
        hours = union(self._on(range(number, number + 1), self.hours))
        readings = minus(hours, union(self._on(range(number - 1, number + 2), self.breaks))) if hours else []
        if not readings:
            return None
        around = (readings[0][0] - DAY, readings[-1][1] + DAY)  # no offset is a day or more (PEP 615)
        ends = [
            end
            for year in {from_micros(second * SECOND).year for second in around}
            for start, stop, offset in zones.stretches(self.zone, year)
            for _, end in _carried(readings, start + offset, stop + offset, offset)
        ]
        return max(ends, default=None)

    def _open(self, first: int, last: int) -> list[tuple[int, int]]:
        """The readings from first to last, and some around them, that are working time."""
        days = range(first // DAY - 1, (last - 1) // DAY + 1)  # the day before, for a night shift that it opened
        return minus(union(self._on(days, self.hours)), union(self._on(days, self.breaks)))

    def _on(self, days: Iterable[int], hours: Callable[[date], Day]) -> Iterator[tuple[int, int]]:
        for number in days:
            midnight = number * DAY
            for opening, closing in hours(date.fromordinal(number + _DAY_ZERO)):
                yield midnight + opening, midnight + closing


def _carried(readings: Iterable[tuple[int, int]], first: int, last: int, offset: int) -> Iterator[tuple[int, int]]:
    """The instants of these readings, as far as they lie from first to last, where clocks are `offset` seconds ahead of UTC."""
    for opening, closing in readings:
        if opening < last and closing > first:
            yield (max(opening, first) - offset) * SECOND, (min(closing, last) - offset) * SECOND
