"""What lies in the outbox, for tests that ask who was told what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itsm.platform.database import Prepared, Session
from itsm.platform.schema import table
from itsm.platform.work import OutboxMessage

_C = table(OutboxMessage).c
_PENDING = Prepared(
    sa.select(_C.id, _C.key, _C.topic, _C.ticket_id, _C.payload, _C.created_at).where(_C.delivered_at.is_(None)).order_by(_C.id)
)


def pending(session: Session) -> list[Any]:
    """What was not delivered yet, the oldest first."""
    return session.all(_PENDING)
