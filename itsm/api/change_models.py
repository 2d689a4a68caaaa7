"""Models of standard changes: which there are, who approved them, and opening a change by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from itsm.api import representation
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, instant, many, open_object, text, whole
from itsm.changes import standard
from itsm.changes.standard import Offered
from itsm.people.access import Permission
from itsm.tickets.desk import Tx

templates = Resource("Change models", "Templates of standard changes, and their approval.")

APPROVES_MODELS: Final = may(Permission.APPROVE_MODELS)


class ModelShape(Shape):
    """A template of standard changes."""

    name = text("What changes name in `standard_model`.")
    title = text("What it is called.")
    version = text("Names its content as it reads now.")
    description = text("What it is for.")
    fills = open_object("The fields that it fills, and their values.")
    approved_by = text("The login of who approved this version; null if nobody has.", optional=True)
    approved_at = instant("When it was approved.", optional=True)
    ended = whole("How many changes by it have ended within a year.")
    failures = whole("How many of these failed, were backed out or caused an incident.")


class ModelsShape(Shape):
    """Models, by name."""

    items = many(ModelShape)


@dataclass(frozen=True, slots=True)
class ModelWord:
    """An approval of a version."""

    version: str
    note: str


class ModelWordForm(Form):
    """An approval of a version of a model."""

    makes = ModelWord

    version = Text("The version that was read.", 100, required=True)
    note = Text("Why, for the record.", 500, least=0, load_default="")


@dataclass(frozen=True, slots=True)
class FromModel:
    """A change by a model."""

    title: str | None
    service: str | None
    ci: str | None


class FromModelForm(Form):
    """A change by a model."""

    makes = FromModel

    title = Text("The model's own title, unless given.", load_default=None)
    service = Text("The service that is changed, by key.", 100, load_default=None)
    ci = Text("The configuration item that is changed, by key.", 100, load_default=None)


@templates.get("/changes/models", policy=SIGNED_IN, answers={200: ModelsShape()})
def models(tx: Tx) -> Answer:
    """List the models of standard changes, whether each is approved, and how changes by it have ended."""
    return Answer({"items": [_model(each) for each in standard.offered(tx)]})


@templates.post("/changes/models/{name}/approval", policy=APPROVES_MODELS, body=ModelWordForm(), answers={204: None})
def approve(tx: Tx, name: str, body: ModelWord) -> Answer:
    """Approve a version of a model: changes by it need no authorisation each."""
    standard.approve(tx, name, body.version, body.note)
    return Answer(status=204)


@templates.delete("/changes/models/{name}/approval", policy=APPROVES_MODELS, answers={204: None})
def revoke(tx: Tx, name: str) -> Answer:
    """Take back the approval of a model: no change by it is submitted from now on."""
    standard.revoke(tx, name)
    return Answer(status=204)


@templates.post(
    "/changes/models/{name}/changes", policy=may(Permission.WORK), body=FromModelForm(), answers={201: TicketShape()}, etag=True
)
def make(tx: Tx, name: str, body: FromModel) -> Answer:
    """Open a standard change by a model, which fills its fields. 409 `not_approved` if this version is not."""
    return representation.created(tx, standard.create(tx, name, body.title, body.service, body.ci))


def _model(each: Offered) -> dict[str, Any]:
    model, approved, figure = each.model, each.approved, each.figure
    return {
        "name": model.name,
        "title": model.title,
        "version": model.version,
        "description": model.description,
        "fills": dict(model.fields),
        "approved_by": approved.by if approved else None,
        "approved_at": approved.at if approved else None,
        "ended": figure.ended if figure else 0,
        "failures": figure.failures if figure else 0,
    }
