"""What is said against a table of assignment before any ticket follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.assignment import check, reading
from itsm.assignment.codes import MEANINGS
from itsm.platform.settings import PROJECT_ROOT
from tests.service import configuration, practices

FAULTY: list[tuple[str, str]] = [
    ("groups: {a: {}}\nrules: [{name: all, group: a}, {name: late}]", "routing-rule-shadowed"),
    ("rules: [{name: x, for: task}, {name: y, for: task, if: \"ticket.title == 'x'\"}, {name: z}]", "routing-rule-shadowed"),
    ("rules: [{name: x, for: task}, {name: x}]", "routing-double-rule"),
    ("rules: [{name: x, for: task}]", "routing-no-default"),
    ("groups: {a: {}}\nrules: [{name: x, group: b}]", "unknown-group"),
    ("rules: [{name: x, needs: [{skill: s}]}]", "unknown-skill"),
    ("people: {n1: {skills: {s: 1}}}", "unknown-skill"),
    ("skills: [s]\nrules: [{name: x, needs: [{skill: s, level: 2}]}]\npeople: {n1: {skills: {s: 1}}}", "skill-nobody-has"),
    ("groups: {a: {strategy: luck}}", "unknown-strategy"),
    ("groups: {a: {shift: nights}}", "unknown-calendar"),
    ("groups: {a: {take_up: {within: 2 business hours}}}", "missing-calendar"),
    ("groups: {a: {tell: nothing-like-it}}", "unknown-template"),
    ("rules: [{name: x, for: nothing}]", "unknown-workflow"),
    ("rules: [{name: x, if: \"ticket.nothing == 'x'\"}, {name: y}]", "expression-unknown-name"),
    ("rules: [{name: x, for: task, if: \"ticket.urgency == 'high'\"}, {name: y}]", "expression-unknown-name"),
    ("rules: [{name: x, if: \"actor.id == 'x'\"}, {name: y}]", "expression-unknown-name"),
    ("groups: {a: {}}\non_call: {a: [{name: p, people: [], from: 2026-01-01, zone: UTC}]}", "on-call-nobody"),
    ("groups: {a: {}}\non_call: {a: [{name: p, people: x, from: 2026-01-01, zone: Mars}]}", "unknown-zone"),
    ("groups: {a: {}}\non_call: {a: [{name: p, people: x, from: soon, zone: UTC}]}", "bad-date"),
    ("groups: {a: {}}\non_call: {a: [{name: p, people: x, from: 2026-01-01, zone: UTC, handover: 9}]}", "bad-time"),
    ("groups: {a: {}}\non_call: {a: [{name: p, people: x, from: 2026-01-01, zone: UTC, days: 400}]}", "bad-turn"),
    (
        "groups: {a: {}}\non_call: {a: [{name: p, people: x, from: 2026-01-01, zone: UTC},"
        " {name: p, people: x, from: 2026-01-01, zone: UTC}]}",
        "on-call-double-layer",
    ),
]


@pytest.mark.parametrize(("text", "code"), FAULTY, ids=[f"{code} {number}" for number, (_, code) in enumerate(FAULTY)])
def test_what_is_wrong_is_told(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "assignment.yaml"
    path.write_text(text)
    parts = configuration()
    findings = check.check(path, parts.vocabulary, parts.calendars, practices())
    assert [finding.code for finding in findings] == [code]
    assert findings[0].at.file == str(path)


def test_every_code_has_an_example() -> None:
    assert set(MEANINGS) <= {code for _, code in FAULTY}


def test_the_shipped_table_is_sound() -> None:
    parts = configuration()
    assert check.check(PROJECT_ROOT / "config" / "assignment.yaml", parts.vocabulary, parts.calendars, practices()) == []


def test_a_condition_that_fits_some_workflow_is_taken_where_the_rule_is_for_all() -> None:
    parts = configuration()
    text = "rules: [{name: x, if: \"ticket.urgency == 'high'\"}, {name: y}]"
    book, findings = reading.load_book(text, "assignment.yaml", parts.vocabulary, parts.calendars)
    assert not findings
    assert not [*check.conditions(book, practices(), parts.vocabulary)]
