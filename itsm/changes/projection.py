"""Keeps the calendar true to its tickets: the window of each change, and how it ended. Both can be made anew at any time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import rules
from itsm.changes.models import ChangeOutcome, ChangeSchedule
from itsm.changes.rules import CANCELLED, CHANGE, MODEL, OUTCOME, SCHEDULED, START, UNDER_WAY, Standing
from itsm.platform.database import Prepared
from itsm.platform.lists import PreparedForMany
from itsm.platform.schema import table
from itsm.tickets import loading
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.workflow.definition import Category

_BATCH: Final = 500
_SCHEDULE, _OUTCOMES = table(ChangeSchedule), table(ChangeOutcome)
_COLUMNS: Final = ("ticket_id", "start_at", "end_at", "standing", "implementer_id", "service_id", "item_id")
_FORGET = Prepared(sa.delete(_SCHEDULE).where(_SCHEDULE.c.ticket_id == sa.bindparam("ticket")))
_ENTER = Prepared(sa.insert(_SCHEDULE).values({name: sa.bindparam(name) for name in _COLUMNS}))
_ENDED: Final = ("ticket_id", "change_type", "model", "outcome", "ended_at", "service_id", "item_id")
_UNEND = Prepared(sa.delete(_OUTCOMES).where(_OUTCOMES.c.ticket_id == sa.bindparam("ticket")))
_CONCLUDE = Prepared(sa.insert(_OUTCOMES).values({name: sa.bindparam(name) for name in _ENDED}))
_FORGET_ALL = Prepared(sa.delete(_SCHEDULE))
_UNEND_ALL = Prepared(sa.delete(_OUTCOMES))
_CHANGES = Prepared(sa.select(Ticket.id).where(Ticket.type == CHANGE).order_by(Ticket.id))
_OF_IDS = PreparedForMany(
    lambda many: loading.record_select().where(Ticket.id.in_(sa.select(many.c.value))).order_by(Ticket.id)
)


@dataclass
class _Moved:
    """The changes whose place in the calendar is to be written anew before the commit."""

    records: dict[int, Record] = field(default_factory=dict)


def observe(tx: Tx, record: Record) -> None:
    """Note that a change's place in the calendar may be another."""
    if record.type != CHANGE or not _concerns(record):
        return
    tx.known(_Moved, at_end=_write).records[record.id] = record


def _concerns(record: Record) -> bool:
    """Whether the ticket has, or had, a window or an outcome."""
    before = record.written.values if record.written else {}
    return any(values.get(name) is not None for values in (record.values, before) for name in (START, OUTCOME))


def _write(tx: Tx) -> None:
    kept = tx.known(_Moved)
    enter(tx, kept.records.values())
    kept.records.clear()


def enter(tx: Tx, changes: Iterable[Record]) -> None:
    """Write the place of some changes in the calendar, and how they ended, as their tickets now stand."""
    changes = list(changes)
    tx.session.run_many(_FORGET, [{"ticket": record.id} for record in changes])
    tx.session.run_many(_ENTER, [row for record in changes if (row := _row(record)) is not None])
    tx.session.run_many(_UNEND, [{"ticket": record.id} for record in changes])
    tx.session.run_many(_CONCLUDE, [row for record in changes if (row := _ending(record)) is not None])


def _row(record: Record) -> dict[str, object] | None:
    period, standing = rules.window_of(record.values), standing_of(record)
    if period is None or standing is None:
        return None
    return {
        "ticket_id": record.id,
        "start_at": period.start,
        "end_at": period.end,
        "standing": standing.value,
        "implementer_id": record.ids.get("assignee"),
        "service_id": record.ids.get("service"),
        "item_id": record.ids.get("ci"),
    }


def _ending(record: Record) -> dict[str, object] | None:
    outcome, ended_at = record.values.get(OUTCOME), record.resolved_at
    if outcome is None or ended_at is None:
        return None
    return {
        "ticket_id": record.id,
        "change_type": rules.type_of(record.values),
        "model": record.values.get(MODEL),
        "outcome": outcome,
        "ended_at": ended_at,
        "service_id": record.ids.get("service"),
        "item_id": record.ids.get("ci"),
    }


def standing_of(record: Record) -> Standing | None:
    """How firm a change's window is; None for one that was cancelled."""
    if record.state == CANCELLED:
        return None
    if record.category in {Category.RESOLVED, Category.CLOSED}:
        return Standing.DONE
    return {SCHEDULED: Standing.SCHEDULED, UNDER_WAY: Standing.UNDER_WAY}.get(record.state, Standing.TENTATIVE)


def rebuild(tx: Tx) -> int:
    """Make the schedule anew from the tickets; how many changes were looked at."""
    tx.session.run(_FORGET_ALL)
    tx.session.run(_UNEND_ALL)
    ids: list[Any] = [row.id for row in tx.session.all(_CHANGES)]
    for first in range(0, len(ids), _BATCH):
        rows = _OF_IDS.all(tx.session, ids[first : first + _BATCH])
        enter(tx, [loading.from_row(tx, row) for row in rows])
    return len(ids)
