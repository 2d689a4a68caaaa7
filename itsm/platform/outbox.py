"""The outbox: what must leave the house, as rows, written in the transaction of the command that wants it said.

A message exists when the change it tells of was committed, and only then. It has a key by which receivers know it again, for
whoever delivers it may die between sending and noting so: delivered at least once, and deduplicated by its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Prepared, Session
from itsm.platform.schema import Instant, Json, table
from itsm.platform.work import OutboxMessage

_OUTBOX = table(OutboxMessage)
_C = _OUTBOX.c

# ON CONFLICT is the same in both databases; SQLite compiles PostgreSQL's construct.
_PUT = Prepared(
    postgresql.insert(_OUTBOX)
    .values(
        **{name: sa.bindparam(name) for name in ("key", "topic", "ticket_id")},
        payload=sa.bindparam("payload", type_=Json),
        created_at=sa.bindparam("created_at", type_=Instant),
    )
    .on_conflict_do_nothing(index_elements=["key"])
    .inline()
)
_PENDING = Prepared(
    sa.select(_C.id, _C.key, _C.topic, _C.ticket_id, _C.payload, _C.created_at)
    .where(_C.delivered_at.is_(None), _C.id > sa.bindparam("after"))
    .order_by(_C.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_DELIVERED = Prepared(
    sa.update(_OUTBOX)
    .where(_C.id == sa.bindparam("message"), _C.delivered_at.is_(None))
    .values(delivered_at=sa.bindparam("now", type_=Instant))
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said to whom: `topic` names the channel's business, `key` is the id that receivers know it by."""

    key: str
    topic: str
    ticket_id: int | None
    payload: Any


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
            }
            for message in messages
        ],
    )


def put(session: Session, key: str, topic: str, ticket_id: int | None, payload: Any, now: datetime) -> bool:
    """Add a message; whether it is new. A key that is there already says the same thing: nothing is added, nothing fails."""
    added = session.run(_PUT, key=key, topic=topic, ticket_id=ticket_id, payload=payload, created_at=now)
    return added == 1


def pending(session: Session, limit: int, after: int = 0) -> list[Any]:
    """What was not delivered yet, the oldest first, after the message with id `after`."""
    return session.all(_PENDING, limit=limit, after=after)


def delivered(session: Session, message_id: int, now: datetime) -> bool:
    """Note that a message has arrived; whether this was the first to say so."""
    return session.run(_DELIVERED, message=message_id, now=now) == 1
