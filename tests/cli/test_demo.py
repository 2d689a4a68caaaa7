"""What the demo shows when its curtain rises. Its last days are played once on each kind of database, and all look at them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from itsm.assignment import on_call
from itsm.assignment.table import Table
from itsm.changes import conflicts, figures, freezes, queries, standard
from itsm.changes.figures import By
from itsm.changes.rules import Cause, Period
from itsm.cli import demonstration
from itsm.cli.scenes import Scenes
from itsm.cli.simulation import Simulation
from itsm.people.access import SYSTEM
from itsm.platform.database import Database
from itsm.platform.time import FrozenClock
from itsm.tickets.desk import Desk
from itsm.tickets.models import Ticket
from tests.service import a_service, practices


@pytest.fixture
def desk(database: Database, clock: FrozenClock) -> Desk:
    """A desk at the end of the demo's last fortnight; what happens by chance before is left out."""
    play = Simulation(a_service(database, clock), clock)
    demonstration.let_in(play)
    end = play.now + timedelta(days=14)
    Scenes(play, end).plan()
    play.play(end)
    return play.desk


def test_there_is_something_of_everything(desk: Desk) -> None:
    there_is_a_request_in_every_stage(desk)
    there_is_a_change_in_every_stage_and_of_every_kind(desk)
    the_calendar_has_a_freeze_and_two_changes_in_each_others_way(desk)
    every_standard_change_is_approved(desk)
    whoever_is_named_by_the_configuration_is_one_of_the_demo(desk)


def states(desk: Desk, type_: str) -> set[str]:
    with desk.database.engine.connect() as connection:
        return set(connection.scalars(sa.select(Ticket.state).where(Ticket.type == type_)))


def ahead(desk: Desk) -> Period:
    return Period(desk.clock.now() - timedelta(days=30), desk.clock.now() + timedelta(days=30))


def there_is_a_request_in_every_stage(desk: Desk) -> None:
    born = {practices()["request"].initial}  # whose drafts are forms that somebody has not sent yet
    assert set(practices()["request"].states) - states(desk, "request") == born
    with desk.database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM catalog_drafts").scalar() == 1


def there_is_a_change_in_every_stage_and_of_every_kind(desk: Desk) -> None:
    with desk.reading(SYSTEM) as tx:
        ended = {each.key: each for each in figures.figures(tx, ahead(desk), By.TYPE)}
    assert set(practices()["change"].states) - {"closed"} <= states(desk, "change")
    assert set(ended) >= {"normal", "standard", "emergency"}
    assert (ended["normal"].failures, ended["normal"].causing) == (1, 1)


def the_calendar_has_a_freeze_and_two_changes_in_each_others_way(desk: Desk) -> None:
    with desk.reading(SYSTEM) as tx:
        planned = {each.title: each for each in queries.schedule(tx, ahead(desk))}
        database = conflicts.verdict(tx, queries.change(tx, planned["ERP database to the next minor version"].number))
        wireless = planned["New channels for the wireless network in the plant"]
        overtaken = conflicts.verdict(tx, queries.change(tx, wireless.number))
        (freeze,) = freezes.declared(tx, Period(desk.clock.now(), ahead(desk).end))
    assert freeze.by == "chris"
    assert [(each.title, each.causes) for each in database.conflicts] == [
        ("New firmware for the storage array", (Cause.DEPENDENT,))
    ]
    assert [each.freeze.key for each in overtaken.freezes] == [freeze.freeze.key]


def every_standard_change_is_approved(desk: Desk) -> None:
    with desk.reading(SYSTEM) as tx:
        assert [each.model.name for each in standard.offered(tx) if each.approved is None] == []


def whoever_is_named_by_the_configuration_is_one_of_the_demo(desk: Desk) -> None:
    """Rotas, skills and owners of cost centres."""
    logins = {login for login, *_ in demonstration.STAFF}
    book = desk.part(Table).book
    rota = {login for layers in book.on_call.values() for layer in layers for login in layer.people}
    assert set(book.staff) | rota <= logins
    with desk.reading(SYSTEM) as tx:
        present = {group: on_call.present(tx, group)[0].login for group in on_call.rotas(tx)}
    assert set(present) == {"network", "infrastructure"}
    assert set(present.values()) <= logins
