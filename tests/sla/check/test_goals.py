"""The decision table of a policy has a goal for every ticket, and every goal has its tickets."""

from __future__ import annotations

from tests.sla.check.bench import both, policy, practices, sentence, told

SHORT = "target: 4 hours"


def goals(*rows: str) -> str:
    """Goals on lines of their own, from line 5 on."""
    return "\n" + "\n".join(f"    - {{{row}}}" for row in rows)


def test_nothing_is_found_in_a_sound_promise() -> None:
    assert told(policy()) == []


def test_a_combination_that_no_goal_fits_is_told() -> None:
    text = policy(goals=goals(f"if: \"ticket.reason == 'user'\", {SHORT}", f"if: \"ticket.reason == 'vendor'\", {SHORT}"))
    assert told(text) == ["6 goal-gap"]
    assert sentence("goal-gap", text) == "No goal of “answer” fits where ticket.reason is nothing."


def test_a_choice_that_was_forgotten_is_named() -> None:
    rows = goals(f'if: "ticket.reason == null", {SHORT}', f"if: \"ticket.reason == 'vendor'\", {SHORT}")
    assert "ticket.reason is user" in sentence("goal-gap", policy(goals=rows))


def test_a_last_goal_for_all_others_leaves_no_gap() -> None:
    assert told(policy(goals=goals(f"if: \"ticket.reason == 'user'\", {SHORT}", "target: 2 business days"))) == []


def test_tickets_that_the_policy_leaves_out_need_no_goal() -> None:
    row = goals(f"if: \"ticket.reason == 'user'\", {SHORT}")
    assert told(policy(when="\"ticket.reason == 'user'\"", goals=row)) == []


def test_a_field_is_filled_where_its_state_requires_it() -> None:
    rows = goals(f"if: \"ticket.reason in ['user', 'vendor']\", {SHORT}")
    states = "states: {new: {category: new, require: [reason]}, open: {category: open, require: [reason]}}"
    assert told(policy(goals=rows), practices(states)) == []
    assert told(policy(goals=rows)) == ["5 goal-gap"]


def test_an_invariant_of_the_workflow_rules_a_combination_out() -> None:
    rows = goals(f"if: \"ticket.reason in ['user', 'vendor']\", {SHORT}")
    held = practices('invariants: [{holds: "ticket.reason != null"}]')
    assert told(policy(goals=rows), held) == []


def test_a_derived_priority_has_just_the_values_of_its_matrix() -> None:
    fields = """
    fields:
      impact:   {type: choice, choices: [high, low], default: low, edit: [system]}
      urgency:  {type: choice, choices: [high, low], default: low, edit: [system]}
      priority: {type: choice, choices: [p1, p2, p3, p4], derive: {matrix: priority}}
    """
    by_impact = [f"if: \"ticket.impact == '{impact}' && ticket.priority == '{name}'\", {SHORT}" for impact, name in PAIRS]
    assert told(policy(goals=goals(*by_impact)), practices(fields)) == []
    assert told(policy(goals=goals(*by_impact[1:])), practices(fields)) == ["7 goal-gap"]


PAIRS = (("high", "p1"), ("high", "p2"), ("low", "p2"), ("low", "p3"))


def test_texts_are_told_apart_by_what_they_are_compared_with() -> None:
    rows = goals(f"if: \"service.key == 'mail'\", {SHORT}", f"if: \"service.key != 'mail' && service.key != null\", {SHORT}")
    assert sentence("goal-gap", policy(goals=rows)) == "No goal of “answer” fits where service.key is nothing."


def test_a_service_that_the_ticket_has_not_has_no_criticality() -> None:
    row = goals(f"if: \"ticket.service == null || service.criticality == 'high' || service.criticality != 'high'\", {SHORT}")
    assert told(policy(when='"ticket.service == null"', goals=row)) == []


def test_what_cannot_be_decided_is_no_gap() -> None:
    assert told(policy(goals=goals(f"if: \"'lead' in requester.roles\", {SHORT}"))) == []
    row = goals(f"if: \"ticket.title.startsWith('VIP')\", {SHORT}")
    assert told(policy(goals=row)) == []


def test_a_goal_that_an_earlier_one_always_precedes_is_never_reached() -> None:
    text = policy(goals=goals(SHORT, f"if: \"ticket.reason == 'user'\", {SHORT}"))
    assert told(text) == ["6 goal-never-reached"]
    assert "the one in line 5 always fits first" in sentence("goal-never-reached", text)


def test_several_earlier_goals_together_can_leave_nothing() -> None:
    rows = goals(f'if: "ticket.reason == null", {SHORT}', f'if: "ticket.reason != null", {SHORT}', SHORT)
    text = policy(goals=rows)
    assert told(text) == ["7 goal-never-reached"]
    assert "line 5 and 6" in sentence("goal-never-reached", text)


def test_a_goal_for_nobody_is_never_reached() -> None:
    text = policy(goals=goals(f"if: \"ticket.reason == 'user' && ticket.reason == 'vendor'\", {SHORT}", SHORT))
    assert told(text) == ["5 goal-never-reached"]


def test_a_goal_for_tickets_whose_clock_is_over_is_never_reached() -> None:
    assert told(policy(goals=goals(f"if: \"ticket.state == 'done'\", {SHORT}", SHORT))) == ["5 goal-never-reached"]


def test_goals_that_share_tickets_overlap() -> None:
    rows = goals(f"if: \"ticket.reason == 'user'\", {SHORT}", f"if: \"ticket.reason != 'vendor'\", {SHORT}", SHORT)
    text = policy(goals=rows)
    assert told(text) == ["6 overlapping-goals"]
    said = sentence("overlapping-goals", text)
    assert said == "This goal and the one in line 5 both fit where ticket.reason is user; the earlier one is taken."


def test_goals_that_exclude_each_other_do_not() -> None:
    rows = goals(f"if: \"ticket.reason == 'user'\", {SHORT}", f"if: \"ticket.reason == 'vendor'\", {SHORT}", SHORT)
    assert told(policy(goals=rows)) == []


def test_the_type_is_named_where_a_policy_is_about_several() -> None:
    text = policy(goals=goals(f"if: \"ticket.weight == 'heavy'\", {SHORT}"))
    assert "ticket.type is errand and ticket.weight is nothing" in sentence("goal-gap", text, both())
