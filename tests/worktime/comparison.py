"""The product's calendar and the oracle, asked the same."""

from __future__ import annotations

import random
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import Listed
from itsm.worktime.intervals import Interval
from itsm.worktime.layout import to_micros

from .oracle import EPOCH, MICROSECOND, MINUTE, Oracle, Plan

HOUR = 60 * MINUTE
ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
YEARS = range(2010, 2036)

NASTY = {
    "Berlin's spring gap": ("Europe/Berlin", "2026-03-29"),
    "Berlin's autumn overlap": ("Europe/Berlin", "2026-10-25"),
    "Lord Howe's gap of half an hour": ("Australia/Lord_Howe", "2026-10-04"),
    "Lord Howe's overlap of half an hour": ("Australia/Lord_Howe", "2026-04-05"),
    "the day that Apia skipped": ("Pacific/Apia", "2011-12-30"),
    "the day that Fakaofo skipped": ("Pacific/Fakaofo", "2011-12-30"),
    "Casablanca before Ramadan": ("Africa/Casablanca", "2026-02-15"),
    "Casablanca after Ramadan": ("Africa/Casablanca", "2026-03-22"),
    "Santiago's gap at midnight": ("America/Santiago", "2026-09-06"),
    "Santiago's overlap at midnight": ("America/Santiago", "2026-04-05"),
    "São Paulo's day without a midnight": ("America/Sao_Paulo", "2015-10-18"),
    "São Paulo's day with two hours before midnight": ("America/Sao_Paulo", "2015-02-22"),
    "Havana's overlap at midnight": ("America/Havana", "2026-11-01"),
    "the Azores' change that crosses midnight": ("Atlantic/Azores", "2026-10-25"),
    "Troll's change by two hours": ("Antarctica/Troll", "2026-03-29"),
    "Kathmandu, 5:45 ahead": ("Asia/Kathmandu", "2026-05-01"),
    "Chatham, 12:45 ahead": ("Pacific/Chatham", "2026-04-05"),
    "Caracas, back by half an hour for good": ("America/Caracas", "2016-05-01"),
    "Pyongyang, ahead by half an hour": ("Asia/Pyongyang", "2018-05-05"),
    "Gaza in autumn": ("Asia/Gaza", "2026-10-31"),
    "Tehran's last change": ("Asia/Tehran", "2022-09-22"),
    "Volgograd, which changed sides": ("Europe/Volgograd", "2020-12-27"),
    "the turn of the year in Kiritimati": ("Pacific/Kiritimati", "2026-01-01"),
    "the turn of the year in Niue": ("Pacific/Niue", "2026-01-01"),
}


def calendar_of(plan: Plan) -> Calendar:
    """The plan as the product's calendar."""
    day = {weekday: tuple(Interval.between(*hours) for hours in plan.weekly.get(weekday, [])) for weekday in range(7)}
    exceptions = {date: tuple(Interval.between(*hours) for hours in every) for date, every in plan.exceptions.items()}
    holidays = (Listed.parse(str(date) for date in sorted(plan.holidays)),)
    return Calendar("planned", plan.zone, tuple(day[weekday] for weekday in range(7)), holidays, exceptions)


def instants(dice: random.Random, oracle: Oracle) -> Iterator[int]:
    """Instants of the window: any microsecond, whole hours, and the edges of working time with their neighbours."""
    edges = [index for index in range(1, len(oracle.working)) if oracle.working[index] != oracle.working[index - 1]] or [1]
    while True:
        some = dice.choice(("anywhere", "hour", "edge", "edge"))
        if some == "edge":
            yield oracle.first + dice.choice(edges) * MINUTE + dice.choice((-1, 0, 0, 1))
        elif some == "hour":
            yield oracle.first + dice.randrange(0, len(oracle.working), 15) * MINUTE
        else:
            yield dice.randrange(oracle.first, oracle.last)


def compare(dice: random.Random, plan: Plan, around: datetime, cases: int, days: int) -> tuple[int, list[str]]:
    """Asks both about so many random cases in a window around an instant: how many answers were compared, which differ."""
    calendar, oracle = calendar_of(plan), Oracle(plan, around - timedelta(days=days / 2), days * 1440)
    moments = instants(dice, oracle)
    compared, differ = 0, []
    for _ in range(cases):
        a, b = next(moments), next(moments)
        told = oracle.elapsed(a, b)
        length = dice.choice((told, told, -told, dice.randint(-10 * HOUR, 40 * HOUR)))
        questions = [
            (f"elapsed from {at(a)} to {at(b)}", told, calendar.elapsed_micros(a, b)),
            (f"working time at {at(a)}", oracle.is_working(a), calendar.is_working(at(a))),
        ]
        if (due := oracle.add(a, length)) is not None:  # else it lies outside the window
            questions.append((f"{length} µs after {at(a)}", due, calendar.add_micros(a, length)))
        if (closing := oracle.end_of_day(a)) is not None:
            questions.append((f"end of the day after {at(a)}", closing, to_micros(calendar.end_of_business_day(at(a)))))
        compared += len(questions)
        differ += [f"{question}: {given}, not {right}; {plan}" for question, right, given in questions if given != right]
    return compared, differ


def at(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND


@cache
def clock_changes(zone: str) -> list[datetime]:
    """The days of `YEARS` on which a zone's clocks change."""
    place = zoneinfo.ZoneInfo(zone)
    first = datetime(YEARS.start, 1, 1, tzinfo=UTC)
    days = [first + timedelta(days=day) for day in range(366 * len(YEARS) - 30)]
    offsets = [day.astimezone(place).utcoffset() for day in days]
    return [day for day, before, after in zip(days, offsets, offsets[1:], strict=False) if before != after]
