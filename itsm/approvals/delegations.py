"""Letting somebody decide in one's place for a while, and taking that back.

A delegation is one's own to give; it reaches as far as the configuration says, never in a circle, and never to somebody whom
the rules would not let decide. On a single ticket its parties are turned away whoever has delegated to them (`commands.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.approvals.asking import ROOT
from itsm.approvals.models import Approval, Delegation
from itsm.approvals.policy import Book
from itsm.approvals.rules import Handing, closes_a_circle
from itsm.people import commands as people
from itsm.people.access import Permission, require
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid
from itsm.platform.schema import Instant, table
from itsm.platform.time import rfc3339
from itsm.tickets.desk import Tx
from itsm.tickets.models import Reader

_DELEGATIONS, _READERS = table(Delegation), table(Reader)
_NOW: sa.BindParameter[Any] = sa.bindparam("now", type_=Instant)
_ME: sa.BindParameter[Any] = sa.bindparam("me", type_=sa.BigInteger)
_PRINCIPAL, _DELEGATE = aliased(User), aliased(User)
_PEOPLE = Prepared(
    sa.select(User.id, User.login, User.roles, User.active, User.organisation_id, ROOT.label("root")).where(
        sa.or_(User.login == sa.bindparam("login"), User.id == _ME)
    )
)
_OVERLAPPING = Prepared(
    sa.select(Delegation.principal_id, Delegation.delegate_id).where(
        Delegation.revoked_at.is_(None),
        Delegation.starts_at < sa.bindparam("until", type_=Instant),
        Delegation.ends_at > sa.bindparam("since", type_=Instant),
    )
)
_INSERT = Prepared(
    sa.insert(_DELEGATIONS)
    .values(
        {name: sa.bindparam(name) for name in ("principal_id", "delegate_id", "starts_at", "ends_at", "note", "created_at")}
    )
    .returning(_DELEGATIONS.c.id)
)
_LET_SEE = Prepared(
    sa.insert(_READERS).from_select(
        ["ticket_id", "user_id"],
        sa.select(Approval.ticket_id, sa.cast(sa.bindparam("delegate"), sa.BigInteger))
        .where(
            Approval.approver_id == _ME,
            Approval.decision.is_(None),
            Approval.ticket_id.not_in(sa.select(_READERS.c.ticket_id).where(_READERS.c.user_id == sa.bindparam("delegate"))),
        )
        .distinct(),
    )
)
_SELECT = (
    sa.select(
        Delegation.id,
        _PRINCIPAL.login.label("principal"),
        _DELEGATE.login.label("delegate"),
        Delegation.starts_at,
        Delegation.ends_at,
        Delegation.note,
        Delegation.revoked_at,
    )
    .join(_PRINCIPAL, _PRINCIPAL.id == Delegation.principal_id)
    .join(_DELEGATE, _DELEGATE.id == Delegation.delegate_id)
)
_MINE = Prepared(
    _SELECT.where(
        sa.or_(Delegation.principal_id == _ME, Delegation.delegate_id == _ME),
        Delegation.revoked_at.is_(None),
        Delegation.ends_at > _NOW,
    )
    .order_by(Delegation.starts_at, Delegation.id)
    .limit(100)
)
_ONE = Prepared(_SELECT.where(Delegation.id == sa.bindparam("delegation"), Delegation.principal_id == _ME))
_REVOKE = Prepared(
    sa.update(_DELEGATIONS)
    .where(
        _DELEGATIONS.c.id == sa.bindparam("delegation"), _DELEGATIONS.c.principal_id == _ME, _DELEGATIONS.c.revoked_at.is_(None)
    )
    .values(revoked_at=_NOW)
)


@dataclass(frozen=True, slots=True)
class NewDelegation:
    """Whom one lets decide, from when to when."""

    delegate: str
    starts_at: datetime
    ends_at: datetime
    note: str = ""


def delegate(tx: Tx, new: NewDelegation) -> int:
    """Let somebody decide in the actor's place for a period; the row id.

    Raises `DeskError`: `forbidden` for an actor who may decide nothing himself, `invalid_input` naming at once all that is
    wrong: a period that is over, ends before it begins, or is too long; somebody who is not there, is oneself by another
    account, may not decide, is of another organisation, or has in turn let oneself decide (a circle).
    """
    require(tx.actor, Permission.DECIDE)
    rows = {row.login: row for row in tx.session.all(_PEOPLE, login=new.delegate, me=tx.actor.id)}
    errors = [*_wrong_period(tx, new), *_wrong_person(tx, rows.get(new.delegate), rows[tx.actor.login])]
    if not errors:
        errors = _circle(tx, new, rows[new.delegate].id)
    if errors:
        raise invalid(*errors, detail=" ".join(error.message for error in errors))
    other = rows[new.delegate].id
    row = tx.session.one(
        _INSERT,
        principal_id=tx.actor.id,
        delegate_id=other,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        note=new.note,
        created_at=tx.now,
    )
    tx.session.run(_LET_SEE, me=tx.actor.id, delegate=other)
    _tell(tx, "approvals_delegated", row.id, new.delegate, since=rfc3339(new.starts_at), until=rfc3339(new.ends_at))
    return int(row.id)


def _wrong_period(tx: Tx, new: NewDelegation) -> Iterator[FieldError]:
    longest = tx.desk.part(Book).delegating.longest_days
    if new.ends_at <= tx.now:
        yield FieldError("/ends_at", "in_the_past", "This period is over already.")
    if new.ends_at <= new.starts_at:
        yield FieldError("/ends_at", "ends_before_it_starts", "A period ends after it has begun.")
    elif new.ends_at - new.starts_at > timedelta(days=longest):
        yield FieldError("/ends_at", "too_long", f"Decisions are delegated for {longest} days at most.")


def _wrong_person(tx: Tx, other: Any, me: Any) -> Iterator[FieldError]:
    roles = tx.desk.roles
    if other is None or not other.active:
        yield FieldError("/delegate", "unknown_reference", "There is no such active user.")
    elif other.root == me.root:
        yield FieldError("/delegate", "oneself", "Nobody decides in his own place, by whatever account.")
    elif Permission.DECIDE not in roles.expand(roles.held(frozenset(other.roles))):
        yield FieldError("/delegate", "may_not_decide", f"{other.login} has no role that lets him decide.")
    elif other.organisation_id != me.organisation_id:
        yield FieldError("/delegate", "other_organisation", f"{other.login} does not belong to your organisation.")


def _circle(tx: Tx, new: NewDelegation, other: int) -> list[FieldError]:
    rows = tx.session.all(_OVERLAPPING, since=new.starts_at, until=new.ends_at)
    handings = [Handing(row.principal_id, row.delegate_id) for row in rows]
    assert tx.actor.id is not None
    if not closes_a_circle(Handing(tx.actor.id, other), handings):
        return []
    return [FieldError("/delegate", "delegation_cycle", f"{new.delegate} has let you decide meanwhile, perhaps by others.")]


def revoke(tx: Tx, delegation_id: int) -> None:
    """Take a delegation back that one has given. Raises `not_found`."""
    row = tx.session.first(_ONE, delegation=delegation_id, me=tx.actor.id)
    if row is None or tx.session.run(_REVOKE, delegation=delegation_id, me=tx.actor.id, now=tx.now) != 1:
        raise DeskError(Kind.NOT_FOUND, "not_found", f"You have given no delegation “{delegation_id}”.")
    _tell(tx, "approvals_delegation_revoked", delegation_id, row.delegate)


def mine(tx: Tx) -> list[Any]:
    """The delegations that the actor has given or been given, now and to come, the earliest first."""
    return tx.session.all(_MINE, me=tx.actor.id, now=tx.now)


def _tell(tx: Tx, kind: str, delegation_id: int, to: str, **more: str) -> None:
    people.tell(tx.session, tx.now, tx.actor.login, kind, {"delegation": delegation_id, "to": to, **more})
