"""The ticket row as its events tell it. Nothing else is needed: rebuilt from the log, a row comes out the same to the
microsecond.

Tickets are read some hundreds at a time, each time in one snapshot: `verify` runs beside writers for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session
from itsm.tickets.loading import record_select
from itsm.tickets.models import Ticket, TicketEvent
from itsm.workflow.definition import Category

BUILTIN = ("title", "description", "requester", "organisation", "group", "assignee", "service", "ci", "parent")

TICKETS_AT_A_TIME = 200

_AFTER = sa.bindparam("after", type_=sa.BigInteger)
_ROWS = Prepared(record_select().where(Ticket.id > _AFTER).order_by(Ticket.id).limit(sa.bindparam("limit", type_=sa.Integer)))
_EVENTS = Prepared(
    sa.select(TicketEvent.ticket_id, TicketEvent.seq, TicketEvent.kind, TicketEvent.at, TicketEvent.payload)
    .where(TicketEvent.ticket_id > _AFTER, TicketEvent.ticket_id <= sa.bindparam("until", type_=sa.BigInteger))
    .order_by(TicketEvent.ticket_id, TicketEvent.seq)
)
_DONE = {Category.RESOLVED.value, Category.CLOSED.value}


def rebuild(events: Iterable[Any]) -> dict[str, Any]:
    """What a ticket's events say it is: state, times, counters, and `values` of every field that has one."""
    told: dict[str, Any] = {
        "values": {},
        "work_minutes": 0,
        "resolved_at": None,
        "closed_at": None,
        "category": None,
        "state": None,
    }
    for event in events:
        payload = orjson.loads(event.payload)
        told["event_count"], told["updated_at"] = event.seq, event.at
        for name, (_, new) in payload.get("changes", {}).items():
            told["values"][name] = new
        if event.kind == "created":
            told.update(number=payload["number"], type=payload["type"], created_at=event.at)
        if event.kind == "work_logged":
            told["work_minutes"] += payload["minutes"]
        if "to" in payload:
            _enter(told, payload["to"], payload["category"], event.at)
    return told


def verify(database: Database) -> list[str]:
    """Every difference between a ticket row and its events, in words; none is what there should be."""
    found: list[str] = []
    last: int | None = 0
    while last is not None:
        with database.session(write=False) as session:
            session.as_of_now()
            differing, last = _portion(session, last)
        found += differing
    return found


def differences(session: Session) -> list[str]:
    """The same within a transaction of the caller's, for a desk at rest."""
    found: list[str] = []
    last: int | None = 0
    while last is not None:
        differing, last = _portion(session, last)
        found += differing
    return found


def _portion(session: Session, after: int) -> tuple[list[str], int | None]:
    """The differences in the tickets that follow one, and the last of these; None when there are no more."""
    rows = session.all(_ROWS, after=after, limit=TICKETS_AT_A_TIME)
    if not rows:
        return [], None
    events = session.all(_EVENTS, after=after, until=rows[-1].id)
    told = {ticket_id: rebuild(its) for ticket_id, its in groupby(events, attrgetter("ticket_id"))}
    found = [
        f"{row.number}: {name} is {kept!r}, its events say {said!r}"
        for row in rows
        for name, kept, said in _compare(row, told.get(row.id) or rebuild(()))
        if kept != said
    ]
    return found, rows[-1].id


def _enter(told: dict[str, Any], state: str, category: str, at: datetime) -> None:
    was_done = told["category"] in _DONE
    if state != told["state"]:
        told["entered_state_at"] = at
    told["state"], told["category"] = state, category
    if category == Category.CLOSED:
        told["closed_at"], told["resolved_at"] = at, told["resolved_at"] or at
    elif category == Category.RESOLVED:
        told["closed_at"], told["resolved_at"] = None, (told["resolved_at"] if was_done and told["resolved_at"] else at)
    else:
        told["closed_at"] = told["resolved_at"] = None


def _compare(row: Any, told: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    for name in (
        "number",
        "type",
        "state",
        "category",
        "created_at",
        "updated_at",
        "entered_state_at",
        "resolved_at",
        "closed_at",
        "work_minutes",
        "event_count",
    ):
        yield name, getattr(row, name), told.get(name)
    values = told["values"]
    for name in BUILTIN:
        yield name, getattr(row, name) or None, values.get(name) or None
    declared = {name: value for name, value in values.items() if name not in _NOT_DECLARED and value is not None}
    yield "fields", row.fields, declared


_NOT_DECLARED = frozenset({*BUILTIN, "number", "created_at", "updated_at"})
