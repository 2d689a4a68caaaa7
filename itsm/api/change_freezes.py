"""Freezes that are declared and lifted by the API; those of the configuration are written there."""

from __future__ import annotations

from typing import Final

from marshmallow import fields

from itsm.api.auth import may
from itsm.api.change_shapes import FreezeShape, Moment, told_freeze
from itsm.api.forms import Form, Text
from itsm.api.routing import Answer, Resource
from itsm.changes import freezes as store
from itsm.changes.freezes import NewFreeze
from itsm.people.access import Permission
from itsm.tickets.desk import Tx

freezes = Resource("Change freezes", "Times in which nothing is changed.")

FREEZES: Final = may(Permission.FREEZE)


class NewFreezeForm(Form):
    """A freeze to be declared."""

    makes = staticmethod(lambda services, spares, **more: NewFreeze(services=tuple(services), spares=tuple(spares), **more))

    reason = Text("Why; whoever is turned away reads it.", 500, required=True)
    starts_at = Moment("From when on.", required=True)
    ends_at = Moment("Until when.", required=True)
    services = fields.List(
        Text("A service, by key.", 100),
        load_default=list,
        validate=lambda keys: len(keys) <= 200,
        metadata={"description": "The services that are frozen, by key; none stands for all."},
    )
    spares = fields.List(
        Text("A type of change.", choices=("normal", "standard", "emergency")),
        load_default=list,
        metadata={"description": "Types of change that it does not hold for."},
    )


@freezes.post("/changes/freezes", policy=FREEZES, body=NewFreezeForm(), answers={201: FreezeShape()})
def freeze(tx: Tx, body: NewFreeze) -> Answer:
    """Declare a freeze.

    From now on nothing is scheduled into it or begun in it; what is scheduled there already stays, and cannot be begun.
    """
    return Answer(told_freeze(store.declare(tx, body)), 201)


@freezes.delete("/changes/freezes/{freeze_id}", policy=FREEZES, answers={204: None})
def lift(tx: Tx, freeze_id: int) -> Answer:
    """End a freeze that was declared by the API. Those of the configuration are ended there."""
    store.lift(tx, freeze_id)
    return Answer(status=204)
