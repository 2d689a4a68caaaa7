"""Who is on call, from the rotas of the file and from what was entered at run time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from itsm.assignment import rota
from itsm.assignment.models import Absence, OnCallOverride
from itsm.assignment.rota import Away, Duty, Roster, StandIn
from itsm.assignment.table import Table
from itsm.people.models import Group, User
from itsm.platform.database import Prepared
from itsm.platform.errors import not_found
from itsm.platform.schema import Instant
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record

LONGEST: Final = timedelta(days=92)
"""The longest stretch of a rota that is told at once."""

_FROM: sa.BindParameter[Any] = sa.bindparam("since", type_=Instant)
_UNTIL: sa.BindParameter[Any] = sa.bindparam("until", type_=Instant)
_STAND_INS = Prepared(
    sa.select(OnCallOverride.id, OnCallOverride.layer, User.login, OnCallOverride.starts_at, OnCallOverride.ends_at)
    .join(User, User.id == OnCallOverride.user_id)
    .join(Group, Group.id == OnCallOverride.group_id)
    .where(
        Group.key == sa.bindparam("key"),
        OnCallOverride.cancelled_at.is_(None),
        OnCallOverride.starts_at < _UNTIL,
        OnCallOverride.ends_at > _FROM,
    )
    .order_by(OnCallOverride.id)
)
_AWAY = Prepared(
    sa.select(User.login, Absence.starts_at, Absence.ends_at)
    .join(User, User.id == Absence.user_id)
    .where(Absence.cancelled_at.is_(None), Absence.starts_at < _UNTIL, Absence.ends_at > _FROM)
    .order_by(Absence.id)
)
_ACTIVE = Prepared(sa.select(User.login).where(User.login == sa.bindparam("login"), User.active))


def rotas(tx: Tx) -> Collection[str]:
    """The groups that have a rota."""
    return tx.desk.part(Table).book.on_call.keys()


def duties(tx: Tx, group: str, start: datetime, end: datetime) -> list[Duty]:
    """Who is on call for a group from one instant to another, layer by layer, gaps included. Raises `not_found`."""
    layers = tx.desk.part(Table).book.on_call.get(group)
    if layers is None:
        raise not_found("rota of a group", group)
    roster = _roster(tx, group, start, end)
    return [duty for layer in layers for duty in rota.duties(layer, roster, start, end)]


def present(tx: Tx, group: str) -> list[Duty]:
    """Who is on call for a group now, one for each layer; nothing for a group without a rota."""
    layers = tx.desk.part(Table).book.on_call.get(group, ())
    if not layers:
        return []
    roster = _roster(tx, group, tx.now, tx.now + timedelta(microseconds=1))
    return [rota.now(layer, roster, tx.now) for layer in layers]


def recipients(tx: Tx, record: Record) -> list[str]:
    """Whom a message to `on_call` reaches: who is on call for the ticket's group, in the first layer that has somebody."""
    group = record.values.get("group")
    duties = present(tx, group) if isinstance(group, str) else []
    for duty in duties:
        if duty.login is not None and tx.session.first(_ACTIVE, login=duty.login) is not None:
            return [duty.login]
    return []


def _roster(tx: Tx, group: str, start: datetime, end: datetime) -> Roster:
    span = {"since": start, "until": end}
    stand_ins = [StandIn(*row) for row in tx.session.all(_STAND_INS, key=group, **span)]
    away = [Away(*row) for row in tx.session.all(_AWAY, **span)]
    return Roster(stand_ins, away, tx.desk.calendars)
