"""`config/calendars.yaml`: what it says, and how it is told where it is wrong."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from itsm.workflow import calendars
from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import Public
from itsm.worktime.intervals import Interval

EXAMPLE = """
office-hours:
  zone: Europe/Berlin
  weekly: {mon-thu: ["08:00-12:00", "12:30-17:00"], fri: ["08:00-14:00"]}
  holidays: {country: DE, region: BE}
  exceptions: {2026-12-24: ["08:00-12:00"], 2026-12-31: []}
always: {zone: UTC, weekly: {mon-sun: ["00:00-24:00"]}}
"""


def load(text: str, **files: bytes) -> dict[str, Calendar]:
    found, findings = calendars.load_calendars(dedent(text), "calendars.yaml", lambda name: files[name])
    assert findings == []
    return found


def told(text: str) -> list[str]:
    """The findings of one calendar, whose lines are given from its second on, as LINE:COL CODE."""
    found, findings = calendars.load_calendars(f"office:\n  zone: UTC\n{text}", "calendars.yaml")
    assert found == {}
    return [f"{finding.at.line}:{finding.at.column} {finding.code}" for finding in findings]


def test_a_calendar_has_zone_hours_holidays_and_exceptions() -> None:
    office = load(EXAMPLE)["office-hours"]
    assert office.name == "office-hours"
    assert office.zone == "Europe/Berlin"
    assert office.hours(date(2026, 3, 2)) == (Interval.parse("08:00-12:00"), Interval.parse("12:30-17:00"))
    assert office.hours(date(2026, 3, 6)) == (Interval.parse("08:00-14:00"),)
    assert office.hours(date(2026, 3, 7)) == ()
    assert office.holidays == (Public("DE", "BE"),)
    assert office.hours(date(2026, 12, 24)) == (Interval.parse("08:00-12:00"),)
    assert office.hours(date(2026, 12, 31)) == ()
    assert office.standard_day == timedelta(hours=8.5)


def test_holidays_may_be_of_several_kinds() -> None:
    outing = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260515\nSUMMARY:Outing\nEND:VEVENT\nEND:VCALENDAR\n"
    text = """
        office:
          zone: Europe/Berlin
          weekly: {mon-fri: 09:00-17:00}
          holidays: [{country: DE}, {icalendar: team}, 2026-06-01, --12-24]
    """
    office = load(text, team=outing)["office"]
    for day in ("2026-05-01", "2026-05-15", "2026-06-01", "2026-12-24", "2027-12-24"):
        assert office.holiday(date.fromisoformat(day)) is not None
    assert office.holiday(date(2026, 5, 15)) == "Outing"


def test_norway_is_a_country() -> None:
    assert load("oslo: {zone: Europe/Oslo, weekly: {mon: 09:00-17:00}, holidays: {country: NO}}")["oslo"].holidays == (
        Public("NO"),
    )


def test_breaks_and_the_standard_day_may_be_set() -> None:
    text = """
        office:
          zone: UTC
          weekly: {mon: 09:00-17:00}
          breaks: {2026-03-02: 10:00-11:00}
          standard_day: 7.5 hours
    """
    office = load(text)["office"]
    assert office.breaks == {date(2026, 3, 2): (Interval.parse("10:00-11:00"),)}
    assert office.standard_day == timedelta(hours=7.5)


def test_an_icalendar_file_lies_beside_the_calendars_and_nowhere_else(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    outing = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260515\nEND:VEVENT\nEND:VCALENDAR\n"
    for place in (config, tmp_path):
        (place / "team.ics").write_text(outing)
    file = config / "calendars.yaml"
    file.write_text("office: {zone: UTC, weekly: {mon: 09:00-17:00}, holidays: {icalendar: team.ics}}")
    found, findings = calendars.load_file(file)
    assert findings == []
    assert found["office"].holiday(date(2026, 5, 15)) == ""
    for name in ("../team.ics", str(tmp_path / "team.ics"), "other.ics"):
        file.write_text(f"office: {{zone: UTC, weekly: {{mon: 09:00-17:00}}, holidays: {{icalendar: {name}}}}}")
        found, findings = calendars.load_file(file)
        assert [finding.code for finding in findings] == ["bad-holidays"]
        assert findings[0].at.line == 1


def test_an_absent_file_has_no_calendars(tmp_path: Path) -> None:
    assert calendars.load_file(tmp_path / "calendars.yaml") == ({}, [])


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("  weekly: {mon: 9-17}", "3:17 bad-interval"),
        ("  weekly: {mon: [09:00-17:00, 18:00-18:00]}", "3:31 bad-interval"),
        ("  weekly: {mon: [[09:00, 17:00]]}", "3:18 wrong-type"),
        ("  weekly: {mon: [09:00-12:00, 11:00-17:00]}", "3:31 overlapping-hours"),
        ("  weekly: {mon: 22:00-06:00, tue: 05:00-09:00}", "3:35 overlapping-hours"),
        ("  weekly: {sun: 22:00-06:00, mon: 05:00-09:00}", "3:35 overlapping-hours"),
        ("  weekly: {mon-wed: 22:00-06:00, thu: 06:00-09:00, mo: 09:00-12:00}", "3:52 bad-weekday"),
        ("  weekly: {mon-wed: 09:00-12:00, tue: 13:00-17:00}", "3:34 double-weekday"),
        ("  weekly: {mon: []}", "2:3 empty-calendar"),
        ("  weekly: {mon: 09:00-17:00}\n  exceptions: {2026-02-30: []}", "4:16 bad-date"),
        ("  weekly: {mon: 09:00-17:00}\n  breaks: {2026-03-02: 17:00}", "4:24 bad-interval"),
        ("  weekly: {mon: 09:00-17:00}\n  holidays: {country: XX}", "4:23 bad-holidays"),
        ("  weekly: {mon: 09:00-17:00}\n  holidays: {country: DE, region: XX}", "4:35 bad-holidays"),
        ("  weekly: {mon: 09:00-17:00}\n  holidays: [2026-02-30]", "4:14 bad-holidays"),
        ("  weekly: {mon: 09:00-17:00}\n  holidays: [[2026-02-28]]", "4:14 wrong-type"),
        ("  weekly: {mon: 09:00-17:00}\n  holidays: {land: DE}", "4:14 unknown-key"),
        ("  weekly: {mon: 09:00-17:00}\n  standard_day: 5 business days", "4:17 bad-duration"),
        ("  weekly: {mon: 09:00-17:00}\n  standard_day: 25 hours", "4:17 bad-duration"),
        ("  weekly: {mon: 09:00-17:00}\n  hollidays: []", "4:3 unknown-key"),
    ],
)
def test_a_fault_is_told_at_its_place(text: str, finding: str) -> None:
    assert finding in told(text)


def test_an_unknown_zone_is_told_with_the_one_that_was_meant() -> None:
    _, (finding,) = calendars.load_calendars("office: {zone: Europe/Berln, weekly: {mon: 09:00-17:00}}", "calendars.yaml")
    assert (finding.code, str(finding.at)) == ("unknown-zone", "calendars.yaml:1:16")
    assert finding.hint == "Did you mean “Europe/Berlin”?"


def test_every_fault_of_a_file_is_told_at_once() -> None:
    _, findings = calendars.load_calendars("a: {zone: X, weekly: {mon: 9-17}}\nb: {weekly: {}}\n", "calendars.yaml")
    assert [finding.code for finding in findings] == ["unknown-zone", "bad-interval", "missing-key"]


def test_what_is_no_yaml_is_told_too() -> None:
    found, findings = calendars.load_calendars("office: [", "calendars.yaml")
    assert found == {}
    assert findings


def test_the_calendars_that_are_delivered_are_sound() -> None:
    found, findings = calendars.load_file(Path(__file__).parents[2] / "config" / "calendars.yaml")
    assert findings == []
    assert "office-hours" in found


def test_every_finding_is_described() -> None:
    project = Path(__file__).parents[2]
    codes = set(re.findall(r'[fF]ault\(\s*"([a-z-]+)"', (project / "itsm" / "workflow" / "calendars.py").read_text()))
    page = (project / "docs" / "working-time.md").read_text()
    assert len(codes) >= 8
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []
