"""Scenarios: a practice's own tests, played in memory."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from itsm.workflow.engine import Process
from itsm.workflow.rehearsal import DAYTIME, START
from itsm.workflow.scenario import Outcome, run, run_all
from itsm.worktime.calendar import Calendar
from itsm.worktime.intervals import DAY, Interval
from tests.workflow.builders import ERRAND, WORDS, a_process, incident
from tests.workflow.practice import INCIDENT, changed, loaded


def played(scenario: str, practice: str = ERRAND, calendars: dict[str, Calendar] | None = None) -> Outcome:
    """How one scenario goes, written as in the file."""
    process = a_process(f"{practice.partition('scenarios:')[0]}scenarios:\n  a tale:\n{scenario}")
    return run(process, process.workflow.scenarios[0], calendars)


def complaints(scenario: str, practice: str = ERRAND) -> list[str]:
    return [failure.message for failure in played(scenario, practice).failures]


TAKEN = "given: {actor: agent, state: open, fields: {group: desktop, assignee: agent-1}}"


def test_the_scenarios_of_the_languages_description_pass() -> None:
    assert [outcome.failures for outcome in run_all(incident())] == [(), ()]


def test_a_scenario_tells_its_story() -> None:
    first = run_all(incident())[0]
    assert first.story == (
        "Mon 05 Jan 09:00 created",
        "Mon 05 Jan 09:00 agent-1: assign: new → assigned",
        "Mon 05 Jan 09:00 agent-1: start: assigned → in_progress",
        "Mon 05 Jan 09:00 agent-1: resolve: in_progress → resolved",
        "Fri 09 Jan 17:00 timer auto_close",
        "Fri 09 Jan 17:00 system: close: resolved → closed",
    )
    assert first.trail == ("new", "assigned", "in_progress", "resolved", "closed")
    assert first.notified == {"requester"}
    assert first.passed
    assert [effect.action for effect in first.effects] == ["notify", "survey"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{state: closed,", "{state: resolved,", "state is closed, not resolved."),
        ("trail: [new, assigned,", "trail: [new,", "trail is new, assigned,"),
        ("notified: [requester]", "notified: [requester, group]", "notified is requester, not group, requester."),
        ("notified: [requester]", "effects: [survey, notify]", "effects is notify, survey, not survey, notify."),
        ("notified: [requester]", "fields: {impact: moderate, resolution: null}", "impact is minor, not moderate."),
        ("notified: [requester]", "refused: required", "refused is empty, not required."),
    ],
)  # fmt: skip
def test_what_ends_otherwise_than_expected_fails_at_its_place(old: str, new: str, message: str) -> None:
    outcome = run_all(Process(loaded(changed(old, new), WORDS), WORDS))[0]
    assert outcome.failures[0].message.startswith(message)
    assert outcome.failures[0].at.line == INCIDENT[: INCIDENT.index("expect:")].count("\n") + 1
    assert not outcome.passed


def test_a_step_that_is_refused_unexpectedly_ends_the_scenario_with_every_reason() -> None:
    outcome = played(f"    {TAKEN}\n    steps: [{{fire: finish}}, {{fire: nowhere_else}}]".replace("nowhere_else", "take"))
    (failure,) = outcome.failures
    assert failure.message.startswith("This is refused: The field tags must be filled.")
    assert "The field answer must be filled." in failure.message
    assert outcome.values["count"] == 0


def test_a_refusal_that_is_expected_must_come_and_have_that_code_among_its_reasons() -> None:
    assert complaints(f"    {TAKEN}\n    steps: [{{fire: take, refused: required}}]") == [
        "This was to be refused (required), and is not."
    ]
    (message,) = complaints(f"    {TAKEN}\n    steps: [{{fire: finish, refused: not_allowed}}]")
    assert message.startswith("This was to be refused with not_allowed, but it is required: ")
    assert complaints(f"    {TAKEN}\n    steps: [{{fire: finish, refused: required}}]") == []


def test_steps_are_made_by_whoever_as_names() -> None:
    story = played(f"""\
    {TAKEN}
    steps:
      - {{fire: shout, as: requester, comment: Hello}}
      - {{fire: shout, as: watcher, comment: Hello}}
      - {{fire: take, as: lead}}
      - {{fire: finish, as: group, with: {{answer: a, tags: [red]}}}}
      - {{fire: confirm, as: approver}}
""").story
    assert [line.split(" ")[4] for line in story] == ["requester-1:", "watcher-1:", "lead-1:", "member-1:", "approver-1:"]


def test_an_assignee_or_a_group_that_a_scenario_speaks_for_is_there() -> None:
    steps = "steps: [{fire: park, with: {due: 2026-02-01}, comment: Later}]"
    assert complaints(f"    given: {{actor: assignee, state: open}}\n    {steps}") == []
    assert complaints(f"    given: {{actor: group, state: open}}\n    {steps}") == []
    assert complaints(f"    given: {{actor: agent, state: open}}\n    {steps}") != []


def test_facts_hold_from_their_step_on() -> None:
    assert (
        complaints(f"""\
    {TAKEN[:-1]}, tasks: {{open: 1}}}}
    steps:
      - {{fire: finish, with: {{answer: a, tags: [red]}}, refused: condition_failed}}
      - {{fire: finish, with: {{answer: a, tags: [red]}}, facts: {{tasks: {{open: 0}}}}}}
