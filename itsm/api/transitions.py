"""Moving a ticket: what the caller may do now, what he may not and why, and doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from itsm.api import conditions, representation
from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text, Values
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, flag, many, open_object, text
from itsm.api.tickets import seen
from itsm.platform.errors import DeskError
from itsm.tickets import commands, facts, guarding, queries, rights
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow.case import Offer
from itsm.workflow.values import MARKDOWN_MAX

transitions = Resource("Transitions", "The moves that a ticket's workflow allows.")


@dataclass(frozen=True, slots=True)
class Move:
    """A trigger to fire, with what it needs."""

    trigger: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    comment: str | None = None


class MoveForm(Form):
    """A trigger to fire, with what it needs."""

    makes = Move

    trigger = Text("What is to be done.", 100, required=True, example="resolve")
    fields_ = Values("Fields to be filled or changed with it.", data_key="fields", attribute="fields", load_default=dict)
    comment = Text("What is to be said with it, for everyone who sees the ticket.", MARKDOWN_MAX, load_default=None)


class BlockShape(Shape):
    """A reason why something cannot be done."""

    code = text("For programs.", example="not_allowed")
    message = text("For people.")


class OfferShape(Shape):
    """A move as the caller finds it now."""

    trigger = text("What to send to make it.", example="resolve")
    title = text("The same for people.")
    to = text("The state it leads to, as far as it is settled which.", optional=True)
    possible = flag("Whether the caller may make it now, given its inputs.")
    inputs = open_object("The fields it takes, as a JSON Schema of the member `fields`; those under `required` must be sent.")
    comment_required = flag("Whether it must be explained.")
    blocked = many(BlockShape, "Every reason why it is not possible.")


class OffersShape(Shape):
    """Every move of the ticket's workflow that begins where the ticket is, and those that do not, with why."""

    items = many(OfferShape)


@transitions.get("/tickets/{number}/transitions", policy=SIGNED_IN, answers={200: OffersShape()}, etag=True)
def offers(tx: Tx, number: str) -> Answer:
    """What the caller may do to a ticket now.

    The same rules answer here and where a move is made: what is possible here succeeds there, if nothing happens in between.
    """
    record = queries.ticket(tx, number)
    case = record.case(**facts.gather(tx, record, record.process.needs()))
    found = record.process.offers(case, tx.actor.person(), tx.now)
    barred = _barred(tx, record)
    guarded = [replace(offer, blocked=(*offer.blocked, *guarding.against_offer(tx, record, offer))) for offer in found]
    items = [_item(record, offer, barred) for offer in guarded]
    return Answer({"items": items}, headers={"ETag": conditions.tag(record.version)})


@transitions.post(
    "/tickets/{number}/transitions", policy=SIGNED_IN, body=MoveForm(), answers={200: TicketShape()}, if_match=True, etag=True
)
def fire(tx: Tx, number: str, body: Move, versions: frozenset[int] | None) -> Answer:
    """Move a ticket.

    All that the move does to this ticket is done together or not at all. A refusal names every reason: 403 if it is not yours
    to make, 409 if the ticket is not ready for it, 422 if an input is missing or wrong.
    """
    record = commands.transition(tx, number, body.trigger, body.fields, body.comment, seen(tx, number, versions))
    return representation.answer(tx, record)


def _barred(tx: Tx, record: Record) -> list[dict[str, str]]:
    """Why the caller may do nothing at all to this ticket."""
    try:
        rights.may_touch(tx, record)
    except DeskError as error:
        return [{"code": error.code, "message": error.detail}]
    return []


def _item(record: Record, offer: Offer, barred: list[dict[str, str]]) -> dict[str, Any]:
    blocked = [*barred, *({"code": reason.code.value, "message": reason.message} for reason in offer.blocked)]
    return {
        "trigger": offer.trigger,
        "title": offer.title,
        "to": offer.target,
        "possible": not blocked,
        "inputs": {
            "type": "object",
            "properties": {each.field: record.process.input_schema(each.field) for each in offer.inputs},
            "required": [each.field for each in offer.inputs if each.required],
            "additionalProperties": False,
        },
        "comment_required": offer.comment_required,
        "blocked": blocked,
    }
