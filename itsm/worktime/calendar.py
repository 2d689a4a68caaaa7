"""When a team works, and the two questions everything else asks: how much working time lies between, and when is it used up?

A calendar is a frozen value that knows hours, holidays and exceptions. `layout.py` turns those into stretches of real time, by
the definition of docs/working-time.md, rule 1; `timeline.py` searches them. Nothing here asks what time it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from itsm.platform.errors import DeskError, Kind
from itsm.worktime import zones
from itsm.worktime.duration import Duration, in_hours
from itsm.worktime.holidays import Holidays, known_years
from itsm.worktime.intervals import DAY, Day, Interval, Week, union
from itsm.worktime.layout import Layout, from_micros, to_micros
from itsm.worktime.timeline import BeyondCalendarError, Timeline

_MICROSECOND: Final = timedelta(microseconds=1)
_FOREVER: Final = (Interval(0, DAY),)


class EmptyCalendarError(DeskError):
    """A calendar that never opens, asked for an instant of working time."""

    def __init__(self, name: str) -> None:
        detail = f"The calendar “{name}” has no working time, so nothing can ever fall due in it."
        super().__init__(Kind.SETUP, "empty_calendar", detail)


@dataclass(frozen=True)
class Calendar:
    """The working time of a team in its time zone. A frozen value; equal content, equal answers; safe to share among threads.

    `weekly` are the hours of the seven weekdays, Monday first. A date in `exceptions` has those hours and no others, a holiday
    has none, and what `breaks` names is closed on its date in any case. `standard` is the length of the day that “5 business
    days” counts in; by default that of most weekdays. Durations are exact to the microsecond. What leads beyond the years
    that the zone's and the holidays' sources know raises `BeyondCalendarError`; nothing is extrapolated.
    """

    name: str
    zone: str
    weekly: Week
    holidays: tuple[Holidays, ...] = ()
    exceptions: Mapping[date, Day] = field(default_factory=dict)
    breaks: Mapping[date, Day] = field(default_factory=dict)
    standard: timedelta | None = None

    def __post_init__(self) -> None:
        zones.zone(self.zone)
        if len(self.weekly) != 7:
            raise ValueError("a week has seven days")
        if self.standard is not None and self.standard <= timedelta():
            raise ValueError("a standard day has a length")
        for part in ("exceptions", "breaks"):  # frozen to the bottom: what was laid out must stay true
            object.__setattr__(self, part, MappingProxyType(dict(getattr(self, part))))

    def __hash__(self) -> int:
        return hash(self.digest)

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        """The working time from a to b; negative if b is earlier (rule 2). Raises `BeyondCalendarError`."""
        return timedelta(microseconds=self._timeline.elapsed(to_micros(a), to_micros(b)))

    def add(self, a: datetime, length: timedelta) -> datetime:
        """The earliest instant t ≥ a, in UTC, with `elapsed(a, t) == length`; mirrored for a negative length (rule 3).

        A budget that is used up exactly at closing time is due at closing time. `add(a, 0)` is a, in every calendar. Raises
        `EmptyCalendarError` and `BeyondCalendarError`.
        """
        return from_micros(self.add_micros(to_micros(a), length // _MICROSECOND))

    def elapsed_micros(self, a: int, b: int) -> int:
        """`elapsed` in whole microseconds since 1970, the form in which instants are stored."""
        return self._timeline.elapsed(a, b)

    def add_micros(self, a: int, length: int) -> int:
        """`add` in whole microseconds since 1970, the form in which instants are stored."""
        if length and self.is_empty:
            raise EmptyCalendarError(self.name)
        return self._timeline.add(a, length)

    def open_between(self, a: int, b: int) -> list[tuple[int, int]]:
        """The stretches of working time between two instants, in order and apart; all in whole microseconds since 1970."""
        return self._timeline.segments(a, b)

    def add_duration(self, a: datetime, duration: Duration) -> datetime:
        """When a duration that begins at a is over, in UTC: elapsed time runs on, business time only in this calendar.

        Raises `EmptyCalendarError` and `BeyondCalendarError`; elapsed time leads as far as the years 1 to 9999.
        """
        if duration.end_of_day:
            return self.end_of_business_day(a, duration.end_of_day)
        working = self.working_length(duration)
        if working is not None:
            return self.add(a, working)
        try:
            return a.astimezone(UTC) + duration.exact
        except OverflowError as error:
            raise BeyondCalendarError(*self._limits) from error

    def working_length(self, duration: Duration) -> timedelta | None:
        """The working time in a business duration, days counted as standard days (rule 9); None for the other kinds.

        Raises `EmptyCalendarError`.
        """
        if duration.exact or duration.end_of_day:
            return None
        self._refuse_empty()
        return duration.business_days * self.standard_day + duration.business

    def explain(self, duration: Duration) -> str:
        """One sentence that says how this calendar takes a duration: which of the forms of rule 9, and with what length."""
        if duration.exact:
            return f"{duration} of elapsed time, whether or not “{self.name}” is open."
        if duration.end_of_day:
            return f"{duration}: the closing time of “{self.name}” that comes {_nth(duration.end_of_day)} after the start."
        total = in_hours(self.working_length(duration) or timedelta())
        if not duration.business_days:
            return f"{duration}: {total} of the working time of “{self.name}”."
        day = f"{duration.business_days} × the standard day of {in_hours(self.standard_day)}"
        more = f" + {in_hours(duration.business)}" if duration.business else ""
        return f"{duration}: {day}{more} = {total} of the working time of “{self.name}”."

    @cached_property
    def standard_day(self) -> timedelta:
        """The length of a business day: as configured, else that of most weekdays with hours (the longest, if several tie).

        A calendar without weekly hours counts the dates in its exceptions instead.
        """
        if self.standard is not None:
            return self.standard
        days = self.weekly if any(self.weekly) else self.exceptions.values()
        lengths = Counter(sum(end - start for start, end in union(day)) for day in days if day)
        most = max(lengths, key=lambda length: (lengths[length], length), default=0)
        return timedelta(seconds=most)

    def hours(self, day: date) -> Day:
        """The intervals that open on a date, before breaks."""
        if day in self.exceptions:
            return self.exceptions[day]
        return () if self.holiday(day) is not None else self.weekly[day.weekday()]

    def holiday(self, day: date) -> str | None:
        """The name of the holiday on a date (possibly empty); None if it is none."""
        if day.year not in self.years:
            raise BeyondCalendarError(*self._limits)
        return next((found[day] for source in self.holidays if day in (found := source.on(day.year))), None)

    def is_working(self, instant: datetime) -> bool:
        """Whether an instant is working time (rule 1)."""
        return self._timeline.is_working(to_micros(instant))

    def next_opening(self, instant: datetime) -> datetime:
        """The instant itself if it is working time, else the next that is, in UTC."""
        self._refuse_empty()
        return from_micros(self._timeline.opening(to_micros(instant)))

    def previous_closing(self, instant: datetime) -> datetime:
        """The last closing time at or before an instant, in UTC."""
        self._refuse_empty()
        return from_micros(self._timeline.closing(to_micros(instant)))

    def end_of_business_day(self, a: datetime, count: int = 1) -> datetime:
        """The closing time of the count-th business day that has not closed at a, in UTC.

        A business day is a date on which working time begins; a night shift belongs to the date on which it opens. Raises
        `EmptyCalendarError` and `BeyondCalendarError`.
        """
        if count < 1:
            raise ValueError("the first business day is number 1")
        self._refuse_empty()
        start = self._known(a)
        day = zones.to_local(a, self.zone).date() - timedelta(days=1)
        while True:
            closes = self._layout.closing(day)
            if closes is not None and closes > start:
                count -= 1
                if count == 0:
                    return from_micros(closes)
            day += timedelta(days=1)

    def shift_days(self, a: datetime, days: int) -> datetime:
        """The same time of day so many business days later (or earlier), moved on (back) into working time, in UTC.

        This is how some desks count days; ours count them in standard days or to the end of a business day (rule 9). Raises
        `EmptyCalendarError` and `BeyondCalendarError`.
        """
        self._refuse_empty()
        self._known(a)
        local, step = zones.to_local(a, self.zone), timedelta(days=1 if days > 0 else -1)
        day = local.date()
        for _ in range(abs(days)):
            day += step
            while self._layout.closing(day) is None:
                day += step
        there = zones.to_instant(datetime.combine(day, local.time()), self.zone) if days else a.astimezone(UTC)
        if days == 0 or self.is_working(there):
            return there
        return self.next_opening(there) if days > 0 else self.previous_closing(there)

    @cached_property
    def is_empty(self) -> bool:
        """Whether it never opens."""
        return not any(self.weekly) and not any(self.exceptions.values())

    @property
    def tz_version(self) -> str:
        """The release of the IANA database that its zone's rules come from (rule 10)."""
        return zones.tz_version(self.zone)

    @cached_property
    def digest(self) -> str:
        """Names this exact content and the rules it rests on: to be kept with whatever was derived from it."""
        weekly = [_written(day) for day in self.weekly]
        dated = [sorted((str(day), _written(hours)) for day, hours in part.items()) for part in (self.exceptions, self.breaks)]
        parts = (self.zone, self.tz_version, weekly, [*map(str, self.holidays)], dated, str(self.standard_day))
        return sha256(repr(parts).encode()).hexdigest()

    @cached_property
    def years(self) -> range:
        """The years whose holidays are known; without any, if its sources have no year in common."""
        return known_years(self.holidays)

    @cached_property
    def _timeline(self) -> Timeline:
        first, last = self._limits
        return Timeline(first, last, self._layout.segments)

    @cached_property
    def _limits(self) -> tuple[int, int]:
        """The instants between which it can answer. The first day serves to know the night shift into the second."""
        first = zones.to_instant(datetime(self.years.start, 1, 2), self.zone)  # noqa: DTZ001 — a local reading
        last = zones.to_instant(datetime(self.years.stop, 1, 1), self.zone)  # noqa: DTZ001 — a local reading
        return to_micros(first), max(to_micros(first), to_micros(last))

    def _known(self, instant: datetime) -> int:
        """An instant about which it can answer, in microseconds; only about these do a zone's readings surely exist."""
        micros, (first, last) = to_micros(instant), self._limits
        if not first <= micros <= last:
            raise BeyondCalendarError(first, last)
        return micros

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.zone, self.hours, lambda day: self.breaks.get(day, ()))

    def _refuse_empty(self) -> None:
        if self.is_empty:
            raise EmptyCalendarError(self.name)


def _written(day: Day) -> str:
    return " ".join(map(str, day))


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"as number {number}")


@lru_cache(maxsize=1)
def always() -> Calendar:
    """The calendar that never closes: elapsed time, on any clock."""
    return Calendar("always", "UTC", (_FOREVER,) * 7)
