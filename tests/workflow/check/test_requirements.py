"""What is required can be filled by somebody who is asked for it."""

from __future__ import annotations

import pytest

from tests.workflow.check.bench import codes, found, sentence


def test_a_field_that_only_others_may_edit_cannot_be_required() -> None:
    changes = "fields: {answer: {type: markdown, edit: [lead]}}"
    assert sentence("requirement-nobody-can-meet", changes) == (
        "“finish” requires “answer”, which agent cannot fill: it is for lead."
    )


def test_a_requester_cannot_fill_what_agents_edit() -> None:
    changes = "transitions: {rate: [{from: done, to: =, by: [requester], require: [reason]}]}"
    assert sentence("requirement-nobody-can-meet", changes) == (
        "“rate” requires “reason”, which requester cannot fill: it is for agent."
    )


@pytest.mark.parametrize("who", ["assignee", "group", "agent", "lead", "requester, agent"])
def test_whoever_works_on_a_ticket_is_an_agent(who: str) -> None:
    assert codes(f"transitions: {{finish: [{{from: open, to: done, by: [{who}]}}]}}") == []


def test_a_role_that_holds_no_agent_is_no_agent() -> None:
    assert "requirement-nobody-can-meet" in codes("transitions: {finish: [{from: open, to: done, by: [clerk]}]}")


def test_what_every_way_here_has_filled_need_not_be_filled_again() -> None:
    changes = """
    fields: {answer: {type: markdown, edit: [agent]}}
    transitions: {confirm: [{from: done, to: closed, by: [requester, system], require: [answer]}]}
    """
    assert codes(changes) == []


def test_what_one_way_here_has_left_empty_must_be_filled() -> None:
    changes = """
    transitions:
      skip: [{from: open, to: asked, by: [agent]}]
      ask: [{from: done, to: asked, by: [agent]}]
      end: [{from: asked, to: closed, by: [requester], require: [answer]}]
    states: {asked: {category: open}}
    """
    assert codes(changes) == ["requirement-nobody-can-meet"]


def test_what_was_cleared_on_the_way_must_be_filled_again() -> None:
    changes = """
    transitions:
      doubt: [{from: done, to: doubted, by: [agent], do: [{clear: [answer]}]}]
      agree: [{from: doubted, to: closed, by: [requester], require: [answer]}]
    states: {doubted: {category: open}}
    """
    assert codes(changes) == ["requirement-nobody-can-meet"]


def test_a_default_fills_a_field_from_the_beginning() -> None:
    changes = """
    fields: {answer: {type: markdown, edit: [lead], default: none yet}}
    """
    assert codes(changes) == []


def test_what_do_sets_need_not_be_filled() -> None:
    changes = """
    fields: {answer: {type: markdown, edit: [system]}}
    transitions: {finish: [{from: open, to: done, by: [agent], do: [{set: {answer: Done}}]}]}
    """
    assert codes(changes) == []


def test_what_do_clears_cannot_be_required() -> None:
    changes = "transitions: {finish: [{from: open, to: done, by: [agent], do: [{clear: [answer]}]}]}"
    assert sentence("requirement-nobody-can-meet", changes) == "“finish” requires “answer”, but empties it itself."


def test_a_field_that_is_readonly_where_it_is_asked_for_cannot_be_filled() -> None:
    changes = "states: {open: {category: open, readonly: [answer]}}"
    assert sentence("requirement-nobody-can-meet", changes) == "“finish” requires “answer”, which is read-only there."


def test_a_field_that_nobody_and_nothing_fills_cannot_be_required_of_the_system() -> None:
    changes = """
    fields: {seal: {type: text, edit: [system]}}
    transitions: {confirm: [{from: done, to: closed, by: [system], require: [seal]}]}
    """
    assert codes(changes) == ["requirement-nobody-can-meet", "fire-never-passes"]


def test_the_states_from_which_it_cannot_be_filled_are_named() -> None:
    changes = """
    fields: {answer: {type: markdown, edit: [lead]}}
    transitions:
      finish: [{from: open, to: done, by: [lead]}]
      close: [{from: [open, done], to: closed, by: [agent], require: [answer]}]
    """
    assert sentence("requirement-nobody-can-meet", changes).startswith("“close” from open requires “answer”")


def test_a_group_is_handed_over_by_agents_only() -> None:
    by_agents = "transitions: {take: [{from: new, to: open, by: [agent], require: [group]}]}"
    by_users = "transitions: {take: [{from: new, to: open, by: [requester], require: [group]}]}"
    assert codes(by_agents) == []
    assert codes(by_users) == ["requirement-nobody-can-meet"]


def test_a_new_ticket_cannot_require_what_nobody_may_fill() -> None:
    changes = "fields: {seal: {type: text, edit: [system]}}\nstates: {new: {category: new, require: [seal]}}"
    assert [finding.message for finding in found(changes)] == ["A new ticket requires “seal”, which nobody may fill."]


def test_a_derived_field_is_a_poor_requirement_and_no_error() -> None:
    changes = """
    fields: {soon: {type: boolean, derive: {expression: "ticket.reason == 'user'"}}}
    transitions: {finish: [{from: open, to: done, by: [agent], require: [soon]}]}
    """
    assert sentence("requires-derived-field", changes) == "“finish” requires “soon”, which is derived and cannot be filled."
    assert codes(changes) == ["requires-derived-field"]


def test_approvers_exist_only_where_an_approval_is_asked_for() -> None:
    with_others = "transitions: {finish: [{from: open, to: done, by: [approver, agent]}]}"
    assert codes(with_others) == []
    alone = "transitions: {bless: [{from: open, to: =, by: [approver]}]}"
    assert codes(alone) == ["approver-never-asked"]
