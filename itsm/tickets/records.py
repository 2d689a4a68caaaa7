"""A ticket in the hands of one command: loaded under lock, changed in memory, written once at the end.

However much a command does to a ticket — a transition, a comment, the reactions that follow — it costs one read, one update
and one batch of events. `append` is the only way anything is said about a ticket, so the row can always be rebuilt from its
events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.people.models import Group, Organisation, User
from itsm.platform import outbox
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind, not_found
from itsm.platform.lists import PreparedForMany
from itsm.platform.outbox import Message
from itsm.platform.schema import table
from itsm.platform.time import rfc3339, to_micros
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets import audit
from itsm.tickets.desk import Tx
from itsm.tickets.models import NumberCounter, Ticket, TicketEvent, WorkflowVersion
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to
from itsm.workflow.case import Case, Value
from itsm.workflow.definition import Category, FieldType
from itsm.workflow.engine import Process

UNRANKED = 99
"""The rank of a ticket without a priority: after all that have one."""

REFERENCE_COLUMNS: Mapping[str, str] = {
    "requester": "requester_id",
    "assignee": "assignee_id",
    "group": "group_id",
    "service": "service_id",
    "ci": "ci_id",
    "organisation": "organisation_id",
    "parent": "parent_id",
}
"""Built-in fields that stand as keys in values and as foreign keys in the row."""

_SCALARS = ("title", "description", "created_at", "updated_at")


@dataclass(slots=True)
class PendingEvent:
    """An event said but not yet written."""

    kind: str
    payload: dict[str, Any]
    internal: bool
    at: datetime
    actor: str
    on_behalf_of: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Written:
    """A ticket as its written events tell it."""

    state: str
    category: str
    values: Mapping[str, Value]


class Neighbour(NamedTuple):
    """A ticket near another: its row id, the kind of link as read from the other, and the workflow version it follows; None
    for a parent, whose row a part of it never reads.
    """

    id: int
    kind: str
    version_id: int | None


@dataclass(slots=True)
class Record:
    """A ticket as a command sees it. `values` has every field by name; `ids` the row ids behind the keys among them.

    `written` is how it was before what is `pending`; None for one that is new. `happenings` are events that its workflow may
    react to and that have not been answered yet; `messages` wait for the outbox; `neighbours` are known once somebody asked for
    them (see `cascades.py`).
    """

    id: int
    number: str
    type: str
    process: Process
    workflow_version_id: int
    state: str
    category: str
    values: dict[str, Value]
    ids: dict[str, int | None]
    entered_state_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    work_minutes: int
    event_count: int
    chain: bytes
    opened_by_id: int | None
    names: Mapping[str, str] = field(default_factory=dict)
    """Full names by login, as far as they came with the row."""
    is_new: bool = False
    written: Written | None = None
    pending: list[PendingEvent] = field(default_factory=list)
    happenings: deque[str] = field(default_factory=deque)
    messages: list[Message] = field(default_factory=list)
    neighbours: list[Neighbour] | None = None

    @property
    def version(self) -> int:
        """What the ETag carries: how many things have happened to the ticket."""
        return self.event_count + len(self.pending)

    def case(self, **facts: Any) -> Case:
        """The ticket as the engine wants it, with the facts that the caller fetched."""
        return Case(state=self.state, values=self.values, **facts)

    def declared(self) -> dict[str, Value]:
        """The values of the fields that the workflow declares."""
        known = self.process.fields
        return {name: value for name, value in self.values.items() if name in known and not known[name].builtin}


_REQUESTER, _ASSIGNEE, _PARENT = aliased(User), aliased(User), aliased(Ticket)

RECORD_COLUMNS = (
    Ticket.id,
    Ticket.number,
    Ticket.type,
    Ticket.workflow_version_id,
    Ticket.state,
    Ticket.category,
    Ticket.title,
    Ticket.description,
    Ticket.fields,
    Ticket.requester_id,
    Ticket.opened_by_id,
    Ticket.organisation_id,
    Ticket.group_id,
    Ticket.assignee_id,
    Ticket.service_id,
    Ticket.ci_id,
    Ticket.parent_id,
    Ticket.created_at,
    Ticket.updated_at,
    Ticket.entered_state_at,
    Ticket.resolved_at,
    Ticket.closed_at,
    Ticket.work_minutes,
    Ticket.event_count,
    Ticket.chain,
    _REQUESTER.login.label("requester"),
    _REQUESTER.name.label("requester_name"),
    _ASSIGNEE.login.label("assignee"),
    Group.key.label("group"),
    Service.key.label("service"),
    ConfigurationItem.key.label("ci"),
    Organisation.key.label("organisation"),
    _PARENT.number.label("parent"),
)


def record_select(among: sa.Subquery | None = None) -> sa.Select[Any]:
    """Tickets with the keys of all they refer to: every join is by primary key.

    `among` are the ids of the tickets that are wanted. They come first, for of so many joins PostgreSQL keeps the order.
    """
    tickets = sa.select(*RECORD_COLUMNS)
    if among is not None:
        tickets = tickets.select_from(among.join(Ticket, Ticket.id == among.c.id))
    return (
        tickets.outerjoin(_REQUESTER, _REQUESTER.id == Ticket.requester_id)
        .outerjoin(_ASSIGNEE, _ASSIGNEE.id == Ticket.assignee_id)
        .outerjoin(Group, Group.id == Ticket.group_id)
        .outerjoin(Service, Service.id == Ticket.service_id)
        .outerjoin(ConfigurationItem, ConfigurationItem.id == Ticket.ci_id)
        .outerjoin(Organisation, Organisation.id == Ticket.organisation_id)
        .outerjoin(_PARENT, _PARENT.id == Ticket.parent_id)
    )


_BY_NUMBER = {
    kind: Prepared(record_select().where(Ticket.number == sa.bindparam("number"), visible_to(kind))) for kind in SIGHTS
}
_BY_NUMBER_LOCKED = {
    kind: Prepared(record_select().where(Ticket.number == sa.bindparam("number"), visible_to(kind)).with_for_update(of=Ticket))
    for kind in SIGHTS
}
_BY_ID_LOCKED = Prepared(record_select().where(Ticket.id == sa.bindparam("id")).with_for_update(of=Ticket))
_MANY_LOCKED = PreparedForMany(
    lambda many: (
        record_select()
        .where(Ticket.id.in_(sa.select(many.c.value)))
        .order_by(Ticket.id)
        .with_for_update(of=Ticket, skip_locked=True)
    )
)
_SOURCE = Prepared(sa.select(WorkflowVersion.source).where(WorkflowVersion.id == sa.bindparam("id")))

_TICKETS, _EVENTS, _COUNTERS = table(Ticket), table(TicketEvent), table(NumberCounter)
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

_NEXT = sa.update(_COUNTERS).where(_COUNTERS.c.type == sa.bindparam("t")).values(last=_COUNTERS.c.last + 1)
_NEXT_SQLITE = Prepared(
    _NEXT.returning(
        _COUNTERS.c.last, sa.select(sa.func.coalesce(sa.func.max(_TICKETS.c.id), 0) + 1).scalar_subquery().label("id")
    )
)
_NEXT_POSTGRESQL = Prepared(
    _NEXT.returning(_COUNTERS.c.last, sa.func.nextval(sa.func.pg_get_serial_sequence("tickets", "id")).label("id"))
)


def load(tx: Tx, number: str, *, lock: bool = True) -> Record:
    """The ticket of this number, if the actor may see it; locked for the rest of the transaction unless `lock` is False.

    Raises `DeskError` (`not_found`).
    """
    kind = sight(tx.actor)
    statement = (_BY_NUMBER_LOCKED if lock else _BY_NUMBER)[kind]
    row = tx.session.first(statement, number=number, **parameters(tx.actor))
    if row is None:
        raise not_found("ticket", number)
    return from_row(tx, row)


def load_by_id(tx: Tx, ticket_id: int) -> Record | None:
    """The ticket of this row id, locked, whoever asks; for the desk's own work. None when there is none."""
    row = tx.session.first(_BY_ID_LOCKED, id=ticket_id)
    return None if row is None else from_row(tx, row)


