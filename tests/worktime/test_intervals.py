"""Opening hours on paper, and the arithmetic of sets of intervals."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.worktime.intervals import DAY, Interval, IntervalError, minus, overlap, union, week, weekdays

from .build import seeded

HOUR = 3600


def test_an_interval_is_read_in_seconds_of_its_day() -> None:
    assert Interval.parse("08:00-12:30") == (8 * HOUR, 12 * HOUR + 1800)


def test_the_end_of_the_day_is_24_00() -> None:
    assert Interval.parse("00:00-24:00") == (0, DAY)


def test_an_interval_that_closes_before_it_opens_passes_midnight() -> None:
    assert Interval.parse("22:00-06:00") == (22 * HOUR, 30 * HOUR)
    assert Interval.parse("22:00-00:00") == (22 * HOUR, DAY)


@pytest.mark.parametrize("text", ["08:00-12:00", "22:00-06:00", "00:00-24:00", "08:00:30-12:00"])
def test_an_interval_is_written_as_it_was_read(text: str) -> None:
    assert str(Interval.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "08:00", "8:00-12:00", "08:00-25:00", "08:60-09:00", "24:00-25:00", "24:00-06:00", "08:00-24:01", "10:00-10:00"],
)
def test_what_is_no_interval_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(IntervalError) as refusal:
        Interval.parse(text)
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon", (0,)), ("mon-thu", (0, 1, 2, 3)), ("sat-mon", (5, 6, 0)), ("mon, Wed", (0, 2)), ("mon-sun", tuple(range(7)))],
)
def test_weekdays_are_named_singly_in_lists_and_in_ranges_over_the_weekend_too(text: str, days: tuple[int, ...]) -> None:
    assert weekdays(text) == days


@pytest.mark.parametrize("text", ["", "monday", "mon-", "-", "mon-tue-wed", "mo,tue"])
def test_a_word_that_is_no_weekday_is_refused(text: str) -> None:
    with pytest.raises(IntervalError):
        weekdays(text)


def test_a_week_has_the_hours_of_each_day_in_order() -> None:
    hours = week({"mon-fri": ["13:00-17:00", "08:00-12:00"], "sat": ["10:00-12:00"]})
    assert [len(day) for day in hours] == [2, 2, 2, 2, 2, 1, 0]
    assert hours[0][0] == (8 * HOUR, 12 * HOUR)


def test_intervals_that_touch_do_not_overlap() -> None:
    assert overlap([Interval(0, 2), Interval(2, 4)]) is None
    assert overlap([Interval(5, 9), Interval(0, 6)]) == ((0, 6), (5, 9))


POINTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple), max_size=6)


def points(intervals: list[tuple[int, int]]) -> set[int]:
    return {point for start, end in intervals for point in range(start, end)}


@seeded
@given(POINTS)
def test_a_union_has_the_same_points_in_fewest_intervals(intervals: list[tuple[int, int]]) -> None:
    joined = union(intervals)
    assert points(joined) == points(intervals)
    assert all(one[1] < other[0] for one, other in pairwise(joined))
    assert all(start < end for start, end in joined)


@seeded
@given(POINTS, POINTS)
def test_a_difference_has_the_points_of_the_first_that_the_second_has_not(
    intervals: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    assert points(minus(union(intervals), union(taken))) == points(intervals) - points(taken)
