"""Who is in a group and could take a ticket: whose turn it was, how much everybody has, who is away, who leads.

A routing that chooses somebody first takes the lock of the group's row of turns and counts then, so two that run at once see
each other's choice, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.assignment.models import Absence, Turn
from itsm.assignment.rules import Candidate
from itsm.people.models import Group, Membership, User
from itsm.platform.database import Prepared
from itsm.platform.schema import Instant, table
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.workflow.definition import Category

_TURNS = table(Turn)
_KEY: sa.BindParameter[str] = sa.bindparam("key", type_=sa.Text)
_GROUP: sa.BindParameter[int] = sa.bindparam("group", type_=sa.BigInteger)
_NOW: sa.BindParameter[Any] = sa.bindparam("now", type_=Instant)
_OPEN = (Category.NEW.value, Category.OPEN.value, Category.PENDING.value)

_LOOK = Prepared(sa.select(Group.id, Turn.last_user_id).outerjoin(Turn, Turn.group_id == Group.id).where(Group.key == _KEY))
_TAKE = Prepared(
    postgresql.insert(_TURNS)  # ON CONFLICT is the same in both databases; SQLite compiles PostgreSQL's construct
    .from_select(["group_id", "given"], sa.select(Group.id, sa.literal_column("0")).where(Group.key == _KEY))
    .on_conflict_do_update(index_elements=["group_id"], set_={"given": _TURNS.c.given})
    .returning(_TURNS.c.group_id.label("id"), _TURNS.c.last_user_id)
)
_NOTE = Prepared(
    sa.update(_TURNS)
    .where(_TURNS.c.group_id == _GROUP)
    .values(given=_TURNS.c.given + 1, last_user_id=sa.bindparam("user", type_=sa.BigInteger))
)
_MEMBERS = Prepared(
    sa.select(
        User.id,
        User.login,
        sa.select(sa.func.count())
        .select_from(Ticket)
        .where(Ticket.assignee_id == User.id, sa.or_(*(Ticket.category == each for each in _OPEN)))
        .scalar_subquery()
        .label("load"),
        sa.exists()
        .where(Absence.user_id == User.id, Absence.starts_at <= _NOW, Absence.ends_at > _NOW, Absence.cancelled_at.is_(None))
        .label("absent"),
    )
    .join(Membership, Membership.user_id == User.id)
    .where(Membership.group_id == _GROUP, Membership.access == "full", User.active)
    .order_by(User.id)
)
_LEAD = Prepared(sa.select(User.id, User.login).join(Group, Group.lead_id == User.id).where(Group.id == _GROUP, User.active))


class Look(Enum):
    """Whether one only looks at a group's turns, or is to take one."""

    ONLY = "only"
    TO_TAKE = "to take"


@dataclass(frozen=True, slots=True)
class Place:
    """A group by its row id, and who had its last turn."""

    id: int
    last: int | None


def place(tx: Tx, group: str, look: Look) -> Place | None:
    """A group; None if there is none of this key. Who is to take a turn holds its lock from now on."""
    row = tx.session.first(_LOOK if look is Look.ONLY else _TAKE, key=group)
    return None if row is None else Place(row.id, row.last_user_id)


def members(tx: Tx, group_id: int) -> list[Candidate]:
    """Those who may act for a group, in the order of their row ids."""
    rows = tx.session.all(_MEMBERS, group=group_id, now=tx.now)
    return [Candidate(row.id, row.login, int(row.load), bool(row.absent)) for row in rows]


def took(tx: Tx, group_id: int, user_id: int) -> None:
    """Note that somebody had a turn."""
    tx.session.run(_NOTE, group=group_id, user=user_id)


def lead(tx: Tx, group_id: int) -> Candidate | None:
    """Who leads a group, if somebody does who has not left."""
    row = tx.session.first(_LEAD, group=group_id)
    return None if row is None else Candidate(row.id, row.login)
