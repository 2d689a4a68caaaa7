"""Opening hours on paper: intervals of one local day, and the arithmetic of sets of them.

An interval counts seconds of wall-clock reading from the midnight at which its date begins; it is half-open, and one that
passes midnight ends beyond 24:00 (docs/working-time.md, rule 1). No time zone is known here, so nothing here knows of changing
clocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from itsm.platform.errors import DeskError, Kind

DAY: Final = 86_400
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")


class IntervalError(DeskError):
    """Opening hours or weekdays that cannot be read: `text` as written, `why` as a sentence, `hint` as a mend."""

    def __init__(self, text: str, why: str, hint: str) -> None:
        super().__init__(Kind.INVALID, "invalid_interval", f"“{text[:60]}” {why}. {hint}")
        self.text = text
        self.why = why
        self.hint = hint


class Interval(NamedTuple):
    """The readings `open ≤ r < close`, in seconds from the midnight that begins the date; `close` may be up to 48 hours."""

    open: int
    close: int

    @property
    def length(self) -> int:
        """Seconds on a day on which no clock changes."""
        return self.close - self.open

    def __str__(self) -> str:
        return f"{_clock(self.open)}-{_clock(self.close if self.close <= DAY else self.close - DAY)}"

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Reads `08:00-12:00`, `22:00-06:00` (past midnight) or `00:00-24:00`. Raises `IntervalError`."""
        opening, dash, closing = text.replace(" ", "").partition("-")
        if not dash:
            raise IntervalError(text, "is not an interval", "Write one as “08:00-12:00”.")
        return cls.between(opening, closing)

    @classmethod
    def between(cls, opening: str, closing: str) -> Interval:
        """The interval between two times of day; one that closes before it opens passes midnight. Raises `IntervalError`."""
        text = f"{opening}-{closing}"
        first, last = _seconds(opening, text), _seconds(closing, text)
        if first == DAY:
            raise IntervalError(text, "opens at the end of the day", "An interval opens from 00:00 to 23:59.")
        if first == last:
            raise IntervalError(text, "has no length", "A whole day is “00:00-24:00”; a day without hours has none: [].")
        return cls(first, last if last > first else last + DAY)


Day = tuple[Interval, ...]
"""What is open on one date, in order of opening."""

Week = tuple[Day, ...]
"""What is open on each weekday, Monday first."""


def weekdays(text: str) -> tuple[int, ...]:
    """The weekdays (0 is Monday) of `mon`, `mon-thu`, `sat-mon` or `mon, wed`. Raises `IntervalError`."""
    days: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        for name in (first, last) if dash else (first,):
            if name not in WEEKDAYS:
                raise IntervalError(text, f"names “{name}”, which is no weekday", f"They are {' '.join(WEEKDAYS)}.")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.extend(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return tuple(days)


def week(hours: Mapping[str, Iterable[str]]) -> Week:
    """The week of `{"mon-thu": ["08:00-12:00", "12:30-17:00"], "fri": ["08:00-14:00"]}`. Raises `IntervalError`."""
    days: list[list[Interval]] = [[] for _ in WEEKDAYS]
    for names, texts in hours.items():
        for weekday in weekdays(names):
            days[weekday].extend(map(Interval.parse, texts))
    return tuple(tuple(sorted(day)) for day in days)


def overlap(day: Iterable[Interval]) -> tuple[Interval, Interval] | None:
    """Two intervals of one date that share a reading, if there are any."""
    ordered = sorted(day)
    return next(((one, other) for one, other in pairwise(ordered) if other.open < one.close), None)


def union(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same points in fewest half-open intervals, in order: what touches or overlaps becomes one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        elif start < end:
            merged.append((start, end))
    return merged


def minus(intervals: Sequence[tuple[int, int]], taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points of the first that are not in the second; both as `union` gives them."""
    left: list[tuple[int, int]] = []
    for start, end in intervals:
        for away, back in taken:
            if back <= start or away >= end:
                continue
            if start < away:
                left.append((start, away))
            start = back
        if start < end:
            left.append((start, end))
    return left


def _seconds(time: str, text: str) -> int:
    match = _TIME.fullmatch(time)
    hour, minute, second = (int(part or 0) for part in match.groups()) if match else (99, 0, 0)
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        raise IntervalError(
            text, f"has a time “{time}” that is on no clock", "Write times as “08:00”, from “00:00” to “24:00”."
        )
    return hour * 3600 + minute * 60 + second


def _clock(seconds: int) -> str:
    hour, rest = divmod(seconds, 3600)
    minute, second = divmod(rest, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}" if second else f"{hour:02d}:{minute:02d}"
