"""Time that is taken out has its effect, or it is said why it has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa

from itsm.app import Service
from itsm.people.access import Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError
from itsm.platform.schema import table
from itsm.platform.time import FrozenClock
from itsm.sla import commands, proving
from itsm.sla.keeping import Keeper
from itsm.sla.models import SlaStanding
from itsm.sla.policy import OnChange
from itsm.sla.standing import decode, encode
from itsm.tickets.records import Record
from tests.service import actor
from tests.sla.builders import on
from tests.sla.sweeping import HOURS, MINUTES, a_desk, a_promise, clocks
from tests.tickets.doing import Doing, an_incident_in_progress

_STANDING = Prepared(sa.select(SlaStanding.state))
_PUT_BACK = Prepared(sa.update(table(SlaStanding)).values(state=sa.bindparam("text")))

P1 = "ticket.priority == 'p1'"


def a_changed_clock(database: Database, clock: FrozenClock, rule: OnChange) -> tuple[Service, str, datetime]:
    """A ticket whose target became four hours, of eight, two hours after its clock began; it is an hour later now."""
    service = a_desk(database, clock, replace(a_promise("8 hours", {P1: "4 hours"}), on_change=rule))
    record = an_incident_in_progress(service.desk)
    began = clock.now()
    clock.advance(2 * HOURS)
    Doing(service.desk, "l1").edit(record, urgency="critical", impact="extensive")
    clock.advance(HOURS)
    return service, record.number, began


def take_out(service: Service, number: str, start: datetime, end: datetime) -> None:
    desk = service.desk
    with desk.transaction(actor(desk, "l1"), Channel.API) as tx:
        commands.take_out(tx, desk.part(Keeper), number, "resolution", "", start, end, "A fire drill.")


def due(service: Service) -> datetime:
    (row,) = clocks(service.desk)
    return row.due_at


@pytest.mark.parametrize("rule", [OnChange.RESTART, OnChange.PRORATE], ids=["restart", "prorate"])
def test_time_before_a_change_that_settled_it_is_not_taken_out_and_it_is_said_why(
    database: Database, clock: FrozenClock, rule: OnChange
) -> None:
    service, number, began = a_changed_clock(database, clock, rule)
    before = due(service)
    with pytest.raises(DeskError) as refused:
        take_out(service, number, began + 90 * MINUTES, began + 150 * MINUTES)
    assert refused.value.code == "already_settled"
    assert (began + 2 * HOURS).strftime("%H:%M:%SZ") in refused.value.detail
    assert due(service) == before


@pytest.mark.parametrize("rule", [OnChange.RESTART, OnChange.PRORATE], ids=["restart", "prorate"])
def test_time_after_it_is_taken_out(database: Database, clock: FrozenClock, rule: OnChange) -> None:
    service, number, began = a_changed_clock(database, clock, rule)
    before = due(service)
    take_out(service, number, began + 2 * HOURS, began + 150 * MINUTES)
    assert due(service) == before + 30 * MINUTES


def test_where_elapsed_time_is_kept_it_may_lie_on_both_sides_of_the_change(database: Database, clock: FrozenClock) -> None:
    service, number, began = a_changed_clock(database, clock, OnChange.KEEP_ELAPSED)
    before = due(service)
    take_out(service, number, began + 90 * MINUTES, began + 150 * MINUTES)
    assert due(service) == before + HOURS


def a_reopened_miss(database: Database, clock: FrozenClock) -> tuple[Service, Record]:
    """A ticket whose first run was missed; it has been reopened since, and a second run is under way."""
    service = a_desk(database, clock, replace(a_promise("2 hours"), reset=on("reopened")))
    record = an_incident_in_progress(service.desk)
    clock.advance(3 * HOURS)
    service.sweeper.sweep()
    Doing(service.desk, "g1").fire(record, "resolve", "Fixed.", resolution_code="fixed", resolution="Cable.")
    clock.advance(MINUTES)
    Doing(service.desk, "ra1").fire(record, "reopen", "Not fixed.")
    return service, record


def excuse(service: Service, record: Record, run: int) -> None:
    desk = service.desk
    with desk.transaction(actor(desk, "l1"), Channel.API) as tx:
        commands.excuse(tx, desk.part(Keeper), record.number, "resolution", "", run, "The storm.")


def results(service: Service) -> list[tuple[int, str, bool]]:
    return [(row.cycle, row.status, row.excused) for row in clocks(service.desk)]


def differences(service: Service) -> tuple[str, ...]:
    return proving.verify(service.desk.database, service.desk.part(Keeper).agreements).differences


def test_the_miss_of_a_run_is_excused_though_the_ticket_was_reopened_since(database: Database, clock: FrozenClock) -> None:
    service, record = a_reopened_miss(database, clock)
    excuse(service, record, 1)
    assert results(service) == [(1, "missed", True), (2, "running", False)]
    assert differences(service) == ()
    for run in (1, 2, 3):
        with pytest.raises(DeskError) as refused:
            excuse(service, record, run)
        assert refused.value.code == "not_missed"


def test_so_is_one_that_an_earlier_release_has_put_aside(database: Database, clock: FrozenClock) -> None:
    service, record = a_reopened_miss(database, clock)
    with service.desk.database.session() as session:
        kept = decode(session.one(_STANDING).state)
        open_ones = {key: cycle for key, cycle in kept.cycles.items() if cycle.is_open}
        session.run(_PUT_BACK, text=encode(replace(kept, cycles=open_ones)))
    assert differences(service) == ()
    excuse(service, record, 1)
    assert results(service) == [(1, "missed", True), (2, "running", False)]
    assert differences(service) == ()
