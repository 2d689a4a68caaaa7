"""Timers: what is to be done at an instant, exactly once. This module arms, claims, takes and gives back; `sweeper.py` runs.

A claim is a lease: for a while the row is nobody else's to run. A lease alone cannot make work happen once, because its holder
may sleep through the end of it and then go on. So each claim gets a new fencing number, and the transaction that does the work
deletes the row under that number: two may run, one can commit. See M. Kleppmann, "How to do distributed locking" (2016).

A holder that dies, and a clock that jumps, delay a timer by a lease at most; a handler that fails is tried again after a while
and parked in the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Prepared, Session
from itsm.platform.lists import PreparedForMany
from itsm.platform.schema import Instant, Json, table
from itsm.platform.work import Timer

LEASE = timedelta(seconds=8)
"""How long a claim keeps others away, and so the longest that a killed process delays what it had claimed."""

BACK_OFF = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5))
"""The pauses after the first, second … failure. Who fails once more is parked."""

MAX_ATTEMPTS = len(BACK_OFF) + 1

ERROR_CHARACTERS = 2000


NO_TICKET = 0
"""The `ticket_id` of timers that belong to no ticket; no row has this id. Their names tell what they belong to."""


class TimerLost(Exception):
    """The row is not there under this claim any more: done by another, armed anew, or disarmed. Roll back and go on."""


@dataclass(frozen=True, slots=True)
class NewTimer:
    """What is to be done when. (`ticket_id`, `kind`, `name`, `cycle`) is its identity; `kind` names the handler."""

    ticket_id: int
    kind: str
    name: str
    due_at: datetime
    payload: Any = field(default_factory=dict)
    cycle: int = 0


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A timer as somebody claimed it: good for one `take`, under this `fence`. `attempts` includes the one at hand."""

    id: int
    ticket_id: int
    kind: str
    name: str
    cycle: int
    due_at: datetime
    payload: Any
    fence: int
    attempts: int


_TIMERS = table(Timer)
_C = _TIMERS.c
_NOW = sa.bindparam("now", type_=Instant)
_UNTIL = sa.bindparam("until", type_=Instant)
_HELD = sa.and_(_C.id == sa.bindparam("timer"), _C.fence == sa.bindparam("held"))
_CLEAN = {"claimed_until": None, "attempts": 0, "parked_at": None, "error": None}

# ON CONFLICT is the same in both databases; SQLite compiles PostgreSQL's construct.
_INSERT = postgresql.insert(_TIMERS).values(
    **{name: sa.bindparam(name) for name in ("ticket_id", "kind", "name", "cycle")},
    due_at=sa.bindparam("due_at", type_=Instant),
    payload=sa.bindparam("payload", type_=Json),
    fence=0,
    attempts=0,
)
_ARM = Prepared(
    _INSERT.on_conflict_do_update(
        index_elements=["ticket_id", "kind", "name", "cycle"],
        set_={"due_at": _INSERT.excluded.due_at, "payload": _INSERT.excluded.payload, "fence": _C.fence + 1, **_CLEAN},
    )
)
_OF_TICKET = _C.ticket_id == sa.bindparam("ticket")
_DISARM = Prepared(sa.delete(_TIMERS).where(_OF_TICKET, _C.kind == sa.bindparam("of_kind"), _C.name == sa.bindparam("named")))
_DISARM_CYCLE = Prepared(
    sa.delete(_TIMERS).where(
        _OF_TICKET,
        _C.kind == sa.bindparam("of_kind"),
        _C.name == sa.bindparam("named"),
        _C.cycle == sa.bindparam("in_cycle"),
    )
)

NEXT_DUE = Prepared(sa.select(_C.due_at).where(_C.parked_at.is_(None)).order_by(_C.due_at).limit(1))


