"""Freezes and maintenance windows are refused by the desk itself, on every way; overrides are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from itsm.changes import freezes, handlers
from itsm.changes.rules import Period
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import DeskError, Kind
from itsm.tickets import loading, moves
from itsm.workflow.case import Change, Refusal, Response
from tests.changes.desk import SUNDAY, TUESDAY, Planning, at, period, stamp
from tests.service import actor
from tests.tickets.doing import Doing

FROZEN = period(4, 8, 10)


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
        loaded = loading.load(tx, record.number)
        change = Change(loaded.values["planned_end"], at(4, 1))
        moves.respond(tx, loaded, Response(None, changes={"planned_end": change}), {"timer": "later"})
        moves.settle(tx, loaded)
    assert Doing(plan.desk, "g1").read(record).values["planned_end"] == TUESDAY.end
    assert plan.told(record)[-1][0] == "refused"


@pytest.mark.parametrize("channel", [Channel.API, Channel.CASCADE, Channel.TIMER, Channel.IMPORT])
def test_a_change_is_not_begun_in_a_freeze_declared_after_it_was_scheduled(plan: Planning, channel: Channel) -> None:
    record = plan.scheduled(TUESDAY)
    plan.freeze(TUESDAY)
    plan.clock.set(at(3, 9))
    with plan.desk.transaction(actor(plan.desk, "g1"), channel) as tx:
        answer = moves.decide(tx, loading.load(tx, record.number), "implement", {}, None)
    assert isinstance(answer, Refusal)
    assert answer.code == "frozen"


def test_a_freeze_of_one_service_leaves_the_others_alone_and_what_it_rests_on_not(plan: Planning) -> None:
    plan.freeze(TUESDAY, services=("erp",))
    assert plan.scheduled(TUESDAY, service="crm").state == "scheduled"
    with pytest.raises(DeskError, match="Election night"):
        plan.scheduled(TUESDAY, ci="san-1")


def test_a_lifted_freeze_freezes_nothing(plan: Planning) -> None:
    key = plan.freeze(TUESDAY)
    with plan.desk.transaction(actor(plan.desk, "cm2"), Channel.API) as tx:
        freezes.lift(tx, int(key))
    assert plan.scheduled(TUESDAY).state == "scheduled"
    with plan.desk.transaction(actor(plan.desk, "cm2"), Channel.API) as tx, pytest.raises(DeskError, match="no freeze"):
        freezes.lift(tx, int(key))


def test_a_freeze_is_declared_by_a_change_manager_only_and_the_right_way_round(plan: Planning) -> None:
    with pytest.raises(DeskError) as refused:
        plan.freeze(TUESDAY, by="g1")
    assert refused.value.code == "forbidden"
    with pytest.raises(DeskError) as refused:
        plan.freeze(Period(at(3, 9), at(3, 8)), services=("erp", "nowhere"))
    assert [error.pointer for error in refused.value.errors] == ["/ends_at", "/services/1"]


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
