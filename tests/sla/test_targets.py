"""What a clock is measured by: targets that change on the way, calendars and zones, clocks per group, days of 23 and 25 hours.

2 March 2026 is a Monday; the office is open from nine to five in Berlin, Monday to Friday.
"""

from __future__ import annotations

import pytest

from itsm.sla.rules import HANDED_OVER, WITH_ANOTHER_GROUP

from .builders import HOUR, MINUTE, Story, a_goal, a_policy, an_agreement, at, cycles_of, on, the_clock

NINE, NOON, FIVE = at("2026-03-02 09:00"), at("2026-03-02 12:00"), at("2026-03-02 17:00")
TUESDAY = at("2026-03-03 09:00")

BY_PRIORITY = (
    a_goal("1 business hours", "ticket.priority == 'p1'"),
    a_goal("4 business hours", "ticket.priority == 'p2'"),
    a_goal("8 business hours", "ticket.priority == 'p3'"),
)


# Targets that change (rule 7)


def test_keep_elapsed_counts_the_time_spent_against_the_new_target() -> None:
    story = Story.opened(NINE, priority="p3").edited(NINE + 2 * HOUR, priority="p2")
    clock = the_clock(story, a_policy(*BY_PRIORITY))
    assert (clock.due, clock.spent(NOON)) == (NINE + 4 * HOUR, 3 * HOUR)
    (retarget,) = clock.cycle.retargets
    assert (retarget.at, retarget.was.text, retarget.rule) == (NINE + 2 * HOUR, "8 business hours", "keep_elapsed")


def test_keep_elapsed_with_an_exhausted_budget_is_due_in_the_past() -> None:
    story = Story.opened(NINE, priority="p3").edited(NOON, priority="p1")
    clock = the_clock(story, a_policy(*BY_PRIORITY, thresholds=["100%"]))
    assert clock.due == NINE + HOUR
    assert clock.owed() == {"100%": NINE + HOUR}


def test_what_was_overdue_is_not_when_its_target_grows() -> None:
    story = Story.opened(NINE, priority="p1").edited(NOON, priority="p2")
    assert the_clock(story, a_policy(*BY_PRIORITY)).due == NINE + 4 * HOUR


def test_restart_gives_the_new_target_from_the_change_on() -> None:
    story = Story.opened(NINE, priority="p3").edited(NOON, priority="p2")
    clock = the_clock(story, a_policy(*BY_PRIORITY, on_change="restart"))
    assert (clock.due, clock.spent(NOON + HOUR), clock.cycle.started_at) == (NOON + 4 * HOUR, HOUR, NINE)


def test_a_closing_time_that_restarts_is_the_one_that_comes_after_the_change() -> None:
    goals = a_goal("end of business day", "ticket.priority == 'p1'"), a_goal("8 business hours")
    story = Story.opened(NINE, priority="p3").edited(TUESDAY + HOUR, priority="p1")
    assert the_clock(story, a_policy(*goals, on_change="restart")).due == TUESDAY + 8 * HOUR
    assert the_clock(story, a_policy(*goals)).due == FIVE


def test_prorate_keeps_the_share_that_is_used_up() -> None:
    story = Story.opened(NINE, priority="p3").edited(NINE + 2 * HOUR, priority="p2")
    clock = the_clock(story, a_policy(*BY_PRIORITY, on_change="prorate"))
    assert (clock.spent(NINE + 2 * HOUR), clock.due) == (HOUR, NINE + 5 * HOUR)


@pytest.mark.parametrize("state", ["work", "waiting"])
@pytest.mark.parametrize("to", ["p2", "p3"])
def test_prorate_leaves_an_exhausted_target_exhausted_since_the_same_instant(state: str, to: str) -> None:
    story = Story.opened(NINE, priority="p1").moved(NINE + 2 * HOUR, state).edited(NOON, priority=to)
    clock = the_clock(story.moved(NOON, "resolved"), a_policy(*BY_PRIORITY, on_change="prorate"))
    assert (clock.status, clock.due) == ("missed", NINE + HOUR)


def test_prorate_leaves_a_target_used_up_at_that_very_instant_used_up() -> None:
    story = Story.opened(NINE, priority="p1").edited(NINE + HOUR, priority="p2")
    assert the_clock(story, a_policy(*BY_PRIORITY, on_change="prorate")).due == NINE + HOUR


@pytest.mark.parametrize("rule", ["keep_elapsed", "restart", "prorate"])
def test_a_target_that_changes_during_a_pause_counts_from_its_end(rule: str) -> None:
    story = Story.opened(NINE, priority="p3").moved(NINE + 2 * HOUR, "waiting").edited(NOON, priority="p2").moved(FIVE, "work")
    spent = {"keep_elapsed": 2 * HOUR, "restart": 0, "prorate": HOUR}[rule]
    clock = the_clock(story, a_policy(*BY_PRIORITY, on_change=rule))
    assert (clock.spent(FIVE), clock.due) == (spent, TUESDAY + 4 * HOUR - spent)


