"""Reading a ticket and what hangs on it. Everything goes through `visible_to`; nothing here changes or locks anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import not_found
from itsm.tickets import facts, loading
from itsm.tickets.desk import Tx
from itsm.tickets.facts import TASK
from itsm.tickets.models import Link, Ticket, Watcher
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

_TICKET = sa.bindparam("ticket", type_=sa.BigInteger)
_AFTER = sa.bindparam("after", type_=sa.BigInteger)
_MOST = sa.bindparam("most", type_=sa.Integer)
_VERSION = {
    kind: Prepared(sa.select(Ticket.event_count).where(Ticket.number == sa.bindparam("number"), visible_to(kind)))
    for kind in SIGHTS
}
_NAME = Prepared(sa.select(User.name).where(User.login == sa.bindparam("login")))
_WATCHERS = Prepared(
    sa.select(User.login, User.name)
    .join(Watcher, Watcher.user_id == User.id)
    .where(Watcher.ticket_id == _TICKET, User.login > sa.bindparam("after", type_=sa.Text))
    .order_by(User.login)
    .limit(_MOST)
)
_TASKS_OF_TICKET = (
    loading.record_select()
    .where(Ticket.parent_id == _TICKET, Ticket.type == TASK, Ticket.id > _AFTER)
    .order_by(Ticket.id)
    .limit(_MOST)
)
_TASKS = {kind: Prepared(_TASKS_OF_TICKET.where(visible_to(kind))) for kind in SIGHTS}


def _ties(kind: str) -> sa.Select[*tuple[Any, ...]]:
    """The ties of a ticket, from either end, to tickets that the reader sees."""
    far = sa.case((Link.source_id == _TICKET, Link.target_id), else_=Link.source_id)
    return (
        sa.select(
            Link.id, Link.kind, Link.at, Link.source_id, Ticket.number, Ticket.type, Ticket.title, Ticket.state, Ticket.category
        )
        .join(Ticket, Ticket.id == far)
        .where(sa.or_(Link.source_id == _TICKET, Link.target_id == _TICKET), visible_to(kind))
    )


_TIES = {kind: Prepared(_ties(kind).where(Link.id > _AFTER).order_by(Link.id).limit(_MOST)) for kind in SIGHTS}
_TIE = {kind: Prepared(_ties(kind).where(Link.id == sa.bindparam("link", type_=sa.BigInteger))) for kind in SIGHTS}


@dataclass(frozen=True, slots=True)
class Tie:
    """A link as it reads from one ticket's end, to another. `own` if that is the direction in which it is kept."""

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
    return loading.load(tx, number, lock=False)


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


def ties(tx: Tx, record: Record, after: int, most: int) -> list[Tie]:
    """The links of a ticket to those that the actor sees, oldest first: so many after the one with the id `after`."""
    rows = tx.session.all(_TIES[sight(tx.actor)], ticket=record.id, after=after, most=most, **parameters(tx.actor))
    return [_tie(record, row) for row in rows]


def tie(tx: Tx, record: Record, link_id: int) -> Tie:
    """One link of a ticket. Raises `not_found`, also where the actor may not see the ticket at the other end."""
    row = tx.session.first(_TIE[sight(tx.actor)], ticket=record.id, link=link_id, **parameters(tx.actor))
    if row is None:
        raise not_found("link", str(link_id))
    return _tie(record, row)


def tasks(tx: Tx, record: Record, after: int, most: int) -> list[Record]:
    """The work tasks of a ticket that the actor sees, oldest first: so many after the one with the row id `after`."""
    rows = tx.session.all(_TASKS[sight(tx.actor)], ticket=record.id, after=after, most=most, **parameters(tx.actor))
    return [loading.from_row(tx, row) for row in rows]


def watchers(tx: Tx, record: Record, after: str, most: int) -> list[Any]:
    """Who watches a ticket, login and name, in the order of logins: so many after the login `after`."""
    return tx.session.all(_WATCHERS, ticket=record.id, after=after, most=most)


def _tie(record: Record, row: Any) -> Tie:
    own = row.source_id == record.id
    kind = row.kind if own else facts.INVERSE_KINDS[row.kind]
    return Tie(row.id, kind, own, row.number, row.type, row.title, row.state, row.category)
