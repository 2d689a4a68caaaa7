"""Orders that come again: somebody subscribes an item, and each occurrence orders it, by the same command as by hand.

Each occurrence is ordered in the owner's name with the rights that he has then, under the version of the item that is offered
then. When that is refused, nothing is guessed: the recurrence is suspended and its owner told. An occurrence is a timer that
belongs to no ticket; the timer, the order, the occurrence's own row and the next timer are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import takewhile
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.catalog import commands, recurring
from itsm.catalog.models import Occurrence, Recurrence
from itsm.catalog.recurring import OnClosed, Rhythm, RuleError
from itsm.people.access import SYSTEM, Channel, Permission, require
from itsm.people.models import User
from itsm.people.tokens import actor_by_login
from itsm.platform import outbox, timers
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import table
from itsm.platform.sweeper import Handler
from itsm.platform.time import rfc3339
from itsm.platform.timers import NO_TICKET, NewTimer, TimerRow
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.models import Ticket
from itsm.worktime import zones
from itsm.worktime.calendar import Calendar
from itsm.worktime.timeline import BeyondCalendarError
from itsm.worktime.zones import UnknownZoneError

KIND: Final = "recurrence"
"""Timer kind: an order that comes again is due."""

SUSPENDED_TEMPLATE: Final = "recurrence-suspended"
MOST_ACTIVE: Final = 100
"""How many recurrences one person may own that are not ended."""

ACTIVE, PAUSED, SUSPENDED, ENDED = "active", "paused", "suspended", "ended"
_FINAL: Final = frozenset({Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.CONFLICT, Kind.INVALID, Kind.SETUP})
"""Refusals that another try would meet as well."""

_RECURRENCES, _OCCURRENCES = table(Recurrence), table(Occurrence)
_OWNER, _FOR = aliased(User), aliased(User)
_INSERTED = (
    *("item", "answers", "owner_id", "requested_for_id", "rule", "starts", "zone", "calendar", "on_closed"),
    *("next_at", "created_at"),
)
_INSERT = Prepared(
    sa.insert(_RECURRENCES)
    .values({name: sa.bindparam(name) for name in _INSERTED} | {"state": ACTIVE, "reason": None, "version": 1})
    .returning(_RECURRENCES.c.id)
)
_ROWS = (
    sa.select(
        *(column for column in _RECURRENCES.c),
        _OWNER.login.label("owner"),
        _FOR.login.label("requested_for"),
    )
    .select_from(_RECURRENCES)
    .join(_OWNER, _OWNER.id == _RECURRENCES.c.owner_id)
    .join(_FOR, _FOR.id == _RECURRENCES.c.requested_for_id)
)
_ONE = Prepared(_ROWS.where(_RECURRENCES.c.id == sa.bindparam("this")))
_LOCKED = Prepared(_ROWS.where(_RECURRENCES.c.id == sa.bindparam("this")).with_for_update(of=_RECURRENCES))
_ME: sa.BindParameter[Any] = sa.bindparam("me")
_MINE = Prepared(
    _ROWS.where(
        sa.or_(_RECURRENCES.c.owner_id == _ME, _RECURRENCES.c.requested_for_id == _ME),
        _RECURRENCES.c.id > sa.bindparam("after"),
    )
    .order_by(_RECURRENCES.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_OWNED = Prepared(sa.select(sa.func.count().label("n")).where(_RECURRENCES.c.owner_id == _ME, _RECURRENCES.c.state != ENDED))
_CHANGE = Prepared(
    sa.update(_RECURRENCES)
    .where(_RECURRENCES.c.id == sa.bindparam("this"))
    .values(
        state=sa.bindparam("to"),
        reason=sa.bindparam("why"),
        next_at=sa.bindparam("next", type_=_RECURRENCES.c.next_at.type),
        version=_RECURRENCES.c.version + 1,
    )
)
_KEPT = Prepared(
    sa.insert(_OCCURRENCES).values(
        {name: sa.bindparam(name) for name in ("recurrence_id", "due_at", "at", "outcome", "ticket_id", "missed", "reason")}
    )
)
_LAST = Prepared(
    sa.select(Occurrence.due_at, Occurrence.at, Occurrence.outcome, Occurrence.missed, Occurrence.reason, Ticket.number)
    .select_from(Occurrence)
    .outerjoin(Ticket, Ticket.id == Occurrence.ticket_id)
    .where(Occurrence.recurrence_id == sa.bindparam("of"))
    .order_by(Occurrence.due_at.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class NewRecurrence:
    """What somebody subscribes: `starts` and `rule` as `recurring.py` reads them, in the wall time of `zone`."""

    item: str
    answers: Mapping[str, Any]
    rule: str
    starts: str
    zone: str
    calendar: str | None = None
    on_closed: str = OnClosed.ORDER.value
    requested_for: str | None = None


# What people do


def subscribe(tx: Tx, new: NewRecurrence) -> Any:
    """Have an item ordered again and again; the recurrence as it is kept.

    The order is judged now as if it were made now. Raises `DeskError` like an order, and `invalid_input` for a rule that
    cannot be followed, a zone or calendar that is not there, a file among the answers, and more than `MOST_ACTIVE` of an owner.
    """
    require(tx.actor, Permission.CREATE)
    rhythm = _told_rhythm(tx, new)
    due = rhythm.first(tx.now)
    if due is None:
        raise _wrong("/rule", "never_occurs", "It has no occurrence in the next ten years.")
    if tx.session.one(_OWNED, me=tx.actor.id).n >= MOST_ACTIVE:
        raise _wrong("", "too_many", f"You have {MOST_ACTIVE} recurrences already; end some of them first.")
    person = _judge(tx, new.item, new.answers, new.requested_for or tx.actor.login)
    told = {"item": new.item, "answers": dict(new.answers), "owner_id": tx.actor.id, "requested_for_id": person}
    when = {"rule": new.rule, "starts": new.starts, "zone": new.zone, "calendar": new.calendar, "on_closed": new.on_closed}
    row = tx.session.one(_INSERT, **told, **when, next_at=due, created_at=tx.now)
    _arm(tx, row.id, due)
    return one(tx, row.id)


def pause(tx: Tx, recurrence: int) -> Any:
    """Order nothing until it is resumed. Raises `not_found`, `forbidden`, and `not_possible` for one that has ended."""
    return _set(tx, recurrence, frozenset({ACTIVE, PAUSED}), PAUSED)


def end(tx: Tx, recurrence: int) -> Any:
    """Order nothing more, for good. Raises `not_found` and `forbidden`."""
    return _set(tx, recurrence, frozenset({ACTIVE, PAUSED, SUSPENDED, ENDED}), ENDED)


def resume(tx: Tx, recurrence: int) -> Any:
    """Order again from the next occurrence on; those that lie behind are not made up.

    The order is judged anew. Raises like `subscribe`, `not_found`, `forbidden`, and `not_possible` for one that has ended.
    """
    found = _owned(tx, recurrence)
    if found.state == ENDED:
        raise _not_possible(found)
    if found.state == ACTIVE:
        return found
    _judge(tx, found.item, found.answers, found.requested_for)
    due = rhythm(tx, found).first(tx.now)
    if due is not None:
        _arm(tx, found.id, due)
    tx.session.run(_CHANGE, this=found.id, to=ACTIVE if due else ENDED, why=None, next=due)
    return one(tx, recurrence)


def _set(tx: Tx, recurrence: int, allowed: frozenset[str], state: str) -> Any:
    found = _owned(tx, recurrence)
    if found.state not in allowed:
        raise _not_possible(found)
    if found.state == state:
        return found
    timers.disarm(tx.session, [(NO_TICKET, KIND, str(found.id))])
    tx.session.run(_CHANGE, this=found.id, to=state, why=found.reason, next=None)
    return one(tx, recurrence)


def _owned(tx: Tx, recurrence: int) -> Any:
    one(tx, recurrence)
    found = tx.session.one(_LOCKED, this=recurrence)
    if found.owner_id != tx.actor.id:
        raise DeskError(Kind.FORBIDDEN, "forbidden", f"Only {found.owner}, who owns it, may change this.")
    return found


def _not_possible(found: Any) -> DeskError:
    return DeskError(Kind.CONFLICT, "not_possible", f"This recurrence is {found.state}.")


def _judge(tx: Tx, item: str, answers: Mapping[str, Any], login: str) -> int:
    """Have an order judged without making it; the row id of whom it is for."""
    (placing,) = commands.judge(tx, item, answers, [login])
    if placing.files:
        raise _wrong("/answers", "not_repeatable", "A file goes with one order only; it cannot come again.")
    return placing.person.id


# What is read


def one(tx: Tx, recurrence: int) -> Any:
    """A recurrence that the actor owns or that is for him. Raises `not_found`."""
    found = tx.session.first(_ONE, this=recurrence)
    if found is None or tx.actor.id not in (found.owner_id, found.requested_for_id):
        raise not_found("recurrence", str(recurrence))
    return found


def mine(tx: Tx, after: int, limit: int) -> list[Any]:
    """The recurrences that the actor owns or that are for him, after the one with this number, the oldest first."""
    return tx.session.all(_MINE, me=tx.actor.id, after=after, limit=limit)


def last(tx: Tx, recurrence: int, limit: int) -> list[Any]:
    """What came of its last occurrences, the latest first."""
    return tx.session.all(_LAST, of=recurrence, limit=limit)


def dates(tx: Tx, found: Any, count: int) -> Sequence[datetime]:
    """The next instants at which it orders, if nothing comes in between; none unless it is active."""
    return rhythm(tx, found).some(tx.now, count) if found.state == ACTIVE else []


def rhythm(tx: Tx, found: Any) -> Rhythm:
    """When it is due. Raises `DeskError` (`unknown_calendar`) where its calendar is no longer there."""
    if found.calendar is not None and found.calendar not in tx.desk.calendars:
        raise DeskError(Kind.INVALID, "unknown_calendar", f"There is no calendar “{found.calendar}” any more.")
    return _rhythm(tx, found.rule, recurring.local(found.starts), found.zone, found.calendar, found.on_closed)


def _rhythm(tx: Tx, rule: str, starts: datetime, zone: str, calendar: str | None, on_closed: str) -> Rhythm:
    if calendar is None:
        return Rhythm(rule, starts, zone)
    hours = tx.desk.calendars[calendar]
    return Rhythm(rule, starts, zone, OnClosed(on_closed), lambda day: _is_open(hours, day))


def _is_open(calendar: Calendar, day: date) -> bool:
    """Whether a calendar has hours on a date; beyond the years whose holidays are known, its week decides."""
    try:
        return bool(calendar.hours(day))
    except BeyondCalendarError:
        return bool(calendar.weekly[day.weekday()])


def _told_rhythm(tx: Tx, new: NewRecurrence) -> Rhythm:
    """The rhythm of what was sent. Raises `DeskError` (`invalid_input`) with every fault of it."""
    faults = []
    try:
        zones.zone(new.zone)
    except UnknownZoneError as error:
        faults.append(FieldError("/zone", error.code, error.detail))
    if new.calendar is not None and new.calendar not in tx.desk.calendars:
        faults.append(FieldError("/calendar", "unknown_reference", f"There is no calendar “{new.calendar}”."))
    if new.calendar is None and new.on_closed != OnClosed.ORDER:
        faults.append(FieldError("/calendar", "required", "Say whose working days count."))
    try:
        starts = recurring.local(new.starts)
    except RuleError as error:
        raise invalid(*faults, FieldError("/starts", "invalid_value", str(error)), detail=str(error)) from None
    try:
        recurring.check(new.rule, starts)
    except RuleError as error:
        faults.append(FieldError("/rule", "bad_rule", str(error)))
    if faults:
        raise invalid(*faults, detail=" ".join(fault.message for fault in faults))
    return _rhythm(tx, new.rule, starts, new.zone, new.calendar, new.on_closed)


def _wrong(pointer: str, code: str, message: str) -> DeskError:
    return invalid(FieldError(pointer, code, message), detail=message)


# What the clock brings


def handler(desk: Desk) -> Handler:
    """Orders what is due; what is refused suspends the recurrence, in a transaction of its own."""

    def run(row: TimerRow) -> None:
        try:
            with desk.transaction(SYSTEM, Channel.TIMER) as tx:
                _come_due(tx, row)
        except DeskError as refusal:
            if refusal.kind not in _FINAL:
                raise
            with desk.transaction(SYSTEM, Channel.TIMER) as tx:
                _suspend(tx, row, refusal)

    return run


def _taken(tx: Tx, row: TimerRow) -> Any:
    """The recurrence of a timer, which is taken away; None if it is not due at this instant any more."""
    found = tx.session.first(_LOCKED, this=int(row.name))
    timers.take(tx.session, row)
    return found if found is not None and found.state == ACTIVE and found.next_at == row.due_at else None


def _come_due(tx: Tx, row: TimerRow) -> None:
    found = _taken(tx, row)
    if found is None:
        return
    when = rhythm(tx, found)
    late = [row.due_at, *takewhile(lambda due: due <= tx.now, when.after(row.due_at))]
    own = replace(tx, actor=actor_by_login(tx.session, found.owner, tx.desk.roles))
    (record,) = commands.order(own, found.item, found.answers, [found.requested_for], recurrence=found.id)
    _keep(tx, found, late[-1], "ordered", ticket_id=record.id, missed=len(late) - 1)
    due = when.first(late[-1])
    if due is not None:
        _arm(tx, found.id, due)
    tx.session.run(_CHANGE, this=found.id, to=ACTIVE if due else ENDED, why=None, next=due)


def _suspend(tx: Tx, row: TimerRow, refusal: DeskError) -> None:
    found = _taken(tx, row)
    if found is None:
        return
    why = refusal.detail
    _keep(tx, found, row.due_at, "refused", reason=why)
    tx.session.run(_CHANGE, this=found.id, to=SUSPENDED, why=why, next=None)
    for login in dict.fromkeys((found.owner, found.requested_for)):
        key = f"recurrence:{found.id}:{rfc3339(row.due_at)}:{login}"
        told = {"to": login, "template": SUSPENDED_TEMPLATE, "recurrence": found.id, "item": found.item, "comment": why}
        outbox.put(tx.session, key, "notify", None, told, tx.recorded_at)


def _keep(
    tx: Tx,
    found: Any,
    due: datetime,
    outcome: str,
    *,
    ticket_id: int | None = None,
    missed: int = 0,
    reason: str | None = None,
) -> None:
    told = {"recurrence_id": found.id, "due_at": due, "at": tx.now, "outcome": outcome}
    tx.session.run(_KEPT, **told, ticket_id=ticket_id, missed=missed, reason=reason)


def _arm(tx: Tx, recurrence: int, due: datetime) -> None:
    timers.arm(tx.session, [NewTimer(NO_TICKET, KIND, str(recurrence), due)])
