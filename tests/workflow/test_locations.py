"""`config/locations.yaml`: what it says, and how it is told where it is wrong."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from itsm.workflow import calendars, locations
from itsm.workflow.locations import Location
from tests.docs.pages import ROOT

CALENDARS = ("office-hours", "always")


def told(text: str) -> list[str]:
    found, findings = locations.load_locations(dedent(text).lstrip(), "locations.yaml", CALENDARS)
    assert found == {}
    return [f"{finding.at} {finding.code}" for finding in findings]


def test_a_location_has_a_title_a_zone_and_perhaps_a_calendar() -> None:
    text = "berlin: {title: Head office, zone: Europe/Berlin, calendar: office-hours}\nlab: {zone: UTC}\n"
    found, findings = locations.load_locations(text, "locations.yaml", CALENDARS)
    assert findings == []
    assert found == {
        "berlin": Location("berlin", "Head office", "Europe/Berlin", "office-hours"),
        "lab": Location("lab", "lab", "UTC", None),
    }


def test_every_fault_is_told_at_its_place() -> None:
    text = """
        berlin: {zone: Europe/Berln, calendar: office-hours}
        munich: {zone: Europe/Berlin, calendar: ofice-hours}
        Rome: {zone: Europe/Rome}
        paris: {title: Paris}
        oslo: {zone: Europe/Oslo, floor: 3}
    """
    assert told(text) == [
        "locations.yaml:1:16 unknown-zone",
        "locations.yaml:2:41 unknown-calendar",
        "locations.yaml:3:1 bad-name",
        "locations.yaml:4:8 missing-key",
        "locations.yaml:5:27 unknown-key",
    ]


def test_a_misspelt_calendar_comes_with_the_one_that_was_meant() -> None:
    _, findings = locations.load_locations("a: {zone: UTC, calendar: alwais}", "locations.yaml", CALENDARS)
    assert findings[0].hint == "Did you mean “always”?"


def test_an_absent_file_has_no_locations(tmp_path: Path) -> None:
    assert locations.load_file(tmp_path / "locations.yaml", CALENDARS) == ({}, [])


def test_the_shipped_locations_are_sound() -> None:
    hours, _ = calendars.load_file(ROOT / "config" / "calendars.yaml")
    found, findings = locations.load_file(ROOT / "config" / "locations.yaml", hours)
    assert findings == []
    assert {"berlin", "frankfurt"} <= found.keys()
