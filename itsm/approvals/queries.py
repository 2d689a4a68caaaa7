"""Who is asked to approve what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itsm.approvals.models import Approval
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

MOST = 100

_COLUMNS = (
    Approval.id,
    Approval.round,
    Approval.needed,
    Approval.decision,
    Approval.requested_at,
    Approval.decided_at,
    Approval.comment,
    Ticket.number,
    Ticket.title,
    Ticket.type,
    User.login.label("approver"),
)
_SELECT = (
    sa.select(*_COLUMNS)
    .join(Ticket, Ticket.id == Approval.ticket_id)
    .join(User, User.id == Approval.approver_id)
    .order_by(Approval.id)
)
_MINE = {
    kind: Prepared(
        _SELECT.where(Approval.approver_id == sa.bindparam("me"), Approval.decision.is_(None), visible_to(kind)).limit(MOST)
    )
    for kind in SIGHTS
}
_OF_TICKET = {kind: Prepared(_SELECT.where(Ticket.number == sa.bindparam("number"), visible_to(kind))) for kind in SIGHTS}


def mine(tx: Tx) -> list[Any]:
    """The open questions put to the actor, oldest first."""
    return tx.session.all(_MINE[sight(tx.actor)], me=tx.actor.id, **parameters(tx.actor))


def of_ticket(tx: Tx, number: str) -> list[Any]:
    """Every question ever asked about a ticket that the actor sees, oldest first."""
    return tx.session.all(_OF_TICKET[sight(tx.actor)], number=number, **parameters(tx.actor))
