"""Conditions say something: they can hold, and they can fail."""

from __future__ import annotations

import pytest

from itsm.workflow.check import check
from tests.workflow.check.bench import WORDS, codes, loaded, sentence

FIELDS = (
    "fields: {big: {type: boolean}, count: {type: integer}, cost: {type: money}, due: {type: datetime}, owner: {type: user}}\n"
)


def asked(condition: str) -> list[str]:
    """What is found when `finish` waits for this condition."""
    use = "require: [big, count, cost, due, owner]"
    return codes(f"{FIELDS}transitions: {{finish: [{{from: open, to: done, by: [agent], {use}, if: {condition!r}}}]}}")


@pytest.mark.parametrize(
    "condition",
    [
        "ticket.reason == 'user' && ticket.reason == 'vendor'",
        "ticket.big && !ticket.big",
        "tasks.open == 0 && tasks.open > 2",
        "ticket.state == 'done'",
        "ticket.category == 'closed'",
        "ticket.type == 'errand' && false",
        "ticket.count == null && ticket.count > 3",
        "ticket.due == null && ticket.due < now",
        "ticket.title.contains('x') && !ticket.title.contains('x')",
        "ticket.owner != null && null == ticket.owner",
        "!(tasks.open > 0 || tasks.open == 0)",
        "ticket.reason in ['user'] && !(ticket.reason in ['user', 'vendor'])",
        "ticket.big ? false : ticket.big",
    ],
)
def test_a_contradiction_never_holds(condition: str) -> None:
    assert "condition-never-holds" in asked(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "ticket.reason == 'user' || tasks.open > 5",
        "tasks.open > 100 && tasks.open < 102",
        "tasks.total - tasks.open > 3",
        "tasks.open * 2 == 14",
        "links.child > links.parent",
        "approvals.approved >= 2 && approvals.rejected == 0",
        "ticket.cost != null && ticket.cost.amount > 5000.0",
        "ticket.due < now",
        "now.getHours('UTC') < 8",
        "actor.id != ticket.requester",
        "'lead' in actor.roles",
        "comment != null",
        "ticket.state == 'open' && ticket.category == 'open'",
        "actor.groups.exists(each, each == ticket.group)",
    ],
)
def test_what_can_hold_and_can_fail_is_left_alone(condition: str) -> None:
    assert asked(condition) in ([], ["condition-always-holds"] if "ticket.state" in condition else [])


@pytest.mark.parametrize(
    "condition",
    [
        "tasks.open >= 0 || ticket.big",
        "ticket.reason == null || ticket.reason != null",
        "ticket.type == 'errand'",
        "ticket.reason in ['user', 'vendor'] || ticket.reason == null",
        "ticket.state == 'open'",
    ],
)
def test_a_tautology_always_holds(condition: str) -> None:
    assert asked(condition) == ["condition-always-holds"]


@pytest.mark.parametrize(
    "condition",
    ["ticket.big || !ticket.big", "ticket.count < 3 || ticket.count >= 3", "ticket.title.size() >= 0"],
)
def test_what_ends_in_an_error_while_a_field_is_empty_does_not_always_hold(condition: str) -> None:
    assert asked(condition) == []


def test_a_condition_over_more_than_can_be_tried_is_passed_over() -> None:
    terms = " && ".join(f"links.{kind} > 40" for kind in ("parent", "child", "causes"))
    assert asked(f"{terms} && links.parent < 2") == []


def test_timers_and_reactions_are_asked_without_a_comment() -> None:
    changes = 'timers: {over: {in: done, after: 3 days, if: "comment != null", fire: confirm}}'
    assert sentence("condition-never-holds", changes) == "“comment != null” never holds, so the timer over never comes to pass."


def test_type_errors_stand_where_they_are_in_the_source() -> None:
    text = """\
workflow: errand
states: {new: {category: new}, closed: {category: closed}}
initial: new
transitions:
  end:
    - from: new
      to: closed
      by: [agent]
      if: "tasks.open == 'none'"
"""
    (finding,) = check({"errand": loaded(text)}, WORDS)
    assert (finding.code, finding.at.line) == ("expression-type", 9)
    assert text.splitlines()[8][finding.at.column - 1 :].startswith("==")


def test_what_does_not_compile_does_not_keep_the_rest_from_being_found() -> None:
    changes = """
    transitions:
      finish: [{from: open, to: done, by: [agent], if: "tasks.open == 'none'"}]
      confirm: [{from: done, to: closed, by: [requester, system], if: "ticket.reason == 'usr'"}]
    timers: {over: {in: open, after: 3 days, fire: confirm}}
    """
    assert codes(changes) == ["expression-type", "expression-unknown-value", "fire-never-passes"]
