"""Changes in each other's way are found, with what is frozen and closed; and so is the room that is left."""

from __future__ import annotations

from datetime import timedelta

from itsm.changes import conflicts as planned
from itsm.changes import queries
from itsm.changes.conflicts import Conflict, Verdict
from itsm.changes.rules import Cause, Period
from itsm.tickets.records import Record
from tests.changes.desk import SUNDAY, TUESDAY, Planning, at, period
from tests.service import actor
from tests.tickets.doing import Doing


def verdict(plan: Planning, record: Record, by: str = "g1") -> Verdict:
    with plan.desk.reading(actor(plan.desk, by)) as tx:
        return planned.verdict(tx, queries.change(tx, record.number))


def conflicts(plan: Planning, record: Record, by: str = "g1") -> list[Conflict]:
    return verdict(plan, record, by).conflicts


def slots(plan: Planning, record: Record, hours: float, most: int = 3) -> list[Period]:
    with plan.desk.reading(actor(plan.desk, "g1")) as tx:
        return planned.free_slots(tx, queries.change(tx, record.number), timedelta(hours=hours), tx.now, most)


def test_changes_of_the_same_service_or_item_at_the_same_time_are_in_each_others_way(plan: Planning) -> None:
    first = plan.scheduled(TUESDAY, service="crm", by="l1")
    second = plan.scheduled(period(3, 9, 11), service="crm", ci="far-1")
    third = plan.scheduled(period(3, 9, 10), ci="far-1", by="l1")
    assert [(each.number, each.causes) for each in conflicts(plan, second)] == [
        (first.number, (Cause.SAME_SERVICE,)),
        (third.number, (Cause.SAME_ITEM,)),
    ]


def test_a_change_further_along_relations_is_in_the_way_and_the_way_is_told(plan: Planning) -> None:
    on_san = plan.scheduled(SUNDAY, ci="san-1", by="l1")
    on_erp = plan.scheduled(SUNDAY, service="erp")
    (found,) = conflicts(plan, on_erp)
    assert (found.number, found.causes) == (on_san.number, (Cause.DEPENDENT,))
    assert found.via == ("service:erp", "item:app-1", "item:san-1")
    assert [each.number for each in conflicts(plan, on_san)] == [on_erp.number]


def test_nobody_implements_two_changes_at_once_unnoticed(plan: Planning) -> None:
    first = plan.scheduled(TUESDAY, service="crm")
    second = plan.scheduled(period(3, 9, 11), ci="far-1")
    assert [(each.number, each.causes) for each in conflicts(plan, second)] == [(first.number, (Cause.SAME_IMPLEMENTER,))]


def test_changes_one_after_the_other_or_of_nothing_in_common_are_in_nobodys_way(plan: Planning) -> None:
    plan.scheduled(TUESDAY, service="crm")
    plan.scheduled(TUESDAY, ci="far-1", by="l1")
    assert conflicts(plan, plan.scheduled(period(3, 10, 12), service="crm")) == []


def test_a_change_out_of_sight_is_in_the_way_without_being_named(plan: Planning) -> None:
    hidden = Doing(plan.desk, "g2").create("change", "Canary", service="crm")
    Doing(plan.desk, "g2").edit(hidden, change_type="standard", standard_model="routine", risk="low")
    Doing(plan.desk, "g2").fire(hidden, "assign", group="security", assignee="g2")
    Doing(plan.desk, "g2").fire(hidden, "submit")
    plan.plan(hidden, TUESDAY, by="g2")
    (found,) = conflicts(plan, plan.scheduled(TUESDAY, service="crm"))
    assert (found.number, found.title, found.causes) == (None, None, (Cause.SAME_SERVICE,))
    assert [each.number for each in plan.schedule(TUESDAY)] != [hidden.number]


def test_what_is_cancelled_or_done_is_in_nobodys_way(plan: Planning) -> None:
    other = plan.scheduled(TUESDAY, service="crm")
    mine = plan.scheduled(TUESDAY, service="crm", by="l1")
    Doing(plan.desk, "g1").fire(other, "cancel", "No longer wanted.")
    assert conflicts(plan, mine) == []


def test_a_check_for_conflicts_takes_as_many_statements_however_many_changes_there_are(plan: Planning) -> None:
    record = plan.scheduled(TUESDAY, service="crm")
    counts = []
    for _ in range(2):
        seen: list[str] = []
        plan.desk.database.on_statement = seen.append
        with plan.desk.reading(actor(plan.desk, "g1")) as tx:
            loaded = queries.change(tx, record.number)
            del seen[:]
            planned.verdict(tx, loaded)
        plan.desk.database.on_statement = None
        counts.append(len(seen))
        for _ in range(3):
            plan.scheduled(TUESDAY, service="crm", by="l1")
    assert counts[1] <= counts[0] + 1
    assert counts[1] <= 12


def test_free_slots_lie_in_working_hours_outside_freezes_and_in_nobodys_way(plan: Planning) -> None:
    plan.scheduled(period(3, 7, 11), service="crm", by="l1")
    record = plan.authorised(service="crm")
    found = slots(plan, record, 2, most=4)
    assert found == [
        period(2, 9, 11),
        Period(at(2, 11, 30), at(2, 13, 30)),
        Period(at(3, 11, 30), at(3, 13, 30)),
        period(5, 7, 9),
    ]


def test_free_slots_of_what_has_windows_lie_in_them(plan: Planning) -> None:
    assert slots(plan, plan.authorised(service="erp"), 4, most=2) == [
        Period(at(7, 23), at(8, 3)),
        Period(at(14, 23), at(15, 3)),
    ]


def test_there_is_no_slot_longer_than_any_stretch_of_free_time(plan: Planning) -> None:
    assert slots(plan, plan.authorised(service="erp"), 7) == []


def test_a_proposed_slot_is_taken_without_complaint(plan: Planning) -> None:
    plan.scheduled(period(2, 9, 11), service="crm", by="l1")
    record = plan.authorised(service="crm")
    (slot, *_) = slots(plan, record, 1)
    assert conflicts(plan, plan.plan(record, slot)) == []
