"""Reading tickets as records: of those that the actor sees by their number, for the desk's own work by their row ids."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared
from itsm.platform.errors import not_found
from itsm.platform.lists import PreparedForMany
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket, WorkflowVersion
from itsm.tickets.records import REFERENCE_COLUMNS, Record, Written
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to
from itsm.workflow.case import Value
from itsm.workflow.definition import FieldType
from itsm.workflow.engine import Process

_SCALARS = ("title", "description", "created_at", "updated_at")

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
    _REQUESTER.active.label("requester_active"),
    _ASSIGNEE.login.label("assignee"),
    _ASSIGNEE.active.label("assignee_active"),
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
        left=_left(row),
        written=Written(row.state, row.category, dict(values)),
    )


def _left(row: Any) -> frozenset[str]:
    people = ((row.requester, row.requester_active), (row.assignee, row.assignee_active))
    return frozenset(login for login, is_active in people if login is not None and not is_active)


def decode(type_: FieldType, value: Any) -> Value:
    """A value as the engine wants it."""
    if type_ is FieldType.DATETIME and isinstance(value, str):
        return datetime.fromisoformat(value)
    decoded: Value = value
    return decoded
