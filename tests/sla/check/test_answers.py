"""What a threshold does can be done to the tickets whose clocks reach it."""

from __future__ import annotations

import pytest

from tests.sla.check.bench import both, policy, practices, sentence, told

ESCALATES = """
transitions:
  escalate: [{from: [new, open, waiting], to: =, by: [agent, system]}]
"""


def at_the_end(do: str, more: str = "") -> str:
    return f"[{{at: due{more}, do: [{do}]}}]"


def test_what_the_desk_can_do_in_every_state_is_fired() -> None:
    assert told(policy(thresholds=at_the_end("{fire: escalate}")), practices(ESCALATES)) == []


def test_what_only_people_may_do_is_never_fired() -> None:
    text = policy(thresholds=at_the_end("{fire: take}"))
    assert told(text) == ["5 threshold-never-fires"]
    said = sentence("threshold-never-fires", text)
    assert said == "At “due” nothing comes of “take”: in errand it is for agent, not for the system."


def test_what_needs_words_is_never_fired_for_the_desk_has_none() -> None:
    silent = ESCALATES.replace("system]", "system], comment: required")
    assert told(policy(thresholds=at_the_end("{fire: escalate}")), practices(silent)) == ["5 threshold-never-fires"]


def test_what_can_be_fired_in_some_states_only_is_lost_in_the_others() -> None:
    text = policy(thresholds=at_the_end("{fire: resume}"))
    assert told(text) == ["5 threshold-sometimes-never-fires"]
    said = sentence("threshold-sometimes-never-fires", text)
    assert said.startswith("At “due” nothing comes of “resume” in new or open of errand: in errand it does not start in")


@pytest.mark.parametrize(
    "spared",
    [
        {"thresholds": at_the_end("{fire: resume}", ", if: \"ticket.state == 'waiting'\"")},
        {"thresholds": at_the_end("{fire: resume}"), "pause": "{while: \"ticket.state != 'waiting'\"}"},
        {"thresholds": at_the_end("{fire: resume}"), "stop": "{when: \"ticket.state != 'waiting'\"}"},
        {"thresholds": at_the_end("{fire: resume}"), "when": "\"ticket.state in ['waiting', 'done']\""},
    ],
)
def test_states_in_which_the_threshold_is_not_reached_do_not_count(spared: dict[str, str]) -> None:
    assert "threshold" not in " ".join(told(policy(**spared)))


def test_a_workflow_that_has_no_such_transition_loses_the_breach() -> None:
    text = policy(thresholds=at_the_end("{fire: deliver}"))
    assert told(text, both()) == ["5 threshold-sometimes-never-fires"]
    assert "errand has no such transition" in sentence("threshold-sometimes-never-fires", text, both())


def test_a_policy_for_the_other_workflow_loses_nothing() -> None:
    text = policy(when="\"ticket.type == 'parcel'\"", thresholds=at_the_end("{fire: deliver}"))
    assert [each for each in told(text, both()) if "threshold" in each] == []


def test_a_field_that_the_workflow_lacks_cannot_be_set() -> None:
    text = policy(thresholds=at_the_end("{set: {weight: heavy}}"))
    assert told(text, both()) == ["5 threshold-action-impossible"]
    said = sentence("threshold-action-impossible", text, both())
    assert said == "On tickets of errand this cannot be done: The field weight does not exist."


def test_a_choice_that_the_workflow_lacks_cannot_be_set() -> None:
    text = policy(thresholds=at_the_end("{set: {reason: customs}}"))
    assert told(text, both()) == ["5 threshold-action-impossible"]
    spared = policy(thresholds=at_the_end("{set: {reason: customs}}", ", if: \"ticket.type == 'parcel'\""))
    assert told(spared, both()) == []


def test_a_field_that_follows_from_others_cannot_be_set() -> None:
    derived = 'fields: {rush: {type: boolean, derive: {expression: "ticket.reason == null"}}}'
    assert told(policy(thresholds=at_the_end("{set: {rush: true}}")), practices(derived)) == ["5 threshold-action-impossible"]


def test_a_faulty_expression_in_an_action_is_told_where_it_stands() -> None:
    text = policy(thresholds=at_the_end('{comment: "= ticket.anwser"}'))
    assert told(text) == ["5 threshold-action-impossible"]
    assert told(policy(thresholds=at_the_end('{comment: "= ticket.answer"}'))) == []
