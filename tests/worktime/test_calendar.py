"""The rules of working time (docs/working-time.md), each as it is said there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from itsm.worktime.calendar import Calendar, EmptyCalendarError, always
from itsm.worktime.duration import Duration
from itsm.worktime.holidays import Public
from itsm.worktime.timeline import BeyondCalendarError

from .build import ALWAYS, NIGHTS, OFFICE, a_calendar, hours, local, utc

MICROSECOND = timedelta(microseconds=1)


class TestWhatIsWorkingTime:
    def test_an_interval_begins_at_its_opening_and_ends_before_its_closing(self) -> None:
        office = a_calendar()
        assert office.is_working(local("2026-03-02 09:00"))
        assert not office.is_working(local("2026-03-02 09:00") - MICROSECOND)
        assert office.is_working(local("2026-03-02 17:00") - MICROSECOND)
        assert not office.is_working(local("2026-03-02 17:00"))

    def test_a_day_may_have_several_intervals(self) -> None:
        office = a_calendar(weekly={"mon-thu": ["08:00-12:00", "12:30-17:00"], "fri": ["08:00-14:00"]})
        assert office.elapsed(local("2026-03-02 00:00"), local("2026-03-03 00:00")) == hours(8.5)
        assert office.elapsed(local("2026-03-02 00:00"), local("2026-03-09 00:00")) == hours(40)

    def test_24_00_joins_the_next_day_without_a_seam(self) -> None:
        open_all_day = a_calendar(weekly=ALWAYS)
        assert open_all_day.elapsed(local("2026-03-02 23:00"), local("2026-03-03 01:00")) == hours(2)
        assert open_all_day.add(local("2026-03-02 23:00"), hours(1)) == local("2026-03-03 00:00")

    def test_a_night_shift_belongs_to_the_date_on_which_it_opens(self) -> None:
        nights = a_calendar(weekly={"mon-fri": ["22:00-06:00"]})
        assert nights.is_working(local("2026-03-07 05:59"))  # Saturday morning, of Friday's shift
        assert not nights.is_working(local("2026-03-02 05:59"))  # Monday morning: Sunday had none

    def test_a_holiday_has_no_hours(self) -> None:
        office = a_calendar(holidays=["2026-03-03"])
        assert office.add(local("2026-03-02 16:00"), hours(2)) == local("2026-03-04 10:00")

    def test_what_opened_before_a_holiday_goes_on_into_it_and_what_would_open_on_it_does_not(self) -> None:
        nights = a_calendar(weekly=NIGHTS, holidays=["2026-03-03"])
        assert nights.is_working(local("2026-03-03 05:00"))
        assert not nights.is_working(local("2026-03-03 23:00"))
        assert not nights.is_working(local("2026-03-04 05:00"))

    def test_an_exception_has_its_own_hours_and_no_others_even_on_a_holiday(self) -> None:
        office = a_calendar(
            holidays=["--12-24"], exceptions={"2026-12-24": ["08:00-12:00"], "2026-12-30": [], "2026-12-27": ["10:00-11:00"]}
        )
        assert office.elapsed(local("2026-12-24 00:00"), local("2026-12-25 00:00")) == hours(4)
        assert office.elapsed(local("2026-12-30 00:00"), local("2026-12-31 00:00")) == hours(0)
        assert office.elapsed(local("2026-12-27 00:00"), local("2026-12-28 00:00")) == hours(1)  # a Sunday
        assert office.elapsed(local("2025-12-24 00:00"), local("2025-12-25 00:00")) == hours(0)

    def test_a_break_is_closed_in_any_case(self) -> None:
        nights = a_calendar(weekly={**NIGHTS, "mon": ["09:00-17:00"]}, breaks={"2026-03-02": ["05:00-10:00"]})
        assert nights.elapsed(local("2026-03-02 00:00"), local("2026-03-03 00:00")) == hours(5 + 7 + 2)

    def test_hours_that_overlap_count_once(self) -> None:
        office = a_calendar(weekly={"mon-sun": ["20:00-04:00", "02:00-06:00"]})
        assert office.elapsed(local("2026-03-02 00:00"), local("2026-03-03 00:00")) == hours(10)


class TestWhereClocksChange:
    def test_the_day_of_the_spring_gap_has_23_hours_and_that_of_the_autumn_overlap_25(self) -> None:
        open_all_day = a_calendar(weekly=ALWAYS)
        assert open_all_day.elapsed(local("2026-03-29 00:00"), local("2026-03-30 00:00")) == hours(23)
        assert open_all_day.elapsed(local("2026-10-25 00:00"), local("2026-10-26 00:00")) == hours(25)

    def test_an_interval_in_the_spring_gap_does_not_exist(self) -> None:
        early = a_calendar(weekly={"mon-sun": ["02:00-03:00"]})
        assert early.elapsed(local("2026-03-29 00:00"), local("2026-03-30 00:00")) == hours(0)
        assert early.add(local("2026-03-28 02:30"), hours(1)) == local("2026-03-30 02:30")

    def test_of_an_interval_that_reaches_out_of_the_gap_the_rest_exists(self) -> None:
        early = a_calendar(weekly={"mon-sun": ["01:30-03:30"]})
        assert early.elapsed(local("2026-03-29 00:00"), local("2026-03-30 00:00")) == hours(1)

    def test_an_interval_in_the_autumn_overlap_counts_twice(self) -> None:
        early = a_calendar(weekly={"mon-sun": ["02:15-02:45"]})
        assert early.elapsed(local("2026-10-25 00:00"), local("2026-10-26 00:00")) == hours(1)
        assert early.is_working(local("2026-10-25 02:30"))
        assert not early.is_working(local("2026-10-25 02:50"))
        assert early.is_working(local("2026-10-25 02:30", second=True))
        assert early.add(local("2026-10-25 02:15"), hours(0.75)) == local("2026-10-25 02:30", second=True)

    def test_a_night_shift_has_seven_hours_in_spring_and_nine_in_autumn(self) -> None:
        nights = a_calendar(weekly=NIGHTS)
        assert nights.elapsed(local("2026-03-28 12:00"), local("2026-03-29 12:00")) == hours(7)
        assert nights.elapsed(local("2026-10-24 12:00"), local("2026-10-25 12:00")) == hours(9)

    def test_lord_howe_changes_its_clocks_by_half_an_hour(self) -> None:
        howe = "Australia/Lord_Howe"
        open_all_day = a_calendar(howe, ALWAYS)
        assert open_all_day.elapsed(local("2026-10-04 00:00", howe), local("2026-10-05 00:00", howe)) == hours(23.5)
        assert open_all_day.elapsed(local("2026-04-05 00:00", howe), local("2026-04-06 00:00", howe)) == hours(24.5)
        early = a_calendar(howe, {"mon-sun": ["01:00-02:00"]})
        assert early.elapsed(local("2026-04-05 00:00", howe), local("2026-04-06 00:00", howe)) == hours(1.5)

    def test_santiago_has_a_day_that_begins_at_one_and_one_whose_last_hour_comes_twice(self) -> None:
        santiago = "America/Santiago"
        late = a_calendar(santiago, {"mon-sun": ["00:00-02:00", "23:00-24:00"]})
        assert late.elapsed(utc("2026-09-06 04:00"), local("2026-09-06 12:00", santiago)) == hours(1)
        assert late.elapsed(local("2026-04-04 12:00", santiago), local("2026-04-05 12:00", santiago)) == hours(2 + 2)

    def test_the_day_that_apia_skipped_has_no_working_time_of_its_own(self) -> None:
        apia = "Pacific/Apia"
        office = a_calendar(apia)
        assert office.elapsed(local("2011-12-29 09:00", apia), local("2011-12-31 09:00", apia)) == hours(8)
        assert office.add(local("2011-12-29 16:00", apia), hours(2)) == local("2012-01-02 10:00", apia)

    def test_the_morning_after_the_skipped_day_reads_what_its_night_shift_left(self) -> None:
        apia = "Pacific/Apia"
        nights = a_calendar(apia, {"fri": ["22:00-06:00"]})  # 30 December 2011 would have been a Friday
        assert nights.elapsed(local("2011-12-29 00:00", apia), local("2012-01-01 00:00", apia)) == hours(6)
        assert nights.is_working(local("2011-12-31 00:00", apia))

    def test_casablanca_goes_back_for_ramadan_and_forward_after_it(self) -> None:
        morocco = "Africa/Casablanca"
        open_all_day = a_calendar(morocco, ALWAYS)
        assert open_all_day.elapsed(local("2026-02-15 00:00", morocco), local("2026-02-16 00:00", morocco)) == hours(25)
        assert open_all_day.elapsed(local("2026-03-22 00:00", morocco), local("2026-03-23 00:00", morocco)) == hours(23)

    def test_kathmandu_opens_a_quarter_to_the_hour(self) -> None:
        office = a_calendar("Asia/Kathmandu", {"sun-fri": ["10:00-17:00"]})
        assert office.next_opening(utc("2026-05-03 00:00")) == utc("2026-05-03 04:15")


class TestElapsedAndAdd:
    def test_elapsed_is_negative_towards_the_past(self) -> None:
        office = a_calendar()
        a, b = local("2026-03-02 10:00"), local("2026-03-04 11:00")
        assert office.elapsed(a, b) == hours(17)
        assert office.elapsed(b, a) == -hours(17)

    def test_a_budget_used_up_at_closing_time_is_due_at_closing_time(self) -> None:
        assert a_calendar().add(local("2026-03-02 09:00"), hours(8)) == local("2026-03-02 17:00")

    def test_one_microsecond_more_is_due_after_the_next_opening(self) -> None:
        due = a_calendar().add(local("2026-03-02 09:00"), hours(8) + MICROSECOND)
        assert due == local("2026-03-03 09:00") + MICROSECOND

    def test_adding_nothing_leaves_the_instant_as_it_is_even_outside_working_time(self) -> None:
        sunday = local("2026-03-01 12:00")
        assert a_calendar().add(sunday, hours(0)) == sunday
        assert a_calendar(weekly={}).add(sunday, hours(0)) == sunday

    def test_a_negative_length_leads_to_the_latest_instant_from_which_so_much_has_passed(self) -> None:
        office = a_calendar()
        assert office.add(local("2026-03-03 17:00"), -hours(8)) == local("2026-03-03 09:00")
        assert office.add(local("2026-03-03 12:00"), -hours(4)) == local("2026-03-02 16:00")
        assert office.add(local("2026-03-03 09:00"), -hours(8)) == local("2026-03-02 09:00")

    def test_answers_are_exact_to_the_microsecond(self) -> None:
        office = a_calendar()
        a = local("2026-03-02 16:59:59.999999")
        assert office.elapsed(a, local("2026-03-03 09:00:00.000001")) == 2 * MICROSECOND
        assert office.add(a, 2 * MICROSECOND) == local("2026-03-03 09:00:00.000001")

    def test_answers_are_in_utc_whatever_the_zone_of_the_question(self) -> None:
        asked = datetime(2026, 3, 2, 10, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
        assert a_calendar().add(asked, hours(1)).tzinfo is UTC
        assert a_calendar().add(asked, hours(1)) == local("2026-03-02 10:00")

    def test_the_next_opening_of_an_instant_in_working_time_is_that_instant(self) -> None:
        office = a_calendar()
        assert office.next_opening(local("2026-03-02 10:30")) == local("2026-03-02 10:30")
        assert office.next_opening(local("2026-03-02 17:00")) == local("2026-03-03 09:00")
        assert office.previous_closing(local("2026-03-03 10:30")) == local("2026-03-02 17:00")

    def test_the_turn_of_a_year_is_neither_closing_nor_opening_where_work_goes_on(self) -> None:
        open_all_day = a_calendar("UTC", ALWAYS, exceptions={"2025-06-01": []})
        assert open_all_day.previous_closing(utc("2026-01-05 00:00")) == utc("2025-06-01 00:00")
        assert open_all_day.previous_closing(utc("2026-01-01 00:00")) == utc("2025-06-01 00:00")

    def test_an_instant_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="needs a time zone"):
            a_calendar().add(datetime(2026, 3, 2), hours(1))  # noqa: DTZ001

    def test_a_calendar_that_never_opens_refuses(self) -> None:
        never = a_calendar(weekly={"mon": []}, exceptions={"2026-03-02": []})
        monday = local("2026-03-02 12:00")
        for ask in (
            lambda: never.add(monday, hours(1)),
            lambda: never.add(monday, -hours(1)),
            lambda: never.add_duration(monday, Duration.parse("1 business hour")),
            lambda: never.end_of_business_day(monday),
            lambda: never.next_opening(monday),
            lambda: never.previous_closing(monday),
            lambda: never.shift_days(monday, 1),
        ):
            with pytest.raises(EmptyCalendarError) as refusal:
                ask()
            assert refusal.value.code == "empty_calendar"
        assert never.elapsed(monday, local("2026-03-09 12:00")) == hours(0)


class TestLimits:
    def test_what_leads_beyond_the_known_years_is_refused_and_never_guessed(self) -> None:
        office = a_calendar()
        for ask in (
            lambda: office.add(utc("2100-12-01 00:00"), hours(1000)),
            lambda: office.add(utc("1969-02-01 00:00"), -hours(1000)),
            lambda: office.elapsed(utc("2026-01-01 00:00"), utc("2101-02-01 00:00")),
            lambda: office.is_working(utc("1968-01-01 00:00")),
            lambda: office.hours(date(2101, 1, 3)),
            lambda: office.end_of_business_day(utc("2100-12-01 00:00"), 100),
            lambda: office.shift_days(utc("2100-12-01 00:00"), 100),
            lambda: office.add(utc("2026-01-01 00:00"), timedelta.max),
        ):
            with pytest.raises(BeyondCalendarError) as refusal:
                ask()
            assert refusal.value.code == "beyond_calendar"

    def test_a_calendar_of_single_dates_refuses_when_they_are_used_up(self) -> None:
        stocktaking = a_calendar(weekly={}, exceptions={"2026-03-02": ["08:00-12:00"]})
        assert stocktaking.add(local("2026-01-01 00:00"), hours(4)) == local("2026-03-02 12:00")
        with pytest.raises(BeyondCalendarError):
            stocktaking.add(local("2026-01-01 00:00"), hours(4) + MICROSECOND)

    def test_holidays_known_for_some_years_limit_the_calendar_to_them(self) -> None:
        known = Public("LK").years  # Sri Lanka's are proclaimed a year at a time
        assert known.stop <= 2040
        colombo = a_calendar("Asia/Colombo", OFFICE, sources=[Public("LK")])
        last_opening = colombo.previous_closing(utc(f"{known.stop - 1}-12-31 18:00"))
        assert last_opening.year == known.stop - 1
        with pytest.raises(BeyondCalendarError):
            colombo.add(utc(f"{known.stop - 1}-12-31 12:00"), hours(8))


SHORT_FRIDAY = {"mon-thu": ["08:00-12:00", "12:30-17:00"], "fri": ["08:00-14:00"]}


class TestBusinessDays:
    def test_a_standard_day_has_the_hours_of_most_weekdays(self) -> None:
        assert a_calendar(weekly=SHORT_FRIDAY).standard_day == hours(8.5)
        assert a_calendar(weekly=ALWAYS).standard_day == hours(24)

    def test_a_standard_day_may_be_set(self) -> None:
        assert a_calendar(standard=hours(7.6)).standard_day == hours(7.6)

    def test_of_lengths_that_are_equally_frequent_the_longest_is_standard(self) -> None:
        assert a_calendar(weekly={"mon": ["08:00-12:00"], "tue": ["08:00-16:00"]}).standard_day == hours(8)

    def test_a_calendar_of_single_dates_takes_its_standard_day_from_them(self) -> None:
        stocktaking = a_calendar(
            weekly={}, exceptions={"2026-03-02": ["08:00-12:00"], "2026-03-03": ["08:00-12:00"], "2026-03-04": []}
        )
        assert stocktaking.standard_day == hours(4)
        assert stocktaking.add_duration(local("2026-03-01 00:00"), Duration.parse("2 business days")) == local(
            "2026-03-03 12:00"
        )

    def test_a_business_day_of_a_calendar_that_never_opens_is_refused(self) -> None:
        with pytest.raises(EmptyCalendarError):
            a_calendar(weekly={}).add_duration(local("2026-03-01 00:00"), Duration.parse("1 business day"))

    def test_five_business_days_are_five_standard_days_of_working_time(self) -> None:
        office = a_calendar(weekly=SHORT_FRIDAY)
        start = local("2026-03-02 08:00")
        assert office.working_length(Duration.parse("5 business days")) == hours(42.5)
        assert office.add_duration(start, Duration.parse("5 business days")) == office.add(start, hours(42.5))
        assert office.add_duration(start, Duration.parse("5 business days")) == local("2026-03-09 10:30")

    def test_business_hours_run_in_the_calendar_and_plain_hours_run_on(self) -> None:
        office, friday = a_calendar(), local("2026-03-06 16:00")
        assert office.add_duration(friday, Duration.parse("8 business hours")) == local("2026-03-09 16:00")
        assert office.add_duration(friday, Duration.parse("8 hours")) == local("2026-03-07 00:00")
        assert office.add_duration(friday, Duration.parse("1 business day 1 business hour")) == local("2026-03-09 17:00")

    def test_the_end_of_a_business_day_is_its_last_closing(self) -> None:
        office = a_calendar(weekly=SHORT_FRIDAY)
        end = Duration.parse("end of business day")
        assert office.add_duration(local("2026-03-02 12:10"), end) == local("2026-03-02 17:00")
        assert office.add_duration(local("2026-03-06 13:59"), end) == local("2026-03-06 14:00")

    def test_at_closing_time_and_after_it_the_next_business_day_is_meant(self) -> None:
        office = a_calendar(holidays=["2026-03-09"])
        end = Duration.parse("end of business day")
        assert office.add_duration(local("2026-03-06 17:00"), end) == local("2026-03-10 17:00")
        assert office.add_duration(local("2026-03-07 12:00"), end) == local("2026-03-10 17:00")

    def test_the_end_of_the_next_business_day_is_one_closing_later(self) -> None:
        office, friday = a_calendar(), local("2026-03-06 10:00")
        assert office.add_duration(friday, Duration.parse("end of next business day")) == local("2026-03-09 17:00")
        assert office.add_duration(friday, Duration.parse("end of 3rd business day")) == local("2026-03-10 17:00")

    def test_there_is_no_business_day_before_the_first(self) -> None:
        with pytest.raises(ValueError, match="number 1"):
            a_calendar().end_of_business_day(local("2026-03-06 10:00"), 0)

    def test_the_end_of_a_night_shift_is_in_the_morning(self) -> None:
        nights = a_calendar(weekly=NIGHTS)
        assert nights.end_of_business_day(local("2026-03-02 23:00")) == local("2026-03-03 06:00")
        assert nights.end_of_business_day(local("2026-03-03 02:00")) == local("2026-03-03 06:00")
        assert nights.end_of_business_day(local("2026-10-25 02:30")) == local("2026-10-25 06:00")

    def test_an_open_ended_day_ends_at_midnight(self) -> None:
        assert a_calendar(weekly=ALWAYS).end_of_business_day(local("2026-03-02 12:00")) == local("2026-03-03 00:00")

    def test_a_day_that_closes_in_the_autumn_overlap_closes_the_second_time(self) -> None:
        late = a_calendar(weekly={"mon-sun": ["00:00-02:30"]})
        assert late.end_of_business_day(local("2026-10-25 00:00")) == local("2026-10-25 02:30", second=True)

    def test_a_day_whose_hours_are_all_in_the_spring_gap_is_no_business_day(self) -> None:
        early = a_calendar(weekly={"mon-sun": ["02:00-03:00"]})
        assert early.end_of_business_day(local("2026-03-28 12:00")) == local("2026-03-30 03:00")

    @pytest.mark.parametrize(
        ("words", "explained"),
        [
            ("4 hours", "4 hours of elapsed time, whether or not “office” is open."),
            ("8 business hours", "8 business hours: 8 hours of the working time of “office”."),
            (
                "5 business days",
                "5 business days: 5 × the standard day of 8 hours = 40 hours of the working time of “office”.",
            ),
            ("end of business day", "end of business day: the closing time of “office” that comes first after the start."),
        ],
    )
    def test_which_form_was_used_is_explained(self, words: str, explained: str) -> None:
        assert a_calendar().explain(Duration.parse(words)) == explained


class TestWhatAnAnswerRestsOn:
    def test_a_calendar_names_the_release_of_the_zone_rules(self) -> None:
        assert a_calendar().tz_version

    def test_the_digest_changes_with_what_answers_depend_on_and_with_nothing_else(self) -> None:
        office = a_calendar()
        assert office.digest == a_calendar().digest
        changed = [
            a_calendar("Europe/Paris"),
            a_calendar(weekly=ALWAYS),
            a_calendar(holidays=["2026-03-02"]),
            a_calendar(exceptions={"2026-03-02": []}),
            a_calendar(breaks={"2026-03-02": ["10:00-11:00"]}),
            a_calendar(standard=hours(7)),
        ]
        assert len({office.digest, *(calendar.digest for calendar in changed)}) == 7

    def test_calendars_of_equal_content_are_equal(self) -> None:
        assert a_calendar() == a_calendar()
        assert hash(a_calendar()) == hash(a_calendar())
        assert a_calendar() != a_calendar(weekly=ALWAYS)

    def test_a_calendar_does_not_follow_the_mappings_it_was_made_of(self) -> None:
        exceptions = {date(2026, 3, 2): ()}
        office = Calendar("office", "UTC", a_calendar().weekly, (), exceptions)
        exceptions.clear()
        assert not office.is_working(utc("2026-03-02 10:00"))

    def test_a_calendar_edited_midway_counts_each_stretch_by_the_calendar_of_its_time(self) -> None:
        before, after = a_calendar(), a_calendar(weekly={"mon-fri": ["09:00-13:00"]})
        start, edit = local("2026-03-02 09:00"), local("2026-03-03 11:00")
        remaining = hours(16) - before.elapsed(start, edit)
        assert after.add(edit, remaining) == local("2026-03-04 13:00")

    def test_a_holiday_has_its_name(self) -> None:
        office = a_calendar(sources=[Public("DE", "BE")])
        assert office.holiday(date(2026, 12, 25)) == "Erster Weihnachtstag"
        assert office.holiday(date(2026, 12, 28)) is None

    def test_the_calendar_that_never_closes_counts_elapsed_time(self) -> None:
        a, b = utc("2026-03-29 00:00"), utc("2026-03-30 00:00")
        assert always().elapsed(a, b) == hours(24)
