"""What the tests of imports share: importing a sample, and looking at what it has become."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.imports.commands import Import
from itsm.imports.log import Fault
from itsm.imports.mapping import LogMapping
from itsm.imports.models import ImportedCase
from itsm.imports.opening import opened_log, read_mapping
from itsm.imports.report import Report
from itsm.platform.database import Database, Prepared
from itsm.tickets.desk import Desk
from itsm.tickets.models import Ticket, TicketEvent
from itsm.tickets.story import Refused
from tests.service import configuration, practices

SAMPLES = Path(__file__).parent / "samples"
HEADER = "ticket;changed;state;by;caller;team;owner;impact;urgency;priority;code;opened;opened by;what"

_EVENTS = Prepared(
    sa.select(
        TicketEvent.kind, TicketEvent.at, TicketEvent.recorded_at, TicketEvent.actor, TicketEvent.internal, TicketEvent.payload
    )
    .join(Ticket, Ticket.id == TicketEvent.ticket_id)
    .where(Ticket.number == sa.bindparam("number"))
    .order_by(TicketEvent.seq)
)


@dataclass
class Imported:
    """What an import came to."""

    report: Report
    faults: list[Fault] = field(default_factory=list)


def mapping_of(path: Path) -> LogMapping:
    """A mapping, read against the shipped practices."""
    return read_mapping(path, practices(), configuration().vocabulary)


def a_mapping(path: Path, text: str) -> LogMapping:
    """A mapping of this text."""
    path.write_text(text)
    return mapping_of(path)


def import_log(
    desk: Desk, log: Path, mapping: Path | LogMapping, refused: Refused = Refused.RECORD, limit: int | None = None
) -> Imported:
    """Import a log."""
    found = mapping if isinstance(mapping, LogMapping) else mapping_of(mapping)
    faults: list[Fault] = []
    with opened_log(log, found) as stream:
        return Imported(Import(desk, found, refused, log.name, faults.append).run(stream, limit), faults)


def import_sample(desk: Desk, name: str, refused: Refused = Refused.RECORD) -> Imported:
    """Import a sample by its own mapping."""
    return import_log(desk, SAMPLES / name, SAMPLES / f"{name.partition('.')[0]}.yaml", refused)


def story(database: Database, number: str) -> list[tuple[str, str | None]]:
    """The events of a ticket: kind, and the state it was in then."""
    return [(event.kind, event.payload.get("to")) for event in events(database, number)]


def events(database: Database, number: str) -> list[Any]:
    """The events of a ticket, payloads read."""
    with database.session(write=False) as session:
        return [row._replace(payload=orjson.loads(row.payload)) for row in session.all(_EVENTS, number=number)]


def count(database: Database, model: type[Any], *conditions: Any) -> int:
    """How many rows a table has."""
    with database.session(write=False) as session:
        return int(session.one(Prepared(sa.select(sa.func.count().label("n")).select_from(model).where(*conditions))).n)


def a_log(path: Path, *rows: str) -> Path:
    """A log with the columns of incidents.csv."""
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def a_row(ticket: str, changed: str, state: str, owner: str = "Anna", by: str = "Anna", more: str = "") -> str:
    """A row of such a log, of 2 March 2020."""
    date = f"02-03-2020 {changed}"
    return f"{ticket};{date};{state};{by};Bob;Team 1;{owner};2 - Medium;2 - Medium;3 - Moderate;?;?;?;Broken{more}"


def sample() -> LogMapping:
    """The mapping of incidents.csv."""
    return mapping_of(SAMPLES / "incidents.yaml")


def ticket_of(database: Database, case: str) -> str:
    """The number of the ticket that a case has become."""
    statement = sa.select(Ticket.number).join(ImportedCase, ImportedCase.ticket_id == Ticket.id)
    with database.session(write=False) as session:
        return str(session.one(Prepared(statement.where(ImportedCase.case_id == sa.bindparam("case"))), case=case).number)
