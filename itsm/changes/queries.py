"""Reading the change calendar: what is frozen, what is scheduled, what is in whose way, where there is room.

Lists show the changes that their reader sees. A conflict is told to whoever plans even where he does not see the other change:
then without its number, for he must not walk into it blindly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.changes import rules
from itsm.changes.models import CalendarFeed, ChangeFreeze, ChangeSchedule, ScheduleOverride
from itsm.changes.rules import CHANGE, END, START, Book, Cause, Freeze, Period, Plan, Planned, Standing
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import Instant
from itsm.services import edges
from itsm.services import queries as things
from itsm.services.impact import Direction
from itsm.services.models import ConfigurationItem, Service
from itsm.services.rules import Node, Sort
from itsm.tickets import records
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to
from itsm.workflow.case import Value

MOST_SCHEDULED: Final = 1_000
MOST_CONFLICTS: Final = 200
MOST_SLOTS: Final = 20

_FROM: sa.BindParameter[Any] = sa.bindparam("begin", type_=Instant)
_TO: sa.BindParameter[Any] = sa.bindparam("finish", type_=Instant)
_FREEZE_COLUMNS = (
    ChangeFreeze.id,
    ChangeFreeze.reason,
    ChangeFreeze.starts_at,
    ChangeFreeze.ends_at,
    ChangeFreeze.services,
    ChangeFreeze.spared,
    ChangeFreeze.declared_by,
    ChangeFreeze.declared_at,
)
_FREEZES = Prepared(
    sa.select(*_FREEZE_COLUMNS)
    .where(ChangeFreeze.lifted_at.is_(None), ChangeFreeze.ends_at > _FROM, ChangeFreeze.starts_at < _TO)
    .order_by(ChangeFreeze.starts_at, ChangeFreeze.id)
)
_OVERRIDES = Prepared(
    sa.select(ScheduleOverride.obstacles, ScheduleOverride.start_at, ScheduleOverride.end_at).where(
        ScheduleOverride.ticket_id == sa.bindparam("ticket")
    )
)
_IMPLEMENTER = aliased(User)
_ROW = (
    ChangeSchedule.ticket_id,
    ChangeSchedule.start_at,
    ChangeSchedule.end_at,
    ChangeSchedule.standing,
    _IMPLEMENTER.login.label("implementer"),
    Service.key.label("service"),
    ConfigurationItem.key.label("item"),
)


def _calendar(*columns: Any) -> Any:
    return (
        sa.select(*_ROW, *columns)
        .outerjoin(_IMPLEMENTER, _IMPLEMENTER.id == ChangeSchedule.implementer_id)
        .outerjoin(Service, Service.id == ChangeSchedule.service_id)
        .outerjoin(ConfigurationItem, ConfigurationItem.id == ChangeSchedule.item_id)
        .where(ChangeSchedule.end_at > _FROM, ChangeSchedule.start_at < _TO)
    )


_BUSY = Prepared(_calendar().where(ChangeSchedule.standing != Standing.DONE.value))
_SEEN = {
    kind: Prepared(
        sa.select(Ticket.id, Ticket.number, Ticket.title, Ticket.state)
        .join(ChangeSchedule, ChangeSchedule.ticket_id == Ticket.id)
        .where(ChangeSchedule.end_at > _FROM, ChangeSchedule.start_at < _TO, visible_to(kind))
    )
    for kind in SIGHTS
}
_SERVICE: sa.BindParameter[Any] = sa.bindparam("service", type_=sa.Text)
_ITEM: sa.BindParameter[Any] = sa.bindparam("item", type_=sa.Text)
_FORWARD = {
    kind: Prepared(
        _calendar(Ticket.number, Ticket.title, Ticket.state, Ticket.priority)
        .join(Ticket, Ticket.id == ChangeSchedule.ticket_id)
        .where(
            visible_to(kind),
            sa.or_(_SERVICE.is_(None), Service.key == _SERVICE),
            sa.or_(_ITEM.is_(None), ConfigurationItem.key == _ITEM),
        )
        .order_by(ChangeSchedule.start_at, ChangeSchedule.ticket_id)
        .limit(MOST_SCHEDULED)
    )
    for kind in SIGHTS
}
_MY_FEEDS = Prepared(
    sa.select(CalendarFeed.id, CalendarFeed.label, CalendarFeed.created_at)
    .where(CalendarFeed.user_id == sa.bindparam("user"), CalendarFeed.revoked_at.is_(None))
    .order_by(CalendarFeed.id)
)


# Freezes


@dataclass(frozen=True, slots=True)
class Declared:
    """A freeze as it is shown. `by` is who declared it, None for one of the configuration."""

    freeze: Freeze
    by: str | None
    at: datetime | None


def declared(tx: Tx, period: Period) -> list[Declared]:
    """Every freeze that shares an instant with a period, the earliest first."""
    shipped = [Declared(each, None, None) for each in tx.desk.part(Book).freezes if each.period.overlaps(period)]
    rows = tx.session.all(_FREEZES, begin=period.start, finish=period.end)
    kept = [Declared(freeze_of(row), row.declared_by, row.declared_at) for row in rows]
    return sorted([*shipped, *kept], key=lambda each: (each.freeze.period, each.freeze.key))


def freeze_of(row: Any) -> Freeze:
    """A freeze from its row."""
    services = None if row.services is None else frozenset(row.services)
    return Freeze(str(row.id), row.reason, Period(row.starts_at, row.ends_at), services, frozenset(row.spared))


def freezes_on(tx: Tx, period: Period, services: Iterable[str], change_type: str) -> list[Freeze]:
    """The freezes that forbid a change of a type, touching these services, in a period."""
    touched = frozenset(services)
    return [each.freeze for each in declared(tx, period) if each.freeze.holds(period, touched, change_type)]


def overridden(tx: Tx, record: Record, period: Period) -> frozenset[str]:
    """The keys of freezes and windows that the change may disregard in all of a period."""
    if record.is_new:
        return frozenset()
    rows = tx.session.all(_OVERRIDES, ticket=record.id)
    return frozenset(key for row in rows if period.within(Period(row.start_at, row.end_at)) for key in row.obstacles)


# What a change is about


def nodes_of(values: Mapping[str, Value]) -> frozenset[Node]:
    """The service and the configuration item that a change names."""
    named = ((Sort.SERVICE, values.get("service")), (Sort.ITEM, values.get("ci")))
    return frozenset(Node(sort, key) for sort, key in named if isinstance(key, str))


def window_of(values: Mapping[str, Value]) -> Period | None:
    """The window that a change is planned for, if it has one that is not reversed."""
    start, end = values.get(START), values.get(END)
    if isinstance(start, datetime) and isinstance(end, datetime) and start < end:
        return Period(start, end)
    return None


def touched_services(tx: Tx, nodes: frozenset[Node]) -> frozenset[str]:
    """The services among some things, and those that rest on them, as far as relations are followed."""
    depth = tx.desk.part(Book).depth
    reached = edges.reached(tx.session, nodes, Direction.TOUCHES, depth) if nodes else []
    return frozenset(node.key for node in (*nodes, *(each.node for each in reached)) if node.sort is Sort.SERVICE)


# The forward schedule


@dataclass(frozen=True, slots=True)
class Entry:
    """A change in the calendar, as its reader sees it."""

    number: str
    title: str
    state: str
    priority: str | None
    standing: Standing
    period: Period
    implementer: str | None
    service: str | None
    item: str | None


def schedule(tx: Tx, period: Period, service: str | None = None, item: str | None = None) -> list[Entry]:
    """The changes that the actor sees whose window shares an instant with a period, the earliest first; 1,000 at most."""
    rows = tx.session.all(
        _FORWARD[sight(tx.actor)],
        begin=period.start,
        finish=period.end,
        service=service,
        item=item,
        **parameters(tx.actor),
    )
    return [_entry(row) for row in rows]


def _entry(row: Any) -> Entry:
    period = Period(row.start_at, row.end_at)
    standing = Standing(row.standing)
    return Entry(row.number, row.title, row.state, row.priority, standing, period, row.implementer, row.service, row.item)


# Conflicts and slots


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
    freezes: list[Freeze]
    outside: list[str]
    conflicts: list[Conflict]


def change(tx: Tx, number: str) -> Record:
    """A change that the actor sees. Raises `not_found`, also for a ticket that is no change."""
    record = records.load(tx, number, lock=False)
    if record.type != CHANGE:
        raise not_found("change", number)
    return record


def verdict(tx: Tx, record: Record) -> Verdict | None:
    """What the calendar says of a change as it is planned; None while it has no window."""
    period = window_of(record.values)
    if period is None:
        return None
    nodes, type_ = nodes_of(record.values), str(record.values.get("change_type") or "")
    book = tx.desk.part(Book)
    groups = rules.outside(rules.windows_for(book.windows, nodes, type_), period)
    return Verdict(
        period,
        freezes_on(tx, period, touched_services(tx, nodes), type_),
        [window.key for group in groups for window in group],
        conflicts(tx, plan_of(tx, record), period),
    )


def plan_of(tx: Tx, record: Record) -> Plan:
    """What a change would disturb, with all that rests on it or bears it as far as relations are followed."""
    nodes, assignee = nodes_of(record.values), record.values.get("assignee")
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
    nodes, type_ = nodes_of(record.values), str(record.values.get("change_type") or "")
    opened = rules.open_stretches(rules.windows_for(book.windows, nodes, type_), book.search, within)
    frozen = [each.period for each in freezes_on(tx, within, touched_services(tx, nodes), type_)]
    taken = [each.period for each, _ in busy(tx, plan_of(tx, record), within)]
    return rules.slots(rules.without(opened, [*frozen, *taken]), length, book.search.step, most)


def asked_period(start: datetime, end: datetime, longest: timedelta) -> Period:
    """A period that somebody asks about. Raises `invalid_input`, by pointer, if it is reversed or too long."""
    if end <= start:
        raise invalid(FieldError("/to", "reversed_period", "This period ends before it begins."))
    if end - start > longest:
        raise invalid(FieldError("/to", "too_long", f"This period is longer than {longest.days} days."))
    return Period(start, end)


def feeds(tx: Tx) -> list[Any]:
    """The actor's subscriptions that are not revoked."""
    return tx.session.all(_MY_FEEDS, user=tx.actor.id)


def no_window() -> DeskError:
    """The refusal to say anything about a change that has no window yet."""
    return DeskError(Kind.CONFLICT, "no_window", "This change has no window yet: neither planned_start nor planned_end.")
