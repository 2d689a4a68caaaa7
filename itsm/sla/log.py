"""Ticket events as clocks are made of them: selected, and decoded to `LoggedEvent`.

Instants stay the whole microseconds that they are kept as, and payloads are decoded for those tickets only that are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import orjson
import sqlalchemy as sa

from itsm.platform.database import Prepared, Session
from itsm.sla.replay import LoggedEvent
from itsm.tickets.models import TicketEvent

COLUMNS: Final = (
    TicketEvent.ticket_id,
    sa.type_coerce(TicketEvent.at, sa.BigInteger).label("at"),
    TicketEvent.kind,
    TicketEvent.actor,
    TicketEvent.payload,
)
"""What `decoded` takes, in this order."""

_LATEST: Final = 2**62
_STORY = Prepared(
    sa.select(*COLUMNS)
    .where(
        TicketEvent.ticket_id == sa.bindparam("ticket", type_=sa.BigInteger),
        TicketEvent.seq <= sa.bindparam("until", type_=sa.BigInteger),
    )
    .order_by(TicketEvent.seq)
)


def story(session: Session, ticket_id: int, until: int = _LATEST) -> list[LoggedEvent]:
    """The events of a ticket in their order, up to the one with the number `until`."""
    return decoded(session.all(_STORY, ticket=ticket_id, until=until))


def decoded(rows: Iterable[Any]) -> list[LoggedEvent]:
    """Rows of `COLUMNS` as events."""
    return [(at, kind, actor, orjson.loads(text)) for _, at, kind, actor, text in rows]


def by_ticket(rows: Iterable[Any]) -> dict[int, list[Any]]:
    """Rows that begin with a ticket's row id, and are ordered by it, by ticket."""
    return {ticket: list(its) for ticket, its in groupby(rows, itemgetter(0))}
