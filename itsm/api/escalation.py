"""How far a ticket has been escalated, and taking it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, instant, many, text, texts, whole
from itsm.people.access import Permission
from itsm.sla import escalation as ladder
from itsm.sla.escalation import Ladders, Next
from itsm.sla.ladders import Run, State, Told
from itsm.tickets import queries
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow.values import MARKDOWN_MAX

escalation = Resource("Escalation", "Who has been told that a ticket needs somebody, and who took it on.")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That somebody takes a ticket on."""

    comment: str | None


class AcknowledgementForm(Form):
    """That the caller takes the ticket on."""

    makes = Acknowledgement

    comment = Text("What is to be noted with it, for staff; Markdown.", MARKDOWN_MAX, load_default=None, pattern=r"\s*\S")


class StepTakenShape(Shape):
    """A step that was taken."""

    step = whole("Which step of the ladder, from 1.")
    at = instant("When.")
    to = texts("The logins of those it reached.")
    folded = texts("Those among them who had a digest instead of a message of their own, for they had got so many.")
    passed = fields.List(
        fields.Integer(), required=True, metadata={"description": "The steps before it that would have reached nobody."}
    )


class StepToComeShape(Shape):
    """The step that comes next."""

    step = whole("Which step of the ladder, from 1.")
    at = instant("When, if nobody acknowledges.")
    to = texts("To whom, as the ladder says it: `group.lead`, or `role: lead`.")


class RunShape(Shape):
    """One run up a ladder."""

    ladder = text("The ladder's name.", example="standard")
    title = text("The same for people.")
    run = whole("Which run: the number of the event with which it began.")
    state = text(
        "`running`, `unanswered` at its end, `acknowledged`, `over` because the ticket was resolved or closed, or `abandoned`"
        " because its ladder is gone."
    )
    started_at = instant("When it began.")
    steps = many(StepTakenShape, "The steps that were taken, the first first.")
    next = fields.Nested(StepToComeShape, required=True, allow_none=True, metadata={"description": "Null when none comes."})
    acknowledged_by = text("The login of who took it on.", optional=True)
    ended_at = instant("When it was acknowledged or over; null before.", optional=True)


class EscalationShape(Shape):
    """Everything that was ever escalated about a ticket, the first first."""

    ticket = text("The ticket's number.")
    items = many(RunShape)


@escalation.get("/tickets/{number}/escalation", policy=may(Permission.NOTE), answers={200: EscalationShape()})
def read(tx: Tx, number: str) -> Answer:
    """Tell who was told about a ticket, when, and who comes next."""
    return Answer(_shown(tx, queries.ticket(tx, number)))


@escalation.post(
    "/tickets/{number}/escalation/acknowledgement",
    policy=SIGNED_IN,
    body=AcknowledgementForm(),
    answers={200: EscalationShape()},
)
def acknowledge(tx: Tx, number: str, body: Acknowledgement) -> Answer:
    """Take on a ticket that was escalated, so that nobody further is told.

    For those who work on tickets, and for whoever was told. 409 `not_escalated` where nothing waits for an answer.
    """
    return Answer(_shown(tx, ladder.acknowledge(tx, number, body.comment)))


def _shown(tx: Tx, record: Record) -> dict[str, Any]:
    known = ladder.story(tx, record)
    coming = ladder.following(tx, record, known)
    return {"ticket": record.number, "items": [_run(tx, run, coming) for run in known]}


def _run(tx: Tx, run: Run, coming: Mapping[int, Next]) -> dict[str, Any]:
    known = tx.desk.part(Ladders).get(run.ladder)
    return {
        "ladder": run.ladder,
        "title": run.ladder if known is None else known.title,
        "run": run.number,
        "state": run.state.value,
        "started_at": run.started_at,
        "steps": [_step(step) for step in run.steps],
        "next": _next(coming.get(run.number)),
        "acknowledged_by": run.acknowledged_by if run.state is State.ACKNOWLEDGED else None,
        "ended_at": run.ended_at,
    }


def _step(step: Told) -> dict[str, Any]:
    return {"step": step.step, "at": step.at, "to": step.to, "folded": step.folded, "passed": step.passed}


def _next(step: Next | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {"step": step.step, "at": step.at, "to": [_written(one) for one in step.to]}


def _written(recipient: object) -> str:
    if isinstance(recipient, Mapping):
        return ", ".join(f"{kind}: {key}" for kind, key in recipient.items())
    return str(recipient)
