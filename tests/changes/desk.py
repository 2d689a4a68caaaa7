"""A desk with a calendar of the test's own, and short words for planning changes.

`erp` runs on app-1, which runs on san-1; `crm` stands apart. `erp` may be changed on Sundays from midnight to six in Berlin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.app import Service, assemble
from itsm.changes import freezes, queries, reading, standard
from itsm.changes.freezes import NewFreeze
from itsm.changes.queries import Entry
from itsm.changes.rules import Book, Period
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.time import FrozenClock
from itsm.services import commands as services
from itsm.services.commands import Registrar
from itsm.services.rules import Edge, Node, Relation, Sort
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from tests.service import actor, configuration, populate, processes, read_agreement, settings
from tests.tickets.doing import Doing

CALENDAR = """
slots: {calendar: office-hours, step: 15 minutes, ahead: 30 days}
depth: 3
models: {routine: {title: Routine, fields: {risk: low}}, unproved: {title: Unproved}}
windows:
  erp-sundays: {title: ERP stands still, services: [erp], calendar: sunday-night}
freezes:
  accounts: {reason: Annual accounts, services: all, from: 2026-03-04 00:00, to: 2026-03-05 00:00, zone: UTC}
  crm-fair: {reason: The fair, services: [crm], from: 2026-03-09 00:00, to: 2026-03-10 00:00, spares: [emergency]}
"""

_EVENTS = Prepared(
    sa.select(TicketEvent.kind, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"))
    .order_by(TicketEvent.seq)
)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of March 2026, in UTC. The clock stands at the 2nd, a Monday, 09:00."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def period(day: int, start: int, end: int) -> Period:
    """Some hours of a day of March 2026."""
    return Period(at(day, start), at(day, end))


TUESDAY = period(3, 8, 10)
SUNDAY = Period(at(8, 0), at(8, 4))


def book(text: str = CALENDAR) -> Book:
    """The calendar of a text, which must be sound."""
    found, _, findings = reading.load_text(text, "changes.yaml", configuration().calendars)
    assert findings == []
    return found


@dataclass
class Planning:
    """A desk that plans changes by a calendar of the test's own."""

    service: Service
    clock: FrozenClock

    @property
    def desk(self) -> Desk:
        return self.service.desk

    def authorised(self, **more: Any) -> Record:
        """A standard change, which is authorised as soon as it is submitted; g1 is to carry it out."""
        implementer = more.pop("by", "g1")
        record = Doing(self.desk, "g1").create("change", more.pop("title", "Swap the switch"), **more)
        Doing(self.desk, "g1").edit(record, change_type="standard", standard_model="routine", risk="low")
        Doing(self.desk, "g1").fire(record, "assign", group="network", assignee=implementer)
        return Doing(self.desk, "g1").fire(record, "submit")

    def plan(self, record: Record, window: Period, *, by: str = "g1", **more: Any) -> Record:
        """Schedule a change."""
        fields = {"planned_start": stamp(window.start), "planned_end": stamp(window.end), **more}
        return Doing(self.desk, by).fire(record, "schedule", **fields)

    def scheduled(self, window: Period, **more: Any) -> Record:
        """A change that is scheduled."""
        return self.plan(self.authorised(**more), window)

    def freeze(self, window: Period, by: str = "cm1", **more: tuple[str, ...]) -> str:
        """Declare a freeze, and tell its key."""
        with self.desk.transaction(actor(self.desk, by), Channel.API) as tx:
            return freezes.declare(tx, NewFreeze("Election night", window.start, window.end, **more)).freeze.key

    def told(self, record: Record) -> list[tuple[str, dict[str, Any]]]:
        with self.desk.database.session(write=False) as session:
            rows = session.all(_EVENTS, ticket=record.id)
            return [(row.kind, orjson.loads(row.payload)) for row in rows]

    def schedule(self, window: Period, by: str = "g1", **more: Any) -> list[Entry]:
        with self.desk.reading(actor(self.desk, by)) as tx:
            return queries.schedule(tx, window, **more)


def stamp(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def planning(database: Database, clock: FrozenClock, text: str = CALENDAR) -> Planning:
    """A desk with the calendar of a text, and things that hang together."""
    shipped = configuration()
    ours = type(shipped)(**{**{name: getattr(shipped, name) for name in shipped.__slots__}, "changes": book(text)})
    service = assemble(settings(database.url), ours, clock, database, processes(), read_agreement())
    populate(service.desk)
    with service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for key in ("erp", "crm"):
            services.ensure_service(tx.session, key, key.upper(), None)
        for key in ("app-1", "san-1", "far-1"):
            services.ensure_item(tx.session, key, key, "server")
    relate(service.desk)
    with service.desk.transaction(actor(service.desk, "cm1"), Channel.API) as tx:
        standard.approve(tx, "routine", standard.find(tx, "routine").version, "")
    return Planning(service, clock)


def relate(desk: Desk) -> None:
    """`erp` is made of app-1, which runs on san-1."""
    with desk.transaction(actor(desk, "l1"), Channel.API) as tx:
        registrar = Registrar(tx.session, tx.actor, tx.now, desk.locations.keys(), desk.calendars.keys())
        app, san = Node(Sort.ITEM, "app-1"), Node(Sort.ITEM, "san-1")
        services.relate(registrar, Edge(Node(Sort.SERVICE, "erp"), Relation.MADE_OF, app))
        services.relate(registrar, Edge(app, Relation.RUNS_ON, san))
