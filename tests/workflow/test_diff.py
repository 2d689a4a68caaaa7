"""What is different between two definitions, said as a process owner would say it."""

from __future__ import annotations

import pytest

from itsm.workflow.diff import compare
from tests.workflow.check.bench import errand


def told(changes: str, before: str = "") -> list[str]:
    """The differences that these changes make."""
    return [str(difference) for difference in compare(errand(before), errand(changes))]


def test_a_definition_does_not_differ_from_itself() -> None:
    assert told("") == []


def test_a_moved_line_and_another_layout_are_no_difference() -> None:
    assert told('invariants: [{holds:   "ticket.answer  !=  null", in: closed}]') == []


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ("title: Little errand", "~ workflow: title: Errand → Little errand"),
        ("fields: {extra: {type: text}}", "+ field extra: type: text, title: Extra, edit: agent"),
        ("fields: {answer: {type: text}}", "~ field answer: type: markdown → text"),
        (
            "fields: {reason: {type: choice, choices: [user, vendor, change]}}",
            "~ field reason: choices: user, vendor → user, vendor, change",
        ),
        ("states: {waiting: {category: pending}}", "~ state waiting: require: reason → –"),
        ("transitions: {resume: null}\nreactions: {requester_replied: null}", "- transition resume"),
        ("transitions: {drop: [{from: new, to: closed, by: [agent]}]}", "+ transition drop: new → closed"),
        ("transitions: {take: [{from: new, to: open, by: [lead]}]}", "~ transition take, branch new → open: by: agent → lead"),
        (
            'transitions: {take: [{from: new, to: open, by: [agent], if: "tasks.open == 0"}]}',
            "~ transition take, branch new → open: if: – → “tasks.open == 0”",
        ),
        (
            "transitions: {take: [{from: new, to: open, by: [agent]}, {from: open, to: new, by: [lead]}]}",
            "+ transition take, branch open → new: by: lead, comment: optional",
        ),
        (
            "transitions: {resume: [{from: waiting, to: open, by: [agent, system]}]}",
            "~ transition resume, branch waiting → open: do: clear {fields: reason} → –",
        ),
        ("timers: {over: {in: done, after: 5 days, fire: confirm}}", "~ timer over: after: 3 days → 5 days"),
        ("timers: {over: null}", "- timer over"),
        (
            "reactions: {requester_replied: [{in: waiting, fire: resume}]}",
            "~ reaction to requester_replied: in: waiting, if: “ticket.reason == 'user'”, fire: resume"
            " → in: waiting, fire: resume",
        ),
        ("reactions: {tasks_done: [{in: waiting, fire: resume}]}", "+ reaction to tasks_done: in: waiting, fire: resume"),
        ("scenarios: {it goes: {given: {actor: agent}, steps: [{fire: take}], expect: {state: open}}}", "+ scenario it goes"),
    ],
)
def test_it_is_said_what_became_of(changes: str, difference: str) -> None:
    assert difference in told(changes)


def test_an_invariant_is_known_by_what_it_says() -> None:
    assert told('invariants: [{in: done, holds: "ticket.answer != null"}]') == [
        "~ invariant ticket.answer != null: in: closed → done"
    ]
    assert told('invariants: [{in: closed, holds: "ticket.reason == null"}]') == [
        "- invariant ticket.answer != null",
        "+ invariant ticket.reason == null: holds: “ticket.reason == null”, in: closed",
    ]


def test_branches_in_another_order_are_a_difference() -> None:
    branches = "{from: open, to: done, by: [agent]}", "{from: new, to: done, by: [lead]}"
    before = f"transitions: {{finish: [{branches[0]}, {branches[1]}]}}"
    after = f"transitions: {{finish: [{branches[1]}, {branches[0]}]}}"
    assert told(after, before) == ["~ transition finish: its branches are tried in another order"]
