"""What the change calendar answers: it refuses what a freeze or window forbids, unless somebody overrides it.

The guard is asked about every change of a change ticket, by whatever way it comes: the window it is scheduled for, edits of it
while it is scheduled, and the moment at which it is begun. Whoever may override says why in the field `schedule_override`, in
the same breath; what was overridden is an event of the ticket and holds for that window only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from itsm.changes import freezes, rules
from itsm.changes.models import ScheduleOverride
from itsm.changes.rules import CHANGE, END, OVERRIDE, SCHEDULED, START, UNDER_WAY, WHAT_COUNTS, Book, Period
from itsm.people.access import Permission
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.platform.words import spoken
from itsm.tickets import records
from itsm.tickets.desk import Happened, Intent, Tx
from itsm.tickets.records import Record
from itsm.workflow.case import Reason, Why

OVERRIDDEN: Final = "schedule_overridden"
"""The event that tells of an override."""

_WAY_ON: Final = "Take one of its free slots, or let a change manager say in schedule_override why it may not wait."

_PASSES = table(ScheduleOverride)
_LET_PASS = Prepared(
    sa.insert(_PASSES).values(
        {name: sa.bindparam(name) for name in ("ticket_id", "obstacles", "start_at", "end_at", "reason", "actor", "at")}
    )
)


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
    reason = spoken(given) if isinstance(given, str) else None
    if reason is not None and tx.actor.may(Permission.OVERRIDE_CALENDAR):
        tx.known(_Passes).granted[record.id] = _Pass(tuple(sorted(obstacles)), period, reason)
        return ()
    return tuple(obstacles.values())


def _asked(tx: Tx, record: Record, intent: Intent) -> Period | None:
    """The period about which the calendar is asked; None if what is about to be done concerns no window."""
    window = rules.window_of(intent.values)
    if intent.target == UNDER_WAY and record.state != UNDER_WAY:
        return Period(tx.now, max(tx.now + rules.INSTANT, window.end if window else tx.now))
    if intent.target == SCHEDULED and (record.state != SCHEDULED or WHAT_COUNTS & intent.changed):
        return window
    return None


def _obstacles(tx: Tx, record: Record, intent: Intent, period: Period) -> dict[str, Reason]:
    """The freezes and windows, by key, that forbid a change in a period, as far as nobody has overridden them."""
    book = tx.desk.part(Book)
    nodes, type_ = rules.nodes_of(intent.values), rules.type_of(intent.values)
    about = START if intent.target == SCHEDULED else None
    found: dict[str, Reason] = {}
    for each in freezes.holding(tx, period, nodes, type_):
        freeze = each.freeze
        message = f"Frozen from {freeze.period}: {freeze.reason.rstrip('.')}. {_WAY_ON}"
        found[freeze.key] = Reason(Why.FROZEN, message, about)
    for group in rules.outside(rules.windows_for(book.windows, nodes, type_), period):
        named = ", ".join(f"“{window.title}”" for window in group)
        message = f"The window lies outside the maintenance windows: {named}. {_WAY_ON}"
        found.update({window.key: Reason(Why.OUTSIDE_WINDOW, message, about) for window in group[:1]})
    if not found:
        return {}
    passed = freezes.overridden(tx, record, period)
    return {key: reason for key, reason in found.items() if key not in passed}


def tell_override(tx: Tx, happened: Happened) -> None:
    """Say in the ticket's log that, by whom and why the calendar was overridden, and remember it for this window."""
    record = happened.record
    if happened.what not in {"moved", "edited"} or record.type != CHANGE:
        return
    granted = tx.known(_Passes).granted.pop(record.id, None)
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
