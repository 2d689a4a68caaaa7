"""A visible effect for the tests of durable work: a row that says which timer did it, in a table that takes it twice."""

from __future__ import annotations

import sqlalchemy as sa

from itsm.people.models import PeopleEvent
from itsm.platform import timers
from itsm.platform.database import Database, Prepared, Session
from itsm.platform.schema import Instant, Json, table
from itsm.platform.sweeper import Handler
from itsm.platform.timers import NewTimer, TimerRow

_EVENTS = table(PeopleEvent)
_WRITE = Prepared(
    sa.insert(_EVENTS)
    .values(
        at=sa.bindparam("at", type_=Instant),
        actor=sa.bindparam("actor"),
        kind="fired",
        payload=sa.bindparam("payload", type_=Json),
    )
    .inline()
)
_READ = Prepared(sa.select(_EVENTS.c.actor, _EVENTS.c.payload).order_by(_EVENTS.c.id))


def record(session: Session, timer: TimerRow, by: str) -> None:
    session.run(_WRITE, at=timer.due_at, actor=by, payload=timer.name)


def recording(database: Database, by: str = "sweeper") -> Handler:
    """A handler that leaves an effect, and nothing else."""

    def handle(timer: TimerRow) -> None:
        with database.session() as session:
            timers.take(session, timer)
            record(session, timer, by)

    return handle


def effects(database: Database) -> list[str]:
    """The names of the timers whose work was committed, in the order in which it was."""
    with database.session(write=False) as session:
        return [row.payload for row in session.all(_READ)]


def authors(database: Database) -> set[str]:
    """Who did the work."""
    with database.session(write=False) as session:
        return {row.actor for row in session.all(_READ)}


def arm(database: Database, *new: NewTimer) -> None:
    with database.session() as session:
        timers.arm(session, new)


def left(database: Database) -> int:
    """How many timers are still set, whatever their condition."""
    with database.session(write=False) as session:
        number: int = session.one(_COUNT).number
        return number


_COUNT = Prepared(sa.text("SELECT count(*) AS number FROM timers").columns(sa.column("number", sa.Integer)))
