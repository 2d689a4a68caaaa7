"""Freezes and windows are refused by the desk itself, on every way; conflicts and slots are found; the schedule is true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from itsm.changes import commands, gate, handlers, queries
from itsm.changes.commands import NewFreeze
from itsm.changes.queries import Conflict, Verdict
from itsm.changes.rules import Cause, Period, Standing
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.time import FrozenClock
from itsm.tickets import moves, records
from itsm.tickets.records import Record
from itsm.workflow.case import Change, Refusal, Response
from tests.changes.desk import Planning, at, period, planning, stamp
from tests.service import actor
from tests.tickets.doing import Doing

TUESDAY = period(3, 8, 10)
FROZEN = period(4, 8, 10)
SUNDAY = Period(at(8, 0), at(8, 4))


@pytest.fixture
def plan(database: Database, clock: FrozenClock) -> Planning:
    return planning(database, clock)


def verdict(plan: Planning, record: Record, by: str = "g1") -> Verdict:
    with plan.desk.reading(actor(plan.desk, by)) as tx:
        found = queries.verdict(tx, queries.change(tx, record.number))
    assert found is not None
    return found


def conflicts(plan: Planning, record: Record, by: str = "g1") -> list[Conflict]:
    return verdict(plan, record, by).conflicts


def slots(plan: Planning, record: Record, hours: float, most: int = 3) -> list[Period]:
    with plan.desk.reading(actor(plan.desk, "g1")) as tx:
        return queries.free_slots(tx, queries.change(tx, record.number), timedelta(hours=hours), tx.now, most)


def asked(plan: Planning, record: Record) -> gate.Ruling:
    with plan.desk.reading(actor(plan.desk, "int1")) as tx:
        return gate.ask(tx, record.number, None, None)


def freeze(plan: Planning, window: Period, by: str = "cm1", **more: tuple[str, ...]) -> str:
    with plan.desk.transaction(actor(plan.desk, by), Channel.API) as tx:
        return commands.declare(tx, NewFreeze("Election night", window.start, window.end, **more)).freeze.key


# Freezes


def test_scheduling_into_a_freeze_is_refused_with_its_reason_and_a_pointer(plan: Planning) -> None:
    record = plan.authorised(service="crm")
    with pytest.raises(DeskError, match="Annual accounts") as refused:
        plan.plan(record, FROZEN)
    assert (refused.value.kind, refused.value.code) == (Kind.CONFLICT, "frozen")
    assert [error.pointer for error in refused.value.errors] == ["/fields/planned_start"]
    assert Doing(plan.desk, "g1").read(record).state == "authorised"


def test_a_window_that_only_touches_a_freeze_is_free(plan: Planning) -> None:
    assert plan.scheduled(Period(at(3, 22), at(4))).state == "scheduled"
    assert plan.scheduled(Period(at(5), at(5, 2))).state == "scheduled"


def test_an_edit_does_not_carry_a_scheduled_change_into_a_freeze(plan: Planning) -> None:
    record = plan.scheduled(TUESDAY)
    with pytest.raises(DeskError) as refused:
        Doing(plan.desk, "g1").edit(record, planned_end=stamp(at(4, 1)))
    assert refused.value.code == "frozen"


def test_what_a_workflow_sets_by_itself_is_held_to_the_calendar_as_well(plan: Planning) -> None:
    record = plan.scheduled(TUESDAY)
    with plan.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        loaded = records.load(tx, record.number)
        change = Change(loaded.values["planned_end"], at(4, 1))
        moves.respond(tx, loaded, Response(None, changes={"planned_end": change}), {"timer": "later"})
        moves.settle(tx, loaded)
    assert Doing(plan.desk, "g1").read(record).values["planned_end"] == TUESDAY.end
    assert plan.told(record)[-1][0] == "refused"


@pytest.mark.parametrize("channel", [Channel.API, Channel.CASCADE, Channel.TIMER, Channel.IMPORT])
def test_a_change_is_not_begun_in_a_freeze_declared_after_it_was_scheduled(plan: Planning, channel: Channel) -> None:
    record = plan.scheduled(TUESDAY)
    freeze(plan, TUESDAY)
    plan.clock.set(at(3, 9))
    with plan.desk.transaction(actor(plan.desk, "g1"), channel) as tx:
        answer = moves.decide(tx, records.load(tx, record.number), "implement", {}, None)
    assert isinstance(answer, Refusal)
    assert answer.code == "frozen"


def test_a_freeze_of_one_service_leaves_the_others_alone_and_what_it_rests_on_not(plan: Planning) -> None:
    freeze(plan, TUESDAY, services=("erp",))
    assert plan.scheduled(TUESDAY, service="crm").state == "scheduled"
    with pytest.raises(DeskError, match="Election night"):
        plan.scheduled(TUESDAY, ci="san-1")


def test_a_lifted_freeze_freezes_nothing(plan: Planning) -> None:
    key = freeze(plan, TUESDAY)
    with plan.desk.transaction(actor(plan.desk, "cm2"), Channel.API) as tx:
        commands.lift(tx, int(key))
    assert plan.scheduled(TUESDAY).state == "scheduled"
    with plan.desk.transaction(actor(plan.desk, "cm2"), Channel.API) as tx, pytest.raises(DeskError, match="no freeze"):
        commands.lift(tx, int(key))


def test_a_freeze_is_declared_by_a_change_manager_only_and_the_right_way_round(plan: Planning) -> None:
    with pytest.raises(DeskError) as refused:
        freeze(plan, TUESDAY, by="g1")
    assert refused.value.code == "forbidden"
    with pytest.raises(DeskError) as refused:
        freeze(plan, Period(at(3, 9), at(3, 8)), services=("erp", "nowhere"))
    assert [error.pointer for error in refused.value.errors] == ["/ends_at", "/services/1"]


# Overrides


def test_a_change_manager_overrides_a_freeze_with_a_reason_that_the_log_keeps(plan: Planning) -> None:
    record = plan.authorised(service="crm")
    moved = plan.plan(record, FROZEN, by="cm1", schedule_override="The bank insists.")
    assert moved.state == "scheduled"
    ((kind, told),) = [each for each in plan.told(record) if each[0] == handlers.OVERRIDDEN]
    assert (kind, told["obstacles"], told["reason"]) == ("schedule_overridden", ["accounts"], "The bank insists.")
    plan.clock.set(at(4, 8, 30))
    assert Doing(plan.desk, "g1").fire(record, "implement").state == "implementation"


def test_an_override_without_a_reason_or_by_somebody_else_is_none(plan: Planning) -> None:
    record = plan.authorised()
    with pytest.raises(DeskError) as refused:
        plan.plan(record, FROZEN, by="cm1", schedule_override="  ")
    assert refused.value.code == "frozen"
    with pytest.raises(DeskError) as refused:
        plan.plan(record, FROZEN, schedule_override="Because I can.")
    assert refused.value.code == "not_editable"


def test_an_override_holds_for_its_window_only(plan: Planning) -> None:
    record = plan.plan(plan.authorised(), FROZEN, by="cm1", schedule_override="The bank insists.")
    with pytest.raises(DeskError) as refused:
        plan.plan(record, period(4, 8, 12))
    assert refused.value.code == "frozen"
    assert plan.plan(record, period(4, 8, 9)).state == "scheduled"


# Windows


def test_what_has_a_maintenance_window_is_changed_within_one_of_them(plan: Planning) -> None:
    with pytest.raises(DeskError, match="ERP stands still") as refused:
        plan.scheduled(TUESDAY, service="erp")
    assert refused.value.code == "outside_window"
    with pytest.raises(DeskError):
        plan.scheduled(Period(at(8, 4), at(8, 6)), service="erp")
    assert plan.scheduled(SUNDAY, service="erp").state == "scheduled"


def test_a_window_that_ends_before_it_begins_is_refused_with_a_pointer_wherever_it_is_said(plan: Planning) -> None:
    reversed_: dict[str, Any] = {"planned_start": stamp(at(3, 9)), "planned_end": stamp(at(3, 8))}
    doing, record = Doing(plan.desk, "g1"), plan.authorised()
    deeds: list[Callable[[], object]] = [
        lambda: doing.create("change", "X", fields=reversed_),
        lambda: doing.edit(record, **reversed_),
        lambda: doing.fire(record, "schedule", **reversed_),
    ]
    for deed in deeds:
        with pytest.raises(DeskError) as refused:
            deed()
        assert (refused.value.kind, refused.value.code) == (Kind.INVALID, "invalid_value")
        assert "/fields/planned_end" in [error.pointer for error in refused.value.errors]


# Conflicts


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


# Slots


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


# The schedule


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
        assert commands.rebuild(tx) == 3
    assert plan.schedule(everything) == before
    assert len(before) == 2


def test_a_check_for_conflicts_takes_as_many_statements_however_many_changes_there_are(plan: Planning) -> None:
    record = plan.scheduled(TUESDAY, service="crm")
    counts = []
    for _ in range(2):
        seen: list[str] = []
        plan.desk.database.on_statement = seen.append
        with plan.desk.reading(actor(plan.desk, "g1")) as tx:
            loaded = queries.change(tx, record.number)
            del seen[:]
            queries.verdict(tx, loaded)
        plan.desk.database.on_statement = None
        counts.append(len(seen))
        for _ in range(3):
            plan.scheduled(TUESDAY, service="crm", by="l1")
    assert counts[1] <= counts[0] + 1
    assert counts[1] <= 12


# The gate


def test_the_gate_says_wait_then_approved_then_refused(plan: Planning) -> None:
    record = plan.authorised(service="crm")
    assert (asked(plan, record).answer, asked(plan, record).waiting_for) == (gate.Answer.WAIT, ("g1",))
    plan.plan(record, TUESDAY)
    assert asked(plan, record).waiting_for == ("window",)
    plan.clock.set(at(3, 9))
    assert asked(plan, record).answer is gate.Answer.APPROVED
    freeze(plan, TUESDAY)
    assert asked(plan, record).answer is gate.Answer.REFUSED
    assert "Election night" in asked(plan, record).reasons[0]
    plan.clock.set(at(3, 11))
    assert "scheduled again" in asked(plan, record).reasons[0]


def test_the_gate_names_the_approvers_who_are_awaited(plan: Planning) -> None:
    record = Doing(plan.desk, "g1").create("change", "Open the firewall", fields={"justification": "Attack"})
    Doing(plan.desk, "g1").fire(record, "assign", group="network", assignee="g1")
    Doing(plan.desk, "g1").fire(record, "submit")
    plans: dict[str, Any] = {"risk": "low", "implementation_plan": "Swap.", "test_plan": "Ping.", "backout_plan": "Back."}
    Doing(plan.desk, "g1").fire(record, "request_authorisation", **plans)
    ruling = asked(plan, record)
    assert ruling.answer is gate.Answer.WAIT
    assert {"cm1", "cm2"} & set(ruling.waiting_for)


def test_the_gate_answers_for_a_service_by_the_change_that_is_furthest(plan: Planning) -> None:
    with plan.desk.reading(actor(plan.desk, "int1")) as tx:
        assert gate.ask(tx, None, "crm", None).answer is gate.Answer.REFUSED
    plan.authorised(service="crm")
    ready = plan.scheduled(TUESDAY, service="crm")
    plan.clock.set(at(3, 9))
    with plan.desk.reading(actor(plan.desk, "int1")) as tx:
        ruling = gate.ask(tx, None, "crm", None)
    assert (ruling.answer, ruling.change) == (gate.Answer.APPROVED, ready.number)
