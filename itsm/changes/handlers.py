"""What the change calendar answers: it refuses what a freeze or window forbids, and keeps the schedule true to its tickets.

The guard is asked about every change of a change ticket, by whatever way it comes: the window it is scheduled for, edits of it
while it is scheduled, and the moment at which it is begun. Whoever may override says why in the field `schedule_override`, in
the same breath; what was overridden is an event of the ticket and holds for that window only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from itsm.changes import queries, rules
from itsm.changes.models import ChangeOutcome, ChangeSchedule, ScheduleOverride
from itsm.changes.rules import (
    CANCELLED,
    CHANGE,
    END,
    MODEL,
    OUTCOME,
    OVERRIDE,
    SCHEDULED,
    START,
    UNDER_WAY,
    WHAT_COUNTS,
    Book,
    Period,
    Standing,
)
from itsm.people.access import Permission
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets import records
from itsm.tickets.desk import Happened, Intent, Tx
from itsm.tickets.records import Record
from itsm.workflow.case import Reason, Why
from itsm.workflow.definition import Category

OVERRIDDEN: Final = "schedule_overridden"
"""The event that tells of an override."""

_SCHEDULE, _PASSES, _OUTCOMES = table(ChangeSchedule), table(ScheduleOverride), table(ChangeOutcome)
_COLUMNS: Final = ("ticket_id", "start_at", "end_at", "standing", "implementer_id", "service_id", "item_id")
_FORGET = Prepared(sa.delete(_SCHEDULE).where(_SCHEDULE.c.ticket_id == sa.bindparam("ticket")))
_ENTER = Prepared(sa.insert(_SCHEDULE).values({name: sa.bindparam(name) for name in _COLUMNS}))
_ENDED: Final = ("ticket_id", "change_type", "model", "outcome", "ended_at", "service_id", "item_id")
_UNEND = Prepared(sa.delete(_OUTCOMES).where(_OUTCOMES.c.ticket_id == sa.bindparam("ticket")))
_CONCLUDE = Prepared(sa.insert(_OUTCOMES).values({name: sa.bindparam(name) for name in _ENDED}))
_LET_PASS = Prepared(
    sa.insert(_PASSES).values(
        {name: sa.bindparam(name) for name in ("ticket_id", "obstacles", "start_at", "end_at", "reason", "actor", "at")}
    )
)


# The guard


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a change was let past, for which window and why."""

    obstacles: tuple[str, ...]
    period: Period
    reason: str


@dataclass
class _Passes:
    """Overrides by ticket that this transaction has granted and not told yet."""

    granted: dict[int, _Pass] = field(default_factory=dict)


def guard(tx: Tx, record: Record, intent: Intent) -> tuple[Reason, ...]:
    """What the calendar has against something that is about to be done to a change."""
    if record.type != CHANGE:
        return ()
    start, end = intent.values.get(START), intent.values.get(END)
    said = {START, END} & (intent.changed | set(intent.given))
    if said and isinstance(start, datetime) and isinstance(end, datetime) and end <= start:
        return (Reason(Why.INVALID_VALUE, f"“{END}” must be after “{START}”: a window cannot end before it begins.", END),)
    period = _asked(tx, record, intent)
    if period is None:
        return ()
    obstacles = _obstacles(tx, record, intent, period)
    if not obstacles:
        return ()
    given = intent.given.get(OVERRIDE)
    if isinstance(given, str) and given.strip() and tx.actor.may(Permission.OVERRIDE_CALENDAR):
        _passes(tx).granted[record.id] = _Pass(tuple(sorted(obstacles)), period, given.strip())
        return ()
    return tuple(obstacles.values())


_WAY_ON: Final = "Take one of its free slots, or let a change manager say in schedule_override why it may not wait."


def _asked(tx: Tx, record: Record, intent: Intent) -> Period | None:
    """The period about which the calendar is asked; None if what is about to be done concerns no window."""
    window = queries.window_of(intent.values)
    if intent.target == UNDER_WAY and record.state != UNDER_WAY:
        return Period(tx.now, max(tx.now + rules.INSTANT, window.end if window else tx.now))
    if intent.target == SCHEDULED and (record.state != SCHEDULED or WHAT_COUNTS & intent.changed):
        return window
    return None


def _obstacles(tx: Tx, record: Record, intent: Intent, period: Period) -> dict[str, Reason]:
    """The freezes and windows, by key, that forbid a change in a period, as far as nobody has overridden them."""
    book = tx.desk.part(Book)
    nodes, type_ = queries.nodes_of(intent.values), str(intent.values.get("change_type") or "")
    about = START if intent.target == SCHEDULED else None
    found: dict[str, Reason] = {}
    if queries.declared(tx, period):
        for freeze in queries.freezes_on(tx, period, queries.touched_services(tx, nodes), type_):
            found[freeze.key] = Reason(
                Why.FROZEN, f"Frozen from {freeze.period}: {freeze.reason.rstrip('.')}. {_WAY_ON}", about
            )
    for group in rules.outside(rules.windows_for(book.windows, nodes, type_), period):
        named = ", ".join(f"“{window.title}”" for window in group)
        message = f"The window lies outside the maintenance windows: {named}. {_WAY_ON}"
        found.update({window.key: Reason(Why.OUTSIDE_WINDOW, message, about) for window in group[:1]})
    if not found:
        return {}
    passed = queries.overridden(tx, record, period)
    return {key: reason for key, reason in found.items() if key not in passed}


def _passes(tx: Tx) -> _Passes:
    kept = tx.cache.setdefault(_Passes, _Passes())
    assert isinstance(kept, _Passes)
    return kept


def tell_override(tx: Tx, happened: Happened) -> None:
    """Say in the ticket's log that, by whom and why the calendar was overridden, and remember it for this window."""
    record = happened.record
    if happened.what not in {"moved", "edited"} or record.type != CHANGE:
        return
    granted = _passes(tx).granted.pop(record.id, None)
    if granted is None:
        return
    payload = {"obstacles": list(granted.obstacles), "starts_at": granted.period.start, "ends_at": granted.period.end}
    records.append(tx, record, OVERRIDDEN, {**payload, "reason": granted.reason})
    tx.session.run(
        _LET_PASS,
        ticket_id=record.id,
        obstacles=list(granted.obstacles),
        start_at=granted.period.start,
        end_at=granted.period.end,
        reason=granted.reason,
        actor=tx.actor.login,
        at=tx.now,
    )


# The schedule


@dataclass
class _Moved:
    """The changes whose place in the calendar is to be written anew before the commit."""

    records: dict[int, Record] = field(default_factory=dict)


def observe(tx: Tx, record: Record) -> None:
    """Note that a change's place in the calendar may be another."""
    if record.type != CHANGE or not _concerns(record):
        return
    kept = tx.cache.get(_Moved)
    if kept is None:
        kept = tx.cache[_Moved] = _Moved()
        tx.at_end.append(_write)
    assert isinstance(kept, _Moved)
    kept.records[record.id] = record


def _concerns(record: Record) -> bool:
    """Whether the ticket has, or had, a window or an outcome."""
    before = record.written.values if record.written else {}
    return any(values.get(name) is not None for values in (record.values, before) for name in (START, OUTCOME))


def _write(tx: Tx) -> None:
    kept = tx.cache[_Moved]
    assert isinstance(kept, _Moved)
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
    period, standing = queries.window_of(record.values), standing_of(record)
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
        "change_type": record.values.get("change_type") or "",
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
