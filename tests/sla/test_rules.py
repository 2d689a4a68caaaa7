"""How clocks go on from event to event: docs/sla.md, rules 6 to 9, one sentence each.

2 March 2026 is a Monday; the office is open from nine to five in Berlin, Monday to Friday.
"""

from __future__ import annotations

import pytest

from itsm.sla.rules import NO_GOAL, NO_LONGER_APPLIES, RESET
from itsm.sla.standing import Pause

from .builders import (
    HOUR,
    Story,
    a_goal,
    a_policy,
    at,
    cel,
    cycles_of,
    on,
    the_clock,
    told_by,
)

NINE, NOON, FIVE = at("2026-03-02 09:00"), at("2026-03-02 12:00"), at("2026-03-02 17:00")
TUESDAY = at("2026-03-03 09:00")

BY_PRIORITY = (
    a_goal("1 business hours", "ticket.priority == 'p1'"),
    a_goal("4 business hours", "ticket.priority == 'p2'"),
    a_goal("8 business hours", "ticket.priority == 'p3'"),
)


# Results


def test_a_clock_runs_from_creation_until_the_ticket_is_resolved() -> None:
    clock = the_clock(Story.opened(NINE).moved(NOON, "resolved"), a_policy("4 business hours"))
    assert (clock.status, clock.cycle.started_at, clock.cycle.stopped_at, clock.due) == ("met", NINE, NOON, NINE + 4 * HOUR)
    assert clock.cycle.ended_by == "stop"


@pytest.mark.parametrize(("late", "status"), [(-1, "met"), (0, "met"), (1, "missed")])
def test_what_stops_at_the_due_instant_is_met_and_a_microsecond_later_missed(late: int, status: str) -> None:
    clock = the_clock(Story.opened(NINE).moved(NINE + 4 * HOUR + late, "resolved"), a_policy("4 hours"))
    assert (clock.status, clock.due) == (status, NINE + 4 * HOUR)


def test_a_budget_used_up_at_closing_is_missed_by_what_stops_after_hours() -> None:
    story = Story.opened(NINE).moved(FIVE + HOUR, "resolved")
    clock = the_clock(story, a_policy("8 business hours"))
    assert (clock.status, clock.due, clock.spent(TUESDAY)) == ("missed", FIVE, 8 * HOUR)


def test_hours_out_of_business_do_not_count() -> None:
    clock = the_clock(Story.opened(FIVE - HOUR), a_policy("2 business hours"))
    assert clock.due == TUESDAY + HOUR
    assert clock.spent(TUESDAY - 1) == HOUR


def test_plain_hours_run_day_and_night_whatever_calendar_is_configured() -> None:
    clock = the_clock(Story.opened(FIVE - HOUR), a_policy(a_goal("4 hours", hours="office")))
    assert clock.due == FIVE + 3 * HOUR


def test_business_days_are_so_many_standard_days() -> None:
    clock = the_clock(Story.opened(NOON), a_policy("2 business days"))
    assert clock.cycle.target.length == 16 * HOUR
    assert clock.due == at("2026-03-04 12:00")


@pytest.mark.parametrize(
    ("target", "due"),
    [("end of business day", FIVE), ("end of next business day", at("2026-03-03 17:00"))],
)
def test_an_end_of_business_day_is_a_closing_time(target: str, due: int) -> None:
    assert the_clock(Story.opened(NOON), a_policy(target)).due == due


def test_a_result_outlives_whatever_comes_after() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved").edited(NOON + HOUR, priority="p1").moved(TUESDAY, "closed")
    before, after = (the_clock(one, a_policy(*BY_PRIORITY)).cycle for one in (_first(story, 2), story))
    assert before == after


# Pauses


def test_a_clock_pauses_while_its_condition_holds() -> None:
    story = Story.opened(NINE).moved(NINE + HOUR, "waiting").moved(NOON, "work")
    clock = the_clock(story, a_policy("4 business hours"))
    assert clock.due == NOON + 3 * HOUR
    assert clock.cycle.pauses == (Pause(NINE + HOUR, NOON, "ticket.category == 'pending'"),)


