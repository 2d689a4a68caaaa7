"""Holidays from lists, from the law and from iCalendar files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from textwrap import dedent

import pytest

from itsm.worktime import ics
from itsm.worktime.holidays import YEARS, HolidayError, Listed, Public, known_years


class TestListed:
    def test_single_dates_and_those_of_every_year(self) -> None:
        listed = Listed.parse(["2026-05-15", "--12-25"])
        assert set(listed.on(2026)) == {date(2026, 5, 15), date(2026, 12, 25)}
        assert set(listed.on(2027)) == {date(2027, 12, 25)}

    def test_the_29th_of_february_is_a_holiday_in_leap_years(self) -> None:
        listed = Listed.parse(["--02-29"])
        assert listed.on(2026) == {}
        assert set(listed.on(2028)) == {date(2028, 2, 29)}
        assert listed.on(2100) == {}

    @pytest.mark.parametrize("text", ["", "2026-02-30", "20261224", "24.12.2026", "--13-01", "--02-30", "2026-W01-1"])
    def test_what_is_no_date_is_refused(self, text: str) -> None:
        with pytest.raises(HolidayError) as refusal:
            Listed.parse([text])
        assert refusal.value.code == "invalid_holidays"


class TestPublic:
    def test_a_region_has_its_own_beside_those_of_its_country(self) -> None:
        womens_day = date(2026, 3, 8)
        assert womens_day in Public("DE", "BE").on(2026)
        assert womens_day not in Public("DE").on(2026)
        assert date(2026, 10, 3) in Public("DE").on(2026)

    def test_a_year_has_only_its_own_dates(self) -> None:
        assert {day.year for day in Public("US").on(2021)} == {2021}  # 31 December 2021 was New Year's Day (observed)
        assert date(2021, 12, 31) in Public("US").on(2021)

    def test_a_source_knows_for_which_years_it_can_answer(self) -> None:
        assert Public("DE").years.start == 1991
        assert Public("DE").years.stop <= YEARS.stop

    def test_sources_together_know_the_years_that_each_of_them_knows(self) -> None:
        assert known_years([]) == YEARS
        assert known_years([Public("DE"), Listed.parse(["--12-24"])]) == Public("DE").years
        assert known_years([Known(range(1990, 2000)), Known(range(1995, 2030))]) == range(1995, 2000)
        assert not known_years([Known(range(1990, 2000)), Known(range(2001, 2030))])

    @pytest.mark.parametrize(
        ("country", "region", "part", "hint"),
        [
            ("de", None, "country", "Did you mean “DE”?"),
            ("Germany", None, "country", "two letters"),
            ("DE", "Berlin", "region", "BB, BE"),
            ("JP", "13", "region", "leave the region out"),
        ],
    )
    def test_an_unknown_country_or_region_is_refused_with_a_mend(
        self, country: str, region: str | None, part: str, hint: str
    ) -> None:
        with pytest.raises(HolidayError) as refusal:
            Public(country, region)
        assert hint in refusal.value.hint
        assert refusal.value.part == part

    def test_names_do_not_depend_on_the_language_of_the_machine(self) -> None:
        ask = """
            from datetime import date
            from itsm.worktime.holidays import Public
            print(Public("DE").on(2026)[date(2026, 12, 25)])
        """
        assert {python(ask, LANG=lang) for lang in ("de_DE.UTF-8", "en_US.UTF-8", "C")} == {"Erster Weihnachtstag"}

    def test_the_library_is_not_imported_before_a_country_is_named(self) -> None:
        ask = """
            import sys
            import itsm.worktime.calendar, itsm.worktime.cases, itsm.worktime.ics
            print(sorted({"holidays", "icalendar", "dateutil"} & set(sys.modules)))
        """
        assert python(ask) == "[]"


@dataclass(frozen=True)
class Known:
    """A source of holidays that knows some years and no holidays."""

    years: range

    def on(self, year: int) -> Mapping[date, str]:
        return {}


def python(program: str, **environment: str) -> str:
    """What a program prints in an interpreter of its own."""
    command = [sys.executable, "-c", dedent(program)]
    ran = subprocess.run(command, env={"PYTHONUTF8": "1", **environment}, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def events(*lines: str) -> bytes:
    """An iCalendar file with events; each line `a;b;c` is one event's properties."""
    body = "".join(f"BEGIN:VEVENT\nUID:{number}\n{line}\nEND:VEVENT\n" for number, line in enumerate(lines))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{body}END:VCALENDAR\n".encode()


