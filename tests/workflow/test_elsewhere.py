"""Actions that were written outside a workflow: carried out by it as a timer's would be, and refused where they do not fit."""

from __future__ import annotations

from itsm.workflow.case import Change, Effect, Why
from itsm.workflow.definition import Action, Expression, Position
from tests.workflow.builders import a_ticket, incident, later

HERE = Position("sla.yaml", 1, 1)


def put(**values: object) -> Action:
    return Action("set", {"values": values}, HERE)


def test_changes_and_effects_come_out_as_of_a_timer() -> None:
    actions = (put(impact="extensive"), Action("notify", {"to": ["assignee"], "template": "sla-warning"}, HERE))
    response = incident().carry_out(actions, a_ticket("new", impact="limited"), later())
    assert response.changes["impact"] == Change("limited", "extensive")
    assert response.effects == (Effect("notify", {"to": ["assignee"], "template": "sla-warning"}),)
    assert (response.fire, response.refusal) == (None, None)


def test_expressions_are_computed_from_the_ticket() -> None:
    whoever_asked = put(assignee=Expression("ticket.requester", HERE))
    response = incident().carry_out((whoever_asked,), a_ticket("new", requester="ann"), later())
    assert response.changes["assignee"].new == "ann"


def test_a_field_that_the_workflow_lacks_is_a_refusal_and_no_fault() -> None:
    response = incident().carry_out((put(flavour="mint"),), a_ticket("new"), later())
    assert response.refusal is not None
    assert response.refusal.code is Why.UNKNOWN_FIELD
    assert (response.changes, response.effects) == ({}, ())


def test_a_value_that_a_field_does_not_take_is_a_refusal() -> None:
    response = incident().carry_out((put(impact="enormous"),), a_ticket("new"), later())
    assert response.refusal is not None
    assert response.refusal.code is Why.INVALID_VALUE


def test_a_state_that_the_version_does_not_have_is_a_refusal() -> None:
    response = incident().carry_out((put(impact="extensive"),), a_ticket("no_such_state"), later())
    assert response.refusal is not None
    assert response.refusal.code is Why.WRONG_STATE


def test_the_same_actions_are_compiled_once() -> None:
    process, actions = incident(), (put(impact="extensive"),)
    assert process._elsewhere.get(actions) is process._elsewhere.get(actions)
