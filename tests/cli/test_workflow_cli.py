"""`itsm workflow`: definitions checked, tried out, drawn and compared from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.cli.workflow import workflow
from itsm.platform.errors import DeskError, Kind

GOOD = """\
workflow: errand
states:
  new:    {category: new}
  closed: {category: closed}
initial: new
transitions:
  end: [{from: new, to: closed, by: [agent]}]
scenarios:
  it ends:
    given: {actor: agent}
    steps: [{fire: end}]
    expect: {state: closed}
"""
LOST = GOOD.replace("  closed:", "  lost:   {category: closed}\n  closed:")
STORY = GOOD.replace("expect: {state: closed}", "expect: {state: new}")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, with one workflow."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "roles.yaml").write_text("requester: {}\nagent: {includes: [requester]}\n")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "errand.yaml").write_text(GOOD)
    monkeypatch.setenv("ITSM_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ITSM_WORKFLOWS", str(tmp_path / "workflows"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(workflow, arguments)


def refused(*arguments: str) -> DeskError:
    """The refusal that a command ends with; the root of the command line turns it into a sentence."""
    error = run(*arguments).exception
    assert isinstance(error, DeskError)
    return error


def write(place: Path, text: str, name: str = "draft.yaml") -> str:
    (place / name).write_text(text)
    return name


# check


def test_without_a_path_the_installation_is_checked(place: Path) -> None:
    result = run("check")
    assert (result.exit_code, result.output) == (0, "No findings.\n")


def test_errors_are_told_with_their_place_and_end_with_1(place: Path) -> None:
    result = run("check", write(place, LOST))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "draft.yaml:4:3: error unreachable-state: The state “lost” cannot be reached: no transition leads into it.",
        "      lost:   {category: closed}",
        "      ^",
        "1 error, 0 warnings.",
    ]


def test_warnings_alone_do_not_fail(place: Path) -> None:
    result = run("check", write(place, GOOD.replace("{category: new}", "{category: open}")))
    assert result.exit_code == 0
    assert "warning initial-not-new" in result.output


def test_faults_of_form_are_told_too(place: Path) -> None:
    result = run("check", write(place, GOOD.replace("category: new", "categry: new")))
    assert result.exit_code == 1
    assert "draft.yaml:3:12: error unknown-key" in result.output


def test_a_directory_is_checked_file_by_file(place: Path) -> None:
    (place / "drafts").mkdir()
    write(place, LOST, "drafts/a.yaml")
    write(place, LOST.replace("errand", "other"), "drafts/b.yaml")
    output = run("check", "drafts").output
    assert "drafts/a.yaml:4:3" in output
    assert "drafts/b.yaml:4:3" in output


def test_a_file_is_checked_among_the_workflows_of_the_installation(place: Path) -> None:
    """It may fire their transitions and spawn their tickets; what is wrong with them is not told."""
    write(place, LOST.replace("errand", "broken"), "workflows/broken.yaml")
    do = "do: [{spawn: {workflow: errand, title: Again, link: child}}]"
    result = run(
        "check", write(place, GOOD.replace("workflow: errand", "workflow: draft").replace("by: [agent]", f"by: [agent], {do}"))
    )
    assert (result.exit_code, result.output) == (0, "No findings.\n")


def test_a_changed_copy_stands_in_for_the_installed_workflow(place: Path) -> None:
    assert run("check", write(place, GOOD)).output == "No findings.\n"


def test_two_files_of_one_name_are_an_error(place: Path) -> None:
    result = run("check", write(place, GOOD, "a.yaml"), write(place, GOOD, "b.yaml"))
    assert "b.yaml:1:1: error duplicate-workflow" in result.output


def test_findings_come_as_json(place: Path) -> None:
    for arguments in (("--format", "json"), ("--json",)):
        result = run("check", write(place, LOST), *arguments)
        (finding,) = json.loads(result.output)["findings"]
        assert result.exit_code == 1
        assert (finding["code"], finding["file"], finding["line"], finding["column"]) == (
            "unreachable-state",
            "draft.yaml",
            4,
            3,
        )


def test_findings_come_as_sarif(place: Path) -> None:
    log = json.loads(run("check", write(place, LOST), "--format", "sarif").output)
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"][0]["ruleId"] == "unreachable-state"
    assert json.loads(run("check", "--format", "sarif").output)["runs"][0]["results"] == []


def test_a_path_that_does_not_exist_is_refused(place: Path) -> None:
    assert refused("check", "nowhere.yaml").kind is Kind.NOT_FOUND
    (place / "empty").mkdir()
    assert refused("check", "empty").kind is Kind.NOT_FOUND


# test


def test_scenarios_are_played_and_told(place: Path) -> None:
    result = run("test")
    assert (result.exit_code, result.output) == (0, "errand:\n  passed  it ends\n1 of 1 scenarios passed.\n")


def test_a_scenario_that_fails_is_told_at_its_place(place: Path) -> None:
    result = run("test", write(place, STORY))
    assert result.exit_code == 1
    assert "  FAILED  it ends\n" in result.output
    assert "draft.yaml:12:" in result.output
    assert "0 of 1 scenarios passed." in result.output


def test_outcomes_come_as_json(place: Path) -> None:
    (outcome,) = json.loads(run("test", write(place, STORY), "--json").output)["scenarios"]
    assert (outcome["workflow"], outcome["scenario"], outcome["passed"]) == ("errand", "it ends", False)
    assert outcome["failures"][0]["code"] == "scenario-failed"


def test_what_cannot_be_read_cannot_be_played(place: Path) -> None:
    result = run("test", write(place, GOOD.replace("to: closed", "to: clsd")))
    assert result.exit_code == 1
    assert "error unknown-state" in result.output


# diagram


@pytest.mark.parametrize(("form", "begins"), [("svg", "<svg "), ("mermaid", "---\ntitle:"), ("dot", "digraph ")])
def test_a_life_cycle_is_drawn(place: Path, form: str, begins: str) -> None:
    assert run("diagram", "errand", "--format", form).output.startswith(begins)


def test_a_file_can_be_drawn_too(place: Path) -> None:
    assert "Lost" in run("diagram", write(place, LOST)).output


def test_an_unknown_workflow_is_refused_with_those_that_exist(place: Path) -> None:
    assert refused("diagram", "errnd").detail == "There is no workflow “errnd”. There are: errand."


# schema


def test_the_schema_is_json_schema(place: Path) -> None:
    schema = json.loads(run("schema").output)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "states" in schema["properties"]


# diff


def test_two_definitions_are_compared(place: Path) -> None:
    result = run("diff", "errand", write(place, LOST))
    assert (result.exit_code, result.output) == (0, "+ state lost: category: closed, title: Lost\n")
    assert run("diff", "errand", "errand").output == "No differences.\n"


def test_differences_come_as_json(place: Path) -> None:
    (difference,) = json.loads(run("diff", "errand", write(place, LOST), "--json").output)["differences"]
    assert difference == {"kind": "added", "what": "state lost", "how": "category: closed, title: Lost"}


def test_what_cannot_be_read_cannot_be_compared(place: Path) -> None:
    error = refused("diff", "errand", write(place, "workflow: errand\n"))
    assert error.kind is Kind.INVALID
    assert "error missing-key" in error.detail
