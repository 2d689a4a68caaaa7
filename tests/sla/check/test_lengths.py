"""A promise leaves time to keep it, and what lies beneath it takes less."""

from __future__ import annotations

import pytest

from tests.sla.check.bench import policy, sentence, told

BENEATH = """\
- sla: beneath
  kind: ola
  underpins: answer
  calendar: office-hours
  stop: {when: "ticket.category in ['resolved', 'closed']"}
  goals:
"""


def beneath(above: str, *rows: str) -> str:
    """A policy and what underpins it; the goals of the latter stand in lines 12 and following."""
    return above + BENEATH + "".join(f"    - {{{row}}}\n" for row in rows)


def test_a_calendar_that_never_opens_keeps_no_promise() -> None:
    assert "4 target-nobody-can-meet" in told(policy(calendar="never"))


@pytest.mark.parametrize("calendar", ["once", "seldom"])
def test_a_calendar_that_hardly_ever_opens_keeps_none_either(calendar: str) -> None:
    assert "4 target-nobody-can-meet" in told(policy(calendar=calendar, goals="[{target: 200 business days}]"))


def test_elapsed_time_needs_no_calendar_that_opens() -> None:
    assert told(policy(calendar="never", goals="[{target: 4 hours}]")) == []


@pytest.mark.parametrize("target", ["2 business days", "end of next business day"])
def test_business_days_of_a_calendar_that_never_closes_are_told(target: str) -> None:
    text = policy(calendar="always", goals=f"[{{target: {target}}}]")
    assert told(text) == ["4 business-days-without-nights"]
    said = sentence("business-days-without-nights", text)
    assert said == f"“{target}” counts the days of “always”, which never closes: each has 24 hours."


@pytest.mark.parametrize(
    ("target", "calendar"), [("16 business hours", "always"), ("2 days", "always"), ("2 business days", "long-hours")]
)
def test_hours_and_plain_days_of_such_a_calendar_are_not(target: str, calendar: str) -> None:
    assert told(policy(calendar=calendar, goals=f"[{{target: {target}}}]")) == []


@pytest.mark.parametrize(
    ("promise", "beneath_it"),
    [
        ("2 business days", "3 business days"),
        ("2 business days", "17 business hours"),
        ("4 hours", "5 hours"),
        ("4 hours", "5 business hours"),
        ("2 business days", "1 week"),
        ("end of business day", "end of next business day"),
    ],
)
def test_what_takes_longer_than_what_rests_on_it_is_told(promise: str, beneath_it: str) -> None:
    text = beneath(policy(goals=f"[{{target: {promise}}}]"), f"target: {beneath_it}")
    assert told(text) == ["12 underpins-too-long"]
    said = sentence("underpins-too-long", text)
    assert said == f"“beneath” allows {beneath_it}, and “answer”, which rests on it, promises {promise} (line 4)."


@pytest.mark.parametrize(
    ("promise", "beneath_it"),
    [
        ("2 business days", "2 business days"),
        ("2 business days", "16 business hours"),
        ("4 hours", "3 hours"),
        ("8 business hours", "8 hours"),
        ("8 business hours", "12 hours"),  # longer on some days, shorter over night: not certain
        ("end of next business day", "end of business day"),
    ],
)
def test_what_is_not_certainly_longer_is_not(promise: str, beneath_it: str) -> None:
    assert told(beneath(policy(goals=f"[{{target: {promise}}}]"), f"target: {beneath_it}")) == []


def test_goals_are_compared_for_the_same_tickets() -> None:
    above = policy(goals="[{if: \"ticket.reason == 'user'\", target: 1 hour}, {target: 9 hours}]")
    assert told(beneath(above, "if: \"ticket.reason == 'user'\", target: 50 minutes", "target: 8 hours")) == []
    wrong = beneath(above, "if: \"ticket.reason == 'user'\", target: 2 hours", "target: 8 hours")
    assert told(wrong) == ["12 underpins-too-long"]
    assert "where ticket.reason is user" in sentence("underpins-too-long", wrong)


def thresholds(point: str, more: str = "") -> str:
    return f"[{{at: {point}{more}, do: [{{notify: {{to: assignee, template: reminder}}}}]}}]"


@pytest.mark.parametrize(
    ("target", "point"),
    [
        ("4 hours", "due - 5 hours"),
        ("4 hours", "due - 4 hours"),
        ("4 hours", "due - 4 business hours"),
        ("8 business hours", "due - 2 business days"),
        ("8 business hours", "due - 4 weeks"),
    ],
)
def test_a_warning_before_the_clock_begins_is_told(target: str, point: str) -> None:
    text = policy(goals=f"[{{target: {target}}}]", thresholds=thresholds(point))
    assert told(text) == ["5 threshold-before-start"]


@pytest.mark.parametrize(
    ("target", "point"),
    [("4 hours", "due - 3 hours"), ("8 business hours", "due - 7 business hours"), ("8 business hours", "due - 9 hours")],
)
def test_a_warning_on_the_way_is_not(target: str, point: str) -> None:
    assert told(policy(goals=f"[{{target: {target}}}]", thresholds=thresholds(point))) == []


def test_a_condition_spares_short_targets_a_warning_that_is_too_early_for_them() -> None:
    goals = "[{if: \"ticket.reason == 'user'\", target: 1 hour}, {target: 9 hours}]"
    assert told(policy(goals=goals, thresholds=thresholds("due - 2 hours"))) == ["5 threshold-before-start"]
    spared = thresholds("due - 2 hours", ", if: \"ticket.reason != 'user'\"")
    assert told(policy(goals=goals, thresholds=spared)) == []
