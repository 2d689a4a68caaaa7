"""The clocks that run, by what falls due next: what is at risk, and what is overdue.

The list goes through `visible_to`, and is cut into pages by the last row's keys; the index behind it holds running clocks only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from itsm.people.models import Group
from itsm.platform.database import Prepared
from itsm.platform.schema import Instant, Json
from itsm.platform.time import to_micros
from itsm.sla import measure
from itsm.sla.keeping import Keeper
from itsm.sla.models import SlaClock
from itsm.sla.policy import Policy
from itsm.sla.standing import Cycle, cycle_of
from itsm.tickets import loading, queries
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import parameters, sight, visible_to

After: TypeAlias = tuple[datetime, int, str, str]
"""Where a page ends: due instant, ticket's row, clock, part."""


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Which running clocks: due by `until` (that instant included), and of one group, clock or kind where these are given."""

    until: datetime
    group: str | None = None
    clock: str | None = None
    kind: str | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Running:
    """A clock that runs, with its ticket and what the reader sees of it. `remaining` is working time, and may be negative."""

    record: Record
    visible: frozenset[str]
    cycle: Cycle
    policy: Policy
    due_at: datetime
    elapsed: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Page:
    """The clocks found, and where the next page goes on; None when there is none."""

    clocks: list[Running]
    next: After | None


_CLOCK_KEYS = (SlaClock.due_at, SlaClock.ticket_id, SlaClock.clock, SlaClock.part)
_GROUP_ID = sa.select(Group.id).where(Group.key == sa.bindparam("group", type_=sa.Text)).scalar_subquery()
_FILTERS: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "group": Ticket.group_id == _GROUP_ID,
    "clock": SlaClock.clock == sa.bindparam("clock", type_=sa.Text),
    "kind": SlaClock.kind == sa.bindparam("kind", type_=sa.Text),
}


def at_risk(tx: Tx, keeper: Keeper, question: AtRisk, after: After | None = None) -> Page:
    """The running clocks that answer a question, the earliest due first, of tickets that the actor sees."""
    given = {name: value for name in _FILTERS if (value := getattr(question, name)) is not None}
    values: dict[str, Any] = {**parameters(tx.actor), **given, "until": question.until}
    if after is not None:
        values.update({f"after_{index}": value for index, value in enumerate(after)})
    statement = _at_risk(sight(tx.actor), tuple(given), "onwards" if after else "first", question.limit)
    rows = tx.session.all(statement, **values)
    more, rows = len(rows) > question.limit, rows[: question.limit]
    found = [loading.from_row(tx, row) for row in rows]
    seen = queries.visible_fields_of_many(tx, found)
    running = [_running(tx, keeper, row, record, fields) for row, record, fields in zip(rows, found, seen, strict=True)]
    last = rows[-1] if more else None
    return Page(running, None if last is None else (last.due_at, last.id, last.clock, last.part))


@lru_cache(maxsize=256)
def _at_risk(kind: str, filters: tuple[str, ...], page: str, limit: int) -> Prepared:
    found = (
        sa.select(SlaClock.ticket_id.label("id"), SlaClock.clock, SlaClock.part, SlaClock.due_at, SlaClock.detail)
        .join(Ticket, Ticket.id == SlaClock.ticket_id)
        .where(SlaClock.status == sa.literal_column("'running'"), visible_to(kind))  # as the index has it
        .where(SlaClock.due_at <= sa.bindparam("until", type_=Instant), *(_FILTERS[name] for name in filters))
    )
    if page == "onwards":
        kinds: tuple[sa.types.TypeEngine[Any], ...] = (Instant(), sa.BigInteger(), sa.Text(), sa.Text())
        place: list[Any] = [sa.bindparam(f"after_{index}", type_=each) for index, each in enumerate(kinds)]
        found = found.where(SlaClock.due_at >= place[0], sa.tuple_(*_CLOCK_KEYS) > sa.tuple_(*place))
    few = found.order_by(*_CLOCK_KEYS).limit(sa.literal_column(str(limit + 1))).subquery("found")
    return Prepared(
        loading.record_select(few)
        .add_columns(few.c.clock, few.c.part, few.c.due_at, sa.type_coerce(few.c.detail, Json).label("detail"))
        .order_by(few.c.due_at, few.c.id, few.c.clock, few.c.part)
    )


def _running(tx: Tx, keeper: Keeper, row: Any, record: Record, visible: frozenset[str]) -> Running:
    cycle = cycle_of(row.detail)
    agreement, _ = keeper.agreements.get(tx.session, cycle.version)
    elapsed = measure.spent(agreement, cycle, to_micros(tx.now))
    left = cycle.target.length - elapsed
    return Running(record, visible, cycle, agreement.policies[cycle.clock], row.due_at, elapsed, left)
