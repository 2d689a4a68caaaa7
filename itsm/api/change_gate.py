"""The gate: what a pipeline is told that asks whether it may deploy now."""

from __future__ import annotations

from dataclasses import dataclass

from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, text, texts
from itsm.changes import gate
from itsm.tickets.desk import Tx

pipelines = Resource("Change gate", "Whether something may be deployed now.")


@dataclass(frozen=True, slots=True)
class GateBody:
    """What a pipeline is going to touch."""

    change: str | None
    service: str | None
    ci: str | None


class GateForm(Form):
    """A change, or what is going to be changed."""

    makes = GateBody

    change = Text("The number of a change; then nothing else is looked at.", 100, load_default=None)
    service = Text("A service, by key.", 100, load_default=None)
    ci = Text("A configuration item, by key.", 100, load_default=None)


class GateShape(Shape):
    """What a pipeline is told."""

    verdict = text("`approved`, `wait` or `refused`.")
    change = text("The number of the change that decided it, if one did.", optional=True)
    reasons = texts("Why, in sentences.")
    waiting_for = texts("Whose deed is awaited: logins, `group:KEY`, or `window` for a window that has not begun.")


@pipelines.post("/changes/gate", policy=SIGNED_IN, body=GateForm(), answers={200: GateShape()}, changes=False)
def ask(tx: Tx, body: GateBody) -> Answer:
    """Ask whether something may be deployed now: for pipelines.

    `approved`: its change is under way, or scheduled for now and not frozen. `wait`: it is not as far yet. `refused`: it is
    frozen or over, or there is no change. Nothing is moved by asking.
    """
    ruling = gate.ask(tx, body.change, body.service, body.ci)
    told = {"verdict": ruling.answer.value, "change": ruling.change, "reasons": list(ruling.reasons)}
    return Answer({**told, "waiting_for": list(ruling.waiting_for)})
