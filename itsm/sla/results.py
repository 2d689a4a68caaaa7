"""What came of the clocks that have ended: counted by policy and month, with every correction and excuse.

Only tickets that the reader sees are counted, so a figure tells nobody of what is hidden from him.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from itsm.people.models import Group, Organisation
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import Instant, Json
from itsm.services.models import Service
from itsm.sla.models import SlaClock
from itsm.sla.standing import OPEN, Correction, Status, cycle_of
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.visibility import parameters, sight, visible_to


class By(StrEnum):
    """What a count may be parted by, as tickets stand now. A clock per group counts for the group whose clock it was."""

    GROUP = "group"
    SERVICE = "service"
    ORGANISATION = "organisation"
    PRIORITY = "priority"


MOST_MONTHS: Final = 36
MOST_NOTED: Final = 200


@dataclass(slots=True)
class Results:
    """How the cycles of a clock that ended in a month came out, or, where the count is parted, those `of` a group, service,
    organisation or priority. `excused` are misses that were excused, counted as missed too; `corrected` are cycles from which
    time was taken out."""

    clock: str
    kind: str
    month: datetime
    of: str | None = None
    met: int = 0
    missed: int = 0
    cancelled: int = 0
    excused: int = 0
    corrected: int = 0


@dataclass(frozen=True, slots=True)
class Noted:
    """A correction or an excuse, and where it was made."""

    number: str
    clock: str
    part: str
    cycle: int
    status: str
    stopped_at: datetime
    correction: Correction


@dataclass(frozen=True, slots=True)
class Report:
    """Results by clock and month, oldest first, and the newest corrections and excuses among them."""

    results: list[Results] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    more_noted: bool = False


def count(tx: Tx, months: list[datetime], clock: str | None = None, by: By | None = None) -> Report:
    """What came of the clocks that ended from the first of these instants to before the last, counted between each two, and
    parted `by` whose they were.

    Only tickets that the actor sees are counted. Raises `DeskError` for more than `MOST_MONTHS`.
    """
    if len(months) - 1 > MOST_MONTHS:
        raise DeskError(Kind.INVALID, "too_many_months", f"A report covers at most {MOST_MONTHS} months.")
    chosen = "one" if clock is not None else "all"
    values: dict[str, Any] = {**parameters(tx.actor), "since": months[0], "before": months[-1], "clock": clock}
    bounds = {f"month_{index}": month for index, month in enumerate(months)}
    kind, is_postgresql = sight(tx.actor), tx.session.is_postgresql
    counted = tx.session.all(_counting(kind, chosen, len(months), is_postgresql, by), **values, **bounds)
    noted = tx.session.all(_noting(kind, chosen, is_postgresql), **values)
    made = [
        Noted(row.number, row.clock, row.part, row.cycle, row.status, row.stopped_at, one)
        for row in noted[:MOST_NOTED]
        for one in cycle_of(row.detail).corrections
    ]
    return Report(_gathered(counted, months), made, len(noted) > MOST_NOTED)


def _gathered(rows: list[Any], months: list[datetime]) -> list[Results]:
    found: dict[tuple[int, str, str], Results] = {}
    for row in rows:
        key = (row.month, row.clock, row.of or "")
        one = found.setdefault(key, Results(row.clock, row.kind, months[row.month], row.of))
        match Status(row.status):
            case Status.MET:
                one.met += row.cycles
            case Status.MISSED:
                one.missed += row.cycles
            case _:
                one.cancelled += row.cycles
        one.excused += row.cycles if row.excused else 0
        one.corrected += row.cycles if row.corrected else 0
    return [found[key] for key in sorted(found)]


def _ended(chosen: str) -> list[sa.ColumnElement[bool]]:
    given: list[sa.ColumnElement[bool]] = [
        SlaClock.status.in_([sa.literal_column(f"'{status}'") for status in Status if status not in OPEN]),
        SlaClock.stopped_at >= sa.bindparam("since", type_=Instant),
        SlaClock.stopped_at < sa.bindparam("before", type_=Instant),
    ]
    return [*given, SlaClock.clock == sa.bindparam("clock", type_=sa.Text)] if chosen == "one" else given


def _corrections(is_postgresql: bool) -> sa.ColumnElement[int]:
    """How often a cycle was put right: the length of member 12 of `standing.cycle_data`, asked in either database's way."""
    if is_postgresql:
        found = sa.func.json_array_length(sa.cast(SlaClock.detail, sa.JSON).op("->")(sa.literal_column("12")))
    else:
        found = sa.func.json_array_length(SlaClock.detail, sa.literal_column("'$[12]'"))
    return sa.type_coerce(found, sa.Integer)


_OF: Final[Mapping[By | None, sa.SQLColumnExpression[Any]]] = {
    None: sa.null(),
    By.GROUP: sa.case((SlaClock.part != sa.literal_column("''"), SlaClock.part), else_=Group.key),
    By.SERVICE: Service.key,
    By.ORGANISATION: Organisation.key,
    By.PRIORITY: Ticket.priority,
}
_BESIDE: Final[Mapping[By, tuple[type[Any], sa.ColumnElement[bool]]]] = {
    By.GROUP: (Group, Group.id == Ticket.group_id),
    By.SERVICE: (Service, Service.id == Ticket.service_id),
    By.ORGANISATION: (Organisation, Organisation.id == Ticket.organisation_id),
}


@lru_cache(maxsize=256)
def _counting(kind: str, chosen: str, bounds: int, is_postgresql: bool, by: By | None) -> Prepared:
    places = [sa.bindparam(f"month_{index}", type_=Instant) for index in range(1, bounds)]
    month = sa.case(
        *((SlaClock.stopped_at < place, sa.literal_column(str(index))) for index, place in enumerate(places)),
        else_=sa.literal_column(str(bounds - 1)),
    )
    ended = (
        sa.select(
            SlaClock.clock,
            SlaClock.kind,
            sa.type_coerce(_OF[by], sa.Text).label("of"),
            SlaClock.status,
            SlaClock.excused,
            sa.type_coerce(month, sa.Integer).label("month"),
            (
                _corrections(is_postgresql) > sa.case((SlaClock.excused, sa.literal_column("1")), else_=sa.literal_column("0"))
            ).label("corrected"),
        )
        .join(Ticket, Ticket.id == SlaClock.ticket_id)
        .where(*_ended(chosen), visible_to(kind))
    )
    if by is not None and by in _BESIDE:
        ended = ended.outerjoin(*_BESIDE[by])
    rows = ended.subquery("ended")
    keys = [rows.c.clock, rows.c.kind, rows.c.of, rows.c.status, rows.c.excused, rows.c.month, rows.c.corrected]
    return Prepared(sa.select(*keys, sa.func.count().label("cycles")).group_by(*keys))


@lru_cache(maxsize=64)
def _noting(kind: str, chosen: str, is_postgresql: bool) -> Prepared:
    return Prepared(
        sa.select(
            Ticket.number,
            SlaClock.clock,
            SlaClock.part,
            SlaClock.cycle,
            SlaClock.status,
            SlaClock.stopped_at,
            sa.type_coerce(SlaClock.detail, Json).label("detail"),
        )
        .join(Ticket, Ticket.id == SlaClock.ticket_id)
        .where(*_ended(chosen), visible_to(kind), _corrections(is_postgresql) > sa.literal_column("0"))
        .order_by(SlaClock.stopped_at.desc(), SlaClock.ticket_id.desc())
        .limit(MOST_NOTED + 1)
    )