def load_many(tx: Tx, ticket_ids: Iterable[int]) -> dict[int, Record]:
    """The tickets of these row ids by id, locked, for the desk's own work; those that somebody else has locked are left out."""
    return {row.id: from_row(tx, row) for row in _MANY_LOCKED.all(tx.session, ticket_ids)}


def process_of(tx: Tx, version_id: int) -> Process:
    """The compiled workflow version of a ticket."""
    return tx.desk.processes.get(version_id, lambda: tx.session.one(_SOURCE, id=version_id).source)


def from_row(tx: Tx, row: Any) -> Record:
    """A record from a row of `record_select`."""
    process = process_of(tx, row.workflow_version_id)
    values: dict[str, Value] = {
        name: decode(process.fields[name].type, value) for name, value in row.fields.items() if name in process.fields
    }
    for name in (*_SCALARS, *REFERENCE_COLUMNS):
        values[name] = getattr(row, name)
    values["number"] = row.number
    return Record(
        id=row.id,
        number=row.number,
        type=row.type,
        process=process,
        workflow_version_id=row.workflow_version_id,
        state=row.state,
        category=row.category,
        values=values,
        ids={name: getattr(row, column) for name, column in REFERENCE_COLUMNS.items()},
        entered_state_at=row.entered_state_at,
        resolved_at=row.resolved_at,
        closed_at=row.closed_at,
        work_minutes=row.work_minutes,
        event_count=row.event_count,
        chain=bytes(row.chain),
        opened_by_id=row.opened_by_id,
        names={row.requester: row.requester_name},
        written=Written(row.state, row.category, dict(values)),
    )


