"""Several tickets opened at once: each is what it would be by itself, and together they cost little more than one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from itsm.people.access import Channel
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.tickets import loading, opening, projection
from itsm.tickets.desk import Desk
from itsm.tickets.models import Ticket
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from tests.service import actor
from tests.tickets.doing import an_incident_in_progress

COUNT = Prepared(sa.select(sa.func.count().label("n")).select_from(Ticket))


def tickets(desk: Desk) -> int:
    with desk.database.session(write=False) as session:
        return int(session.one(COUNT).n)


def opened(desk: Desk, parent: Record | None, *wanted: NewTicket) -> list[Record]:
    with desk.transaction(actor(desk, "g1"), Channel.API) as tx:
        held = None if parent is None else loading.load(tx, parent.number)
        return opening.open_all(tx, wanted, held)


def test_numbers_of_each_type_follow_each_other_in_the_order_of_asking(desk: Desk) -> None:
    first, second, problem, third = opened(
        desk,
        None,
        NewTicket("incident", "One"),
        NewTicket("incident", "Two"),
        NewTicket("problem", "Why"),
        NewTicket("incident", "Three"),
    )
    assert [first.number, second.number, third.number] == ["INC0000001", "INC0000002", "INC0000003"]
    assert problem.number == "PRB0000001"
    assert len({each.id for each in (first, second, problem, third)}) == 4
    assert opened(desk, None, NewTicket("incident", "Four"))[0].number == "INC0000004"
    assert projection.verify(desk.database) == []


def test_what_is_opened_together_has_the_same_parent_and_tells_it(desk: Desk) -> None:
    parent = an_incident_in_progress(desk)
    groups = ("network", "desktop", None)
    parts = opened(desk, parent, *(NewTicket("task", "Cable", fields={"group": group} if group else {}) for group in groups))
    assert [part.values.get("group") for part in parts] == list(groups)
    assert {part.values["parent"] for part in parts} == {parent.number}
    assert projection.verify(desk.database) == []


def test_if_one_is_refused_none_is_opened(desk: Desk) -> None:
    before = tickets(desk)
    with pytest.raises(DeskError):
        opened(desk, None, NewTicket("incident", "One"), NewTicket("incident", ""))
    with pytest.raises(DeskError) as refusal:
        opened(desk, None, NewTicket("incident", "One"), NewTicket("dream", "Two"))
    assert refusal.value.code == "unknown_type"
    assert tickets(desk) == before
    assert opened(desk, None, NewTicket("incident", "Two"))[0].number == "INC0000001"


def test_ten_cost_as_many_statements_as_two(desk: Desk) -> None:
    def statements(count: int) -> list[str]:
        said: list[str] = []
        desk.database.on_statement = said.append
        opened(desk, parent, *[NewTicket("task", "Cable", fields={"group": "desktop"})] * count)
        desk.database.on_statement = None
        return said

    parent = an_incident_in_progress(desk)
    statements(2)
    assert statements(10) == statements(2)
