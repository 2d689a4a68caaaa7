"""What becomes of an assignment that is turned down, or that nobody begins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itsm.assignment import handlers
from itsm.people.access import SYSTEM, Channel
from itsm.platform import timers
from itsm.platform.errors import DeskError
from itsm.tickets import due
from tests.assignment.conftest import Make
from tests.tickets.doing import Doing

TURNS = """
groups: {network: {strategy: round_robin, take_up: {within: 30 minutes}, hops: 2}}
rules: [{name: all, group: network}]
"""


def test_who_turns_an_assignment_down_passes_it_to_the_next_and_says_why(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    assert desk.reject(record, "n1", "On a train.").values["assignee"] == "n2"
    (told,) = desk.told(record, "passed_on")
    assert told["changes"] == {"assignee": ["n1", "n2"]}
    said = told["reasons"]
    assert (said["because"], said["reason"], said["hop"], said["most"]) == ("rejected", "On a train.", 1, 2)
    assert said["passed"] == {"n1": "has had it already"}


def test_nobody_turns_down_what_is_not_his(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    for login in ("n2", "cm1"):
        with pytest.raises(DeskError) as refusal:
            desk.reject(record, login)
        assert refusal.value.code == "not_assigned"
    assert desk.assignee(record) == "n1"


def test_what_is_over_is_turned_down_no_longer(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    Doing(desk.desk, "ra1").fire(record, "cancel", "It was the cable.")
    with pytest.raises(DeskError) as refusal:
        desk.reject(record, "n1")
    assert refusal.value.code == "already_over"


def test_after_as_many_hops_as_the_group_allows_the_lead_has_it(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    assert [desk.reject(record, login).values["assignee"] for login in ("n1", "n2", "n3")] == ["n2", "n3", "l1"]
    hops = [told["reasons"] for told in desk.told(record, "passed_on")]
    assert [(hop["hop"], hop["lead"]) for hop in hops] == [(1, False), (2, False), (3, True)]


def test_what_the_lead_turns_down_is_the_groups_again(make: Make) -> None:
    desk = make(TURNS.replace("hops: 2", "hops: 0"))
    record = desk.opens()
    assert desk.reject(record, "n1").values["assignee"] == "l1"
    assert desk.reject(record, "l1").values["assignee"] is None
    assert desk.read(record).values["group"] == "network"


def test_whoever_had_it_does_not_get_it_again_until_it_is_routed_anew(make: Make) -> None:
    desk = make(TURNS.replace("hops: 2", "hops: 9"))
    record = desk.opens()
    assert [desk.reject(record, login).values["assignee"] for login in ("n1", "n2", "n3")] == ["n2", "n3", "l1"]
    assert desk.route(record, by="cm1").values["assignee"] == "n1"
    assert desk.reject(record, "n1").values["assignee"] == "n2"


def test_who_does_not_begin_in_time_loses_it_to_the_next_once(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    desk.pass_time(minutes=29)
    assert desk.assignee(record) == "n1"
    desk.pass_time(minutes=1)
    assert desk.assignee(record) == "n2"
    desk.service.sweeper.sweep()
    assert [told["reasons"]["because"] for told in desk.told(record, "passed_on")] == ["not_taken_up"]
    desk.pass_time(minutes=30)
    desk.pass_time(minutes=30)
    assert desk.assignee(record) == "l1"
    desk.pass_time(days=3)
    assert desk.assignee(record) == "l1"


def test_who_has_begun_keeps_it(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    Doing(desk.desk, "n1").fire(record, "start")
    desk.pass_time(hours=2)
    assert (desk.assignee(record), desk.told(record, "passed_on")) == ("n1", [])


def test_a_move_by_somebody_else_is_no_beginning(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    Doing(desk.desk, "cm1").fire(record, "escalate")
    desk.pass_time(hours=1)
    assert desk.told(record, "passed_on")


def test_what_was_handed_to_somebody_by_name_is_not_taken_from_him(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    Doing(desk.desk, "n3").fire(record, "assign", group="network", assignee="n3")
    desk.pass_time(hours=1)
    assert desk.told(record, "passed_on") == []


def test_a_claim_that_was_lost_changes_nothing(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    desk.clock.advance(timedelta(minutes=31))
    with desk.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        (slow,) = [row for row in timers.claim(tx.session, tx.now, 10, ticket_id=record.id) if row.kind == "assignment"]
    desk.reject(record, "n1")
    with pytest.raises(timers.TimerLost):
        due.singly(desk.desk, Channel.TIMER, handlers.due)(slow)
    assert [told["reasons"]["because"] for told in desk.told(record, "passed_on")] == ["rejected"]


def test_what_the_workflow_forbids_is_refused_and_the_ticket_stays(make: Make) -> None:
    desk = make(TURNS.replace("hops: 2", "hops: 0"))
    record = desk.opens()
    desk.reject(record, "n1")
    Doing(desk.desk, "l1").fire(record, "start")
    with pytest.raises(DeskError) as refusal:
        desk.reject(record, "l1")
    assert refusal.value.code == "invariant_broken"
    assert desk.assignee(record) == "l1"
