"""Entering when somebody is away, and who stands in on call; calling both off. Each deed leaves an event for the auditor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.assignment.models import Absence, OnCallOverride
from itsm.assignment.table import Table
from itsm.people import commands as people
from itsm.people.access import Permission
from itsm.people.models import Group, Membership, User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import Instant, table
from itsm.platform.time import rfc3339
from itsm.tickets.desk import Tx

LONGEST: Final = timedelta(days=366)

_ABSENCES, _OVERRIDES = table(Absence), table(OnCallOverride)
_NOW: sa.BindParameter[Any] = sa.bindparam("now", type_=Instant)
_ME: sa.BindParameter[int] = sa.bindparam("me", type_=sa.BigInteger)
_ID: sa.BindParameter[int] = sa.bindparam("row", type_=sa.BigInteger)
_PERSON = Prepared(sa.select(User.id).where(User.login == sa.bindparam("login"), User.active))
_GROUP = Prepared(sa.select(Group.id, Group.lead_id).where(Group.key == sa.bindparam("key")))
_LED = sa.select(Membership.user_id).join(Group, Group.id == Membership.group_id).where(Group.lead_id == _ME)
_LEADS = Prepared(_LED.where(Membership.user_id == sa.bindparam("user", type_=sa.BigInteger)))
_PERIOD = ("starts_at", "ends_at", "note", "entered_by_id", "entered_at")
_ADD_ABSENCE = Prepared(
    sa.insert(_ABSENCES).values({name: sa.bindparam(name) for name in ("user_id", *_PERIOD)}).returning(_ABSENCES.c.id)
)
_ADD_OVERRIDE = Prepared(
    sa.insert(_OVERRIDES)
    .values({name: sa.bindparam(name) for name in ("group_id", "layer", "user_id", *_PERIOD)})
    .returning(_OVERRIDES.c.id)
)
_BY = aliased(User)
_ABSENCE_COLUMNS = (
    sa.select(
        Absence.id,
        Absence.user_id,
        User.login,
        Absence.starts_at,
        Absence.ends_at,
        Absence.note,
        _BY.login.label("entered_by"),
    )
    .join(User, User.id == Absence.user_id)
    .outerjoin(_BY, _BY.id == Absence.entered_by_id)
    .where(Absence.cancelled_at.is_(None))
)
_ABSENT = Prepared(
    _ABSENCE_COLUMNS.where(Absence.ends_at > _NOW, sa.or_(Absence.user_id == _ME, Absence.user_id.in_(_LED)))
    .order_by(Absence.starts_at, Absence.id)
    .limit(500)
)
_ABSENCE = Prepared(_ABSENCE_COLUMNS.where(Absence.id == _ID))
_CANCEL_ABSENCE = Prepared(
    sa.update(_ABSENCES).where(_ABSENCES.c.id == _ID, _ABSENCES.c.cancelled_at.is_(None)).values(cancelled_at=_NOW)
)
_OVERRIDE = Prepared(
    sa.select(OnCallOverride.id, Group.key.label("group"), Group.lead_id, User.login)
    .join(Group, Group.id == OnCallOverride.group_id)
    .join(User, User.id == OnCallOverride.user_id)
    .where(OnCallOverride.id == _ID, OnCallOverride.cancelled_at.is_(None))
)
_CANCEL_OVERRIDE = Prepared(
    sa.update(_OVERRIDES).where(_OVERRIDES.c.id == _ID, _OVERRIDES.c.cancelled_at.is_(None)).values(cancelled_at=_NOW)
)


@dataclass(frozen=True, slots=True)
class NewAbsence:
    """Who is away from when to when; without a login, whoever enters it."""

    starts_at: datetime
    ends_at: datetime
    login: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewOverride:
    """Who is on call in a layer of a group's rota, from when to when."""

    group: str
    layer: str
    login: str
    starts_at: datetime
    ends_at: datetime
    note: str = ""


def absences(tx: Tx) -> list[Any]:
    """The absences, present and to come, of the actor and of the members of groups that he leads."""
    return tx.session.all(_ABSENT, me=tx.actor.id, now=tx.now)


def absence(tx: Tx, row: int) -> Any:
    """One absence, whoever's it is. Raises `not_found`."""
    found = tx.session.first(_ABSENCE, row=row)
    if found is None:
        raise not_found("absence", str(row))
    return found


