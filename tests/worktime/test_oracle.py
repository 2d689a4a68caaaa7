"""The fast calendar and the slow one give the same answers, in every zone, where clocks change and where they do not."""

from __future__ import annotations

import random
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import Listed
from itsm.worktime.intervals import Interval

from .oracle import EPOCH, MICROSECOND, MINUTE, Oracle, Plan, a_plan

ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
DAYS_OF_WINDOW = 5

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


def compare(dice: random.Random, plan: Plan, around: datetime, cases: int, days: int = DAYS_OF_WINDOW) -> int:
    """Holds the calendar of a plan against the oracle, in a window around an instant. How many answers were compared."""
    calendar, oracle = calendar_of(plan), Oracle(plan, around - timedelta(days=days / 2), days * 1440)
    moments = instants(dice, oracle)
    compared = 0
    for _ in range(cases):
        a, b = next(moments), next(moments)
        told, walked = calendar.elapsed_micros(a, b), oracle.elapsed(a, b)
        assert told == walked, f"elapsed {told} ≠ {walked}: {plan}, from {at(a)} to {at(b)}"
        assert calendar.is_working(at(a)) == oracle.is_working(a), f"is_working: {plan}, {at(a)}"
        compared += 2
        length = dice.choice((told, told, -told, dice.randint(-10 * 3_600_000_000, 40 * 3_600_000_000)))
        due = oracle.add(a, length)
        if due is not None:
            given = calendar.add_micros(a, length)
            assert given == due, f"add {at(given)} ≠ {at(due)}: {plan}, {at(a)} + {timedelta(microseconds=length)}"
            compared += 1
    return compared


def at(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND


@pytest.mark.parametrize("name", NASTY)
def test_both_agree_on(name: str) -> None:
    zone, day = NASTY[name]
    around = datetime.fromisoformat(day).replace(tzinfo=UTC)
    dice = random.Random(name)
    for _ in range(2):
        compare(dice, a_plan(dice, zone, around.date()), around, cases=25)


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    zone=st.sampled_from(ZONES),
    around=st.datetimes(datetime(2010, 1, 2), datetime(2035, 12, 31)),  # noqa: DTZ001
)
def test_both_agree_in_any_zone_at_any_time(seed: int, zone: str, around: datetime) -> None:
    dice = random.Random(seed)
    instant = around.replace(second=0, microsecond=0, tzinfo=UTC)
    compare(dice, a_plan(dice, zone, instant.date()), instant, cases=25)


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), zone=st.sampled_from(ZONES), year=st.integers(2010, 2035))
def test_both_agree_where_clocks_change(seed: int, zone: str, year: int) -> None:
    dice, place = random.Random(seed), zoneinfo.ZoneInfo(zone)
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    offsets = [day.astimezone(place).utcoffset() for day in days]
    changes = [day for day, before, after in zip(days, offsets, offsets[1:], strict=False) if before != after]
    for change in changes[:2]:
        compare(dice, a_plan(dice, zone, change.date()), change, cases=25)
