"""Working time laid out on the line of instants: sorted segments with running totals, searched by bisection.

All numbers are whole microseconds, instants since 1970 in UTC; nothing is rounded. The line is laid out a year at a time when
somebody first asks about that year, and never beyond the limits of what its maker knows: there it refuses. What is laid out
is an immutable `_Table` that is swapped in whole, so readers in other threads need no lock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import accumulate
from threading import Lock
from typing import NamedTuple

from itsm.platform.errors import DeskError, Kind
from itsm.worktime.layout import Segments, from_micros, to_micros


class BeyondCalendarError(DeskError):
    """An instant, or the end of a promise, outside the years a calendar knows: from `first` to `last`, in microseconds."""

    def __init__(self, first: int, last: int) -> None:
        known = " to ".join(f"{from_micros(limit):%Y-%m-%d}" for limit in (first, last))
        detail = f"This leads out of the time the calendar knows, which is from {known}."
        super().__init__(Kind.INVALID, "beyond_calendar", detail)
        self.first = first
        self.last = last


class _Table(NamedTuple):
    """The segments from `first` to `last`, with the working time from `first` up to the start and up to the end of each."""

    first: int
    last: int
    starts: list[int]
    ends: list[int]
    before: list[int]
    after: list[int]

    @classmethod
    def of(cls, first: int, last: int, segments: Segments) -> _Table:
        after = list(accumulate(end - start for start, end in segments))
        return cls(first, last, [start for start, _ in segments], [end for _, end in segments], [0, *after[:-1]], after)

    def position(self, instant: int) -> int:
        """The working time from `first` to an instant of this table."""
        index = bisect_right(self.starts, instant) - 1
        if index < 0:
            return 0
        end = self.ends[index]
        return self.before[index] + (instant if instant < end else end) - self.starts[index]


class Timeline:
    """The working time between two limits. `lay(first, last)` gives the segments of a stretch; it is asked once for each."""

    __slots__ = ("_blocks", "_first", "_last", "_lay", "_lock", "_table")

    def __init__(self, first: int, last: int, lay: Callable[[int, int], Segments]) -> None:
        self._first = first
        self._last = last
        self._lay = lay
        self._lock = Lock()
        self._blocks: dict[int, Segments] = {}
        self._table = _Table.of(first, first - 1, [])  # covers nothing, not even an instant

    def elapsed(self, a: int, b: int) -> int:
        """The working time from a to b; negative if b is earlier. Raises `BeyondCalendarError`."""
        table = self._table
        if not (table.first <= a <= table.last and table.first <= b <= table.last):
            table = self._covering(min(a, b), max(a, b))
        return table.position(b) - table.position(a)

    def add(self, a: int, length: int) -> int:
        """The earliest instant, not before a, up to which `length` of working time has passed.

        For a negative length the latest instant, not after a, from which it has. Zero gives a. Raises `BeyondCalendarError`.
        """
        table = self._covering(a, a)
        if length == 0:
            return a
        target = table.position(a) + length
        while not 0 <= target <= (table.after[-1] if table.after else 0):
            table = self._wider(table, forwards=length > 0)
            target = table.position(a) + length
        index = bisect_left(table.after, target) if length > 0 else bisect_right(table.before, target) - 1
        return table.starts[index] + target - table.before[index]

    def opening(self, instant: int) -> int:
        """The instant itself if it is working time, else the next that is. Raises `BeyondCalendarError`."""
        table = self._covering(instant, instant + 1)
        while (index := bisect_right(table.ends, instant)) == len(table.ends):
            table = self._wider(table, forwards=True)
        return max(instant, table.starts[index])

    def closing(self, instant: int) -> int:
        """The last closing at or before an instant. Raises `BeyondCalendarError`."""
        table = self._covering(instant, instant + 1)
        while (index := bisect_right(table.ends, instant) - 1) < 0:
            table = self._wider(table, forwards=False)
        return table.ends[index]

    def segments(self, a: int, b: int) -> Segments:
        """The segments between two instants, cut off where they begin earlier or end later. Raises `BeyondCalendarError`."""
        table = self._covering(a, max(a, b))
        low, high = bisect_right(table.ends, a), bisect_left(table.starts, b)
        return [(max(table.starts[place], a), min(table.ends[place], b)) for place in range(low, high)]

    def is_working(self, instant: int) -> bool:
        """Whether the instant lies in a segment. Raises `BeyondCalendarError`."""
        table = self._covering(instant, instant + 1)
        index = bisect_right(table.starts, instant) - 1
        return index >= 0 and instant < table.ends[index]

    def _covering(self, low: int, high: int) -> _Table:
        table = self._table
        if table.first <= low and high <= table.last:
            return table
        if low < self._first or high > self._last:
            raise BeyondCalendarError(self._first, self._last)
        with self._lock:
            table = self._table
            if table.last < table.first:
                return self._relay(_year(low), _year(high))
            return self._relay(min(_year(low), _year(table.first)), max(_year(high), _year(table.last - 1)))

    def _wider(self, table: _Table, *, forwards: bool) -> _Table:
        """A table about twice as wide, so that a far target costs no more than it is far."""
        if (table.last >= self._last) if forwards else (table.first <= self._first):
            raise BeyondCalendarError(self._first, self._last)
        with self._lock:
            first, last = _year(min(table.first, self._table.first)), _year(max(table.last, self._table.last) - 1)
            more = last - first + 1
            if forwards:
                return self._relay(first, min(last + more, _year(self._last - 1)))
            return self._relay(max(first - more, _year(self._first)), last)

    def _relay(self, first_year: int, last_year: int) -> _Table:
        """Lays out these years, keeping those that were. The caller holds the lock."""
        blocks = []
        for year in range(first_year, last_year + 1):
            if year not in self._blocks:
                self._blocks[year] = self._lay(max(_begin(year), self._first), min(_begin(year + 1), self._last))
            blocks.append(self._blocks[year])
        first, last = max(_begin(first_year), self._first), min(_begin(last_year + 1), self._last)
        self._table = _Table.of(first, last, _joined(blocks))
        return self._table


def _joined(blocks: Iterable[Segments]) -> Segments:
    """Consecutive blocks as one; what touches at a seam becomes one segment."""
    joined: Segments = []
    for block in blocks:
        if joined and block and joined[-1][1] == block[0][0]:
            joined[-1] = (joined[-1][0], block[0][1])
            joined.extend(block[1:])
        else:
            joined.extend(block)
    return joined


def _year(instant: int) -> int:
    return from_micros(instant).year


def _begin(year: int) -> int:
    return to_micros(datetime(year, 1, 1, tzinfo=UTC))