def test_a_paused_clock_with_time_left_is_due_at_no_instant() -> None:
    clock = the_clock(Story.opened(NINE).moved(NINE + HOUR, "waiting"), a_policy("4 business hours"))
    assert (clock.status, clock.due, clock.spent(TUESDAY)) == ("paused", None, HOUR)


def test_a_paused_clock_can_be_met_however_long_the_wait() -> None:
    story = Story.opened(NINE).moved(NINE + HOUR, "waiting").moved(TUESDAY + 400 * HOUR, "resolved")
    clock = the_clock(story, a_policy("4 hours"))
    assert (clock.status, clock.due, clock.cycle.pauses[0].end) == ("met", None, TUESDAY + 400 * HOUR)


def test_a_clock_that_pauses_after_its_due_instant_stays_overdue() -> None:
    story = Story.opened(NINE).moved(NINE + 5 * HOUR, "waiting").moved(NINE + 9 * HOUR, "resolved")
    clock = the_clock(story, a_policy("4 hours"))
    assert (clock.status, clock.due) == ("missed", NINE + 4 * HOUR)


@pytest.mark.parametrize("then", ["waiting", "work"])
def test_a_clock_that_pauses_in_the_instant_in_which_its_target_is_used_up_is_due_then(then: str) -> None:
    story = Story.opened(NINE).moved(NINE + 4 * HOUR, "waiting").moved(FIVE, then).moved(TUESDAY, "resolved")
    clock = the_clock(story, a_policy("4 hours"))
    assert (clock.status, clock.due) == ("missed", NINE + 4 * HOUR)


def test_going_from_one_pausing_state_to_another_is_one_pause() -> None:
    story = Story.opened(NINE).moved(NINE + HOUR, "waiting").moved(NINE + 2 * HOUR, "supplier").moved(NOON, "work")
    assert len(the_clock(story, a_policy("4 hours")).cycle.pauses) == 1


def test_a_pause_that_ends_in_the_microsecond_in_which_it_began_leaves_no_trace() -> None:
    story = Story.opened(NINE).moved(NOON, "waiting").moved(NOON, "work")
    clock = the_clock(story, a_policy("4 hours"))
    assert (clock.cycle.pauses, clock.due) == ((), NINE + 4 * HOUR)


def test_a_ticket_born_in_a_pausing_state_starts_its_clock_when_it_first_leaves_it() -> None:
    story = Story.opened(NINE, "waiting")
    assert cycles_of(story, a_policy("4 hours")) == []
    clock = the_clock(story.moved(NOON, "work"), a_policy("4 hours"))
    assert (clock.cycle.started_at, clock.due, clock.cycle.pauses) == (NOON, NOON + 4 * HOUR, ())


def test_a_ticket_born_pausing_and_resolved_before_it_ever_ran_has_no_result() -> None:
    story = Story.opened(NINE, "waiting").moved(NOON, "resolved").moved(TUESDAY, "work")
    assert cycles_of(story, a_policy("4 hours")) == []


# When a clock begins


def test_a_clock_waits_until_its_policy_applies() -> None:
    story = Story.opened(NINE).edited(NOON, service="mail")
    clock = the_clock(story, a_policy("4 hours", applies="ticket.service == 'mail'"))
    assert clock.cycle.started_at == NOON


def test_a_retroactive_clock_counts_what_passed_while_it_waited() -> None:
    story = Story.opened(NINE).edited(NOON, service="mail")
    clock = the_clock(story, a_policy("4 hours", applies="ticket.service == 'mail'", retroactive=True))
    assert (clock.cycle.started_at, clock.spent(NOON), clock.due) == (NINE, 3 * HOUR, NINE + 4 * HOUR)


def test_a_retroactive_clock_does_not_count_the_pauses_while_it_waited() -> None:
    story = Story.opened(NINE).moved(NINE + HOUR, "waiting").moved(NINE + 2 * HOUR, "work").edited(NOON, service="mail")
    clock = the_clock(story, a_policy("4 hours", applies="ticket.service == 'mail'", retroactive=True))
    assert (clock.cycle.started_at, clock.spent(NOON), clock.due) == (NINE, 2 * HOUR, NINE + 5 * HOUR)


