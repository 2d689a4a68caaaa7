"""Reading who there is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itsm.people.access import Actor
from itsm.people.models import Group, Membership
from itsm.platform.database import Prepared, Session

_GROUPS_OF = Prepared(
    sa.select(Group.key, Group.name, Membership.access)
    .join(Membership, Membership.group_id == Group.id)
    .where(Membership.user_id == sa.bindparam("user"))
    .order_by(Group.key)
)


def groups_of(session: Session, actor: Actor) -> list[Any]:
    """The groups that a person belongs to: key, name, and the access he has there."""
    return session.all(_GROUPS_OF, user=actor.id)
