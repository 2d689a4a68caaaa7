"""Who am I, and what may I do."""

from __future__ import annotations

from itsm.api.auth import SIGNED_IN
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, many, text, texts
from itsm.people import queries
from itsm.tickets.desk import Tx

me = Resource("Me", "Who the token's owner is, and what he may do.")


class GroupShape(Shape):
    """A group that one belongs to."""

    key = text("The key by which tickets name it.", example="network")
    name = text("Its name.")
    access = text("`full`, or `read` for members who may look but not act.")


class MeShape(Shape):
    """The caller."""

    login = text("The login.", example="g1")
    name = text("The full name.")
    organisation = text("The key of the organisation.", optional=True)
    roles = texts("The roles he was granted.")
    permissions = texts("What these roles allow.")
    scopes = texts("What this token may be used for.")
    groups = many(GroupShape, "The groups he belongs to.")


@me.get("/me", policy=SIGNED_IN, answers={200: MeShape()})
def read(tx: Tx) -> Answer:
    """Who am I, what may I do."""
    actor = tx.actor
    groups = [{"key": row.key, "name": row.name, "access": row.access} for row in queries.groups_of(tx.session, actor)]
    return Answer(
        {
            "login": actor.login,
            "name": actor.name,
            "organisation": actor.organisation,
            "roles": sorted(actor.roles),
            "permissions": sorted(actor.permissions),
            "scopes": sorted(actor.scopes),
            "groups": groups,
        }
    )
