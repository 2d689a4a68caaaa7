"""What a decision may need to know beyond the ticket's own row; one statement each, and only when the engine asks."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.tickets.desk import Tx
from itsm.tickets.models import Link, Ticket, Watcher
from itsm.tickets.records import Record
from itsm.workflow.case import Fact
from itsm.workflow.definition import Category

TASK = "task"
"""The type of a work task."""

FAILED, CANCELLED = "failed", "cancelled"
"""The states in which the work task's life cycle ends without success, and without having been done."""

INVERSE_KINDS = {
    "duplicate_of": "duplicated_by",
    "caused_by": "causes",
    "fixed_by": "fixes",
    "blocks": "blocked_by",
    "related_to": "related_to",
}
"""Kinds of links as they are kept, and how each reads from the other end."""

_TASKS = Prepared(
    sa.select(Ticket.state, Ticket.category, sa.func.count().label("n"))
    .where(Ticket.parent_id == sa.bindparam("id"), Ticket.type == TASK)
    .group_by(Ticket.state, Ticket.category)
)
_OPEN_CHILDREN = Prepared(
    sa.select(sa.func.count().label("n")).where(
        Ticket.parent_id == sa.bindparam("id"),
        Ticket.category != Category.RESOLVED.value,
        Ticket.category != Category.CLOSED.value,
    )
)
_LINKS = Prepared(
    sa.select(Link.kind, sa.literal_column("0").label("inverse"), sa.func.count().label("n"))
    .where(Link.source_id == sa.bindparam("id"))
    .group_by(Link.kind)
    .union_all(
        sa.select(Link.kind, sa.literal_column("1"), sa.func.count())
        .where(Link.target_id == sa.bindparam("id"))
        .group_by(Link.kind),
        sa.select(sa.literal("child"), sa.literal_column("0"), sa.func.count()).where(Ticket.parent_id == sa.bindparam("id")),
    )
)
_WATCHERS = Prepared(
    sa.select(User.login).join(Watcher, Watcher.user_id == User.id).where(Watcher.ticket_id == sa.bindparam("id"))
)


def gather(tx: Tx, record: Record, needs: frozenset[Fact]) -> dict[str, Any]:
    """The facts named by `needs`, as keyword arguments for `Record.case`."""
    return {fact.value: tx.desk.facts[fact](tx, record) for fact in needs}


def tasks(tx: Tx, record: Record) -> dict[str, int]:
    """How many work tasks the ticket has: open, total, failed, and done. None is refused; only items of a bundle are."""
    counts = {"open": 0, "total": 0, "failed": 0, "done": 0, "refused": 0}
    if record.is_new:
        return counts
    for row in tx.session.all(_TASKS, id=record.id):
        counts["total"] += row.n
        if row.category not in {Category.RESOLVED, Category.CLOSED}:
            counts["open"] += row.n
        elif row.state not in {FAILED, CANCELLED}:
            counts["done"] += row.n
        if row.state == FAILED:
            counts["failed"] += row.n
    return counts


def links(tx: Tx, record: Record) -> dict[str, int]:
    """How many links of each kind the ticket has, read from its end; parent and children are counted too."""
    counts: dict[str, int] = {"parent": 1 if record.ids.get("parent") else 0}
    if record.is_new:
        return counts
    for row in tx.session.all(_LINKS, id=record.id):
        kind = INVERSE_KINDS[row.kind] if row.inverse else row.kind
        counts[kind] = counts.get(kind, 0) + row.n
    return counts


def watchers(tx: Tx, record: Record) -> frozenset[str]:
    """The logins of those who watch the ticket."""
    return frozenset(row.login for row in tx.session.all(_WATCHERS, id=record.id))


def open_children(tx: Tx, record: Record) -> int:
    """How many children of the ticket are neither resolved nor closed."""
    return int(tx.session.one(_OPEN_CHILDREN, id=record.id).n)
