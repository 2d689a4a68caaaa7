"""Findings as people and programs read them."""

from __future__ import annotations

import json

import pytest

from itsm.workflow.definition import Position
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.report import as_json, as_sarif, as_text

SOURCE = "workflow: x\nstates:\n  lost: {category: open}\n"


def a_finding(
    line: int = 3, column: int = 3, hint: str | None = None, file: str = "x.yaml", code: str = "unreachable-state"
) -> Finding:
    return Finding(code, Severity.ERROR, "The state “lost” cannot be reached.", Position(file, line, column), hint)


# Text


def test_a_finding_is_a_line_with_its_source_and_a_caret() -> None:
    assert as_text([a_finding(hint="Take it out.")], {"x.yaml": SOURCE}).splitlines() == [
        "x.yaml:3:3: error unreachable-state: The state “lost” cannot be reached. Take it out.",
        "      lost: {category: open}",
        "      ^",
        "1 error, 0 warnings.",
    ]


def test_the_caret_stands_under_its_character_after_tabs_and_wide_letters() -> None:
    lines = as_text([a_finding(1, 5)], {"x.yaml": "\t漢字: lost"}).splitlines()
    assert lines[1] == "    \t漢字: lost"
    assert lines[2] == "    \t" + " " * 5 + "^"


def test_a_long_line_is_shown_around_the_place() -> None:
    line = "a" * 500 + "X" + "b" * 500
    shown, caret = as_text([a_finding(1, 501)], {"x.yaml": line}).splitlines()[1:3]
    assert len(shown) < 200
    assert shown[caret.index("^")] == "X"


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    assert "\x1b" not in as_text([a_finding(1, 1)], {"x.yaml": "\x1b[31mred"})


def test_without_the_source_the_line_is_left_out() -> None:
    assert len(as_text([a_finding()], {}).splitlines()) == 2
    assert len(as_text([a_finding(99)], {"x.yaml": SOURCE}).splitlines()) == 2


def test_nothing_found_is_said() -> None:
    assert as_text([], {}) == "No findings."


# JSON


def test_json_has_what_the_http_interface_has_and_the_file() -> None:
    finding, hinted = json.loads(as_json([a_finding(), a_finding(hint="Take it out.")]))["findings"]
    assert finding == {
        "code": "unreachable-state",
        "severity": "error",
        "file": "x.yaml",
        "line": 3,
        "column": 3,
        "message": "The state “lost” cannot be reached.",
    }
    assert hinted["hint"] == "Take it out."


# SARIF


def test_sarif_is_a_log_of_one_run() -> None:
    log = json.loads(as_sarif([a_finding(hint="Take it out.")]))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert rule["id"] == result["ruleId"] == "unreachable-state"
    assert rule["shortDescription"]["text"].startswith("No way of transitions leads")
    assert result["level"] == "error"
    assert result["message"]["text"] == "The state “lost” cannot be reached. Take it out."
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "x.yaml"},
        "region": {"startLine": 3, "startColumn": 3},
    }


def test_a_fault_of_form_has_a_rule_with_its_meaning() -> None:
    log = json.loads(as_sarif([a_finding(code="unknown-state"), a_finding(code="something-new")]))
    new, known = log["runs"][0]["tool"]["driver"]["rules"]
    assert new == {"id": "something-new"}
    assert known["shortDescription"]["text"] == "There is no state of this name in the workflow."


@pytest.mark.parametrize(
    ("file", "uri"),
    [("a b/ü.yaml", "a%20b/%C3%BC.yaml"), ("/tmp/x.yaml", "file:///tmp/x.yaml"), ("a#b?.yaml", "a%23b%3F.yaml")],
)
def test_files_are_uris(file: str, uri: str) -> None:
    result = json.loads(as_sarif([a_finding(file=file)]))["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
