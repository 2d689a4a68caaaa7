"""Writing tickets: their rows, their new events with the links of the chain, and their messages. New ones: `births.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.platform import outbox
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import table
from itsm.platform.time import rfc3339, to_micros
from itsm.tickets import seals
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket, TicketEvent
from itsm.tickets.records import REFERENCE_COLUMNS, PendingEvent, Record, Written
from itsm.workflow.case import Value
from itsm.workflow.engine import Process

UNRANKED = 99
"""The rank of a ticket without a priority: after all that have one."""

_TICKETS, _EVENTS = table(Ticket), table(TicketEvent)
_ROW = (
    "state",
    "category",
    "title",
    "description",
    "priority",
    "priority_rank",
    "fields",
    "requester_id",
    "organisation_id",
    "group_id",
    "assignee_id",
    "service_id",
    "ci_id",
    "parent_id",
    "updated_at",
    "entered_state_at",
    "resolved_at",
    "closed_at",
    "work_minutes",
    "event_count",
    "chain",
    "seal",
)
_BIRTH = ("id", "number", "type", "workflow_version_id", "opened_by_id", "created_at", *_ROW)
INSERT_TICKET = Prepared(sa.insert(_TICKETS).values({name: sa.bindparam(name) for name in _BIRTH}))
_UPDATE = Prepared(
    sa.update(_TICKETS)
    .where(_TICKETS.c.id == sa.bindparam("this"), _TICKETS.c.event_count == sa.bindparam("read_count"))
    .values({name: sa.bindparam(name) for name in _ROW})
)
INSERT_EVENT = Prepared(
    sa.insert(_EVENTS).values(
        {
            name: sa.bindparam(name)
            for name in (
                "ticket_id",
                "seq",
                "kind",
                "at",
                "recorded_at",
                "actor",
                "on_behalf_of",
                "channel",
                "internal",
                "payload",
                "link",
            )
        }
    )
)


def save(tx: Tx, record: Record) -> None:
    """Write the row, its new events and its messages. Raises `DeskError` (`stale`) if the row changed underneath."""
    save_many(tx, [record])


def save_many(tx: Tx, changed: Iterable[Record]) -> None:
    """`save` of several tickets, in a statement for each table."""
    changed = list(changed)
    assert not any(record.is_new for record in changed), "new tickets are written by `births.save`"
    told = [record for record in changed if record.pending]
    for record in told:
        observe(tx, record)
    counts = [record.event_count for record in told]
    written = [unwritten(tx, record) for record in told]
    rows = [{"this": r.id, "read_count": count, **row} for r, count, (row, _) in zip(told, counts, written, strict=True)]
    if tx.session.run_many(_UPDATE, rows) != len(rows):
        raise DeskError(Kind.STALE, "stale", "A ticket was changed in the meantime.")
    tx.session.run_many(INSERT_EVENT, [event for _, events in written for event in events])
    outbox.put_all(tx.session, [message for record in changed for message in record.messages], tx.recorded_at)
    for record in changed:
        record.messages.clear()


def catch_up(tx: Tx) -> None:
    """Write what a batch has done so far, for somebody is about to ask about more than the ticket at hand."""
    if tx.unwritten:
        finished = list(tx.unwritten.values())
        tx.unwritten.clear()
        save_many(tx, finished)


def observe(tx: Tx, record: Record) -> None:
    """Let the desk's observers read what is about to be written of a ticket."""
    for observer in tx.desk.observers:
        observer(tx, record)


def unwritten(tx: Tx, record: Record) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The ticket's row and its new events as they are to be written; the record then counts them as written."""
    record.values["updated_at"] = record.pending[-1].at
    events = [_event_row(tx, record, event) for event in record.pending]
    record.pending.clear()
    record.written = Written(record.state, record.category, dict(record.values))
    row = _row(tx, record)
    if record.is_new:
        row |= {
            "id": record.id,
            "number": record.number,
            "type": record.type,
            "workflow_version_id": record.workflow_version_id,
            "opened_by_id": record.opened_by_id,
            "created_at": record.values["created_at"],
        }
        record.is_new = False
    return row, events


def _event_row(tx: Tx, record: Record, event: PendingEvent) -> dict[str, Any]:
    record.event_count += 1
    row: dict[str, Any] = {
        "ticket_id": record.id,
        "seq": record.event_count,
        "kind": event.kind,
        "at": event.at,
        "recorded_at": tx.recorded_at,
        "actor": event.actor,
        "on_behalf_of": event.on_behalf_of,
        "channel": event.channel,
        "internal": event.internal,
        "payload": encode_payload(event.payload),
    }
    record.chain = row["link"] = seals.link(
        tx.desk.audit_key,
        record.chain,
        **{**row, "at": to_micros(event.at), "recorded_at": to_micros(tx.recorded_at)},
    )
    return row


def _row(tx: Tx, record: Record) -> dict[str, Any]:
    priority = record.values.get("priority")
    return {
        "state": record.state,
        "category": record.category,
        "title": record.values["title"],
        "description": record.values.get("description") or "",
        "priority": priority,
        "priority_rank": rank(record.process, priority),
        "fields": {name: encode(value) for name, value in record.declared().items() if value is not None},
        **{column: record.ids.get(name) for name, column in REFERENCE_COLUMNS.items()},
        "updated_at": record.values["updated_at"],
        "entered_state_at": record.entered_state_at,
        "resolved_at": record.resolved_at,
        "closed_at": record.closed_at,
        "work_minutes": record.work_minutes,
        "event_count": record.event_count,
        "chain": record.chain,
        "seal": seals.seal(tx.desk.audit_key, record.id, record.event_count, record.chain),
    }


def rank(process: Process, priority: Value) -> int:
    """The place of a priority among the choices of its field, 1 being the first and most urgent."""
    declared = process.workflow.fields.get("priority")
    if declared is None or not isinstance(priority, str) or priority not in declared.choices:
        return UNRANKED
    return declared.choices.index(priority) + 1


def encode(value: Value) -> Any:
    """A value as JSON keeps it."""
    return rfc3339(value) if isinstance(value, datetime) else value


def encode_payload(payload: Mapping[str, Any]) -> str:
    """An event's payload as the very text that is kept and hashed: JSON with sorted keys."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(payload, option=options, default=_encode_other).decode()


def _encode_other(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be kept in an event")
