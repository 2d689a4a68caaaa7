"""The shipped practices keep what they promise: they check clean, and their scenarios tell all of them.

A scenario suite is worth what it would notice. So every branch, timer and answer to an event is taken away once, and some
scenario has to miss it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from itsm.workflow import language, scenario
from itsm.workflow.check import check
from itsm.workflow.definition import Branch, Category, Expression, Scenario, Workflow
from itsm.workflow.engine import Process
from itsm.workflow.vocabulary import load_vocabulary

ROOT = Path(__file__).parents[2]
VOCABULARY, FAULTS = load_vocabulary(ROOT / "config", ROOT / "workflows")
PRACTICES, FINDINGS = language.load_directory(ROOT / "workflows", VOCABULARY)

every_practice = pytest.mark.parametrize("practice", PRACTICES.values(), ids=PRACTICES)
every_scenario = pytest.mark.parametrize(
    ("practice", "told"),
    [
        pytest.param(practice, told, id=f"{name}: {told.name}")
        for name, practice in PRACTICES.items()
        for told in practice.scenarios
    ],
)


def test_four_practices_and_the_work_task_are_shipped() -> None:
    assert sorted(PRACTICES) == ["change", "incident", "problem", "request", "task"]


def test_the_files_and_their_configuration_can_be_read() -> None:
    assert [str(finding) for finding in (*FAULTS, *FINDINGS)] == []


def test_nothing_can_be_said_against_them() -> None:
    assert [f"{finding.at}: {finding.code}: {finding.message}" for finding in check(PRACTICES, VOCABULARY)] == []


@every_scenario
def test_every_scenario_passes(practice: Workflow, told: Scenario) -> None:
    outcome = scenario.run(Process(practice, VOCABULARY), told)

    assert [finding.message for finding in outcome.failures] == []


@every_practice
def test_every_branch_is_taken_by_some_scenario(practice: Workflow) -> None:
    assert _unnoticed(practice, _without_a_branch(practice)) == []


@every_practice
def test_every_timer_is_missed_by_some_scenario(practice: Workflow) -> None:
    assert _unnoticed(practice, _without_a_timer(practice)) == []


@every_practice
def test_every_answer_to_an_event_is_missed_by_some_scenario(practice: Workflow) -> None:
    assert _unnoticed(practice, _without_an_answer(practice)) == []


@every_practice
def test_whatever_needs_words_is_refused_without_them(practice: Workflow) -> None:
    silent = {step.fire for told in practice.scenarios for step in told.steps if step.refused == "comment_required"}
    wordy = {branch.trigger for branch in _branches(practice) if branch.comment == "required"}

    assert wordy - silent == set()


@every_practice
def test_a_closed_record_is_read_only(practice: Workflow) -> None:
    declared = {name for name, field in practice.fields.items() if field.edit != ("system",)}

    for state in practice.states.values():
        if state.category is Category.CLOSED:
            assert declared <= set(state.readonly), state.name


@every_practice
def test_every_wait_has_a_reason_or_an_approver(practice: Workflow) -> None:
    for state in practice.states.values():
        if state.category is Category.PENDING:
            assert "pending_reason" in state.require or _asked(practice, state.name)


def test_priorities_are_those_of_a_desk_in_production() -> None:
    """Impact and urgency from 1 (highest) to 3, as 141,712 rows of one ServiceNow desk have them; (1, 3) never occurs there."""
    rows, columns = ("extensive", "significant", "moderate"), ("critical", "high", "medium")
    production = {(1, 1): 1, (1, 2): 2, (2, 1): 2, (2, 2): 3, (2, 3): 4, (3, 1): 3, (3, 2): 4, (3, 3): 4, (1, 3): 3}
    cells = VOCABULARY.matrices["priority"].cells

    for (impact, urgency), priority in production.items():
        assert cells[rows[impact - 1], columns[urgency - 1]] == f"p{priority}"


def test_priority_follows_from_one_sum() -> None:
    impacts = PRACTICES["incident"].fields["impact"].choices
    urgencies = PRACTICES["incident"].fields["urgency"].choices
    cells = VOCABULARY.matrices["priority"].cells

    assert len(cells) == 16
    for row, impact in enumerate(impacts):
        for column, urgency in enumerate(urgencies):
            assert cells[impact, urgency] == f"p{min(row + column + 1, 4)}"


def test_a_requester_alone_makes_no_p1_or_p2() -> None:
    incident = PRACTICES["incident"]
    impact = incident.fields["impact"]
    reached = {
        VOCABULARY.matrices["priority"].cells[str(impact.default), urgency] for urgency in incident.fields["urgency"].choices
    }

    assert "requester" not in impact.edit
    assert reached.isdisjoint({"p1", "p2"})


def test_approvals_exclude_whoever_asks() -> None:
    asked = [action for practice in PRACTICES.values() for branch in _branches(practice) for action in branch.do]
    requests = [action for action in asked if action.name == "request_approval"]

    assert requests
    for action in requests:
        assert "requester" in action.arguments["exclude"], action.at  # type: ignore[operator]


def test_every_template_has_a_use() -> None:
    used_elsewhere = {"sla-warning", "sla-breached", "escalation", "escalation-digest", "recurrence-suspended"}
    text = "".join(path.read_text() for path in (ROOT / "workflows").glob("*.yaml"))

    assert {name for name in VOCABULARY.templates if f"template: {name}}}" not in text} <= used_elsewhere


def _branches(practice: Workflow) -> Iterator[Branch]:
    for transition in practice.transitions.values():
        yield from transition.branches


def _asked(practice: Workflow, state: str) -> bool:
    """Whether approval is asked for on every way into a state."""
    ways = [branch for branch in _branches(practice) if branch.target == state]
    return all(any(action.name == "request_approval" for action in branch.do) for branch in ways)


def _unnoticed(practice: Workflow, damaged: Iterator[tuple[str, Workflow]]) -> list[str]:
    """The damages that no scenario of the practice notices."""
    return [what for what, less in damaged if all(outcome.passed for outcome in scenario.run_all(Process(less, VOCABULARY)))]


def _without_a_branch(practice: Workflow) -> Iterator[tuple[str, Workflow]]:
    for name, transition in practice.transitions.items():
        for gone in transition.branches:
            never = replace(gone, condition=Expression("false", gone.at))
            rest = tuple(never if branch is gone else branch for branch in transition.branches)
            less = replace(practice, transitions={**practice.transitions, name: replace(transition, branches=rest)})
            yield f"{gone.at}: {name}", less


def _without_a_timer(practice: Workflow) -> Iterator[tuple[str, Workflow]]:
    for gone in practice.timers:
        yield gone, replace(practice, timers={name: timer for name, timer in practice.timers.items() if name != gone})


def _without_an_answer(practice: Workflow) -> Iterator[tuple[str, Workflow]]:
    for name, reaction in practice.reactions.items():
        for gone in reaction.rules:
            rest = tuple(rule for rule in reaction.rules if rule is not gone)
            less = replace(practice, reactions={**practice.reactions, name: replace(reaction, rules=rest)})
            yield f"{gone.at}: {name}", less
