"""The outbox: what must leave the house, as rows, written in the transaction of the command that wants it said.

A message exists when the change it tells of was committed, and only then. It has a key by which receivers know it again, for
whoever delivers it may die between sending and noting so: delivered at least once, and deduplicated by its key.

A message with a destination is claimed by whoever delivers to it, under a lease and a fence as timers are (`timers.py`): the
attempt is counted before it is made, one that was not ended in time may be made by another, and only the last holder's word
about it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Prepared, Session
from itsm.platform.schema import Instant, Json, table
from itsm.platform.timers import ERROR_CHARACTERS
from itsm.platform.work import OutboxMessage

_OUTBOX = table(OutboxMessage)
_C = _OUTBOX.c

_CREATED_AT = sa.bindparam("created_at", type_=Instant)

# ON CONFLICT is the same in both databases; SQLite compiles PostgreSQL's construct.
_PUT = Prepared(
    postgresql.insert(_OUTBOX)
    .values(
        **{name: sa.bindparam(name) for name in ("key", "topic", "ticket_id", "destination")},
        payload=sa.bindparam("payload", type_=Json),
        created_at=_CREATED_AT,
        due_at=_CREATED_AT,
        fence=0,
        attempts=0,
    )
    .on_conflict_do_nothing(index_elements=["key"])
)
_HAS = Prepared(sa.select(_C.id).where(_C.key == sa.bindparam("of_key")))
_NOW = sa.bindparam("now", type_=Instant)
_UNTIL = sa.bindparam("until", type_=Instant)
_OPEN = sa.and_(_C.delivered_at.is_(None), _C.parked_at.is_(None), _C.destination.is_not(None))
# A lease that ends further ahead than any does was written by a clock that has been put back since, and is void.
_FREE = sa.or_(_C.claimed_until.is_(None), _C.claimed_until <= _NOW, _C.claimed_until > sa.bindparam("horizon", type_=Instant))
_HELD = sa.and_(_C.id == sa.bindparam("message"), _C.fence == sa.bindparam("held"), _C.delivered_at.is_(None))
_DESTINATIONS = Prepared(sa.select(_C.destination).where(_OPEN, _C.due_at <= _NOW, _FREE).distinct().order_by(_C.destination))
_FIRST = (
    sa.select(_C.id)
    .where(_OPEN, _C.destination == sa.bindparam("wanted"), _C.due_at <= _NOW, _FREE)
    .order_by(_C.due_at, _C.id)
    .limit(1)
    .with_for_update(skip_locked=True)  # not said to SQLite, where one writes at a time
    .cte("first")
)
_CLAIM = Prepared(
    sa.update(_OUTBOX)
    .where(_C.id.in_(sa.select(_FIRST.c.id)))
    .values(claimed_until=_UNTIL, fence=_C.fence + 1, attempts=_C.attempts + 1)
    .returning(_C.id, _C.key, _C.topic, _C.ticket_id, _C.payload, _C.created_at, _C.fence, _C.attempts)
)
_ARRIVED = Prepared(sa.update(_OUTBOX).where(_HELD).values(delivered_at=_NOW, claimed_until=None, error=None))
_POSTPONE = Prepared(sa.update(_OUTBOX).where(_HELD).values(due_at=_UNTIL, claimed_until=None, error=sa.bindparam("why")))
_PARK = Prepared(sa.update(_OUTBOX).where(_HELD).values(claimed_until=None, parked_at=_NOW, error=sa.bindparam("why")))
_ANEW: dict[str, Any] = {"delivered_at": None, "due_at": _NOW, "claimed_until": None, "attempts": 0, "parked_at": None}
_AGAIN = Prepared(sa.update(_OUTBOX).where(_C.key == sa.bindparam("of_key")).values(fence=_C.fence + 1, **_ANEW))
_UNPARK = Prepared(
    sa.update(_OUTBOX)
    .where(_C.id == sa.bindparam("message"), _C.parked_at.is_not(None))
    .values(fence=_C.fence + 1, **_ANEW)
    .returning(_C.key, _C.destination)
)
_PARKED = Prepared(
    sa.select(_C.id, _C.key, _C.destination, _C.ticket_id, _C.created_at, _C.attempts, _C.parked_at, _C.error)
    .where(_C.parked_at.is_not(None))
    .order_by(_C.id)
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said to whom: `topic` names the channel's business, `key` is the id that receivers know it by.

    `destination` names a receiver that is delivered to; without one the message waits to be fetched.
    """

    key: str
    topic: str
    ticket_id: int | None
    payload: Any
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message as somebody claimed it: good for one attempt, under this `fence`. `attempts` includes the one at hand."""

    id: int
    key: str
    topic: str
    ticket_id: int | None
    payload: Any
    created_at: datetime
    fence: int
    attempts: int


def put_all(session: Session, messages: Iterable[Message], now: datetime) -> None:
    """Add messages, in one round trip. Those whose key is there already are no matter.

    What is about no one ticket may be said by several transactions at once: it is put first, in the order of the keys, so that
    they wait for each other in a line and not in a circle.
    """
    messages = sorted(messages, key=lambda message: (1, "") if message.ticket_id is not None else (0, message.key))
    session.run_many(
        _PUT,
        [
            {
                "key": message.key,
                "topic": message.topic,
                "ticket_id": message.ticket_id,
                "payload": message.payload,
                "created_at": now,
                "destination": message.destination,
            }
            for message in messages
        ],
    )


def put(session: Session, key: str, topic: str, ticket_id: int | None, payload: Any, now: datetime) -> bool:
    """Add a message; whether it is new. A key that is there already says the same thing: nothing is added, nothing fails."""
    added = session.run(_PUT, key=key, topic=topic, ticket_id=ticket_id, payload=payload, created_at=now, destination=None)
    return added == 1


def has(session: Session, key: str) -> bool:
    """Whether a message with this key was put, delivered or not."""
    return session.first(_HAS, of_key=key) is not None


def destinations(session: Session, now: datetime, lease: timedelta) -> list[str]:
    """The destinations for which something is due that nobody holds. `lease` is the longest that anybody claims for."""
    return [row.destination for row in session.all(_DESTINATIONS, now=now, horizon=now + lease)]


def claim(session: Session, destination: str, now: datetime, lease: timedelta) -> Claimed | None:
    """Claim the first message that is due for a destination, if any; the attempt is counted now, before it is made."""
    row = session.first(_CLAIM, wanted=destination, now=now, until=now + lease, horizon=now + lease)
    return None if row is None else Claimed(*row)


def arrived(session: Session, message: Claimed, now: datetime) -> bool:
    """Note that a claimed message has arrived; whether the claim was still good."""
    return session.run(_ARRIVED, message=message.id, held=message.fence, now=now) == 1


def postpone(session: Session, message: Claimed, until: datetime, why: str) -> bool:
    """Note a failed attempt, to be made again from `until` on; whether the claim was still good."""
    return session.run(_POSTPONE, message=message.id, held=message.fence, until=until, why=why[:ERROR_CHARACTERS]) == 1


def park(session: Session, message: Claimed, now: datetime, why: str) -> bool:
    """Give a claimed message up, until a person lets it go again; whether the claim was still good."""
    return session.run(_PARK, message=message.id, held=message.fence, now=now, why=why[:ERROR_CHARACTERS]) == 1


def again(session: Session, key: str, now: datetime) -> bool:
    """Let a message be delivered once more, under the same key, whatever became of it; whether it is there."""
    return session.run(_AGAIN, of_key=key, now=now) == 1


def parked(session: Session) -> list[Any]:
    """What was given up, with the last error, for the operator."""
    return session.all(_PARKED)


def unpark(session: Session, message_id: int, now: datetime) -> Any:
    """Let a parked message be tried anew: its key and destination, or None if there is no such one."""
    return session.first(_UNPARK, message=message_id, now=now)
