"""Whom the directory names near a ticket besides its own people: who answers for its service, and the requester's manager."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.services.models import Service
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record

_OWNER = Prepared(
    sa.select(User.login).join(Service, Service.owner_id == User.id).where(Service.id == sa.bindparam("service"), User.active)
)
_REPORT = aliased(User)
_MANAGER = Prepared(
    sa.select(User.login)
    .join(_REPORT, _REPORT.manager_id == User.id)
    .where(_REPORT.id == sa.bindparam("requester"), User.active)
)


def service_owner(tx: Tx, record: Record) -> list[str]:
    """The login of whoever answers for the ticket's service; nobody where there is no service, no owner, or he has left."""
    service = record.ids.get("service")
    return [] if service is None else [row.login for row in tx.session.all(_OWNER, service=service)]


def manager(tx: Tx, record: Record) -> list[str]:
    """The login of the requester's manager; nobody where there is none, or he has left."""
    requester = record.ids.get("requester")
    return [] if requester is None else [row.login for row in tx.session.all(_MANAGER, requester=requester)]
