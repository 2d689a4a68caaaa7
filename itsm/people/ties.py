"""How people stand to each other: who manages whom, which accounts are one person's, which cost centre somebody works for.

What must be decided by two people is decided by two persons: accounts that are linked here count as one.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from itsm.people.commands import tell, user_id
from itsm.people.models import User
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import FieldError, invalid
from itsm.platform.schema import table

_USERS = table(User)
_SET_MANAGER = Prepared(sa.update(_USERS).where(_USERS.c.id == sa.bindparam("user")).values(manager_id=sa.bindparam("manager")))
_SET_COST_CENTRE = Prepared(
    sa.update(_USERS).where(_USERS.c.id == sa.bindparam("user")).values(cost_centre=sa.bindparam("centre"))
)
_FIRST = Prepared(sa.select(sa.func.coalesce(User.same_as_id, User.id).label("id")).where(User.id == sa.bindparam("user")))
_LINK = Prepared(
    sa.update(_USERS)
    .where(sa.or_(_USERS.c.id == sa.bindparam("user"), _USERS.c.same_as_id == sa.bindparam("user")))
    .values(same_as_id=sa.bindparam("first"))
)
_PART = Prepared(sa.update(_USERS).where(_USERS.c.id == sa.bindparam("user")).values(same_as_id=None))


def set_manager(session: Session, login: str, manager: str, now: datetime, actor: str) -> None:
    """Say who manages somebody. Raises `not_found`, or `invalid_input` for somebody who would manage himself."""
    user, above = user_id(session, login), user_id(session, manager)
    if user == above:
        message = "Nobody manages himself."
        raise invalid(FieldError("/manager", "oneself", message), detail=message)
    session.run(_SET_MANAGER, user=user, manager=above)
    tell(session, now, actor, "manager_set", {"login": login, "manager": manager})


def set_cost_centre(session: Session, login: str, centre: str, now: datetime, actor: str) -> None:
    """Say which cost centre somebody works for. Raises `not_found`."""
    session.run(_SET_COST_CENTRE, user=user_id(session, login), centre=centre)
    tell(session, now, actor, "cost_centre_set", {"login": login, "cost_centre": centre})


def link_accounts(session: Session, login: str, first: str, now: datetime, actor: str) -> None:
    """Say that two accounts, and all that are linked to the first named, are one person's. Raises `not_found`.

    Linking an account to itself parts it from the others.
    """
    user, other = user_id(session, login), user_id(session, first)
    root = int(session.one(_FIRST, user=other).id)
    if user == other:
        session.run(_PART, user=user)
    elif root != user:
        session.run(_LINK, user=user, first=root)
    tell(session, now, actor, "accounts_linked", {"login": login, "first": first})