def _claiming(*conditions: sa.ColumnElement[bool]) -> Prepared:
    """The statement that claims the first of what is due.

    A row that was claimed before and not done may be what kills its process: such a row is claimed alone, so that those beside
    it in the batch are not counted down with it. A lease that ends further ahead than any does was written by a clock that has
    been put back since, and is void.
    """
    free = sa.or_(
        _C.claimed_until.is_(None), _C.claimed_until <= _NOW, _C.claimed_until > sa.bindparam("horizon", type_=Instant)
    )
    first = (
        sa.select(_C.id, _C.due_at, _C.attempts)
        .where(_C.parked_at.is_(None), _C.due_at <= _NOW, free, *conditions)
        .order_by(_C.due_at, _C.id)
        .limit(sa.bindparam("batch", type_=sa.Integer))
        .with_for_update(skip_locked=True)  # not said to SQLite, where one writes at a time
        .cte("first")
    )
    order = (first.c.due_at, first.c.id)
    ranked = sa.select(
        first.c.id,
        sa.func.row_number().over(order_by=order).label("place"),
        sa.func.sum(first.c.attempts).over(order_by=order).label("tried"),
    ).cte("ranked")
    return Prepared(
        sa.update(_TIMERS)
        .where(_C.id.in_(sa.select(ranked.c.id).where(sa.or_(ranked.c.place == 1, ranked.c.tried == 0))))
        .values(claimed_until=_UNTIL, fence=_C.fence + 1, attempts=_C.attempts + 1)
        .returning(_C.id, _C.ticket_id, _C.kind, _C.name, _C.cycle, _C.due_at, _C.payload, _C.fence, _C.attempts)
    )


CLAIM = _claiming()
_CLAIM_OF_TICKET = _claiming(_OF_TICKET)
_TAKE = Prepared(sa.delete(_TIMERS).where(_HELD))
_ARRAY = postgresql.ARRAY(sa.BigInteger)
_CLAIMS = (
    sa.func.unnest(sa.bindparam("ids", type_=_ARRAY), sa.bindparam("fences", type_=_ARRAY))
    .table_valued("id", "fence")
    .render_derived()
)
_LISTED = sa.func.json_each(sa.bindparam("held", type_=sa.Text)).table_valued("value")
_PAIR = sa.select(sa.func.json_extract(_LISTED.c.value, "$[0]"), sa.func.json_extract(_LISTED.c.value, "$[1]"))
_ROW = sa.tuple_(_C.id, _C.fence)
_TAKE_ALL_POSTGRESQL = Prepared(sa.delete(_TIMERS).where(_ROW.in_(sa.select(_CLAIMS.c.id, _CLAIMS.c.fence))).returning(_C.id))
_TAKE_ALL_SQLITE = Prepared(sa.delete(_TIMERS).where(_ROW.in_(_PAIR)).returning(_C.id))
_RELEASE = Prepared(sa.update(_TIMERS).where(_HELD).values(claimed_until=None, attempts=_C.attempts - 1))
_BACK_OFF = Prepared(sa.update(_TIMERS).where(_HELD).values(claimed_until=_UNTIL, error=sa.bindparam("why")))
_PARK = Prepared(sa.update(_TIMERS).where(_HELD).values(claimed_until=None, parked_at=_NOW, error=sa.bindparam("why")))
_UNPARK = Prepared(sa.update(_TIMERS).where(_C.id == sa.bindparam("timer"), _C.parked_at.is_not(None)).values(**_CLEAN))
_PARKED = Prepared(
    sa.select(_C.id, _C.ticket_id, _C.kind, _C.name, _C.due_at, _C.attempts, _C.parked_at, _C.error)
    .where(_C.parked_at.is_not(None))
    .order_by(_C.id)
)


def arm(session: Session, timers: Iterable[NewTimer]) -> None:
    """Set timers. One that is set already gets the new instant and payload, and whoever holds it loses it."""
    session.run_many(
        _ARM,
        [
            {
                "ticket_id": timer.ticket_id,
                "kind": timer.kind,
                "name": timer.name,
                "cycle": timer.cycle,
                "due_at": timer.due_at,
                "payload": timer.payload,
            }
            for timer in timers
        ],
    )


def disarm(session: Session, timers: Iterable[tuple[int, str, str]]) -> None:
    """Call off timers by ticket, kind and name, in every cycle. Those that are not set are no matter."""
    session.run_many(_DISARM, [{"ticket": ticket, "of_kind": kind, "named": name} for ticket, kind, name in timers])


