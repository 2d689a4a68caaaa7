"""What happened to a ticket: its events, oldest first, as far as they are this reader's to know.

Internal events are for staff. Of what other events say, the rest are told what is named here (`FOR_ALL`) and nothing else: not
what a step asked of others, which may hold the words of internal notes, nor which clock, timer or receiver set it off.
Changes of fields that the reader does not see are left out. Numbers of other tickets are told: a number alone says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.schema import Json
from itsm.tickets import queries
from itsm.tickets.desk import Tx
from itsm.tickets.models import Comment, TicketEvent
from itsm.tickets.records import Record
from itsm.tickets.visibility import sees_internal

_OF_TICKETS = frozenset(
    {"attachment", "cascade", "category", "filename", "from", "kind", "link", "login", "number", "opened_by", "size", "to"}
    | {"trigger", "type", "visibility", "workflow"}
)
_OF_APPROVALS = frozenset(
    {"approval", "asked", "because", "changed", "decision", "for", "instead_of", "needed", "of", "outcome", "policy", "round"}
    | {"rule", "ruling", "stage"}
)
_OF_CHANGES = frozenset({"ends_at", "level", "meeting", "model", "obstacles", "reason", "score", "starts_at"})
_OF_ORDERS = frozenset(
    {"answers_sha256", "if_refused", "item", "price", "promised_at", "recurrence", "requested_for", "state", "version"}
)
FOR_ALL: Final = _OF_TICKETS | _OF_APPROVALS | _OF_CHANGES | _OF_ORDERS
"""Members of an event's payload that whoever sees the ticket is told; what is not named here is for staff."""

_WORDS: Final = ("comment", "said")
"""Members of a payload that hold the id of what was said."""

_BY_FIELD: Final = frozenset({"changes", "changed"})
"""Members of a payload that hold old and new values by field."""

_SHOWN_APART: Final = frozenset({"changes", *_WORDS})

_EVENTS = {
    staff: Prepared(
        sa.select(
            TicketEvent.seq,
            TicketEvent.kind,
            TicketEvent.at,
            TicketEvent.recorded_at,
            TicketEvent.actor,
            TicketEvent.on_behalf_of,
            TicketEvent.channel,
            TicketEvent.internal,
            sa.type_coerce(TicketEvent.payload, Json).label("payload"),
        )
        .where(TicketEvent.ticket_id == sa.bindparam("ticket"), TicketEvent.seq > sa.bindparam("after", type_=sa.BigInteger))
        .where(sa.true() if staff else sa.not_(TicketEvent.internal))
        .order_by(TicketEvent.seq)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
    for staff in (True, False)
}
_COMMENTS = {
    staff: Prepared(
        sa.select(Comment.id, Comment.body, Comment.visibility)
        .where(Comment.ticket_id == sa.bindparam("ticket"), Comment.id.between(sa.bindparam("first"), sa.bindparam("last")))
        .where(sa.true() if staff else Comment.visibility == "public")
    )
    for staff in (True, False)
}


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody said."""

    id: int
    body: str
    visibility: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `details` holds what else the event says, by its kind."""

    seq: int
    at: datetime
    recorded_at: datetime
    kind: str
    actor: str
    on_behalf_of: str | None
    channel: str
    internal: bool
    changes: dict[str, list[Any]] = field(default_factory=dict)
    comment: Words | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a ticket's timeline, and after which event it goes on; None at its end."""

    record: Record
    entries: list[Entry]
    next: int | None


def read(tx: Tx, number: str, after: int, limit: int) -> Stretch:
    """The events of a ticket after the one numbered `after`. Raises `not_found`."""
    record = queries.ticket(tx, number)
    staff = sees_internal(tx.actor)
    rows = tx.session.all(_EVENTS[staff], ticket=record.id, after=after, most=limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    words = _words(tx, record, rows, staff=staff)
    fields = queries.visible_fields(tx, record)
    entries = [_entry(row, words, fields, staff=staff) for row in rows]
    return Stretch(record, entries, rows[-1].seq if more else None)


def _words(tx: Tx, record: Record, rows: list[Any], *, staff: bool) -> dict[int, Words]:
    """What was said in these events, by the comment's id: one statement, over the range of ids."""
    ids = [said for row in rows if (said := _said(row.payload)) is not None]
    if not ids:
        return {}
    found = tx.session.all(_COMMENTS[staff], ticket=record.id, first=min(ids), last=max(ids))
    return {row.id: Words(row.id, row.body, row.visibility) for row in found}


def _of_fields(name: str, value: Any, fields: frozenset[str]) -> Any:
    return {field: told for field, told in value.items() if field in fields} if name in _BY_FIELD else value


def _said(payload: dict[str, Any]) -> int | None:
    return next((payload[name] for name in _WORDS if isinstance(payload.get(name), int)), None)


def _entry(row: Any, words: dict[int, Words], fields: frozenset[str], *, staff: bool) -> Entry:
    payload: dict[str, Any] = {name: _of_fields(name, value, fields) for name, value in row.payload.items()}
    said = _said(payload)
    return Entry(
        seq=row.seq,
        at=row.at,
        recorded_at=row.recorded_at,
        kind=row.kind,
        actor=row.actor,
        on_behalf_of=row.on_behalf_of,
        channel=row.channel,
        internal=row.internal,
        changes=payload.get("changes", {}),
        comment=words.get(said) if said is not None else None,
        details={name: value for name, value in payload.items() if name not in _SHOWN_APART and (staff or name in FOR_ALL)},
    )