def enter_absence(tx: Tx, new: NewAbsence) -> int:
    """Say that somebody is away; the row id.

    Raises `DeskError`: `forbidden` for whoever is neither he nor leads a group that he is in nor administers users, and
    `invalid_input` naming at once all that is wrong.
    """
    login = new.login or tx.actor.login
    person = tx.session.first(_PERSON, login=login)
    errors = [*_wrong_period(tx, new.starts_at, new.ends_at)]
    if person is None:
        errors.append(FieldError("/login", "unknown_reference", f"There is no active user “{login}”."))
    else:
        _refuse_stranger(tx, person.id)
    if errors:
        raise invalid(*errors, detail=" ".join(error.message for error in errors))
    row = tx.session.one(_ADD_ABSENCE, user_id=person.id, **_entered(tx, new.starts_at, new.ends_at, new.note))
    _tell(tx, "absence_entered", row.id, login, since=rfc3339(new.starts_at), until=rfc3339(new.ends_at))
    return int(row.id)


def cancel_absence(tx: Tx, row: int) -> None:
    """Call an absence off. Raises `not_found`, also for whoever may not."""
    found = tx.session.first(_ABSENCE, row=row)
    if found is None or not _may_speak_for(tx, found.user_id) or tx.session.run(_CANCEL_ABSENCE, row=row, now=tx.now) != 1:
        raise not_found("absence", str(row))
    _tell(tx, "absence_cancelled", row, found.login)


def enter_override(tx: Tx, new: NewOverride) -> int:
    """Say who is on call in a layer for a period; the row id.

    Raises `DeskError`: `forbidden` for whoever neither leads the group nor administers users, and `invalid_input`.
    """
    group = tx.session.first(_GROUP, key=new.group)
    layers = [layer.name for layer in tx.desk.part(Table).book.on_call.get(new.group, ())]
    person = tx.session.first(_PERSON, login=new.login)
    if group is not None and not _leads(tx, group.lead_id):
        raise DeskError(Kind.FORBIDDEN, "forbidden", f"Only the lead of {new.group} says who stands in on call.")
    errors = [*_wrong_period(tx, new.starts_at, new.ends_at)]
    if group is None or not layers:
        errors.append(FieldError("/group", "unknown_reference", f"There is no rota of a group “{new.group}”."))
    elif new.layer not in layers:
        errors.append(FieldError("/layer", "unknown_reference", f"Its layers are {', '.join(layers)}."))
    if person is None:
        errors.append(FieldError("/login", "unknown_reference", f"There is no active user “{new.login}”."))
    if errors:
        raise invalid(*errors, detail=" ".join(error.message for error in errors))
    period = _entered(tx, new.starts_at, new.ends_at, new.note)
    row = tx.session.one(_ADD_OVERRIDE, group_id=group.id, layer=new.layer, user_id=person.id, **period)
    span = {"since": rfc3339(new.starts_at), "until": rfc3339(new.ends_at)}
    _tell(tx, "on_call_override_entered", row.id, new.login, group=new.group, layer=new.layer, **span)
    return int(row.id)


def cancel_override(tx: Tx, row: int) -> None:
    """Call a stand-in off. Raises `not_found`, also for whoever may not."""
    found = tx.session.first(_OVERRIDE, row=row)
    if found is None or not _leads(tx, found.lead_id) or tx.session.run(_CANCEL_OVERRIDE, row=row, now=tx.now) != 1:
        raise not_found("stand-in", str(row))
    _tell(tx, "on_call_override_cancelled", row, found.login, group=found.group)


def _wrong_period(tx: Tx, starts_at: datetime, ends_at: datetime) -> Iterator[FieldError]:
    if ends_at <= tx.now:
        yield FieldError("/ends_at", "in_the_past", "This period is over already.")
    if ends_at <= starts_at:
        yield FieldError("/ends_at", "ends_before_it_starts", "A period ends after it has begun.")
    elif ends_at - starts_at > LONGEST:
        yield FieldError("/ends_at", "too_long", f"A period lasts {LONGEST.days} days at most.")


def _entered(tx: Tx, starts_at: datetime, ends_at: datetime, note: str) -> dict[str, Any]:
    return {
        "starts_at": starts_at,
        "ends_at": ends_at,
        "note": note,
        "entered_by_id": tx.actor.id,
        "entered_at": tx.now,
    }


def _refuse_stranger(tx: Tx, user_id: int) -> None:
    if not _may_speak_for(tx, user_id):
        raise DeskError(Kind.FORBIDDEN, "forbidden", "Only he himself, or who leads a group of his, says when he is away.")


def _may_speak_for(tx: Tx, user_id: int) -> bool:
    if tx.actor.id == user_id or tx.actor.is_system or tx.actor.may(Permission.ADMINISTER_USERS):
        return True
    return tx.session.first(_LEADS, me=tx.actor.id, user=user_id) is not None


def _leads(tx: Tx, lead_id: int | None) -> bool:
    return tx.actor.is_system or tx.actor.may(Permission.ADMINISTER_USERS) or (lead_id is not None and lead_id == tx.actor.id)


def _tell(tx: Tx, kind: str, row: int, login: str, **more: Any) -> None:
    people.tell(tx.session, tx.now, tx.actor.login, kind, {"id": row, "login": login, **more})
