"""Invariants hold on every way that a ticket can go; where one does not, the way is told, and the engine goes it too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from itsm.workflow.case import SYSTEM_PERSON, Case, Decision, Person, Refusal, Value, Why
from itsm.workflow.check.logic import FILLED
from itsm.workflow.check.space import breaches
from itsm.workflow.check.steps import Step
from itsm.workflow.engine import Process
from tests.workflow.check.bench import codes, sentence, subject

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)

BROKEN = {
    "a way around the requirement": """
        transitions: {stop: [{from: [new, open], to: closed, by: [agent]}]}
    """,
    "a field cleared on the way": """
        transitions: {confirm: [{from: done, to: closed, by: [requester, system], do: [{clear: [answer]}]}]}
    """,
    "a field emptied by hand where nothing requires it": """
        states: {held: {category: open}}
        transitions:
          hold: [{from: done, to: held, by: [agent]}]
          end: [{from: held, to: closed, by: [agent]}]
    """,
    "a value that another way brings": """
        invariants: [{in: done, holds: "ticket.reason != 'vendor'"}]
    """,
    "a field filled by hand and never cleared": """
        invariants: [{in: open, holds: "ticket.reason == null"}]
    """,
    "a priority that follows from others": """
        fields:
          impact:   {type: choice, choices: [high, low], default: low}
          urgency:  {type: choice, choices: [high, low], default: low}
          priority: {type: choice, choices: [p1, p2, p3], derive: {matrix: priority}}
        transitions: {rush: [{from: open, to: waiting, by: [agent], do: [{set: {urgency: high}}]}]}
        invariants: [{in: waiting, holds: "ticket.priority != 'p1'"}]
    """,
    "tasks that nobody looked at": """
        invariants: [{in: done, holds: "tasks.open == 0"}]
    """,
    "what a timer writes": """
        timers: {tick: {in: open, after: 1 day, do: [{set: {reason: vendor}}]}}
        invariants: [{in: open, holds: "ticket.reason != 'vendor'"}]
    """,
    "a new ticket as it is born": """
        invariants: [{in: new, holds: "ticket.reason != null"}]
    """,
    "an error instead of a truth value": """
        fields: {big: {type: boolean}}
        invariants: [{in: open, holds: "!ticket.big"}]
    """,
}

SOUND = {
    "a branch that asks for it": """
        transitions: {stop: [{from: [new, open], to: closed, by: [agent], require: [answer]}]}
    """,
    "a condition that keeps the case out": """
        transitions: {stop: [{from: [new, open], to: closed, by: [agent], if: "ticket.answer != null"}]}
    """,
    "an earlier branch that takes the case": """
        transitions:
          stop:
            - {from: open, to: done, by: [agent], if: "ticket.answer == null", require: [answer]}
            - {from: open, to: closed, by: [agent]}
    """,
    "a readonly field that stays filled": """
        states: {held: {category: open, readonly: [answer]}}
        transitions:
          hold: [{from: done, to: held, by: [agent]}]
          end: [{from: held, to: closed, by: [agent]}]
    """,
    "a field that only actions write": """
        fields: {seal: {type: choice, choices: [red, blue], default: red, edit: [system]}}
        transitions: {confirm: [{from: done, to: closed, by: [requester, system], do: [{set: {seal: blue}}]}]}
        invariants: [{in: closed, holds: "ticket.seal == 'blue'"}]
    """,
    "an edit that the invariant itself refuses": """
        invariants: [{in: [new, open, waiting, done], holds: "ticket.reason != 'vendor'"}]
    """,
    "a default that people may change and not lose": """
        fields: {size: {type: choice, choices: [small, large], default: small, edit: [system]}}
        invariants: [{holds: "ticket.size != null"}]
    """,
    "dates, of which nothing is said": """
        fields: {begins: {type: datetime}, ends: {type: datetime}}
        invariants: [{in: done, holds: "ticket.begins == null || ticket.ends == null || ticket.begins < ticket.ends"}]
    """,
    "approvals, of which nothing is said": """
        invariants: [{in: done, holds: "approvals.approved > 0"}]
    """,
    "tasks that a condition has looked at before": """
        transitions: {finish: [{from: open, to: done, by: [agent], if: "tasks.open == 0"}]}
        invariants: [{in: [done, closed], holds: "tasks.open == 0"}]
    """,
    "a condition on a field that the invariant does not name": """
        fields: {kind: {type: choice, choices: [plain, odd], default: plain, edit: [system]}}
        states: {dropped: {category: closed}, done: {category: resolved, readonly: [answer]}}
        transitions:
          mark: [{from: new, to: =, by: [agent], do: [{set: {kind: odd}}]}]
          finish:
            - {from: open, to: done, by: [agent], if: "ticket.kind == 'plain'", require: [answer]}
            - {from: open, to: done, by: [agent], if: "ticket.kind == 'odd'"}
          confirm: [{from: done, to: closed, by: [requester, system], if: "ticket.kind == 'plain'"}]
          refuse: [{from: done, to: dropped, by: [agent]}]
    """,
    "a required field that can be filled rightly": """
        invariants: [{in: [new, open, waiting], holds: "ticket.reason != 'vendor'"}]
    """,
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_an_invariant_is_broken_by(changes: str) -> None:
    assert "broken-invariant" in codes(changes)


@pytest.mark.parametrize("changes", SOUND.values(), ids=SOUND)
def test_an_invariant_is_kept_by(changes: str) -> None:
    assert "broken-invariant" not in codes(changes)


def test_the_shortest_way_is_told_with_what_was_filled_in() -> None:
    changes = "invariants: [{in: closed, holds: \"ticket.reason != 'vendor'\"}]"
    assert sentence("broken-invariant", changes) == (
        "“ticket.reason != 'vendor'” does not hold in “closed” on this way: new (reason: vendor) → (take) open"
        " → (finish) done → (confirm) closed, where reason is vendor."
    )


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_the_engine_refuses_the_last_step_of_that_way_and_no_other(changes: str) -> None:
    """The checker's abstract steps are the engine's: what it tells can be done, and ends in a broken invariant."""
    workflow = subject(changes)
    assert workflow.process is not None
    invariant = workflow.workflow.invariants[0]
    condition = workflow.judged(invariant.holds)
    assert condition is not None
    names = {name.removeprefix("ticket.") for name in condition.names}
    trail = breaches(workflow, names)[invariant].trail
    case = Case("new", {})
    for number, step in enumerate(trail):
        outcome = _done(workflow.process, case, step)
        if number == len(trail) - 1:
            assert isinstance(outcome, Refusal)
            assert {reason.code for reason in outcome.reasons} == {Why.INVARIANT}
        else:
            assert isinstance(outcome, Decision), outcome
            case = Case(outcome.target, dict(case.values) | {name: change.new for name, change in outcome.changes.items()})


def _done(process: Process, case: Case, step: Step) -> Decision | Refusal | None:
    """What the engine says to a step, made by whoever can make it."""
    inputs: dict[str, Value] = {
        name: "something" if value is FILLED else _concrete(value) for name, value in step.given.items()
    }
    facts: dict[str, dict[str, int]] = {}
    for name, count in step.facts.items():
        root, _, rest = name.partition(".")
        facts.setdefault(root, {})[rest] = int(str(count))
    here = Case(case.state, case.values, tasks=facts.get("tasks", {}), links=facts.get("links", {}))
    for person in (Person("ann", frozenset({"agent", "requester"}), frozenset({"something"})), SYSTEM_PERSON):
        outcome = _tried(process, here, person, step.deed, inputs)
        if isinstance(outcome, Refusal):  # what is not looked at is filled in as well as can be
            missing = [reason.field for reason in outcome.reasons if reason.code is Why.REQUIRED and reason.field]
            others: dict[str, Value] = {name: "user" if name == "reason" else "something" for name in missing}
            outcome = _tried(process, here, person, step.deed, others | inputs)
        if not isinstance(outcome, Refusal) or outcome.code is Why.INVARIANT:
            return outcome
    return outcome


def _tried(process: Process, case: Case, person: Person, deed: str, inputs: Mapping[str, Value]) -> Decision | Refusal | None:
    match deed.split():
        case ["create"]:
            return process.create(person, {"title": "It broke", **inputs}, NOW)
        case ["edit"]:
            return process.edit(case, person, inputs, NOW)
        case ["the", "timer", name]:
            response = process.due(name, case, NOW)
            return response.refusal if response else None
        case _:
            return process.fire(case, person, deed, inputs, "Because.", NOW)


def _concrete(value: object) -> Value:
    assert value is None or isinstance(value, str | bool)
    return value
