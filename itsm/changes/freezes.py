"""Freezes: declared and lifted while the desk runs, what is frozen in a period, and what a change may disregard of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from itsm.changes.models import ChangeFreeze, ScheduleOverride
from itsm.changes.rules import Book, Freeze, Period
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import FieldError, invalid, not_found
from itsm.platform.schema import Instant, table
from itsm.platform.words import says_something
from itsm.services import edges
from itsm.services import queries as things
from itsm.services.impact import Direction
from itsm.services.rules import Node, Sort
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record

_KEPT = table(ChangeFreeze)
_DECLARE = Prepared(
    sa.insert(_KEPT)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("reason", "starts_at", "ends_at", "services", "spared", "declared_by", "declared_at")
        }
    )
    .returning(_KEPT.c.id)
)
_LIFT = Prepared(
    sa.update(_KEPT)
    .where(_KEPT.c.id == sa.bindparam("freeze"), _KEPT.c.lifted_at.is_(None))
    .values(lifted_by=sa.bindparam("actor"), lifted_at=sa.bindparam("now"))
)
_COLUMNS = (
    ChangeFreeze.id,
    ChangeFreeze.reason,
    ChangeFreeze.starts_at,
    ChangeFreeze.ends_at,
    ChangeFreeze.services,
    ChangeFreeze.spared,
    ChangeFreeze.declared_by,
    ChangeFreeze.declared_at,
)
_IN_PERIOD = Prepared(
    sa.select(*_COLUMNS)
    .where(
        ChangeFreeze.lifted_at.is_(None),
        ChangeFreeze.ends_at > sa.bindparam("begin", type_=Instant),
        ChangeFreeze.starts_at < sa.bindparam("finish", type_=Instant),
    )
    .order_by(ChangeFreeze.starts_at, ChangeFreeze.id)
)
_OVERRIDES = Prepared(
    sa.select(ScheduleOverride.obstacles, ScheduleOverride.start_at, ScheduleOverride.end_at).where(
        ScheduleOverride.ticket_id == sa.bindparam("ticket")
    )
)


@dataclass(frozen=True, slots=True)
class NewFreeze:
    """A freeze to be declared. Without `services` it is for all."""

    reason: str
    starts_at: datetime
    ends_at: datetime
    services: tuple[str, ...] = ()
    spares: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """A freeze as it is shown. `by` is who declared it, None for one of the configuration."""

    freeze: Freeze
    by: str | None
    at: datetime | None


def declare(tx: Tx, new: NewFreeze) -> Declared:
    """Declare a freeze. Raises `forbidden`; `invalid_input` for one without a reason, of no length or of unknown services."""
    require(tx.actor, Permission.FREEZE)
    faults = list(_faults(tx, new))
    if faults:
        raise invalid(*faults, detail=" ".join(fault.message for fault in faults))
    services = sorted(set(new.services)) or None
    row = tx.session.one(
        _DECLARE,
        reason=new.reason,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        services=services,
        spared=sorted(set(new.spares)),
        declared_by=tx.actor.login,
        declared_at=tx.now,
    )
    of = None if services is None else frozenset(services)
    freeze = Freeze(str(row.id), new.reason, Period(new.starts_at, new.ends_at), of, frozenset(new.spares))
    return Declared(freeze, tx.actor.login, tx.now)


def _faults(tx: Tx, new: NewFreeze) -> Iterable[FieldError]:
    if not says_something(new.reason):
        yield FieldError("/reason", "reason_required", "Who is turned away must read why.")
    if new.ends_at <= new.starts_at:
        yield FieldError("/ends_at", "reversed_period", "This freeze ends before it begins.")
    nodes = {key: Node(Sort.SERVICE, key) for key in new.services}
    known = things.things(tx.session, tx.actor, nodes.values())
    for place, key in enumerate(new.services):
        if nodes[key] not in known:
            yield FieldError(f"/services/{place}", "unknown_reference", f"There is no service “{key}”.")


def lift(tx: Tx, freeze_id: int) -> None:
    """End a freeze that was declared while the desk ran. Raises `forbidden` and `not_found`."""
    require(tx.actor, Permission.FREEZE)
    if tx.session.run(_LIFT, freeze=freeze_id, actor=tx.actor.login, now=tx.now) != 1:
        raise not_found("freeze", str(freeze_id))


def declared(tx: Tx, period: Period) -> list[Declared]:
    """Every freeze that shares an instant with a period, the earliest first."""
    shipped = [Declared(each, None, None) for each in tx.desk.part(Book).freezes if each.period.overlaps(period)]
    rows = tx.session.all(_IN_PERIOD, begin=period.start, finish=period.end)
    kept = [Declared(_freeze(row), row.declared_by, row.declared_at) for row in rows]
    return sorted([*shipped, *kept], key=lambda each: (each.freeze.period, each.freeze.key))


def _freeze(row: Any) -> Freeze:
    services = None if row.services is None else frozenset(row.services)
    return Freeze(str(row.id), row.reason, Period(row.starts_at, row.ends_at), services, frozenset(row.spared))


def holding(tx: Tx, period: Period, nodes: frozenset[Node], change_type: str) -> list[Declared]:
    """The freezes that forbid a change of a type in a period: of these things, and so of the services that rest on them."""
    found = declared(tx, period)
    if not found:
        return []
    touched = _touched_services(tx, nodes)
    return [each for each in found if each.freeze.holds(period, touched, change_type)]


def _touched_services(tx: Tx, nodes: frozenset[Node]) -> frozenset[str]:
    """The services among some things, and those that rest on them, as far as relations are followed."""
    depth = tx.desk.part(Book).depth
    reached = edges.reached(tx.session, nodes, Direction.TOUCHES, depth) if nodes else []
    return frozenset(node.key for node in (*nodes, *(each.node for each in reached)) if node.sort is Sort.SERVICE)


def overridden(tx: Tx, record: Record, period: Period) -> frozenset[str]:
    """The keys of freezes and windows that the change may disregard in all of a period."""
    if record.is_new:
        return frozenset()
    rows = tx.session.all(_OVERRIDES, ticket=record.id)
    return frozenset(key for row in rows if period.within(Period(row.start_at, row.end_at)) for key in row.obstacles)
