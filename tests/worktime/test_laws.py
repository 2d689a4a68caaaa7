"""Laws that hold for every calendar, over years and from several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from itsm.worktime.calendar import Calendar
from itsm.worktime.layout import to_micros

from .build import ALWAYS, NIGHTS, OFFICE, a_calendar, seeded

FROM, TO = datetime(2010, 1, 1, tzinfo=UTC), datetime(2035, 12, 31, tzinfo=UTC)
INSTANTS = st.integers(to_micros(FROM), to_micros(TO))
CALENDARS = [
    a_calendar(holidays=["--01-01", "--12-25", "--12-26"], exceptions={"2026-03-29": ["00:00-24:00"]}),
    a_calendar("America/New_York", {"mon-thu": ["08:00-12:00", "12:30-17:00"], "sat": ["10:00-14:00"]}),
    a_calendar("Australia/Lord_Howe", NIGHTS),
    a_calendar("Pacific/Apia", ALWAYS),
    a_calendar("Asia/Kathmandu", {"sun": ["23:30-00:30"]}),
]
LENGTHS = st.integers(-(10**12), 10**12)  # up to 277 hours of working time: five years, where an hour a week is worked


@seeded
@given(st.sampled_from(CALENDARS), INSTANTS, INSTANTS, INSTANTS)
def test_elapsed_adds_up_and_never_exceeds_the_time_between(office: Calendar, a: int, b: int, c: int) -> None:
    assert office.elapsed_micros(a, c) == office.elapsed_micros(a, b) + office.elapsed_micros(b, c)
    assert office.elapsed_micros(b, a) == -office.elapsed_micros(a, b)
    assert 0 <= office.elapsed_micros(min(a, b), max(a, b)) <= abs(b - a)


@seeded
@given(st.sampled_from(CALENDARS), INSTANTS, LENGTHS)
def test_what_is_added_has_elapsed(office: Calendar, a: int, length: int) -> None:
    assert office.elapsed_micros(a, office.add_micros(a, length)) == length


@seeded
@given(st.sampled_from(CALENDARS), INSTANTS, LENGTHS)
def test_an_answer_is_the_earliest_or_towards_the_past_the_latest(office: Calendar, a: int, length: int) -> None:
    assume(length)
    due = office.add_micros(a, length)
    nearer = due - 1 if length > 0 else due + 1
    assert abs(office.elapsed_micros(a, nearer)) == abs(length) - 1


@seeded
@given(st.sampled_from(CALENDARS), INSTANTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_elapsed_and_remaining_are_the_total_at_every_moment(office: Calendar, start: int, target: int, later: int) -> None:
    now, due = start + later, office.add_micros(start, target)
    remaining = target - office.elapsed_micros(start, now)
    if remaining > 0:
        assert office.add_micros(now, remaining) == due


@seeded
@given(st.sampled_from(CALENDARS), INSTANTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_longer_promise_is_never_due_earlier(office: Calendar, a: int, one: int, other: int) -> None:
    assert (office.add_micros(a, one) <= office.add_micros(a, other)) == (one <= other) or one == 0 or other == 0


@settings(seeded, max_examples=8)
@given(st.lists(st.tuples(INSTANTS, INSTANTS), min_size=1, max_size=3))
def test_answers_do_not_depend_on_what_was_asked_before(questions: list[tuple[int, int]]) -> None:
    for weekly in (OFFICE, NIGHTS):
        asked = a_calendar(weekly=weekly)
        for a, b in questions:
            assert asked.elapsed_micros(a, b) == a_calendar(weekly=weekly).elapsed_micros(a, b)


def test_threads_that_ask_at_once_get_the_answers_one_would_get() -> None:
    office, alone = a_calendar(), a_calendar()
    dice = Random(7)
    questions = [(to_micros(FROM) + dice.randrange(8 * 10**14), dice.randrange(-(10**13), 10**13)) for _ in range(400)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda question: office.add_micros(*question), questions))
    assert answers == [alone.add_micros(*question) for question in questions]


def test_a_promise_of_ten_years_is_kept_to_the_microsecond() -> None:
    office = a_calendar()
    due = office.add(FROM, timedelta(hours=8 * 2500))
    assert office.elapsed(FROM, due) == timedelta(hours=8 * 2500)
