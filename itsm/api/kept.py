"""What the answers about services and configuration items look like."""

from __future__ import annotations

from marshmallow import fields

from itsm.api import paging
from itsm.api.shapes import Shape, flag, instant, many, text, whole


class ServiceShape(Shape):
    """A service."""

    key = text("Its key.")
    name = text("What people call it.")
    group = text("The key of the group that supports it.", optional=True)
    owner = text("The login of who answers for it.", optional=True)
    criticality = text("How much the business would miss it.", optional=True)
    calendar = text("When it is supported.", optional=True)
    version = whole("Grows with each change.")


class ItemShape(Shape):
    """A configuration item."""

    key = text("Its key.")
    name = text("What people call it.")
    type = text("What it is.", example="laptop")
    organisation = text("The key of the organisation it belongs to.", optional=True)
    group = text("The key of the group that looks after it.", optional=True)
    owner = text("The login of who uses it or answers for it.", optional=True)
    location = text("Where it is.", optional=True)
    criticality = text("How much the business would miss it.", optional=True)
    version = whole("Grows with each change.")


class ServicePageShape(Shape):
    """A page of services."""

    items = many(ServiceShape)
    next = paging.next_field()


class ItemPageShape(Shape):
    """A page of configuration items."""

    items = many(ItemShape)
    next = paging.next_field()


class NodeShape(Shape):
    """A service or configuration item in short."""

    sort = text("`service` or `item`.")
    key = text("Its key.")
    name = text("What people call it.")
    criticality = text("How much the business would miss it.", optional=True)


class RelationShape(NodeShape):
    """A relation as it reads from the thing in the path, and what stands at its other end."""

    relation = text("How the thing in the path stands to this one.", example="runs_on")


class RelationsShape(Shape):
    """The relations of a thing."""

    items = many(RelationShape)


class ImpactStepShape(Shape):
    """A step along a relation."""

    relation = text("How the relation reads from the step before.", example="needed_by")
    sort = text("`service` or `item`.")
    key = text("Where it leads.")


class TouchedShape(NodeShape):
    """Something that impact reaches."""

    distance = whole("How many steps away.")
    path = many(ImpactStepShape, "A shortest way, from the thing in the path of the request.")


class ImpactShape(Shape):
    """What impact reaches, the nearest first."""

    items = many(TouchedShape)
    cut = flag("Whether there is more than an answer holds.")


class RecordChangeShape(Shape):
    """One thing that was done."""

    at = instant("When.")
    actor = text("The login of who did it.")
    kind = text("`added`, `changed`, `related` or `unrelated`.")
    old = fields.Dict(keys=fields.String(), required=True, allow_none=True, metadata={"description": "What was before."})
    new = fields.Dict(keys=fields.String(), required=True, allow_none=True, metadata={"description": "What is since."})


class RecordHistoryShape(Shape):
    """What was done to a thing, the newest first."""

    items = many(RecordChangeShape)
