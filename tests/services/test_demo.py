"""The starting set, and the demo's services and items: sound, and big enough for impact to be worth a look."""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.cli import demonstration
from itsm.cli.starting import load_starting_set
from itsm.people import commands as people
from itsm.people import places
from itsm.people.places import Place
from itsm.platform.errors import DeskError
from itsm.services import edges, importing, queries
from itsm.services.commands import Registrar
from itsm.services.impact import Direction
from itsm.services.queries import Question
from itsm.services.rules import Node, Sort
from itsm.tickets.desk import Desk
from tests.docs.pages import ROOT
from tests.service import actor


@pytest.fixture
def demo(desk: Desk) -> Desk:
    """A desk with the starting set, the people of the demo, and its services and items."""
    with desk.database.session() as session:
        load_starting_set(session, ROOT / "config")
        for key in ("globex", "internal"):
            people.ensure_organisation(session, key, key)
        for login, name, role, organisation, _ in demonstration.STAFF:
            people.add_user(
                session, desk.roles, login, name, frozenset({role}), desk.clock.now(), "demo", organisation=organisation
            )
    with desk.database.session() as session, (ROOT / "config" / "demo" / "services.csv").open("rb") as file:
        keeper = Registrar(session, actor(desk, "admin"), desk.clock.now(), desk.locations, desk.calendars)
        assert importing.carry_out(keeper, file, "services.csv", importing.Mode.WRITE).faults == []
    return desk


def test_the_demo_has_services_with_owners_and_items_that_hang_together(demo: Desk) -> None:
    with demo.database.session(write=False) as session:
        lena, mara = actor(demo, "lena"), actor(demo, "mara")
        services = queries.page(session, lena, Question(Sort.SERVICE, limit=100)).things
        items = queries.page(session, lena, Question(Sort.ITEM, limit=100)).things
        touched = edges.touched(session, lena, Node(Sort.ITEM, "san-1"), Direction.TOUCHES, 10).things
        hers = [each.node.key for each in queries.page(session, mara, Question(Sort.ITEM)).things]
    assert len(services) >= 15
    assert len(items) >= 60
    assert all(each.values["owner"] and each.values["group"] for each in services)
    assert {"vm-cluster", "erp-db", "erp", "production-control"} <= {each.thing.node.key for each in touched}
    assert hers == ["lt-0417", "prn-3a"]


def test_everybody_of_the_demo_belongs_somewhere(demo: Desk) -> None:
    assert demonstration.BELONGS.keys() == {login for login, *_ in demonstration.STAFF}
    assert {belongs[0] for belongs, _ in demonstration.BELONGS.values()} <= demo.locations.keys()


def test_the_starting_set_may_be_loaded_again(demo: Desk) -> None:
    with demo.database.session() as session:
        load_starting_set(session, ROOT / "config")
    assert column(demo, "SELECT calendar FROM groups WHERE key = 'network'") == "always"
    assert column(demo, "SELECT plan FROM organisations WHERE key = 'internal'") == "standard"


def test_a_starting_set_with_an_unknown_calendar_or_criticality_is_refused(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "organisations.yaml").write_text("groups: {network: {title: Network}}\n")
    for services, told in (
        ("vpn: {group: network, calendar: sometimes}", "vpn: there is no calendar “sometimes”"),
        ("vpn: {group: network, criticality: huge}", "vpn: there is no criticality “huge”"),
    ):
        (tmp_path / "services.yaml").write_text(services)
        with pytest.raises(DeskError, match=told), desk.database.session() as session:
            load_starting_set(session, tmp_path)


def test_where_somebody_belongs_is_kept_and_told_to_the_auditor(desk: Desk) -> None:
    with desk.database.session() as session:
        places.place(session, "ra1", Place("berlin", "Sales"), desk.clock.now(), "tests")
        places.place(session, "ra1", Place("munich"), desk.clock.now(), "tests")
    assert column(desk, "SELECT department FROM users WHERE login = 'ra1'") == "Sales"
    assert column(desk, "SELECT location FROM users WHERE login = 'ra1'") == "munich"
    assert column(desk, "SELECT kind FROM people_events ORDER BY id DESC LIMIT 1") == "placed"
    with pytest.raises(DeskError) as refusal, desk.database.session() as session:
        places.place(session, "nemo", Place("berlin"), desk.clock.now(), "tests")
    assert refusal.value.code == "not_found"


def column(desk: Desk, query: str) -> object:
    with desk.database.engine.connect() as connection:
        return connection.exec_driver_sql(query).scalar()
