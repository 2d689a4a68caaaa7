"""Absences, shifts and stand-ins as they are entered, and what follows for routing and for who is on call."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itsm.assignment import on_call, periods
from itsm.assignment.periods import NewAbsence, NewOverride
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import DeskError
from itsm.tickets import effects, loading
from itsm.workflow import builtin_actions
from tests.assignment.conftest import Make
from tests.assignment.desk import Assigning
from tests.service import actor

TABLE = """
groups: {network: {strategy: round_robin}}
people: {n2: {shift: office-hours}, n3: {capacity: 0}}
rules: [{name: all, group: network}]
on_call:
  network:
    - {name: primary, people: [n1, n2], from: 2026-03-02, zone: Europe/Berlin, handover: "00:00"}
    - {name: secondary, people: [n3], from: 2026-03-02, zone: Europe/Berlin}
"""


def be_away(desk: Assigning, by: str, login: str | None = None, **length: float) -> int:
    now = desk.clock.now()
    with desk.desk.transaction(actor(desk.desk, by), Channel.API) as tx:
        return periods.enter_absence(tx, NewAbsence(now, now + timedelta(**length), login))


def stand_in(desk: Assigning, by: str, login: str, layer: str = "primary", **length: float) -> int:
    now = desk.clock.now()
    with desk.desk.transaction(actor(desk.desk, by), Channel.API) as tx:
        return periods.enter_override(tx, NewOverride("network", layer, login, now, now + timedelta(**length)))


def on_duty(desk: Assigning) -> list[str | None]:
    with desk.desk.reading(SYSTEM) as tx:
        return [duty.login for duty in on_call.present(tx, "network")]


def test_who_is_away_gets_no_ticket_until_he_is_back_or_calls_it_off(make: Make) -> None:
    desk = make(TABLE)
    absence = be_away(desk, "n1", days=1)
    record = desk.opens()
    assert record.values["assignee"] == "n2"
    assert desk.told(record, "routed")[0]["reasons"]["passed"] == {
        "n1": "is absent",
        "n3": "has 0 open tickets of 0 at most",
    }
    with desk.desk.transaction(actor(desk.desk, "n1"), Channel.API) as tx:
        periods.cancel_absence(tx, absence)
    assert desk.assignee(desk.opens()) == "n1"


def test_who_is_off_shift_gets_no_ticket(make: Make) -> None:
    desk = make(TABLE)
    desk.clock.advance(timedelta(hours=12))
    assert [desk.assignee(desk.opens()) for _ in range(2)] == ["n1", "n1"]


def test_an_absence_is_ones_own_or_the_leads_to_enter(make: Make) -> None:
    desk = make(TABLE)
    be_away(desk, "l1", "n1", hours=1)
    with pytest.raises(DeskError) as refusal:
        be_away(desk, "n2", "n1", hours=1)
    assert refusal.value.code == "forbidden"


def test_all_that_is_wrong_with_a_period_is_told_at_once(make: Make) -> None:
    desk = make(TABLE)
    now = desk.clock.now()
    with pytest.raises(DeskError) as refusal, desk.desk.transaction(actor(desk.desk, "ad1"), Channel.API) as tx:
        periods.enter_override(tx, NewOverride("network", "third", "nobody", now, now - timedelta(hours=1)))
    assert {(each.pointer, each.code) for each in refusal.value.errors} == {
        ("/ends_at", "in_the_past"),
        ("/ends_at", "ends_before_it_starts"),
        ("/layer", "unknown_reference"),
        ("/login", "unknown_reference"),
    }


def test_a_stand_in_is_on_call_whoevers_turn_it_is_and_an_absence_leaves_a_gap(make: Make) -> None:
    desk = make(TABLE)
    assert on_duty(desk) == ["n1", "n3"]
    be_away(desk, "n1", hours=8)
    assert on_duty(desk) == [None, "n3"]
    override = stand_in(desk, "l1", "n2", hours=4)
    assert on_duty(desk) == ["n2", "n3"]
    with desk.desk.transaction(actor(desk.desk, "l1"), Channel.API) as tx:
        periods.cancel_override(tx, override)
    assert on_duty(desk) == [None, "n3"]


def test_a_message_to_on_call_reaches_the_first_layer_that_has_somebody(make: Make) -> None:
    desk = make(TABLE)
    record = desk.opens()
    assert "on_call" in builtin_actions.RECIPIENTS
    for expected in (["n1"], ["n3"]):
        with desk.desk.reading(SYSTEM) as tx:
            assert effects.recipients(tx, loading.load(tx, record.number, lock=False), "on_call") == expected
        if expected == ["n1"]:
            be_away(desk, "n1", hours=1)


def test_a_group_without_a_rota_has_nobody_on_call(make: Make) -> None:
    desk = make(TABLE)
    record = desk.opens(service="workplace")
    with desk.desk.reading(SYSTEM) as tx:
        assert on_call.recipients(tx, loading.load(tx, record.number, lock=False)) == []
        with pytest.raises(DeskError) as refusal:
            on_call.duties(tx, "desktop", tx.now, tx.now + timedelta(days=1))
    assert refusal.value.code == "not_found"
