"""What an agreement is made of: the promises, and the files that its calendars name."""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.platform.errors import DeskError, Kind
from itsm.sla import places, scope, sources
from tests.service import PROJECT_ROOT

WORKFLOWS = PROJECT_ROOT / "workflows"
CALENDARS = "office: {zone: UTC, weekly: {mon: 09:00-17:00}, holidays: {icalendar: team.ics}}\n"
OUTING = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260515\nSUMMARY:Tag für alle\nEND:VEVENT\nEND:VCALENDAR\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a calendar that names one iCalendar file."""
    (tmp_path / "calendars.yaml").write_text(CALENDARS)
    (tmp_path / "team.ics").write_text(OUTING)
    return tmp_path


def test_an_icalendar_file_that_a_calendar_names_is_kept_with_the_agreement(config: Path) -> None:
    gathered = sources.gather(config, WORKFLOWS)
    assert gathered.files == {"calendars.yaml": CALENDARS, "team.ics": OUTING}


def test_a_file_that_no_calendar_names_makes_no_other_agreement(config: Path) -> None:
    before = sources.gather(config, WORKFLOWS).digest
    (config / "imports").mkdir()
    (config / "imports" / "somebody.ics").write_bytes(b"\xff\xfe")
    assert sources.gather(config, WORKFLOWS).digest == before


@pytest.mark.parametrize("name", ["team.ics", "sla.yaml"])
def test_a_file_that_is_not_utf_8_is_refused_by_its_name(config: Path, name: str) -> None:
    (config / name).write_bytes("Tag für alle".encode("latin-1"))
    with pytest.raises(DeskError) as refused:
        sources.gather(config, WORKFLOWS)
    assert (refused.value.kind, refused.value.code) == (Kind.SETUP, "bad_configuration")
    assert str(config / name) in refused.value.detail
    assert "0xfc" in refused.value.detail


def test_what_a_condition_may_ask_of_others_is_what_the_directory_is_asked() -> None:
    assert set(scope.PLACES) == places.NAMES
