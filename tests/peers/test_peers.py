"""Life cycles of other desks, written in our language without a line of code, and what the checker sees in them.

The files tell where they come from and what was put down for what the sources leave open.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from itsm.workflow import language
from itsm.workflow.check import check
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.vocabulary import Vocabulary

HERE: Final = Path(__file__).parent
WORDS: Final = Vocabulary(roles=frozenset({"requester", "agent", "approver"}), templates=frozenset({"reminder"}))


def text_of(name: str) -> str:
    return (HERE / f"{name}.yaml").read_text()


def loaded(text: str) -> Workflow:
    workflow, findings = language.load(text, "peer.yaml", WORDS)
    assert workflow is not None, findings
    return workflow


def found(text: str) -> list[Finding]:
    workflow = loaded(text)
    return check({workflow.name: workflow}, WORDS)


def sentences(findings: list[Finding], code: str) -> list[str]:
    return [finding.message for finding in findings if finding.code == code]


# iTop


def test_itops_user_request_has_its_ten_states_and_twenty_five_arrows() -> None:
    workflow = loaded(text_of("itop_user_request"))
    arrows = {
        (source, branch.trigger, branch.lands_in(source))
        for transition in workflow.transitions.values()
        for branch in transition.branches
        for source in branch.sources
    }
    assert len(workflow.states) == 10
    assert len(arrows) == 25


def test_in_itop_a_clock_that_has_run_out_runs_out_again_in_vain() -> None:
    """Both clocks go on in the states into which their own stimulus has led, where nothing answers it."""
    vain = sentences(found(text_of("itop_user_request")), "fire-sometimes-never-passes")
    assert vain[:2] == [
        "The timer tto fires “ev_timeout”, which can never pass in escalated_tto: no branch of it starts in escalated_tto.",
        "The timer ttr fires “ev_timeout”, which can never pass in escalated_tto or escalated_ttr:"
        " no branch of it starts in escalated_tto or escalated_ttr.",
    ]


def test_in_itop_a_child_that_was_not_answered_in_time_is_not_resolved_with_its_parent() -> None:
    vain = sentences(found(text_of("itop_user_request")), "fire-sometimes-never-passes")
    assert vain[2].startswith(
        "The reaction to parent_resolved fires “ev_autoresolve”, which can never pass in escalated_tto or waiting_for_approval"
    )


def test_otherwise_itops_user_request_is_sound() -> None:
    findings = found(text_of("itop_user_request"))
    assert {finding.code for finding in findings} == {"fire-sometimes-never-passes"}


# ServiceNow


def test_in_servicenow_an_incident_that_is_resumed_by_hand_keeps_its_reason_for_being_on_hold() -> None:
    (broken,) = sentences(found(text_of("servicenow_incident")), "broken-invariant")
    assert broken == (
        "“ticket.on_hold_reason == null” does not hold in “in_progress” on this way: new → (assign) in_progress →"
        " (hold, on_hold_reason: awaiting_caller) on_hold → (resume) in_progress, where on_hold_reason is awaiting_caller."
    )


def test_in_servicenow_an_incident_is_closed_with_a_code_and_nothing_else_is_wrong() -> None:
    findings = found(text_of("servicenow_incident"))
    assert [finding.code for finding in findings] == ["broken-invariant"]


def test_cleared_on_both_ways_it_can_still_be_typed_in_again_after_the_end() -> None:
    """Who fills in the reason of a resolved incident keeps its user from reopening it."""
    resume = "{from: on_hold, to: in_progress, by: [agent]}"
    cleared = text_of("servicenow_incident").replace(resume, resume[:-1] + ", do: [{clear: [on_hold_reason]}]}")
    (broken,) = sentences(found(cleared), "broken-invariant")
    assert "(edit, on_hold_reason: awaiting_caller) resolved → (reopen) in_progress" in broken
    kept = cleared.replace(
        "require: [close_code, close_notes]}", "require: [close_code, close_notes], readonly: [on_hold_reason]}"
    )
    assert found(kept) == []


# OTOBO


def test_in_otobo_the_denial_of_travel_expenses_is_written_into_a_field_that_does_not_exist() -> None:
    workflow, findings = language.load(text_of("otobo_travel_expense"), "peer.yaml", WORDS)
    assert workflow is None
    (finding,) = findings
    assert finding.code == "unknown-field"
    assert finding.message == "There is no field “travel_expanses_process_state”."
    assert finding.hint == "Did you mean “travel_expenses_process_state”?"
    line = text_of("otobo_travel_expense").splitlines()[finding.at.line - 1]
    assert line[finding.at.column - 1 :].startswith("travel_expanses_process_state")


def test_so_denied_expenses_end_as_if_nobody_had_decided() -> None:
    """As OTOBO runs it: what is written into no field is not written."""
    as_it_runs = text_of("otobo_travel_expense").replace("do: [{set: {travel_expanses_process_state: not_approved}}]", "do: []")
    (broken,) = sentences(found(as_it_runs), "broken-invariant")
    assert "(expenses_denied) process_end" in broken
    assert "travel_expenses_process_state is detailed_recorded" in broken


def test_spelt_rightly_no_invariant_is_broken() -> None:
    mended = text_of("otobo_travel_expense").replace("travel_expanses", "travel_expenses")
    assert [finding for finding in found(mended) if finding.severity is Severity.ERROR] == []


def test_in_otobo_five_fields_of_the_forms_are_for_nobody() -> None:
    mended = text_of("otobo_travel_expense").replace("travel_expanses", "travel_expenses")
    unused = sentences(found(mended), "unused-field")
    assert len(unused) == 5


@pytest.mark.parametrize("name", ["itop_user_request", "servicenow_incident"])
def test_a_life_cycle_of_another_desk_is_checked_in_a_moment(name: str) -> None:
    assert found(text_of(name))
