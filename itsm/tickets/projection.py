"""The ticket row as its events tell it. Nothing else is needed: rebuilt from the log, a row comes out the same to the
microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.platform.database import Prepared, Session
from itsm.tickets.models import Ticket, TicketEvent
from itsm.tickets.records import record_select
from itsm.workflow.definition import Category

BUILTIN = ("title", "description", "requester", "organisation", "group", "assignee", "service", "ci", "parent")

_EVENTS = Prepared(
    sa.select(TicketEvent.seq, TicketEvent.kind, TicketEvent.at, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("id"))
    .order_by(TicketEvent.seq)
)
_ROWS = Prepared(record_select().order_by(Ticket.id))
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


def differences(session: Session) -> list[str]:
    """Every difference between a ticket row and its events, in words; none is what there should be."""
    found: list[str] = []
    for row in session.all(_ROWS):
        told = rebuild(session.all(_EVENTS, id=row.id))
        for name, kept, said in _compare(row, told):
            if kept != said:
                found.append(f"{row.number}: {name} is {kept!r}, its events say {said!r}")
    return found


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