@pytest.mark.parametrize("rule", ["keep_elapsed", "restart", "prorate"])
def test_another_row_with_the_same_target_changes_nothing_but_the_row(rule: str) -> None:
    goals = [a_goal("8 business hours", "ticket.priority == 'p3'"), a_goal("8 business hours", "ticket.priority == 'p4'")]
    clock = the_clock(Story.opened(NINE, priority="p3").edited(NOON, priority="p4"), a_policy(*goals, on_change=rule))
    assert (clock.due, clock.cycle.target.goal, clock.cycle.retargets) == (FIVE, 1, ())


def test_a_change_that_leaves_the_goal_as_it_is_leaves_the_clock_as_it_is() -> None:
    story = Story.opened(NINE)
    before = the_clock(story, a_policy(*BY_PRIORITY, on_change="restart")).cycle
    assert the_clock(story.edited(NOON, title="Black screen"), a_policy(*BY_PRIORITY, on_change="restart")).cycle == before


def test_a_change_of_target_after_the_result_changes_no_result() -> None:
    story = Story.opened(NINE, priority="p3").moved(NOON, "resolved").edited(NOON + 1, priority="p1")
    assert the_clock(story, a_policy(*BY_PRIORITY)).status == "met"


# Calendars and zones


def test_a_reassignment_goes_on_in_the_calendar_of_the_new_group() -> None:
    policy = a_policy(a_goal("8 business hours", by="group"))
    story = Story.opened(NINE, group="desktop", places={"group.calendar": "office"})
    story.moved(at("2026-03-02 15:00"), "work", group="evening", places={"group.calendar": "late"})
    clock = the_clock(story, policy)
    assert clock.spent(at("2026-03-02 20:00")) == 11 * HOUR
    assert clock.due == FIVE
    story.moved(at("2026-03-02 16:00"), "work", group="desktop", places={"group.calendar": "office"})
    assert [one.calendar for one in the_clock(story, policy).cycle.counted] == ["office", "late", "office"]


def test_a_service_without_hours_of_its_own_has_the_default() -> None:
    policy = a_policy(a_goal("8 business hours", by="service"))
    for places in ({}, {"service.calendar": None}, {"service.calendar": "long-gone"}):
        assert the_clock(Story.opened(NINE, places=places), policy).cycle.target.calendar == "office"
    assert the_clock(Story.opened(NINE, places={"service.calendar": "late"}), policy).cycle.target.calendar == "late"


def test_the_hours_of_a_requester_are_those_of_his_location() -> None:
    agreed = an_agreement(a_policy(a_goal("2 business hours", by="requester")), openings={"leipzig": "late"})
    clock = the_clock(Story.opened(NINE, places={"requester.location": "leipzig"}), agreement=agreed)
    assert clock.due == at("2026-03-02 14:00")


def test_the_zone_of_the_requesters_location_moves_the_hours_there() -> None:
    agreed = an_agreement(a_policy(a_goal("2 business hours", zone="requester")), zones={"boston": "America/New_York"})
    clock = the_clock(Story.opened(NINE, places={"requester.location": "boston"}), agreement=agreed)
    assert clock.cycle.target.calendar == "office@America/New_York"
    assert clock.due == at("2026-03-02 11:00", zone="America/New_York")


def test_the_hours_of_a_paused_clock_are_those_of_the_place_where_it_goes_on() -> None:
    policy = a_policy(a_goal("8 business hours", by="group"))
    story = Story.opened(NINE, group="desktop", places={"group.calendar": "office"}).moved(NINE + HOUR, "waiting")
    story.edited(NOON, group="evening", places={"group.calendar": "late"}).moved(at("2026-03-02 18:00"), "work")
    assert the_clock(story, policy).due == at("2026-03-03 17:00")


def test_conditions_see_what_the_directory_said_when_the_event_was_written() -> None:
    policy = a_policy("4 hours", applies="service.criticality == 'high'")
    story = Story.opened(NINE, places={"service.criticality": "high"})
    assert cycles_of(story, policy) == [("", 1, "running")]
    assert cycles_of(story.edited(NOON, places={"service.criticality": "low"}, service="x"), policy) == [("", 1, "cancelled")]


# Clocks per group


