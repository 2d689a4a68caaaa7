"""`itsm import`: a report for people and one for programs, an error file, and an exit code that says whether all went well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.app import Service
from itsm.cli import Wiring
from itsm.cli.importing import import_
from tests.imports.desk import SAMPLES


class Command:
    """The command over a desk, run in a folder of its own."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._wiring = Wiring(build=lambda settings: service, create_app=lambda service: None)
        self._environment = {"ITSM_HOME": str(folder), "ITSM_SECRET": "0123456789abcdef" * 4}

    def __call__(self, log: Path, mapping: Path, *options: str) -> Result:
        arguments = [str(log), "--mapping", str(mapping), *options]
        return CliRunner().invoke(import_, arguments, obj=self._wiring, env=self._environment)


@pytest.fixture
def command(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(service, tmp_path)


def test_the_report_is_a_table_for_people(command: Command) -> None:
    result = command(SAMPLES / "incidents.csv", SAMPLES / "incidents.yaml")
    assert result.exit_code == 0, result.output
    for words in ("cases read", "imported", "wrong_state", "INC-2, line 7", "priority as in the log", "8 of 9"):
        assert words in result.output


def test_and_json_for_programs(command: Command) -> None:
    result = command(SAMPLES / "incidents.csv", SAMPLES / "incidents.yaml", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["cases"] == {"read": 3, "imported": 3, "already_imported": 0, "failed": 0}
    assert told["refused"][0].keys() == {"from", "to", "count", "code", "trigger", "message", "example"}
    assert told["errors_file"] is None
    assert not list(Path().glob("*.jsonl"))


def test_cases_that_fail_go_to_an_error_file_and_to_the_exit_code(command: Command, tmp_path: Path) -> None:
    text = (SAMPLES / "incidents.csv").read_text().replace("04-03-2020 12:30", "soon")
    log = tmp_path / "log.csv"
    log.write_text(text)
    result = command(log, SAMPLES / "incidents.yaml")
    assert result.exit_code == 1
    assert "log.csv.errors.jsonl" in result.output
    (told,) = [json.loads(line) for line in Path("log.csv.errors.jsonl").read_text().splitlines()]
    assert (told["line"], told["case"], told["code"]) == (11, "INC-3", "bad_time")
    assert told["raw"]["changed"] == "soon"
    other = command(log, SAMPLES / "incidents.yaml", "--errors", str(tmp_path / "elsewhere"), "--json")
    assert json.loads(other.output)["cases"] == {"read": 3, "imported": 0, "already_imported": 2, "failed": 1}
    assert (tmp_path / "elsewhere").exists()


def test_what_is_refused_can_be_left_out_and_the_number_of_cases_limited(command: Command) -> None:
    log, mapping = SAMPLES / "incidents.csv", SAMPLES / "incidents.yaml"
    told = json.loads(command(log, mapping, "--refused", "refuse", "--limit", "2", "--json").output)
    assert told["refused_are"] == "left out"
    assert told["cases"]["read"] == 2
    assert told["events"]["overridden"] == 0


def test_the_faults_of_a_mapping_are_told_with_their_lines(command: Command, tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    mapping.write_text((SAMPLES / "incidents.yaml").read_text().replace("to: resolved", "to: resolvd"))
    result = command(SAMPLES / "incidents.csv", mapping)
    assert result.exit_code == 1
    line = (SAMPLES / "incidents.yaml").read_text().partition("to: resolved")[0].count("\n") + 1
    assert f"{mapping}:{line}:9: error unknown-state: There is no state “resolvd”. Did you mean “resolved”?" in result.output
    assert "        to: resolvd\n            ^" in result.output


def test_a_log_that_ends_too_early_is_said_to(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "cut.xes"
    log.write_text((SAMPLES / "problems.xes").read_text().rpartition("</trace>")[0])
    result = command(log, SAMPLES / "problems.yaml")
    assert result.exit_code == 1
    assert f"{log}:" in result.output
    assert "could not be read to its end" in result.output


def test_what_a_log_says_is_never_taken_for_markup(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text((SAMPLES / "incidents.csv").read_text().replace("Limbo", "[red]Limbo[/nonsense]"))
    result = command(log, SAMPLES / "incidents.yaml")
    assert result.exit_code == 0, result.output
    assert "[red]Limbo[/nonsense]" in result.output
