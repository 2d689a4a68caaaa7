"""What the start page tells of the catalogue and of the change calendar: to everybody, so nothing but what is for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from itsm.catalog import shelf
from itsm.catalog.definition import Entitlement, Item
from itsm.changes import freezes
from itsm.changes.freezes import Declared
from itsm.changes.models import ChangeSchedule
from itsm.changes.rules import Period, Standing
from itsm.people.models import Group
from itsm.platform.database import Prepared
from itsm.platform.schema import Instant
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket

DAYS_AHEAD: Final = 14

_WINDOWS = Prepared(
    sa.select(ChangeSchedule.start_at, ChangeSchedule.end_at, ChangeSchedule.standing)
    .join(Ticket, Ticket.id == ChangeSchedule.ticket_id)
    .outerjoin(Group, Group.id == Ticket.group_id)
    .where(
        ChangeSchedule.end_at > sa.bindparam("since", type_=Instant),
        ChangeSchedule.start_at < sa.bindparam("until", type_=Instant),
        ChangeSchedule.standing != Standing.DONE.value,
        Group.restricted.is_not(True),
    )
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category of the catalogue, and the titles of what everybody may order of it."""

    category: str
    titles: list[str]


@dataclass(frozen=True, slots=True)
class Day:
    """A day (UTC) of the change calendar: how many windows touch it, firm ones and tentative, and what is frozen on it."""

    date: date
    firm: int
    tentative: int
    frozen: str | None


def shelves(tx: Tx) -> list[Shelf]:
    """What the catalogue offers to everybody, by category. What is for some only is not told to strangers."""
    items = filter(_for_everybody, shelf.current(tx).items)  # by category and title
    return [Shelf(key, [item.title for item in some]) for key, some in groupby(items, key=lambda item: item.category)]


def _for_everybody(item: Item) -> bool:
    return not any(map(_limits, (item.entitlement, item.service.entitlement)))


def _limits(entitlement: Entitlement) -> bool:
    return bool(entitlement.offered or entitlement.denied)


def days(tx: Tx) -> list[Day]:
    """The coming days on which something is planned or frozen."""
    first = tx.now.astimezone(UTC).date()
    until = _midnight(first + timedelta(days=DAYS_AHEAD))
    rows = tx.session.all(_WINDOWS, since=tx.now, until=until)
    declared = freezes.declared(tx, Period(tx.now, until))
    found = (_day(first + timedelta(days=ahead), rows, declared) for ahead in range(DAYS_AHEAD))
    return [day for day in found if day.firm or day.tentative or day.frozen]


def _day(which: date, rows: Iterable[Any], declared: Iterable[Declared]) -> Day:
    period = Period(_midnight(which), _midnight(which + timedelta(days=1)))
    standings = [row.standing for row in rows if period.overlaps(Period(row.start_at, row.end_at))]
    tentative = standings.count(Standing.TENTATIVE.value)
    frozen = [each.freeze for each in declared if period.overlaps(each.freeze.period)]
    words = None
    if frozen:
        words = "everything" if any(freeze.services is None for freeze in frozen) else "some services"
    return Day(which, len(standings) - tentative, tentative, words)


def _midnight(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)
