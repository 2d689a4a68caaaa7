"""A field is there for something."""

from __future__ import annotations

import pytest

from tests.workflow.check.bench import codes, sentence

FIELD = "fields: {extra: {type: choice, choices: [user, vendor]}}\n"


def test_a_field_that_nothing_mentions_is_not_used() -> None:
    assert sentence("unused-field", FIELD) == "Nothing uses the field “extra”."


def test_a_closed_state_that_keeps_everything_readonly_uses_nothing() -> None:
    assert codes(FIELD + "states: {closed: {category: closed, readonly: '*'}}") == ["unused-field"]


@pytest.mark.parametrize(
    "use",
    [
        "states: {done: {category: resolved, require: [answer, extra]}}",
        "states: {done: {category: resolved, require: [answer], readonly: [extra]}}",
        "states: {done: {category: resolved, require: [answer], hidden: [extra]}}",
        "transitions: {finish: [{from: open, to: done, by: [agent], require: [extra]}]}",
        "transitions: {finish: [{from: open, to: done, by: [agent], if: \"ticket.extra == 'user'\"}]}",
        "transitions: {take: [{from: new, to: open, by: [agent], do: [{set: {extra: user}}]}]}",
        "transitions: {take: [{from: new, to: open, by: [agent], do: [{clear: [extra]}]}]}",
        'transitions: {take: [{from: new, to: open, by: [agent], do: [{comment: "= ticket.extra"}]}]}',
        'timers: {over: {in: done, after: 3 days, if: "ticket.extra == null", fire: confirm}}',
        'invariants: [{in: closed, holds: "ticket.answer != null || ticket.extra != null"}]',
        "scenarios: {it is noted: {given: {actor: agent}, steps: [{fire: take, with: {extra: user}}], expect: {state: open}}}",
    ],
)
def test_a_field_is_used_by(use: str) -> None:
    assert "unused-field" not in codes(FIELD + use)


def test_what_a_derived_field_follows_from_is_used_and_so_is_it() -> None:
    changes = """
    fields:
      impact:   {type: choice, choices: [high, low], default: low}
      urgency:  {type: choice, choices: [high, low], default: low}
      priority: {type: choice, choices: [p1, p2, p3], derive: {matrix: priority}}
      rush:     {type: boolean, derive: {expression: "ticket.priority == 'p1'"}}
    """
    assert codes(changes) == []


def test_a_scenario_that_fails_is_told_at_its_step() -> None:
    changes = """
    scenarios:
      the clerk takes it:
        given: {actor: clerk}
        steps: [{fire: take}]
        expect: {state: open}
    """
    said = sentence("scenario-failed", changes)
    assert said.startswith("Scenario “the clerk takes it”: ")
    assert "not_allowed" in said or "“take” is for" in said


def test_a_scenario_that_goes_as_written_is_not_mentioned() -> None:
    changes = """
    scenarios:
      the clerk does not take it:
        given: {actor: clerk}
        steps: [{fire: take, refused: not_allowed}]
        expect: {state: new}
    """
    assert codes(changes) == []
