"""The forward schedule is true to its tickets, and can be made anew from them."""

from __future__ import annotations

from itsm.changes import projection
from itsm.changes.rules import Period, Standing
from itsm.people.access import SYSTEM, Channel
from tests.changes.desk import SUNDAY, TUESDAY, Planning, at, period
from tests.tickets.doing import Doing


def test_the_schedule_follows_its_tickets(plan: Planning) -> None:
    record = plan.scheduled(TUESDAY, service="crm")
    (entry,) = plan.schedule(TUESDAY)
    assert (entry.number, entry.standing, entry.implementer, entry.service) == (record.number, Standing.SCHEDULED, "g1", "crm")
    plan.plan(record, period(5, 8, 9))
    assert plan.schedule(TUESDAY) == []
    Doing(plan.desk, "g1").fire(record, "revise", "Anew.")
    assert plan.schedule(period(5, 0, 23)) == []


def test_the_schedule_is_asked_by_service_and_item_and_shows_what_one_sees(plan: Planning) -> None:
    first = plan.scheduled(TUESDAY, service="crm")
    second = plan.scheduled(TUESDAY, ci="far-1")
    assert [each.number for each in plan.schedule(TUESDAY, service="crm")] == [first.number]
    assert [each.number for each in plan.schedule(TUESDAY, item="far-1")] == [second.number]
    assert plan.schedule(TUESDAY, by="rb1") == []


def test_made_anew_the_schedule_is_the_same(plan: Planning) -> None:
    plan.scheduled(TUESDAY, service="crm")
    plan.plan(plan.scheduled(SUNDAY, service="erp", by="l1"), Period(at(8, 1), at(8, 2)))
    Doing(plan.desk, "g1").fire(plan.scheduled(TUESDAY), "cancel", "No.")
    everything = Period(at(1), at(30))
    before = plan.schedule(everything)
    with plan.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        assert projection.rebuild(tx) == 3
    assert plan.schedule(everything) == before
    assert len(before) == 2
