"""What is in whose way, and where there is room.

A conflict is told to whoever plans even where he does not see the other change: then without its number, for he must not walk
into it blindly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import calendar_rows, freezes, rules, slots
from itsm.changes.freezes import Declared
from itsm.changes.models import ChangeSchedule
from itsm.changes.rules import Book, Cause, Period, Plan, Planned, Standing
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.services import edges
from itsm.services import queries as things
from itsm.services.impact import Direction
from itsm.services.rules import Node, Sort
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

MOST_CONFLICTS: Final = 200
MOST_SLOTS: Final = 20

_BUSY = Prepared(calendar_rows.in_period().where(ChangeSchedule.standing != Standing.DONE.value))
_SEEN = {
    kind: Prepared(
        sa.select(Ticket.id, Ticket.number, Ticket.title, Ticket.state)
        .join(ChangeSchedule, ChangeSchedule.ticket_id == Ticket.id)
        .where(calendar_rows.IN_PERIOD, visible_to(kind))
    )
    for kind in SIGHTS
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that is in the way. `number`, `title` and `state` are None where the actor does not see it.

    `via` is a way along relations from what is changed here to what is changed there, where that is the cause and the actor
    sees all of it.
    """

    number: str | None
    title: str | None
    state: str | None
    standing: Standing
    period: Period
    causes: tuple[Cause, ...]
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the calendar says of a change's window: what freezes it, which windows it leaves, who is in its way."""

    period: Period
    freezes: list[Declared]
    outside: list[str]
    conflicts: list[Conflict]


def verdict(tx: Tx, record: Record) -> Verdict:
    """What the calendar says of a change as it is planned. Raises `no_window` while it has none."""
    period = rules.window_of(record.values)
    if period is None:
        message = "This change has no window yet: neither planned_start nor planned_end."
        raise DeskError(Kind.CONFLICT, "no_window", message)
    nodes, type_ = rules.nodes_of(record.values), rules.type_of(record.values)
    book = tx.desk.part(Book)
    groups = rules.outside(rules.windows_for(book.windows, nodes, type_), period)
    return Verdict(
        period,
        freezes.holding(tx, period, nodes, type_),
        [window.key for group in groups for window in group],
        conflicts(tx, plan_of(tx, record), period),
    )


def plan_of(tx: Tx, record: Record) -> Plan:
    """What a change would disturb, with all that rests on it or bears it as far as relations are followed."""
    nodes, assignee = rules.nodes_of(record.values), record.values.get("assignee")
    ties: dict[Node, tuple[Node, ...]] = {}
    for direction in Direction if nodes else ():
        for each in edges.reached(tx.session, nodes, direction, tx.desk.part(Book).depth):
            ties.setdefault(each.node, (each.start, *(step.node for step in each.path)))
    return Plan(record.id, nodes, assignee if isinstance(assignee, str) else None, ties)


def busy(tx: Tx, plan: Plan, period: Period) -> list[tuple[Planned, tuple[Cause, ...]]]:
    """The changes in the calendar that would be in the way in a period, the earliest first."""
    found = [_planned(row) for row in tx.session.all(_BUSY, begin=period.start, finish=period.end)]
    in_the_way = [(each, why) for each in found if (why := rules.causes(plan, each))]
    return sorted(in_the_way, key=lambda pair: (pair[0].period, pair[0].id))


def _planned(row: Any) -> Planned:
    named = ((Sort.SERVICE, row.service), (Sort.ITEM, row.item))
    nodes = frozenset(Node(sort, key) for sort, key in named if key is not None)
    return Planned(row.ticket_id, Period(row.start_at, row.end_at), Standing(row.standing), nodes, row.implementer)


def conflicts(tx: Tx, plan: Plan, period: Period) -> list[Conflict]:
    """What is in the way of a plan in a period, the earliest first; 200 at most."""
    found = busy(tx, plan, period)[:MOST_CONFLICTS]
    if not found:
        return []
    rows = tx.session.all(_SEEN[sight(tx.actor)], begin=period.start, finish=period.end, **parameters(tx.actor))
    seen = {row.id: row for row in rows}
    ways = {each.id: _way(plan, each) for each, why in found if Cause.DEPENDENT in why}
    shown = set(things.things(tx.session, tx.actor, {node for way in ways.values() for node in way}))
    return [_conflict(each, why, seen.get(each.id), ways.get(each.id, ()), shown) for each, why in found]


def _way(plan: Plan, other: Planned) -> tuple[Node, ...]:
    return min((plan.ties[node] for node in other.nodes if node in plan.ties), key=len)


def _conflict(other: Planned, why: tuple[Cause, ...], row: Any, way: tuple[Node, ...], shown: set[Node]) -> Conflict:
    via = tuple(str(node) for node in way) if row is not None and shown.issuperset(way) else ()
    number, title, state = (row.number, row.title, row.state) if row is not None else (None, None, None)
    return Conflict(number, title, state, other.standing, other.period, why, via)


def free_slots(tx: Tx, record: Record, length: timedelta, after: datetime, most: int) -> list[Period]:
    """The next times at which a change of a length could take place: open, not frozen, and in nobody's way."""
    book = tx.desk.part(Book)
    within = Period(after, after + book.search.ahead)
    nodes, type_ = rules.nodes_of(record.values), rules.type_of(record.values)
    opened = slots.open_stretches(rules.windows_for(book.windows, nodes, type_), book.search, within)
    frozen = [each.freeze.period for each in freezes.holding(tx, within, nodes, type_)]
    taken = [each.period for each, _ in busy(tx, plan_of(tx, record), within)]
    return slots.slots(slots.without(opened, [*frozen, *taken]), length, book.search.step, most)
