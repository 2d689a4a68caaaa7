"""Who manages whom, and which accounts are one person's."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from itsm.people import ties
from itsm.people.models import PeopleEvent, User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.tickets.desk import Desk

_USERS = Prepared(sa.select(User.id, User.login, User.manager_id, User.same_as_id, User.cost_centre))
_EVENTS = Prepared(sa.select(PeopleEvent.kind).order_by(PeopleEvent.id.desc()).limit(1))


def people(desk: Desk) -> dict[str, tuple[str | None, str | None, str | None]]:
    """For each login: manager, first account, cost centre."""
    with desk.database.session(write=False) as session:
        rows = session.all(_USERS)
    names = {row.id: row.login for row in rows}
    return {row.login: (names.get(row.manager_id), names.get(row.same_as_id), row.cost_centre) for row in rows}


def tie(desk: Desk, deed: object, login: str, other: str) -> None:
    with desk.database.session() as session:
        deed(session, login, other, desk.clock.now(), "tests")  # type: ignore[operator]


def test_a_manager_and_a_cost_centre_are_said_and_leave_their_event(desk: Desk) -> None:
    tie(desk, ties.set_manager, "ra1", "ma")
    tie(desk, ties.set_cost_centre, "ra1", "it")
    assert people(desk)["ra1"] == ("ma", None, "it")
    with desk.database.session(write=False) as session:
        assert session.one(_EVENTS).kind == "cost_centre_set"


def test_nobody_manages_himself(desk: Desk) -> None:
    with pytest.raises(DeskError) as refusal:
        tie(desk, ties.set_manager, "ra1", "ra1")
    assert refusal.value.errors[0].code == "oneself"


def test_all_accounts_of_a_person_name_the_same_first_one_in_whatever_order_they_are_linked(desk: Desk) -> None:
    tie(desk, ties.link_accounts, "ra2", "ra1")
    tie(desk, ties.link_accounts, "ap1", "ra2")
    tie(desk, ties.link_accounts, "ra1", "ma")
    assert {login: people(desk)[login][1] for login in ("ra1", "ra2", "ap1", "ma")} == {
        "ra1": "ma",
        "ra2": "ma",
        "ap1": "ma",
        "ma": None,
    }


def test_an_account_that_is_linked_to_itself_stands_alone_again(desk: Desk) -> None:
    tie(desk, ties.link_accounts, "ra2", "ra1")
    tie(desk, ties.link_accounts, "ra2", "ra2")
    assert people(desk)["ra2"][1] is None
