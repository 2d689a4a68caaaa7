"""What a workflow asks of others is something that they can do."""

from __future__ import annotations

from dataclasses import replace

from itsm.workflow.check import check
from tests.workflow.check.bench import WORDS, codes, errand, sentence


def confirm(do: str) -> str:
    """The practice with this done when it is confirmed."""
    return f"transitions: {{confirm: [{{from: done, to: closed, by: [requester, system], do: [{{{do}}}]}}]}}"


def test_a_transition_that_no_workflow_has_cannot_be_fired_on_links() -> None:
    changes = confirm("fire: {trigger: confrim, on: children}")
    assert sentence("unknown-linked-transition", changes) == "No workflow has a transition “confrim”."


def test_a_transition_that_is_not_for_the_system_cannot_be_fired_on_links() -> None:
    changes = confirm("fire: {trigger: take, on: children}")
    assert sentence("linked-transition-never-passes", changes) == "No workflow lets the system make “take” without a comment."


def test_a_transition_that_asks_for_words_cannot_be_fired_on_links() -> None:
    changes = """
    transitions:
      resume: [{from: waiting, to: open, by: [agent, system], comment: required}]
      confirm: [{from: done, to: closed, by: [requester, system], do: [{fire: {trigger: resume, on: children}}]}]
    reactions: {requester_replied: null}
    """
    assert codes(changes) == ["linked-transition-never-passes"]


def test_nothing_is_said_while_a_workflow_is_not_at_hand() -> None:
    workflow = errand(confirm("fire: {trigger: confrim, on: children}"))
    words = replace(WORDS, workflows=frozenset({"errand", "other"}))
    assert check({"errand": workflow}, words) == []


def test_one_workflow_can_be_checked_among_its_neighbours() -> None:
    faulty = errand("states: {lost: {category: closed}}")
    neighbour = replace(faulty, name="other")
    assert [finding.code for finding in check({"errand": faulty, "other": neighbour}, WORDS, only="errand")] == [
        "unreachable-state"
    ]
    assert len(check({"errand": faulty, "other": neighbour}, WORDS)) == 2


def test_a_spawned_ticket_has_the_fields_that_are_filled() -> None:
    def spawned(field: str) -> str:
        return confirm(f"spawn: {{workflow: errand, title: Again, fields: {{{field}}}, link: child}}")

    assert sentence("unknown-spawned-field", spawned("anwser: no")) == "A errand has no field “anwser”."
    assert codes(spawned("answer: yes, description: again")) == []
