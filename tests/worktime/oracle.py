"""A slow and obviously right calendar, to hold the fast one against. It shares no code with it.

Every minute of a window is asked the question of docs/working-time.md, rule 1, literally: what does the clock on the wall
read, and does that reading lie in one of that date's intervals? The answers are counted one by one. This is exact to the
microsecond because hours and clock changes fall on whole minutes, as they do in every zone since 1973; so within a minute the
answer is one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Hours = list[tuple[str, str]]


@dataclass
class Plan:
    """A calendar as plain data: hours by weekday (0 is Monday), and by date."""

    zone: str
    weekly: dict[int, Hours]
    holidays: set[date] = field(default_factory=set)
    exceptions: dict[date, Hours] = field(default_factory=dict)

    def hours(self, day: date) -> Hours:
        if day in self.exceptions:
            return self.exceptions[day]
        if day in self.holidays:
            return []
        return self.weekly.get(day.weekday(), [])

    def opened_on(self, reading: datetime) -> list[date]:
        """Rule 1, for one reading of the wall clock: the dates to whose hours it belongs. None of them: not working time."""
        time, today = reading.isoformat()[11:16], reading.date()
        yesterday, dates = today - timedelta(days=1), []
        for opens, closes in self.hours(today):
            if opens < closes and opens <= time < closes:
                dates.append(today)  # within one day; "24:00" sorts after every time of day
            if closes < opens and opens <= time:
                dates.append(today)  # the evening of an interval that passes midnight
        for opens, closes in self.hours(yesterday):
            if closes < opens and time < closes:
                dates.append(yesterday)  # the morning of one
        return dates


class Oracle:
    """The working time of a plan in a window of whole minutes. Instants and lengths are microseconds, as the calendar's are."""

    def __init__(self, plan: Plan, first: datetime, minutes: int) -> None:
        zone = ZoneInfo(plan.zone)
        self.first = (first - EPOCH) // MICROSECOND
        self.last = self.first + minutes * MINUTE
        self.working = bytearray(minutes)
        self.closings: dict[date, int] = {}
        for minute in range(minutes):
            for opened in plan.opened_on((first + timedelta(minutes=minute)).astimezone(zone)):
                self.working[minute] = True
                self.closings[opened] = self._begin(minute + 1)  # the last of its minutes stays

    def is_working(self, instant: int) -> bool:
        return bool(self.working[self._minute(instant)])

    def elapsed(self, a: int, b: int) -> int:
        if b < a:
            return -self.elapsed(b, a)
        first, last = self._minute(a), self._minute(b)
        whole = MINUTE * self.working.count(1, first, last)  # the minutes before that of b, that of a taken whole …
        before_a = (a - self._begin(first)) * self.working[first]  # … less its part before a …
        within_b = (b - self._begin(last)) * self.working[last] if b > self._begin(last) else 0  # … and that of b up to b
        return whole - before_a + within_b

    def add(self, a: int, length: int) -> int | None:
        """Walks from one run of working minutes to the next until the length is used up; None if the window ends first."""
        if length < 0:
            return self._back(a, -length)
        here = a
        while length:
            index = self.working.find(1, self._minute(here))
            if index < 0:
                return None
            stop = self.working.find(0, index)
            begin, end = max(here, self._begin(index)), self._begin(stop) if stop >= 0 else self.last
            here = min(end, begin + length)
            length -= here - begin
        return here

    def _back(self, a: int, length: int) -> int | None:
        here = a
        while length:
            index = self.working.rfind(1, 0, self._minute(here - 1) + 1)
            if index < 0:
                return None
            begin, end = self._begin(self.working.rfind(0, 0, index) + 1), min(here, self._begin(index + 1))
            here = max(begin, end - length)
            length -= end - here
        return here

    def end_of_day(self, a: int) -> int | None:
        """The closing of the first date that has not closed at a; None near the end of the window, where a date is cut off."""
        due = [closing for _, closing in sorted(self.closings.items()) if closing > a]
        return due[0] if due and due[0] < self.last - 2 * 1440 * MINUTE else None

    def _minute(self, instant: int) -> int:
        return (instant - self.first) // MINUTE

    def _begin(self, index: int) -> int:
        return self.first + index * MINUTE


def a_plan(dice: random.Random, zone: str, around: date) -> Plan:
    """Hours such as desks have, and such as only a test has: split days, nights, gaps, whole days, odd minutes."""
    kind = dice.choice(["office", "split", "night", "round the clock", "odd", "odd", "late"])
    weekly: dict[int, Hours] = {}
    for weekday in range(7):
        if kind == "office" and weekday < 5:
            weekly[weekday] = [("09:00", "17:00")]
        elif kind == "split" and weekday < 6:
            weekly[weekday] = [("08:00", "12:00"), ("12:30", "17:00")]
        elif kind == "night":
            weekly[weekday] = [("22:00", "06:00")]
        elif kind == "round the clock":
            weekly[weekday] = [("00:00", "24:00")]
        elif kind == "late":
            weekly[weekday] = [("00:00", "03:30"), ("14:00", "24:00")]
        elif kind == "odd" and dice.random() < 0.8:
            weekly[weekday] = some_hours(dice)
    days = [around + timedelta(days=dice.randint(-3, 3)) for _ in range(4)]
    return Plan(zone, weekly, set(days[:2]), {day: some_hours(dice) if dice.random() < 0.7 else [] for day in days[1:4]})


def some_hours(dice: random.Random) -> Hours:
    """Up to three intervals that do not overlap; the last one may pass midnight."""
    grain = dice.choice([1, 5, 15, 30])
    times = sorted(dice.sample(range(0, 1440, grain), 2 * dice.randint(1, 3)))
    hours = [(_time(a), _time(b)) for a, b in zip(times[::2], times[1::2], strict=True)]
    if dice.random() < 0.3:
        opens = hours.pop()[0]
        hours.append((opens, _time(dice.randrange(0, times[0] + 1, grain)) if dice.random() < 0.6 else "24:00"))
        hours = [(opens, "24:00" if closes == opens else closes) for opens, closes in hours]
    return hours


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