def allot(tx: Tx, type_: str, pattern: str) -> tuple[int, str]:
    """A row id and the next number of a type. The counter's row lock keeps numbers unique, gapless and in order."""
    row = tx.session.one(_NEXT_POSTGRESQL if tx.session.is_postgresql else _NEXT_SQLITE, t=type_)
    return row.id, pattern.format(row.last)


def append(tx: Tx, record: Record, kind: str, payload: dict[str, Any], *, internal: bool = False) -> None:
    """Say that something happened to the ticket, now, by the transaction's actor."""
    record.pending.append(PendingEvent(kind, payload, internal, tx.now, tx.actor.login, tx.origin, tx.channel.value))


def save(tx: Tx, record: Record) -> None:
    """Write the row, its new events and its messages. Raises `DeskError` (`stale`) if the row changed underneath."""
    if record.pending:
        observe(tx, record)
        _write(tx, record)
    outbox.put_all(tx.session, record.messages, tx.recorded_at)
    record.messages.clear()


def save_many(tx: Tx, changed: Iterable[Record]) -> None:
    """`save` of several tickets, in a statement for each table."""
    changed = [record for record in changed if not record.is_new]
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


def _write(tx: Tx, record: Record) -> None:
    read_count = record.event_count
    is_new = record.is_new
    row, events = unwritten(tx, record)
    if is_new:
        tx.session.run(INSERT_TICKET, **row)
    elif tx.session.run(_UPDATE, this=record.id, read_count=read_count, **row) != 1:
        raise DeskError(Kind.STALE, "stale", "The ticket was changed in the meantime.")
    tx.session.run_many(INSERT_EVENT, events)


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
    record.chain = row["link"] = audit.link(
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
        "seal": audit.seal(tx.desk.audit_key, record.id, record.event_count, record.chain),
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


def decode(type_: FieldType, value: Any) -> Value:
    """A value as the engine wants it."""
    if type_ is FieldType.DATETIME and isinstance(value, str):
        return datetime.fromisoformat(value)
    decoded: Value = value
    return decoded


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


def enter(record: Record, state: str, category: Category, at: datetime) -> None:
    """Put the record into a state: the one place that keeps the columns which follow from it."""
    if state != record.state or record.is_new:
        record.entered_state_at = at
    was_done = record.category in {Category.RESOLVED, Category.CLOSED}
    record.state, record.category = state, category.value
    if category is Category.CLOSED:
        record.closed_at = at
        record.resolved_at = record.resolved_at or at
    elif category is Category.RESOLVED:
        record.closed_at = None
        record.resolved_at = record.resolved_at if was_done and record.resolved_at else at
    else:
        record.resolved_at = record.closed_at = None