def test_a_retroactive_clock_may_be_overdue_when_it_begins() -> None:
    story = Story.opened(NINE).edited(NOON, service="mail").moved(NOON, "resolved")
    clock = the_clock(story, a_policy("1 hours", applies="ticket.service == 'mail'", retroactive=True))
    assert (clock.status, clock.due) == ("missed", NINE + HOUR)


def test_a_start_condition_sets_a_clock_off_each_time_it_becomes_true() -> None:
    with_them = "ticket.state == 'supplier'"
    start, stop = on(when=with_them), on(when=f"!({with_them})")
    contract = a_policy("2 hours", name="contract", pause=None, start=start, stop=stop)
    story = Story.opened(NINE)
    for hour, state in enumerate(["supplier", "supplier", "work", "supplier", "resolved", "work", "supplier"], 1):
        story.moved(NINE + hour * HOUR, state)
    cycles = told_by(story, contract).cycles
    assert [(one.number, one.status.value, (one.started_at - NINE) // HOUR) for one in cycles.values()] == [
        (1, "met", 1),
        (2, "met", 4),
        (3, "running", 7),
    ]


def test_a_policy_that_no_longer_applies_is_cancelled_and_begins_anew_when_it_applies_again() -> None:
    policy = a_policy("4 hours", applies="ticket.priority == 'p1'")
    story = Story.opened(NINE, priority="p1").edited(NINE + HOUR, priority="p3").edited(NOON, priority="p1")
    first, second = (the_clock(story, policy, cycle=number) for number in (1, 2))
    assert (first.status, first.cycle.ended_by, first.cycle.stopped_at) == ("cancelled", NO_LONGER_APPLIES, NINE + HOUR)
    assert (second.status, second.cycle.started_at, second.due) == ("running", NOON, NOON + 4 * HOUR)


def test_a_retroactive_policy_that_applies_again_counts_from_the_first_beginning() -> None:
    policy = a_policy("4 hours", applies="ticket.priority == 'p1'", retroactive=True)
    story = Story.opened(NINE, priority="p1").edited(NINE + HOUR, priority="p3").edited(NOON, priority="p1")
    again = the_clock(story, policy, cycle=2)
    assert (again.cycle.started_at, again.due) == (NINE, NINE + 4 * HOUR)


def test_a_clock_for_which_no_goal_fits_is_cancelled() -> None:
    policy = a_policy(a_goal("4 hours", "ticket.priority == 'p1'"))
    clock = the_clock(Story.opened(NINE, priority="p1").edited(NOON, priority="p4"), policy)
    assert (clock.status, clock.cycle.ended_by) == ("cancelled", NO_GOAL)


def test_a_policy_that_begins_to_apply_only_after_the_end_begins_no_clock() -> None:
    policy = a_policy("4 hours", applies="ticket.service == 'mail'")
    assert cycles_of(Story.opened(NINE).moved(NOON, "resolved").edited(TUESDAY, service="mail"), policy) == []


# Cancel, reset


def test_a_cancelled_clock_has_no_other_result_however_late_it_was() -> None:
    policy = a_policy("1 hours", cancel=on(when="ticket.pending_reason == 'withdrawn'"))
    story = Story.opened(NINE).edited(NOON, pending_reason="withdrawn").moved(TUESDAY, "resolved")
    clock = the_clock(story, policy)
    assert (clock.status, clock.cycle.stopped_at, clock.owed()) == ("cancelled", NOON, {})


def test_a_reopened_ticket_has_a_new_cycle_and_keeps_the_old_one() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved").moved(TUESDAY, "work", "reopen")
    policy = a_policy("4 hours", reset=on("reopened"))
    first, second = (the_clock(story, policy, cycle=number) for number in (1, 2))
    assert (first.status, first.cycle.stopped_at) == ("met", NOON)
    assert (second.status, second.cycle.started_at, second.due) == ("running", TUESDAY, TUESDAY + 4 * HOUR)


def test_without_a_reset_a_reopened_ticket_keeps_its_result() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved").moved(TUESDAY, "work", "reopen").moved(TUESDAY + HOUR, "resolved")
    assert cycles_of(story, a_policy("4 hours")) == [("", 1, "met")]


def test_a_reset_of_a_running_clock_cancels_it_and_begins_anew() -> None:
    story = Story.opened(NINE, group="desktop", assignee="ines").moved(NOON, "work", "escalate")
    policy = a_policy("4 hours", reset=on("escalated"))
    first, second = (the_clock(story, policy, cycle=number) for number in (1, 2))
    assert (first.status, first.cycle.ended_by, second.cycle.started_at) == ("cancelled", RESET, NOON)


def test_a_reset_while_the_ticket_pauses_makes_the_clock_wait_until_it_goes_on() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved").moved(TUESDAY, "waiting", "reopen").moved(TUESDAY + HOUR, "work")
    policy = a_policy("4 hours", reset=on("reopened"))
    assert the_clock(story, policy, cycle=2).cycle.started_at == TUESDAY + HOUR


def test_a_reset_forgets_what_a_retroactive_clock_has_waited() -> None:
    policy = a_policy("4 hours", applies="ticket.service == 'mail'", retroactive=True, reset=on("escalated"))
    story = Story.opened(NINE).moved(NOON, "work", "escalate").edited(NOON + HOUR, service="mail")
    assert the_clock(story, policy).cycle.started_at == NOON


def test_an_event_that_stops_and_resets_at_once_only_stops() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved", "escalate")
    assert cycles_of(story, a_policy("4 hours", reset=on("escalated"))) == [("", 1, "met")]


# Next response

NEXT_RESPONSE = a_policy(
    "2 hours",
    name="next-response",
    pause=None,
    start=on("requester_replied"),
    stop=on("agent_replied", when="ticket.category in ['resolved', 'closed']"),
)


def test_an_agents_public_answer_stops_the_next_response_clock() -> None:
    story = Story.opened(NINE).written(NOON, by="mara").written(NOON + HOUR, by="ines")
    clock = the_clock(story, NEXT_RESPONSE)
    assert (clock.status, clock.cycle.started_at, clock.cycle.stopped_at) == ("met", NOON, NOON + HOUR)


def test_a_second_mail_of_the_customer_does_not_restart_the_clock() -> None:
    story = Story.opened(NINE).written(NOON, by="mara").written(NOON + HOUR, by="mara").written(NOON + HOUR + 1, by="mara")
    assert [the_clock(story, NEXT_RESPONSE).due] == [NOON + 2 * HOUR]
    assert cycles_of(story, NEXT_RESPONSE) == [("", 1, "running")]


def test_each_unanswered_contact_is_a_cycle_of_its_own() -> None:
    story = Story.opened(NINE)
    for hour, who in enumerate(["mara", "ines", "ines", "mara", "mara", "ines", "mara"], 1):
        story.written(NINE + hour * HOUR, by=who)
    assert cycles_of(story, NEXT_RESPONSE) == [("", 1, "met"), ("", 2, "met"), ("", 3, "running")]


@pytest.mark.parametrize(
    "word",
    [
        lambda story: story.written(NOON + HOUR, by="ines", visibility="internal"),
        lambda story: story.written(NOON + HOUR, by="system"),
        lambda story: story.moved(NOON + HOUR, "work", by="system", comment=True),
        lambda story: story.moved(NOON + HOUR, "work", by="ines"),
        lambda story: story.told(NOON + HOUR, "work_logged", {"minutes": 5, "note": ""}),
    ],
    ids=["internal note", "written by the desk", "the desk's transition", "a transition without words", "work logged"],
)
def test_only_a_public_word_of_a_person_is_an_answer(word: object) -> None:
    story = Story.opened(NINE).written(NOON, by="mara")
    word(story)  # type: ignore[operator]
    assert cycles_of(story, NEXT_RESPONSE) == [("", 1, "running")]


def test_the_public_words_of_a_transition_are_an_answer_too() -> None:
    story = Story.opened(NINE).written(NOON, by="mara").moved(NOON + HOUR, "work", comment=True)
    assert cycles_of(story, NEXT_RESPONSE) == [("", 1, "met")]


def test_words_of_a_requester_who_is_an_agent_are_those_of_a_requester() -> None:
    story = Story.opened(NINE, requester="ines", by="ines").written(NOON, by="ines")
    assert cycles_of(story, NEXT_RESPONSE) == [("", 1, "running")]


# Corrections and excuses


def test_a_correction_cuts_time_out() -> None:
    story = Story.opened(NINE).corrected(NOON, NINE + HOUR, NINE + 2 * HOUR)
    clock = the_clock(story, a_policy("4 hours"))
    assert (clock.spent(NOON), clock.due) == (2 * HOUR, NINE + 5 * HOUR)
    (correction,) = clock.cycle.corrections
    assert (correction.by, correction.reason, correction.start, correction.end) == (
        "lena",
        "drill",
        NINE + HOUR,
        NINE + 2 * HOUR,
    )


def test_the_same_correction_twice_is_as_good_as_once() -> None:
    story = Story.opened(NINE).corrected(NOON, NINE, NINE + HOUR)
    once = the_clock(story, a_policy("4 hours"))
    assert the_clock(story.corrected(NOON + 1, NINE, NINE + HOUR), a_policy("4 hours")).due == once.due == NINE + 5 * HOUR


def test_a_correction_of_a_clock_with_a_result_changes_nothing() -> None:
    story = Story.opened(NINE).moved(NINE + 5 * HOUR, "resolved")
    before = the_clock(story, a_policy("4 hours")).cycle
    assert the_clock(story.corrected(TUESDAY, NINE, FIVE), a_policy("4 hours")).cycle == before


def test_an_excuse_never_rewrites_a_result() -> None:
    story = Story.opened(NINE).moved(NINE + 5 * HOUR, "resolved").excused(TUESDAY)
    clock = the_clock(story, a_policy("4 hours"))
    assert (clock.status, clock.due) == ("missed", NINE + 4 * HOUR)
    assert clock.cycle.excused is not None
    assert (clock.cycle.excused.by, clock.cycle.excused.reason, clock.cycle.excused.at) == ("lena", "storm", TUESDAY)


def test_what_concerns_a_clock_that_never_was_changes_nothing() -> None:
    story = Story.opened(NINE)
    before = told_by(story, a_policy("4 hours")).cycles
    story.corrected(NOON, NINE, NOON, clock="other").excused(NOON, cycle=7).reached(NOON, "75%", part="desktop")
    assert told_by(story, a_policy("4 hours")).cycles == before


# What does not matter, and what must not


def test_a_machine_whose_clock_is_put_back_does_not_turn_time_back() -> None:
    story = Story.opened(NINE).moved(NOON, "waiting").moved(NINE + HOUR, "work").moved(NOON + HOUR, "resolved")
    clock = the_clock(story, a_policy("8 hours"))
    assert (clock.cycle.pauses, clock.spent(TUESDAY)) == ((), 4 * HOUR)


def test_a_ticket_born_without_an_agreement_has_no_clocks() -> None:
    derived = told_by(Story.opened(NINE, version=None).moved(NOON, "resolved"), a_policy("4 hours"))
    assert (derived.cycles, derived.standing.version) == ({}, None)


def test_promises_do_not_touch_each_other() -> None:
    story = Story.opened(NINE, priority="p2").moved(NOON, "waiting").edited(NOON + HOUR, priority="p1").moved(FIVE, "resolved")
    one, other = a_policy(*BY_PRIORITY), a_policy("2 hours", name="other", stop=on("resolved"))
    together = told_by(story, one, other).cycles
    assert together == {**told_by(story, one).cycles, **told_by(story, other).cycles}


def test_a_condition_that_cannot_be_answered_does_not_hold() -> None:
    unanswerable = cel("ticket.service.startsWith('mail')")
    assert unanswerable.evaluate({"ticket.service": None}) is not True
    assert cycles_of(Story.opened(NINE), a_policy("4 hours", applies=unanswerable.text)) == []


def _first(story: Story, count: int) -> Story:
    return Story(events=story.events[:count])
