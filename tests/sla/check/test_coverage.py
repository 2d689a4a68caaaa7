"""Where work is to be done, a promise is running."""

from __future__ import annotations

from itsm.workflow.definition import Position
from tests.sla.check.bench import both, found, policy, practices, sentence, told


def test_a_state_without_a_promise_is_told_in_its_workflow() -> None:
    text = policy(start="{when: \"ticket.state == 'open'\"}", stop="{when: \"ticket.state != 'open'\"}")
    (finding,) = found(text)
    assert finding.code == "uncovered-state"
    assert finding.message == "No promise is running for errand tickets in “new”."
    assert isinstance(finding.at, Position)
    assert finding.at == practices()["errand"].states["new"].at


def test_states_that_wait_or_are_done_need_none() -> None:
    assert told(policy(pause="{while: \"ticket.category == 'pending'\"}")) == []


def test_a_state_in_which_every_clock_is_paused_is_not_covered() -> None:
    said = sentence("uncovered-state", policy(pause="{while: \"ticket.state == 'open'\"}"))
    assert said == "No promise is running for errand tickets in “open”."


def test_another_workflow_needs_a_promise_too() -> None:
    text = policy(when="\"ticket.type == 'errand'\"")
    assert sentence("uncovered-state", text, both()) == "No promise is running for parcel tickets in “posted”."


def test_a_promise_of_one_group_to_another_covers_unless_it_only_underpins() -> None:
    parcels = policy(when="\"ticket.type == 'parcel'\"", kind="ola").replace("sla: answer", "sla: beneath")
    errands = policy(when="\"ticket.type == 'errand'\"")
    assert told(errands + parcels, both()) == []
    assert sentence("uncovered-state", errands + parcels + "  underpins: answer\n", both()).startswith("No promise is running")


def test_nothing_is_said_where_nothing_is_promised() -> None:
    assert told("[]") == []
