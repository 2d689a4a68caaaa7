"""Rules by which an order comes again: what they mean, and which cannot be followed."""

# ruff: noqa: DTZ001 — wall times have no zone

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.catalog import recurring
from itsm.catalog.recurring import OnClosed, Rhythm, RuleError
from itsm.worktime import zones

BERLIN = "Europe/Berlin"
START = datetime(2026, 3, 2, 9, 0)  # a Monday, in the wall time of the zone


def weekdays(day: date) -> bool:
    return day.weekday() < 5


def walls(rhythm: Rhythm, after: datetime, count: int) -> list[str]:
    found = rhythm.some(after, count)
    return [each.astimezone(zones.zone(rhythm.zone)).strftime("%a %m-%d %H:%M") for each in found]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rule", "dates"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,TH", ["Mon 03-02", "Thu 03-05", "Mon 03-09"]),
        ("RRULE:FREQ=DAILY;INTERVAL=3", ["Mon 03-02", "Thu 03-05", "Sun 03-08"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["Fri 03-27", "Fri 04-24", "Fri 05-29"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["Tue 03-31", "Thu 04-30", "Fri 05-29"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["Tue 03-31", "Sun 05-31", "Fri 07-31"]),
        ("FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=15", ["Sun 03-15", "Tue 09-15", "Mon 03-15"]),
        ("FREQ=DAILY;COUNT=2", ["Mon 03-02", "Tue 03-03"]),
        ("FREQ=DAILY;UNTIL=20260303", ["Mon 03-02", "Tue 03-03"]),
        ("FREQ=DAILY;UNTIL=20260303T085959", ["Mon 03-02"]),
    ],
)
def test_a_rule_means_these_days_at_the_time_of_its_beginning(rule: str, dates: list[str]) -> None:
    recurring.check(rule, START)
    assert walls(Rhythm(rule, START, BERLIN), utc(2026, 3, 1), 3) == [f"{day} 09:00" for day in dates]


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=HOURLY",
        "FREQ=SECONDLY",
        "FREQ=DAILY;BYHOUR=1,2,3",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=101",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=2",
        "FREQ=YEARLY;BYEASTER=0",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20",
        "FREQ=DAILY;UNTIL=20250101",
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;" * 40,
    ],
)
def test_a_rule_that_cannot_be_followed_or_never_occurs_is_refused(rule: str) -> None:
    with pytest.raises(RuleError):
        recurring.check(rule, START)


def test_wall_time_stays_through_changes_of_clocks() -> None:
    rhythm = Rhythm("FREQ=DAILY", datetime(2026, 3, 27, 9, 0), BERLIN)
    assert rhythm.some(utc(2026, 3, 27), 4) == [
        *(utc(2026, 3, 27, 8), utc(2026, 3, 28, 8)),
        *(utc(2026, 3, 29, 7), utc(2026, 3, 30, 7)),
    ]


def test_a_time_that_does_not_exist_moves_forward_and_one_that_comes_twice_means_the_first() -> None:
    spring = Rhythm("FREQ=DAILY", datetime(2026, 3, 28, 2, 30), BERLIN)
    assert walls(spring, utc(2026, 3, 28), 3) == ["Sat 03-28 02:30", "Sun 03-29 03:30", "Mon 03-30 02:30"]
    autumn = Rhythm("FREQ=DAILY", datetime(2026, 10, 25, 2, 30), BERLIN)
    assert autumn.some(utc(2026, 10, 24), 2) == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]


@pytest.mark.parametrize(
    ("on_closed", "expected"),
    [
        (OnClosed.ORDER, ["Fri 03-06", "Sat 03-07", "Sun 03-08", "Mon 03-09"]),
        (OnClosed.SKIP, ["Fri 03-06", "Mon 03-09", "Tue 03-10", "Wed 03-11"]),
        (OnClosed.NEXT, ["Fri 03-06", "Mon 03-09", "Tue 03-10", "Wed 03-11"]),
        (OnClosed.PREVIOUS, ["Fri 03-06", "Mon 03-09", "Tue 03-10", "Wed 03-11"]),
    ],
)
def test_what_falls_on_one_day_by_moving_is_one(on_closed: OnClosed, expected: list[str]) -> None:
    rhythm = Rhythm("FREQ=DAILY", START, BERLIN, on_closed, weekdays)
    assert walls(rhythm, utc(2026, 3, 6), 4) == [f"{day} 09:00" for day in expected]


@pytest.mark.parametrize(
    ("on_closed", "expected"), [(OnClosed.SKIP, "Sat 08-15"), (OnClosed.NEXT, "Mon 03-16"), (OnClosed.PREVIOUS, "Fri 03-13")]
)
def test_an_occurrence_on_a_closed_day_is_moved_or_left_out(on_closed: OnClosed, expected: str) -> None:
    closed = {date(2026, 3, 15), date(2026, 3, 14), *(date(2026, month, 15) for month in (4, 5, 6, 7))}
    rhythm = Rhythm("FREQ=MONTHLY;BYMONTHDAY=15", START, BERLIN, on_closed, lambda day: day not in closed)
    assert walls(rhythm, utc(2026, 3, 1), 1) == [f"{expected} 09:00"]


def test_a_calendar_that_never_opens_gives_no_occurrence() -> None:
    assert Rhythm("FREQ=MONTHLY", START, BERLIN, OnClosed.NEXT, lambda _day: False).first(utc(2026, 1, 1)) is None


RULES = st.sampled_from(
    ["FREQ=DAILY", "FREQ=DAILY;INTERVAL=5", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=2WE"]
)
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@settings(max_examples=60)
@given(
    RULES,
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 6, 1)).map(lambda at: at.replace(second=0, microsecond=0)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.sampled_from(list(OnClosed)),
    INSTANTS,
)
def test_asked_one_after_the_other_the_answers_are_those_of_one_list(
    rule: str, starts: datetime, zone: str, on_closed: OnClosed, begin: datetime
) -> None:
    rhythm = Rhythm(rule, starts, zone, on_closed, weekdays)
    listed = rhythm.some(begin, 6)
    assert all(begin < before < after for before, after in pairwise(listed))
    stepwise, at = [], begin
    while len(stepwise) < len(listed):
        due = rhythm.first(at)
        assert due is not None
        stepwise.append(due)
        at = due
    assert stepwise == listed
    for due in listed:
        wall = due.astimezone(zones.zone(zone))
        assert on_closed is OnClosed.ORDER or weekdays(wall.date())
        gap = timedelta(hours=wall.hour, minutes=wall.minute) - timedelta(hours=starts.hour, minutes=starts.minute)
        assert timedelta() <= gap <= timedelta(hours=1)
