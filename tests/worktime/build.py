"""Calendars and instants, written as a reader would say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings

from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import Holidays, Listed
from itsm.worktime.intervals import Interval, week

OFFICE = {"mon-fri": ["09:00-17:00"]}
ALWAYS = {"mon-sun": ["00:00-24:00"]}
NIGHTS = {"mon-sun": ["22:00-06:00"]}

seeded = settings(derandomize=True, deadline=None)
"""The same cases in every run: a change that breaks a law is told from a day on which a law was broken."""


def a_calendar(
    zone: str = "Europe/Berlin",
    weekly: Mapping[str, Iterable[str]] = OFFICE,
    *,
    holidays: Iterable[str] = (),
    sources: Iterable[Holidays] = (),
    exceptions: Mapping[str, Iterable[str]] | None = None,
    breaks: Mapping[str, Iterable[str]] | None = None,
    standard: timedelta | None = None,
) -> Calendar:
    listed = (Listed.parse(holidays), *sources)
    return Calendar("office", zone, week(weekly), listed, _dated(exceptions), _dated(breaks), standard)


def _dated(hours: Mapping[str, Iterable[str]] | None) -> dict[date, tuple[Interval, ...]]:
    return {date.fromisoformat(day): tuple(sorted(map(Interval.parse, each))) for day, each in (hours or {}).items()}


def local(text: str, zone: str = "Europe/Berlin", *, second: bool = False) -> datetime:
    """The instant at which a wall clock reads this; the `second` time it does, if told so."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=second).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)