def test_each_group_has_a_clock_that_pauses_while_the_ticket_is_elsewhere() -> None:
    policy = a_policy("4 hours", per_group="accumulate")
    story = Story.opened(NINE, group="desktop").moved(NINE + HOUR, "work", group="network").moved(NOON, "work", group="desktop")
    desktop, network = (the_clock(story, policy, part=group) for group in ("desktop", "network"))
    assert (desktop.spent(NOON), desktop.due, desktop.cycle.pauses[0].why) == (HOUR, NOON + 3 * HOUR, WITH_ANOTHER_GROUP)
    assert (network.status, network.spent(TUESDAY), network.cycle.started_at) == ("paused", 2 * HOUR, NINE + HOUR)


def test_a_target_that_changes_while_the_ticket_is_elsewhere_is_a_groups_only_when_it_is_back() -> None:
    policy = a_policy(*BY_PRIORITY, per_group="accumulate")
    story = Story.opened(NINE, group="desktop", priority="p3").moved(NINE + HOUR, "work", group="network", priority="p1")
    assert the_clock(story, policy, part="desktop").cycle.retargets == ()
    back = the_clock(story.moved(NOON, "work", group="desktop"), policy, part="desktop")
    assert [one.at for one in back.cycle.retargets] == [NOON]


def test_all_clocks_of_groups_stop_when_the_ticket_is_resolved() -> None:
    policy = a_policy("90 minutes", per_group="accumulate")
    story = Story.opened(NINE, group="desktop").moved(NINE + HOUR, "work", group="network").moved(NOON, "resolved")
    assert cycles_of(story, policy) == [("desktop", 1, "met"), ("network", 1, "missed")]


def test_a_clock_per_group_that_restarts_ends_at_each_handing_over() -> None:
    policy = a_policy("90 minutes", per_group="restart")
    story = Story.opened(NINE, group="desktop").moved(NINE + HOUR, "work", group="network").moved(NOON, "work", group="desktop")
    assert cycles_of(story, policy) == [("desktop", 1, "met"), ("network", 1, "missed"), ("desktop", 2, "running")]
    assert the_clock(story, policy, part="desktop").cycle.ended_by == HANDED_OVER
    assert the_clock(story, policy, part="desktop", cycle=2).due == NOON + 90 * MINUTE


def test_a_ticket_without_a_group_has_no_clock_per_group_until_it_has_one() -> None:
    policy = a_policy("4 hours", per_group="accumulate")
    story = Story.opened(NINE)
    assert cycles_of(story, policy) == []
    assert the_clock(story.moved(NOON, "work", group="desktop"), policy, part="desktop").cycle.started_at == NOON


def test_a_group_does_not_answer_for_the_time_a_ticket_waits_elsewhere() -> None:
    policy = a_policy("4 hours", per_group="accumulate", retroactive=True, applies="ticket.service == 'mail'")
    story = Story.opened(NINE, group="desktop").moved(NINE + HOUR, "work", group="network").moved(NOON, "work", group="desktop")
    assert the_clock(story.edited(NOON + HOUR, service="mail"), policy, part="desktop").spent(NOON + HOUR) == 2 * HOUR


def test_what_waits_for_a_group_elsewhere_ends_with_the_ticket() -> None:
    policy = a_policy("4 hours", per_group="accumulate", start=on("created"))
    story = Story.opened(NINE, "waiting", group="desktop").moved(NINE + HOUR, "waiting", group="network")
    story.moved(NOON, "resolved").moved(TUESDAY, "work").moved(TUESDAY + HOUR, "work", group="desktop")
    assert cycles_of(story, policy) == []


# Days on which clocks change


def test_a_night_on_which_clocks_go_forward_has_seven_hours() -> None:
    policy = a_policy(a_goal("8 business hours", hours="nights"))
    clock = the_clock(Story.opened(at("2026-03-28 22:00")), policy)
    assert clock.spent(at("2026-03-29 06:00")) == 7 * HOUR
    assert clock.due == at("2026-03-29 23:00")


def test_a_night_on_which_clocks_go_back_has_nine_hours() -> None:
    policy = a_policy(a_goal("8 business hours", hours="nights"))
    assert the_clock(Story.opened(at("2026-10-24 22:00")), policy).due == at("2026-10-25 05:00")


def test_plain_hours_do_not_care_that_clocks_change() -> None:
    clock = the_clock(Story.opened(at("2026-03-28 20:00")), a_policy("24 hours"))
    assert clock.due == at("2026-03-29 21:00")


def test_a_pause_over_the_night_of_the_change_costs_what_the_clock_lost() -> None:
    policy = a_policy(a_goal("24 business hours", hours="round-the-clock"))
    story = Story.opened(at("2026-03-29 00:00")).moved(at("2026-03-29 01:30"), "waiting").moved(at("2026-03-29 03:30"), "work")
    assert the_clock(story, policy).due == at("2026-03-30 02:00")
