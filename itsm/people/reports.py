"""Acting for others: by a right that holds for everybody, or as the manager of somebody, however many steps above him."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from itsm.people.access import Actor, Permission, require
from itsm.people.models import User
from itsm.platform.database import Prepared, Session

MOST_LEVELS: Final = 10
"""How far up the managers are followed; where two are said to manage each other, that ends it."""


def _chain() -> sa.CTE:
    """Those above a user, with how many steps each is above him."""
    step: sa.ColumnElement[int] = sa.literal_column("1")
    chain = (
        sa.select(User.manager_id.label("id"), step.label("step"))
        .where(User.login == sa.bindparam("login"), User.manager_id.is_not(None))
        .cte("above", recursive=True)
    )
    return chain.union_all(
        sa.select(User.manager_id, chain.c.step + step)
        .join_from(chain, User, User.id == chain.c.id)
        .where(User.manager_id.is_not(None), chain.c.step < MOST_LEVELS)
    )


_CHAIN = _chain()
_MANAGES = Prepared(sa.select(_CHAIN.c.id).where(_CHAIN.c.id == sa.bindparam("manager", type_=sa.BigInteger)).limit(1))


def manages(session: Session, manager: int | None, login: str) -> bool:
    """Whether a user, by row id, is the manager of another, or of one of his managers."""
    found: Any = None if manager is None else session.first(_MANAGES, login=login, manager=manager)
    return found is not None


def require_acting_for(session: Session, actor: Actor, login: str) -> None:
    """Raise `DeskError` (`forbidden`) unless the actor may open tickets in this user's name.

    Everybody may in his own; with `ticket.create_for_others` in anybody's; with `ticket.create_for_reports` in the name of
    those below him.
    """
    if login == actor.login or actor.may(Permission.CREATE_FOR_OTHERS):
        return
    if not (actor.may(Permission.CREATE_FOR_REPORTS) and manages(session, actor.id, login)):
        require(actor, Permission.CREATE_FOR_OTHERS)
