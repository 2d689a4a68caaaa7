"""Who am I, and what may I do."""

from __future__ import annotations

from marshmallow import fields

from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Shape
from itsm.api.representation import text
from itsm.api.routing import Answer, Resource
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
    roles = fields.List(fields.String(), required=True, metadata={"description": "The roles he was granted."})
    permissions = fields.List(fields.String(), required=True, metadata={"description": "What these roles allow."})
    scopes = fields.List(fields.String(), required=True, metadata={"description": "What this token may be used for."})
    groups = fields.List(fields.Nested(GroupShape), required=True)


@me.get("/me", policy=SIGNED_IN, answers={200: MeShape()})
def read(tx: Tx) -> Answer:
    """Who am I, what may I do."""
    actor = tx.actor
    return Answer(
        {
            "login": actor.login,
            "name": actor.name,
            "organisation": actor.organisation,
            "roles": sorted(actor.roles),
            "permissions": sorted(actor.permissions),
            "scopes": sorted(actor.scopes),
            "groups": [{"key": row.key, "name": row.name, "access": row.access} for row in queries.groups_of(tx.session, actor)],
        }
    )