def disarm_cycles(session: Session, timers: Iterable[tuple[int, str, str, int]]) -> None:
    """Call off timers by ticket, kind, name and cycle. Those that are not set are no matter."""
    session.run_many(
        _DISARM_CYCLE,
        [{"ticket": ticket, "of_kind": kind, "named": name, "in_cycle": cycle} for ticket, kind, name, cycle in timers],
    )


def waiting(session: Session, tickets: Iterable[int], kind: str) -> list[Any]:
    """The timers of one kind that several tickets have set: `ticket_id`, `name`, `cycle`, `due_at` and `payload` of each."""
    return _waiting_of(kind).all(session, tickets)


@cache
def _waiting_of(kind: str) -> PreparedForMany:
    return PreparedForMany(
        lambda many: (
            sa.select(_C.ticket_id, _C.name, _C.cycle, _C.due_at, _C.payload)
            .where(_C.ticket_id.in_(sa.select(many.c.value)), _C.kind == kind)
            .order_by(_C.ticket_id, _C.name, _C.cycle)
        )
    )


def next_due(session: Session) -> datetime | None:
    """When the first timer is due that is not parked, claimed or not; None when none is set."""
    row = session.first(NEXT_DUE)
    return None if row is None else row.due_at


def claim(
    session: Session, now: datetime, batch: int, lease: timedelta = LEASE, ticket_id: int | None = None
) -> list[TimerRow]:
    """Claim up to `batch` due timers, of one ticket or of all, in due order; the attempt is counted now, before it is made."""
    when = {"now": now, "until": now + lease, "horizon": now + max(lease, BACK_OFF[-1])}
    if ticket_id is None:
        rows = session.all(CLAIM, batch=batch, **when)
    else:
        rows = session.all(_CLAIM_OF_TICKET, batch=batch, ticket=ticket_id, **when)
    return sorted((TimerRow(*row) for row in rows), key=lambda timer: (timer.due_at, timer.id))


def take(session: Session, timer: TimerRow) -> None:
    """Delete the row, in the transaction that does the work. Raises `TimerLost` when the claim is no longer the row's.

    A handler locks its ticket first and takes the timer then: the order in which commands lock, that arm and disarm.
    """
    if session.run(_TAKE, timer=timer.id, held=timer.fence) != 1:
        raise TimerLost(timer.id)


def take_all(session: Session, timers: Sequence[TimerRow]) -> frozenset[int]:
    """`take` of several, in one statement: the ids of those that were still held. The others are lost, and no matter."""
    ids, fences = [timer.id for timer in timers], [timer.fence for timer in timers]
    if session.is_postgresql:
        rows = session.all(_TAKE_ALL_POSTGRESQL, ids=ids, fences=fences)
    else:
        rows = session.all(_TAKE_ALL_SQLITE, held=orjson.dumps(list(zip(ids, fences, strict=True))).decode())
    return frozenset(row.id for row in rows)


def release(session: Session, timers: Iterable[TimerRow]) -> None:
    """Give back what was claimed and not begun: claimable at once, and not counted as an attempt."""
    session.run_many(_RELEASE, [{"timer": timer.id, "held": timer.fence} for timer in timers])


def fail(session: Session, timer: TimerRow, now: datetime, why: str) -> None:
    """Note a failed attempt: due again after a back-off, or parked when it was the last. The instant it was due stays."""
    held = {"timer": timer.id, "held": timer.fence, "why": why[:ERROR_CHARACTERS]}
    if timer.attempts >= MAX_ATTEMPTS:
        session.run(_PARK, now=now, **held)
    else:
        session.run(_BACK_OFF, until=now + BACK_OFF[timer.attempts - 1], **held)


def parked(session: Session) -> list[Any]:
    """What was given up, with the last error, for the operator."""
    return session.all(_PARKED)


def unpark(session: Session, timer_id: int) -> bool:
    """Let a parked timer be tried anew; whether there was such a one."""
    return session.run(_UNPARK, timer=timer_id) == 1
