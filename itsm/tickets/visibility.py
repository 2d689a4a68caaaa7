"""Who sees which ticket: the one place that decides it.

`visible_to` gives the rule as a condition for SQL, so that every query — one ticket, lists, counts, search — filters before it
counts or cuts. A ticket one may not see is answered like one that does not exist.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from itsm.people.access import Actor, Permission
from itsm.people.models import Group, Membership
from itsm.tickets.models import Reader, Ticket

SIGHTS: Final = ("everything", "staff", "organisation", "own")
"""The kinds of sight there are; a statement about tickets is prepared once for each."""


def sight(actor: Actor) -> str:
    """Which rule applies to the actor; `everything` is for the desk itself."""
    if actor.is_system:
        return "everything"
    if actor.may(Permission.READ_ALL):
        return "staff"
    if (actor.sees_organisation or actor.may(Permission.READ_ORGANISATION)) and actor.organisation_id is not None:
        return "organisation"
    return "own"


def visible_to(sight: str) -> sa.ColumnElement[bool]:
    """The condition on `tickets` for one kind of sight; its parameters come from `parameters`.

    Everyone sees what he asked for, what is assigned to him, and what he was asked to judge. Staff see the rest save what lies
    with a restricted group they are not in; a requester who may see his organisation sees its tickets, under the same reserve.
    """
    if sight == "everything":
        return sa.true()
    me = sa.bindparam("viewer", type_=sa.BigInteger)
    mine = sa.or_(
        Ticket.requester_id == me,
        Ticket.assignee_id == me,
        Ticket.id.in_(sa.select(Reader.ticket_id).where(Reader.user_id == me)),
    )
    if sight == "own":
        return mine
    my_groups = sa.select(Membership.group_id).where(Membership.user_id == me)
    closed_to_me = sa.select(Group.id).where(Group.restricted, Group.id.not_in(my_groups))
    not_restricted = sa.or_(Ticket.group_id.is_(None), Ticket.group_id.not_in(closed_to_me))
    if sight == "staff":
        return sa.or_(not_restricted, mine)
    same_house = Ticket.organisation_id == sa.bindparam("viewer_organisation", type_=sa.BigInteger)
    return sa.or_(sa.and_(same_house, not_restricted), mine)


def parameters(actor: Actor) -> dict[str, Any]:
    """The values for the condition of this actor's sight."""
    kind = sight(actor)
    if kind == "everything":
        return {}
    if kind == "organisation":
        return {"viewer": actor.id, "viewer_organisation": actor.organisation_id}
    return {"viewer": actor.id}


def sees_internal(actor: Actor) -> bool:
    """Whether internal notes, and files and events marked internal, are for this actor."""
    return actor.is_system or actor.may(Permission.NOTE)
