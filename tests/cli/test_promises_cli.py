"""`itsm workflow check` reads what `config/` promises, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.cli.workflow import workflow
from itsm.platform.errors import DeskError

ERRAND = """\
workflow: errand
states:
  new:    {category: new}
  closed: {category: closed}
initial: new
transitions:
  end: [{from: new, to: closed, by: [agent]}]
"""
SLA = """\
- sla: done
  calendar: office-hours
  stop: {on: closed}
  goals: [{target: 2 business days}]
"""
HOURS = "office-hours: {zone: Europe/Berlin, weekly: {mon-fri: ['09:00-17:00']}}\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, with one workflow and one promise."""
    for name, text in {
        "config/roles.yaml": "requester: {}\nagent: {includes: [requester]}\n",
        "config/calendars.yaml": HOURS,
        "config/sla.yaml": SLA,
        "workflows/errand.yaml": ERRAND,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("ITSM_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ITSM_WORKFLOWS", str(tmp_path / "workflows"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(workflow, ["check", *arguments])


def test_a_sound_installation_has_no_findings(place: Path) -> None:
    assert (check().exit_code, check().output) == (0, "No findings.\n")


@pytest.mark.parametrize("arguments", [(), ("config",), ("config/sla.yaml",), ("config/calendars.yaml",)])
def test_a_fault_in_a_promise_is_shown_under_its_line(place: Path, arguments: tuple[str, ...]) -> None:
    (place / "config" / "sla.yaml").write_text(SLA.replace("2 business days", "-4 hours"))
    result = check(*arguments)
    assert result.exit_code == 1
    assert result.output.splitlines()[:3] == [
        "config/sla.yaml:4:20: error absurd-target: “-4 hours” is not a duration: it is negative."
        " Such as “30 minutes”, “8 business hours” or “end of next business day”.",
        "      goals: [{target: -4 hours}]",
        "                       ^",
    ]


def test_what_is_proved_of_a_promise_is_told_as_of_a_workflow(place: Path) -> None:
    (place / "config" / "sla.yaml").write_text(SLA.replace("on: closed", "on: resolved"))
    assert "config/sla.yaml:1:3: error clock-never-stops" in check().output
    (found,) = json.loads(check("--format", "json").output)["findings"]
    assert (found["code"], found["severity"]) == ("clock-never-stops", "error")
    assert (found["file"], found["line"]) == ("config/sla.yaml", 1)


def test_sarif_describes_the_rules_and_faults_of_promises(place: Path) -> None:
    (place / "config" / "sla.yaml").write_text(SLA.replace("on: closed", "on: resolved"))
    (rule,) = json.loads(check("--format", "sarif").output)["runs"][0]["tool"]["driver"]["rules"]
    assert rule["id"] == "clock-never-stops"
    assert rule["shortDescription"]["text"].startswith("Nothing ever stops this clock")
    (place / "config" / "sla.yaml").write_text(SLA.replace("2 business days", "0 hours"))
    (rule,) = json.loads(check("--format", "sarif").output)["runs"][0]["tool"]["driver"]["rules"]
    assert rule["fullDescription"]["text"] == "A target is negative, has no length, or is longer than two years."
    assert rule["defaultConfiguration"]["level"] == "error"


def test_an_uncovered_state_is_a_warning_in_the_workflow(place: Path) -> None:
    longer = ERRAND.replace("  closed:", "  open:   {category: open}\n  closed:").replace("from: new", "from: [new, open]")
    (place / "workflows" / "errand.yaml").write_text(longer + "  begin: [{from: new, to: open, by: [agent]}]\n")
    assert check().output == "No findings.\n"
    begun = "  when: \"ticket.state != 'new'\"\n  start: {when: \"ticket.state == 'open'\"}\n"
    (place / "config" / "sla.yaml").write_text(SLA + begun)
    result = check()
    assert result.exit_code == 0
    assert result.output.splitlines()[:2] == [
        "workflows/errand.yaml:3:3: warning uncovered-state: No promise is running for errand tickets in “new”."
        " Write a policy whose clock runs there.",
        "      new:    {category: new}",
    ]


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        (HOURS.replace("Berlin", "Berln"), "config/calendars.yaml:1:22: error unknown-zone"),
        ("office-hours: {zone: UTC, weekly: {}}\n", "config/calendars.yaml:1:15: error empty-calendar"),
        (
            "office-hours: {zone: UTC, weekly: {mon: ['08:00-12:00', '11:00-17:00']}}\n",
            "config/calendars.yaml:1:57: error overlapping-hours",
        ),
    ],
)
def test_a_faulty_calendar_is_told_at_its_place(place: Path, hours: str, found: str) -> None:
    (place / "config" / "calendars.yaml").write_text(hours)
    for arguments in ((), ("config/sla.yaml",)):
        result = check(*arguments)
        assert result.exit_code == 1
        assert found in result.output
        assert "1 error, 0 warnings." in result.output


def test_a_location_that_names_a_calendar_which_is_not_there_is_told(place: Path) -> None:
    (place / "config" / "locations.yaml").write_text("lab: {zone: UTC, calendar: office-hour}\n")
    assert "config/locations.yaml:1:28: error unknown-calendar" in check().output


def test_a_file_that_is_no_text_is_told(place: Path) -> None:
    (place / "config" / "sla.yaml").write_bytes(b"- sla: a\xff\n")
    assert "config/sla.yaml:1:9: error yaml-encoding" in check().output


def test_only_what_was_asked_for_is_checked(place: Path) -> None:
    (place / "config" / "sla.yaml").write_text(SLA.replace("2 business days", "0 hours"))
    assert check("workflows").output == "No findings.\n"
    lost = ERRAND.replace("  closed:", "  lost:   {category: closed}\n  closed:")
    (place / "workflows" / "errand.yaml").write_text(lost)
    (place / "config" / "sla.yaml").write_text(SLA)
    assert check("config/sla.yaml").output == "No findings.\n"
    assert "unreachable-state" in check("config/sla.yaml", "workflows").output


def test_a_file_that_is_not_there_is_refused(place: Path) -> None:
    assert isinstance(check("config/slo.yaml").exception, DeskError)


def test_a_desk_without_promises_is_asked_for_none(place: Path) -> None:
    (place / "config" / "sla.yaml").unlink()
    assert check().output == "No findings.\n"
