"""Keeping people: organisations, users, groups, memberships. Each deed leaves an event for the auditor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from itsm.people.access import Roles
from itsm.people.models import Group, Membership, Organisation, PeopleEvent, Token, User
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import table

_ORGANISATIONS, _USERS, _GROUPS = table(Organisation), table(User), table(Group)
_MEMBERSHIPS, _EVENTS, _TOKENS = table(Membership), table(PeopleEvent), table(Token)
_KEY: sa.BindParameter[Any] = sa.bindparam("key")

_ORGANISATION = Prepared(sa.select(Organisation.id).where(Organisation.key == _KEY))
_GROUP = Prepared(sa.select(Group.id).where(Group.key == _KEY))
_USER = Prepared(sa.select(User.id).where(User.login == _KEY))
_ANY_USER = Prepared(sa.select(sa.func.count().label("n")).select_from(User))
_INSERT_ORGANISATION = Prepared(
    sa.insert(_ORGANISATIONS).values(key=_KEY, name=sa.bindparam("name")).returning(_ORGANISATIONS.c.id)
)
_INSERT_GROUP = Prepared(
    sa.insert(_GROUPS)
    .values(key=_KEY, name=sa.bindparam("name"), restricted=sa.bindparam("restricted"))
    .returning(_GROUPS.c.id)
)
_SET_LEAD = Prepared(sa.update(_GROUPS).where(_GROUPS.c.key == _KEY).values(lead_id=sa.bindparam("lead")))
_INSERT_USER = Prepared(
    sa.insert(_USERS)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("login", "name", "email", "organisation_id", "roles", "sees_organisation", "active", "created_at")
        }
    )
    .returning(_USERS.c.id)
)
_MEMBER = Prepared(
    sa.select(Membership.access).where(Membership.user_id == sa.bindparam("user"), Membership.group_id == sa.bindparam("group"))
)
_JOIN = Prepared(
    sa.insert(_MEMBERSHIPS).values(user_id=sa.bindparam("user"), group_id=sa.bindparam("group"), access=sa.bindparam("access"))
)
_SET_ACCESS = Prepared(
    sa.update(_MEMBERSHIPS)
    .where(_MEMBERSHIPS.c.user_id == sa.bindparam("user"), _MEMBERSHIPS.c.group_id == sa.bindparam("group"))
    .values(access=sa.bindparam("granted"))
)
_LEAVE = Prepared(
    sa.delete(_MEMBERSHIPS).where(
        _MEMBERSHIPS.c.user_id == sa.bindparam("user"), _MEMBERSHIPS.c.group_id == sa.bindparam("group")
    )
)
_SET_ACTIVE = Prepared(sa.update(_USERS).where(_USERS.c.id == sa.bindparam("user")).values(active=sa.bindparam("active")))
_SET_ROLES = Prepared(sa.update(_USERS).where(_USERS.c.id == sa.bindparam("user")).values(roles=sa.bindparam("roles")))
_REVOKE_ALL = Prepared(
    sa.update(_TOKENS)
    .where(_TOKENS.c.user_id == sa.bindparam("user"), _TOKENS.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("now"))
)
_TELL = Prepared(sa.insert(_EVENTS).values({name: sa.bindparam(name) for name in ("at", "actor", "kind", "payload")}))


def tell(session: Session, now: datetime, actor: str, kind: str, payload: Mapping[str, Any]) -> None:
    """Leave an event about people or tokens for the auditor."""
    session.run(_TELL, at=now, actor=actor, kind=kind, payload=dict(payload))
    session.said.append((kind, payload))


def ensure_organisation(session: Session, key: str, name: str) -> int:
    """The organisation with this key, made if it is not there yet; its row id."""
    row = session.first(_ORGANISATION, key=key)
    return int(row.id if row else session.one(_INSERT_ORGANISATION, key=key, name=name).id)


def ensure_group(session: Session, key: str, name: str, *, restricted: bool = False) -> int:
    """The group with this key, made if it is not there yet; its row id."""
    row = session.first(_GROUP, key=key)
    return int(row.id if row else session.one(_INSERT_GROUP, key=key, name=name, restricted=restricted).id)


def set_lead(session: Session, group: str, login: str) -> None:
    """Make a user the lead of a group. Raises `not_found` for either."""
    if session.run(_SET_LEAD, key=group, lead=user_id(session, login)) != 1:
        raise not_found("group", group)


def add_user(
    session: Session,
    roles: Roles,
    login: str,
    name: str,
    granted: frozenset[str],
    now: datetime,
    actor: str,
    *,
    email: str | None = None,
    organisation: str | None = None,
    sees_organisation: bool = False,
    active: bool = True,
) -> int:
    """A new user; his row id.

    Raises `DeskError`: `login_taken`; `invalid_input` for a malformed login, an unknown role or organisation.
    """
    if not login or not login.isascii() or any(not (sign.isalnum() or sign in "._-@+") for sign in login) or len(login) > 100:
        message = "A login has 1 to 100 letters, digits or . _ - @ +"
        raise invalid(FieldError("/login", "invalid_value", message), detail=message)
    unknown = sorted(granted - set(roles.permissions))
    if unknown:
        message = f"There is no role {', '.join(unknown)}; there are {', '.join(sorted(roles.permissions))}."
        raise invalid(FieldError("/roles", "unknown_role", message), detail=message)
    organisation_id = None
    if organisation is not None:
        row = session.first(_ORGANISATION, key=organisation)
        if row is None:
            message = f"There is no organisation “{organisation}”."
            raise invalid(FieldError("/organisation", "unknown_reference", message), detail=message)
        organisation_id = row.id
    if session.first(_USER, key=login) is not None:
        raise DeskError(Kind.CONFLICT, "login_taken", f"There is a user “{login}” already.")
    user = session.one(
        _INSERT_USER,
        login=login,
        name=name,
        email=email,
        organisation_id=organisation_id,
        roles=sorted(granted),
        sees_organisation=sees_organisation,
        active=active,
        created_at=now,
    ).id
    tell(session, now, actor, "user_added", {"login": login, "roles": sorted(granted), "organisation": organisation})
    return int(user)


def user_id(session: Session, login: str) -> int:
    """The row id of a user, active or not. Raises `not_found`."""
    row = session.first(_USER, key=login)
    if row is None:
        raise not_found("user", login)
    return int(row.id)


def join(session: Session, login: str, group: str, now: datetime, actor: str, access: str = "full") -> None:
    """Make a user a member of a group with `full` or `read` access, also one who is with the other. Raises `not_found`."""
    user, group_id = user_id(session, login), _group_id(session, group)
    member = session.first(_MEMBER, user=user, group=group_id)
    if member is not None and member.access == access:
        return
    if member is None:
        session.run(_JOIN, user=user, group=group_id, access=access)
    else:
        session.run(_SET_ACCESS, user=user, group=group_id, granted=access)
    tell(session, now, actor, "joined", {"login": login, "group": group, "access": access})


def leave(session: Session, login: str, group: str, now: datetime, actor: str) -> None:
    """Take a user out of a group. Raises `not_found`."""
    if session.run(_LEAVE, user=user_id(session, login), group=_group_id(session, group)):
        tell(session, now, actor, "left", {"login": login, "group": group})


def set_roles(session: Session, roles: Roles, login: str, granted: frozenset[str], now: datetime, actor: str) -> None:
    """Give a user exactly these roles. Raises `not_found`, or `invalid_input` for an unknown role."""
    unknown = sorted(granted - set(roles.permissions))
    if unknown:
        message = f"There is no role {', '.join(unknown)}."
        raise invalid(FieldError("/roles", "unknown_role", message), detail=message)
    session.run(_SET_ROLES, user=user_id(session, login), roles=sorted(granted))
    tell(session, now, actor, "roles_set", {"login": login, "roles": sorted(granted)})


def deactivate(session: Session, login: str, now: datetime, actor: str) -> None:
    """Shut a user out: he can no longer act, and all his tokens are revoked. Raises `not_found`."""
    user = user_id(session, login)
    session.run(_SET_ACTIVE, user=user, active=False)
    session.run(_REVOKE_ALL, user=user, now=now)
    tell(session, now, actor, "deactivated", {"login": login})


def revoke_tokens(session: Session, login: str, now: datetime, actor: str) -> None:
    """Make every token of a user worthless, at once. Raises `not_found`."""
    session.run(_REVOKE_ALL, user=user_id(session, login), now=now)
    tell(session, now, actor, "tokens_revoked", {"login": login})


def nobody_yet(session: Session) -> bool:
    """Whether there is no user at all: a fresh installation."""
    return int(session.one(_ANY_USER).n) == 0


def _group_id(session: Session, key: str) -> int:
    row = session.first(_GROUP, key=key)
    if row is None:
        raise not_found("group", key)
    return int(row.id)