""")
        == []
    )


def test_an_event_is_answered_and_what_it_changes_is_seen() -> None:
    outcome = played("""\
    given: {actor: agent, state: done, fields: {count: 1}}
    steps: [{event: requester_replied}, {edit: {weight: 2}}]
    expect: {state: done, fields: {count: 11, weight: 2}, effects: [create_task]}
""")
    assert outcome.failures == ()


def test_an_event_whose_answer_is_refused_changes_nothing_and_is_told() -> None:
    outcome = played("    given: {actor: agent, state: waiting, fields: {count: 3}}\n    steps: [{event: requester_replied}]")
    assert outcome.failures == ()
    assert outcome.trail == ("waiting",)
    assert outcome.story[-1].startswith("Mon 05 Jan 09:00 system: wake is refused:")


def test_timers_run_in_the_order_in_which_they_are_due_and_repeat() -> None:
    outcome = played("""\
    given: {actor: agent, state: waiting, fields: {due: 2026-01-08, assignee: agent-1}}
    steps: [{wait: 4 days}]
    expect: {state: waiting, notified: [assignee]}
""")
    assert outcome.failures == ()
    assert [line for line in outcome.story if "timer" in line] == [
        "Tue 06 Jan 09:00 timer nag",
        "Wed 07 Jan 09:00 timer nag",
        "Wed 07 Jan 09:00 timer lift",
        "Thu 08 Jan 09:00 timer nag",
        "Fri 09 Jan 09:00 timer nag",
    ]


def test_a_timer_stops_when_its_states_are_left_and_starts_anew_on_return() -> None:
    outcome = played("""\
    given: {actor: agent, state: waiting, fields: {due: 2026-01-01, assignee: agent-1}}
    steps:
      - {wait: 20 hours}
      - {fire: wake}
      - {wait: 20 hours}
      - {fire: park, with: {due: 2026-02-01}, comment: Again}
      - {wait: 23 hours}
      - {wait: 1 hour}
""")
    assert [line for line in outcome.story if "timer" in line] == ["Thu 08 Jan 01:00 timer nag"]


def test_a_timer_of_several_states_runs_on_from_one_to_the_next() -> None:
    tale = f"""\
    {TAKEN}
    steps:
      - {{wait: 20 hours}}
      - {{fire: park, with: {{due: 2026-02-01}}, comment: Later}}
      - {{wait: 5 hours}}
"""
    story = played(tale, changed("nag:  {in: waiting,", "nag:  {in: [open, waiting],", ERRAND)).story
    assert story[-1] == "Tue 06 Jan 09:00 timer nag"


def test_business_time_is_monday_to_friday_nine_to_five() -> None:
    assert DAYTIME.add(START, timedelta(hours=40)) == datetime(2026, 1, 9, 17, tzinfo=UTC)


def test_a_timer_runs_by_the_calendar_that_it_names_if_one_is_given() -> None:
    practice = changed("after: 3 business days,", "after: 24 business hours, calendar: office-hours,", ERRAND)
    tale = """\
    given: {actor: agent, state: done, fields: {assignee: agent-1, answer: a}}
    steps: [{wait: 1 business days}]
"""
    always = Calendar("office-hours", "UTC", ((Interval(0, DAY),),) * 7)
    assert played(tale, practice).trail == ("done",)
    assert played(tale.replace("1 business days", "24 hours"), practice, {"office-hours": always}).trail == ("done", "closed")


def test_what_goes_round_in_a_circle_is_cut_and_told() -> None:
    practice = """\
workflow: x
states: {a: {category: new}, b: {category: open}, c: {category: closed}}
initial: a
transitions:
  go:   [{from: a, to: b, by: [system]}]
  back: [{from: b, to: a, by: [system]}]
  end:  [{from: a, to: c, by: [agent]}]
timers:
  there: {in: a, after: 1 minute, fire: go}
  back:  {in: b, after: 1 minute, fire: back}
"""
    tale = "    given: {actor: agent}\n    steps: [{wait: 2 days}]"
    assert complaints(tale, practice) == ["More than 1000 timers run within 2 days."]


def test_what_cannot_be_given_is_said() -> None:
    (message,) = complaints("    given: {actor: agent, state: open, fields: {priority: p1}}")
    assert message == "priority is derived and cannot be given."
    (message,) = complaints("    given: {actor: agent, fields: {count: 100}}")
    assert message.startswith("The ticket cannot be: In new, “ticket.count < 100” must hold")


def test_a_created_ticket_answers_its_own_creation() -> None:
    practice = ERRAND.replace("reactions:\n", "reactions:\n  created: [{do: [{set: {count: 7}}]}]\n")
    tale = "    given: {actor: requester}\n    expect: {fields: {count: 7, requester: requester-1}}"
    assert complaints(tale, practice) == []


def test_a_scenario_plays_in_milliseconds() -> None:
    process = incident()
    run_all(process)
    began = time.process_time()
    run_all(process)
    assert time.process_time() - began < 0.1