def days(*lines: str) -> list[str]:
    return [str(day) for day, _ in ics.read(events(*lines), "team.ics").days]


class TestICalendar:
    def test_an_all_day_event_is_a_holiday_with_its_name(self) -> None:
        listed = ics.read(events("DTSTART;VALUE=DATE:20260515\nSUMMARY:Outing"), "team.ics")
        assert listed.on(2026) == {date(2026, 5, 15): "Outing"}
        assert str(listed) == "team.ics: 2026-05-15 Outing"

    def test_an_event_ends_before_its_end_date(self) -> None:
        assert days("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227") == ["2026-12-24", "2026-12-25", "2026-12-26"]
        assert days("DTSTART;VALUE=DATE:20261224\nDURATION:P2D") == ["2026-12-24", "2026-12-25"]

    def test_repetitions_are_followed_to_their_end(self) -> None:
        assert days("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;COUNT=3") == ["2026-05-01", "2027-05-01", "2028-05-01"]
        assert days("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;UNTIL=20270601T000000Z") == ["2026-05-01", "2027-05-01"]

    def test_repetitions_without_an_end_go_on_as_long_as_calendars_do(self) -> None:
        repeated = days("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY")
        assert repeated[-1] == f"{YEARS.stop - 1}-01-01"

    def test_rules_by_weekday_are_followed(self) -> None:
        fourth_thursday = "DTSTART;VALUE=DATE:20261126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2"
        assert days(fourth_thursday) == ["2026-11-26", "2027-11-25"]

    def test_dates_left_out_and_added_are_heeded(self) -> None:
        rule = "DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;COUNT=3"
        assert days(f"{rule}\nEXDATE;VALUE=DATE:20270501\nRDATE;VALUE=DATE:20270601") == [
            "2026-05-01",
            "2027-06-01",
            "2028-05-01",
        ]

    def test_a_moved_occurrence_is_where_it_was_moved_to(self) -> None:
        moved = "BEGIN:VEVENT\nUID:0\nRECURRENCE-ID;VALUE=DATE:20270501\nDTSTART;VALUE=DATE:20270503\nEND:VEVENT\n"
        rule = events("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;COUNT=2")
        data = rule.replace(b"END:VCALENDAR", moved.encode() + b"END:VCALENDAR")
        assert [str(day) for day, _ in ics.read(data, "team.ics").days] == ["2026-05-01", "2027-05-03"]

    def test_a_cancelled_event_is_none(self) -> None:
        assert days("DTSTART;VALUE=DATE:20260501\nSTATUS:CANCELLED", "DTSTART;VALUE=DATE:20260502") == ["2026-05-02"]

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "has no events"),
            (events(), "has no events"),
            (b"hello", "is not an iCalendar file"),
            (b"\xff\xfe\x00", "is not UTF-8 text: byte 0xff"),
            (events("DTSTART;VALUE=DATE:20260515\nSUMMARY:Tag für alle").decode().encode("latin-1"), "byte 0xfc"),
            (events("SUMMARY:Sometime"), "not an all-day event"),
            (events("DTSTART:20260501T100000Z\nSUMMARY:Meeting"), "“Meeting” is not an all-day event"),
            (events("DTSTART;VALUE=DATE:2026\nSUMMARY:Torn"), "DTSTART of the event “Torn” cannot be read"),
            (events("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=BOGUS"), "cannot be read"),
            (events("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=SECONDLY"), "repeats SECONDLY"),
            (events("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=DAILY"), "more than"),
        ],
    )
    def test_what_cannot_be_taken_at_its_word_is_refused(self, data: bytes, why: str) -> None:
        with pytest.raises(HolidayError) as refusal:
            ics.read(data, "team.ics")
        assert why in refusal.value.why
