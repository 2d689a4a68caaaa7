"""Calls that wait for their answer, and receivers that want no more, as rows: made, found, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.delivery.models import WebhookCall, WebhookStop
from itsm.platform.database import Prepared, Session
from itsm.platform.schema import Instant, Json, table
from itsm.tickets.models import Ticket


class Stand(StrEnum):
    """How a call stands. Only one that waits can come to another end."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNANSWERED = "unanswered"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is to be answered. `ticket_state` is where its ticket stands now, `state_at` where it stood then."""

    id: int
    key: str
    message: str
    ticket_id: int
    endpoint: str
    state_at: str
    field: str | None
    sent: int
    state: str
    digest: str | None
    answer: Any
    ticket_state: str

    @property
    def waits(self) -> bool:
        """Whether it has come to no end yet."""
        return self.state == Stand.WAITING

    @property
    def awaited(self) -> bool:
        """Whether its ticket still stands where the answer matters."""
        return self.waits and self.ticket_state == self.state_at


_CALLS, _STOPS = table(WebhookCall), table(WebhookStop)
_C = _CALLS.c
_NOW = sa.bindparam("now", type_=Instant)
_COLUMNS = ("id", "key", "message", "ticket_id", "endpoint", "state_at", "field", "sent", "state", "digest", "answer")
_READ = (
    sa.select(*(_C[name] for name in _COLUMNS), Ticket.state.label("ticket_state"))
    .select_from(_CALLS)
    .join(Ticket, Ticket.id == _C.ticket_id)
)
_BY_KEY = Prepared(_READ.where(_C.key == sa.bindparam("wanted")))
_BY_MESSAGE = Prepared(_READ.where(_C.message == sa.bindparam("wanted")))
_WAITING = sa.and_(_C.id == sa.bindparam("call"), _C.state == Stand.WAITING.value)
_SUPERSEDE = Prepared(
    sa.update(_CALLS)
    .where(_C.ticket_id == sa.bindparam("ticket"), _C.state == Stand.WAITING.value)
    .values(state=Stand.WITHDRAWN.value, ended_at=_NOW)
)
_MAKE = Prepared(
    sa.insert(_CALLS).values(
        {name: sa.bindparam(name) for name in ("key", "message", "ticket_id", "endpoint", "state_at", "field")}
        | {"sent": 1, "state": Stand.WAITING.value, "called_at": _NOW}
    )
)
_AGAIN = Prepared(sa.update(_CALLS).where(_WAITING).values(sent=_C.sent + 1))
_END = Prepared(
    sa.update(_CALLS)
    .where(_WAITING)
    .values(
        state=sa.bindparam("came_to"),
        ended_at=_NOW,
        digest=sa.bindparam("said"),
        answer=sa.bindparam("told", type_=Json),
    )
)
_STOPPED = Prepared(sa.select(_STOPS.c.at).where(_STOPS.c.endpoint == sa.bindparam("wanted")))
_STOP = Prepared(
    postgresql.insert(_STOPS)  # ON CONFLICT is the same in both databases
    .values(endpoint=sa.bindparam("endpoint"), at=_NOW)
    .on_conflict_do_nothing(index_elements=["endpoint"])
)
_GO = Prepared(sa.delete(_STOPS).where(_STOPS.c.endpoint == sa.bindparam("wanted")))


def find(session: Session, key: str) -> Call | None:
    """The call with this webhook-id."""
    return _call(session.first(_BY_KEY, wanted=key))


def of_message(session: Session, message: str) -> Call | None:
    """The call that a message of the outbox makes, if it is one that is to be answered."""
    return _call(session.first(_BY_MESSAGE, wanted=message))


def _call(row: Any) -> Call | None:
    return None if row is None else Call(*row)


def make(session: Session, now: datetime, **call: Any) -> None:
    """Keep a call that was made just now. Those of the same ticket that still wait are withdrawn: this one counts."""
    session.run(_SUPERSEDE, ticket=call["ticket_id"], now=now)
    session.run(_MAKE, now=now, **call)


def sent_again(session: Session, call: Call) -> None:
    """Count that a call is made once more."""
    session.run(_AGAIN, call=call.id)


def end(session: Session, call: Call, stand: Stand, now: datetime, digest: str | None = None, answer: Any = None) -> None:
    """Note what came of a call that waits."""
    session.run(_END, call=call.id, came_to=stand.value, now=now, said=digest, told=answer)


def stop(session: Session, endpoint: str, now: datetime) -> None:
    """Note that a receiver wants no more."""
    session.run(_STOP, endpoint=endpoint, now=now)


def is_stopped(session: Session, endpoint: str) -> bool:
    """Whether a receiver wants no more."""
    return session.first(_STOPPED, wanted=endpoint) is not None


def go_on(session: Session, endpoint: str) -> None:
    """Send to a receiver again."""
    session.run(_GO, wanted=endpoint)
