"""A clock can begin, run and stop."""

from __future__ import annotations

import pytest

from tests.sla.check.bench import both, policy, practices, sentence, told

OVER = "{when: \"ticket.category in ['resolved', 'closed']\"}"


def test_a_policy_whose_when_is_true_of_nothing_never_applies() -> None:
    text = policy(when="\"ticket.type == 'errand' && ticket.reason == 'user' && ticket.reason == 'vendor'\"")
    assert "6 policy-never-applies" in told(text)


def test_a_policy_for_one_state_applies() -> None:
    text = policy(when="\"ticket.type == 'errand' && ticket.reason == 'user'\"")
    assert "policy-never-applies" not in "".join(told(text))


@pytest.mark.parametrize("key", ["stop", "cancel"])
def test_a_clock_that_is_over_whenever_it_starts_never_starts(key: str) -> None:
    ends = {"stop": OVER, key: "{when: \"ticket.state in ['new', 'done', 'closed']\"}"}
    text = policy(**ends)
    assert "1 clock-never-starts" in told(text)


def test_a_clock_that_starts_in_another_state_does() -> None:
    later = {"stop": "{when: \"ticket.state != 'open'\"}", "start": "{when: \"ticket.state == 'open'\"}"}
    assert [each for each in told(policy(**later)) if "uncovered" not in each] == []


def test_a_clock_that_waits_for_its_policy_to_apply_starts() -> None:
    assert "clock-never-starts" not in "".join(
        told(policy(when="\"ticket.category == 'open' || ticket.category == 'resolved'\""))
    )


def test_a_start_that_can_never_be_is_told() -> None:
    text = policy(start="{when: \"ticket.state == 'new' && ticket.category == 'open'\"}")
    assert sentence("clock-never-starts", text) == "Nothing ever sets the clock of “answer” off."


def test_what_starts_and_stops_at_the_same_happening_never_starts() -> None:
    text = policy(start="{on: requester_replied}", stop="{on: [requester_replied, agent_replied]}")
    assert told(text) == ["1 clock-never-starts"]


def test_a_reply_that_starts_and_another_that_stops_do() -> None:
    assert told(policy(start="{on: requester_replied}", stop="{on: agent_replied}")) == []


def test_a_reopening_starts_a_clock_only_where_something_reopens() -> None:
    assert "1 clock-never-starts" in told(policy(start="{on: reopened}"))
    reopens = practices("transitions: {again: [{from: done, to: open, by: [agent]}]}")
    assert told(policy(start="{on: reopened}"), reopens) == []


def test_a_clock_that_is_always_paused_is_told() -> None:
    text = policy(pause="{while: \"ticket.category != 'resolved'\"}")
    assert "6 clock-always-paused" in told(text)


def test_a_clock_that_is_paused_while_the_user_is_waited_for_runs() -> None:
    assert told(policy(pause="{while: \"ticket.reason == 'user'\"}")) == []


def test_a_stop_that_can_never_hold_is_told() -> None:
    text = policy(stop="{when: \"ticket.state == 'done' && ticket.category == 'closed'\"}")
    assert told(text) == ["3 clock-never-stops"]
    assert sentence("clock-never-stops", text) == "Nothing ever stops the clock of “answer” in errand."


def test_a_stop_that_comes_after_the_policy_has_ceased_to_apply_never_stops_anything() -> None:
    assert "3 clock-never-stops" in told(policy(when="\"ticket.category in ['new', 'open']\""))


def test_a_stop_that_a_cancel_always_precedes_never_stops_anything() -> None:
    assert "3 clock-never-stops" in told(policy(cancel=OVER))


def test_a_workflow_in_which_nothing_is_ever_resolved_never_stops_the_clock() -> None:
    text = policy(stop="{on: resolved}")
    assert told(text) == []
    assert sentence("clock-never-stops", text, both()) == "Nothing ever stops the clock of “answer” in parcel."


def test_an_answer_of_approvers_stops_a_clock_only_where_they_are_asked() -> None:
    text = policy(stop="{on: approval_decided}")
    assert told(text) == ["1 clock-never-stops"]
    asks = "transitions: {take: [{from: new, to: open, by: [agent], do: [{request_approval: {from: [{role: lead}]}}]}]}"
    assert told(text, practices(asks)) == []


def test_an_escalation_stops_a_clock_only_where_there_is_one() -> None:
    text = policy(stop="{on: escalated}")
    assert told(text) == ["1 clock-never-stops"]
    assert told(text, practices("transitions: {escalate: [{from: open, to: =, by: [agent]}]}")) == []
