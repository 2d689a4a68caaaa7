"""Reading a ticket and what hangs on it. Everything goes through `visible_to`; nothing here changes or locks anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.tickets import facts, records
from itsm.tickets.desk import Tx
from itsm.tickets.facts import TASK
from itsm.tickets.models import Link, Ticket, Watcher
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

MOST: Final = 200
"""How many links, tasks or watchers of one ticket are told at most."""

_TICKET = sa.bindparam("ticket", type_=sa.BigInteger)
_VERSION = {
    kind: Prepared(sa.select(Ticket.event_count).where(Ticket.number == sa.bindparam("number"), visible_to(kind)))
    for kind in SIGHTS
}
_NAME = Prepared(sa.select(User.name).where(User.login == sa.bindparam("login")))
_WATCHERS = Prepared(
    sa.select(User.login, User.name)
    .join(Watcher, Watcher.user_id == User.id)
    .where(Watcher.ticket_id == _TICKET)
    .order_by(User.login)
    .limit(MOST)
)
_TASKS_OF_TICKET = (
    records.record_select().where(Ticket.parent_id == _TICKET, Ticket.type == TASK).order_by(Ticket.id).limit(MOST)
)
_TASKS = {kind: Prepared(_TASKS_OF_TICKET.where(visible_to(kind))) for kind in SIGHTS}


def _ties(kind: str) -> Prepared:
    """The ties of a ticket, from either end, to tickets that the reader sees."""
    far = sa.case((Link.source_id == _TICKET, Link.target_id), else_=Link.source_id)
    return Prepared(
        sa.select(
            Link.id, Link.kind, Link.at, Link.source_id, Ticket.number, Ticket.type, Ticket.title, Ticket.state, Ticket.category
        )
        .join(Ticket, Ticket.id == far)
        .where(sa.or_(Link.source_id == _TICKET, Link.target_id == _TICKET), visible_to(kind))
        .order_by(Link.id)
        .limit(MOST)
    )


_TIES = {kind: _ties(kind) for kind in SIGHTS}


@dataclass(frozen=True, slots=True)
class Tie:
    """A link as it reads from one ticket's end, to another. `own` if it was said from this end, and can be taken back here."""

    id: int
    kind: str
    own: bool
    number: str
    type: str
    title: str
    state: str
    category: str


def ticket(tx: Tx, number: str) -> Record:
    """The ticket of this number. Raises `not_found`, also where the actor may not see it."""
    return records.load(tx, number, lock=False)


def version(tx: Tx, number: str) -> int | None:
    """How many things have happened to a ticket; None for one that the actor does not see."""
    row = tx.session.first(_VERSION[sight(tx.actor)], number=number, **parameters(tx.actor))
    return None if row is None else int(row.event_count)


def requester_name(tx: Tx, record: Record) -> str | None:
    """The full name of the ticket's requester."""
    login = record.values.get("requester")
    if not isinstance(login, str):
        return None
    if login == tx.actor.login:
        return tx.actor.name
    return record.names.get(login) or str(tx.session.one(_NAME, login=login).name)


def visible_fields(tx: Tx, record: Record) -> frozenset[str]:
    """The fields of a ticket that the actor sees. Costs a statement where the workflow shows any to watchers or approvers."""
    needed = facts.gather(tx, record, record.process.needs_sight())
    return record.process.visible_fields(record.case(**needed), tx.actor.person())


def visible_fields_of_many(tx: Tx, many: Iterable[Record]) -> list[frozenset[str]]:
    """The same for a whole list without a statement: what is shown to watchers or approvers alone shows on the ticket only."""
    person = tx.actor.person()
    return [record.process.visible_fields(record.case(), person) for record in many]


def ties(tx: Tx, record: Record) -> list[Tie]:
    """The links of a ticket to those that the actor sees, oldest first."""
    rows = tx.session.all(_TIES[sight(tx.actor)], ticket=record.id, **parameters(tx.actor))
    return [_tie(record, row) for row in rows]


def tasks(tx: Tx, record: Record) -> list[Record]:
    """The work tasks of a ticket that the actor sees, oldest first."""
    rows = tx.session.all(_TASKS[sight(tx.actor)], ticket=record.id, **parameters(tx.actor))
    return [records.from_row(tx, row) for row in rows]


def watchers(tx: Tx, record: Record) -> list[Any]:
    """Who watches a ticket: login and name."""
    return tx.session.all(_WATCHERS, ticket=record.id)


def _tie(record: Record, row: Any) -> Tie:
    own = row.source_id == record.id
    kind = row.kind if own else facts.INVERSE_KINDS[row.kind]
    return Tie(row.id, kind, own, row.number, row.type, row.title, row.state, row.category)
