"""Reading changes: one by its number, and the forward schedule, as their reader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import calendar_rows
from itsm.changes.models import ChangeSchedule
from itsm.changes.rules import CHANGE, Period, Standing
from itsm.platform.database import Prepared
from itsm.platform.errors import not_found
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets import loading
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

MOST_SCHEDULED: Final = 1_000

_SERVICE: sa.BindParameter[Any] = sa.bindparam("service", type_=sa.Text)
_ITEM: sa.BindParameter[Any] = sa.bindparam("item", type_=sa.Text)
_FORWARD = {
    kind: Prepared(
        calendar_rows.in_period(Ticket.number, Ticket.title, Ticket.state, Ticket.priority)
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


def change(tx: Tx, number: str) -> Record:
    """A change that the actor sees. Raises `not_found`, also for a ticket that is no change."""
    record = loading.load(tx, number, lock=False)
    if record.type != CHANGE:
        raise not_found("change", number)
    return record


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
