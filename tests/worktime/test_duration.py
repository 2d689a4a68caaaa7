"""Durations: what may be written, what it means, what is refused and why."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.worktime.duration import LONGEST, Duration, DurationError, iso, words

from .build import seeded

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("30 minutes", Duration(HOUR / 2)),
        ("4 hours", Duration(4 * HOUR)),
        ("1.5 hours", Duration(1.5 * HOUR)),
        ("2 weeks", Duration(timedelta(weeks=2))),
        ("1 day, 2 hours and 5 seconds", Duration(timedelta(days=1, hours=2, seconds=5))),
        ("1h 30min", Duration(1.5 * HOUR)),
        ("  30   Minutes ", Duration(HOUR / 2)),
        ("8 business hours", Duration(business=8 * HOUR)),
        ("8 working hours", Duration(business=8 * HOUR)),
        ("5 business days", Duration(business_days=5)),
        ("1 business day 4 business hours", Duration(business_days=1, business=4 * HOUR)),
        ("end of business day", Duration(end_of_day=1)),
        ("end of next business day", Duration(end_of_day=2)),
        ("end of 3rd business day", Duration(end_of_day=3)),
        ("PT30M", Duration(HOUR / 2)),
        ("P1D", Duration(24 * HOUR)),
        ("P1DT12H", Duration(36 * HOUR)),
        ("P2W", Duration(timedelta(weeks=2))),
        ("PT0.5S", Duration(timedelta(milliseconds=500))),
        ("PT1,5H", Duration(1.5 * HOUR)),
    ],
)
def test_words_and_iso_8601_are_read(text: str, meaning: Duration) -> None:
    assert Duration.parse(text) == meaning


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "longer than zero"),
        ("0 minutes", "longer than zero"),
        ("PT0S", "longer than zero"),
        ("end of 0th business day", "longer than zero"),
        ("-5 minutes", "negative"),
        ("4", "a number and a unit"),
        ("four hours", "a number and a unit"),
        ("1 hour and", "a number and a unit"),
        ("end of business day 2 hours", "a number and a unit"),
        ("4 fortnights", "“fortnights” is no unit"),
        ("5m", "may be minutes or months"),
        ("2 months", "a month has no fixed length"),
        ("1 year", "a year has no fixed length"),
        ("P1Y", "years and months have no fixed length"),
        ("P1M", "years and months have no fixed length"),
        ("P1Y2M10DT2H", "years and months have no fixed length"),
        ("P", "ISO 8601 writes durations like"),
        ("PT", "ISO 8601 writes durations like"),
        ("P1DT", "ISO 8601 writes durations like"),
        ("PT1.5H30M", "a fraction in the last part only"),
        ("pt30m", "written in capitals"),
        ("1 business week", "a business week has no fixed length"),
        ("0.5 business days", "business days come whole"),
        ("1 business day 2 hours", "mixes elapsed and business time"),
        ("0.0000001 seconds", "finer than a microsecond"),
        ("4000 days", "longer than ten years"),
        ("4000 business days", "longer than ten years"),
        ("99999999999999999999 days", "longer than ten years"),
        ("P99999999999999999999D", "longer than ten years"),
        ("1 day " * 50, "too long a text"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(DurationError) as refusal:
        Duration.parse(text)
    assert why in refusal.value.why
    assert refusal.value.text == text
    assert refusal.value.code == "invalid_duration"


def test_a_duration_cannot_be_built_wrong_either() -> None:
    for wrong in ({"exact": -HOUR}, {"business_days": -1}, {"exact": timedelta.max}, {"exact": HOUR, "end_of_day": 1}, {}):
        with pytest.raises(DurationError):
            Duration(**wrong)


def test_ten_years_are_the_longest() -> None:
    assert Duration(LONGEST).exact == LONGEST
    with pytest.raises(DurationError, match="ten years"):
        Duration(LONGEST + timedelta(microseconds=1))


def test_only_business_time_needs_a_calendar() -> None:
    assert not Duration.parse("3 days").needs_calendar
    assert Duration.parse("3 business hours").needs_calendar
    assert Duration.parse("end of business day").needs_calendar


def test_business_time_has_no_iso_form() -> None:
    with pytest.raises(DurationError, match="before a calendar gives it a length"):
        Duration.parse("8 business hours").iso()


@pytest.mark.parametrize(
    ("length", "written", "said"),
    [
        (timedelta(), "PT0S", "0 seconds"),
        (timedelta(days=14), "P2W", "2 weeks"),
        (timedelta(days=15), "P15D", "15 days"),
        (timedelta(days=1, hours=1, seconds=1), "P1DT1H1S", "1 day 1 hour 1 second"),
        (timedelta(microseconds=1), "PT0.000001S", "0.000001 seconds"),
        (timedelta(minutes=-90), "-PT1H30M", "minus 1 hour 30 minutes"),
    ],
)
def test_any_length_can_be_written_and_said(length: timedelta, written: str, said: str) -> None:
    assert iso(length) == written
    assert words(length) == said


LENGTHS = st.timedeltas(timedelta(microseconds=1), LONGEST)
DURATIONS = st.one_of(
    st.builds(Duration, LENGTHS),
    st.builds(Duration, business=st.timedeltas(timedelta(microseconds=1), LONGEST / 2), business_days=st.integers(0, 1800)),
    st.builds(Duration, business_days=st.integers(1, 3653)),
    st.builds(Duration, end_of_day=st.integers(1, 3653)),
)


@seeded
@given(DURATIONS)
def test_what_is_written_is_read_back_as_the_same(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration
    if not duration.needs_calendar:
        assert Duration.parse(duration.iso()) == duration


@seeded
@given(st.text(max_size=40) | st.text("0123456789 .,-:PTWDHMSYbusinedayhourwk", max_size=40))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    with suppress(DurationError):
        assert Duration.parse(text).exact <= LONGEST
