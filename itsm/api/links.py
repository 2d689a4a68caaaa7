"""Ties between tickets: duplicate of, caused by, fixed by, blocks, related to, and how each reads from the other end."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from flask import request

from itsm.api import paging
from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text
from itsm.api.paging import PageForm, PageQuery
from itsm.api.representation import address
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, category, flag, many, text, whole
from itsm.tickets import queries
from itsm.tickets.desk import Tx
from itsm.tickets.facts import INVERSE_KINDS
from itsm.tickets.links import link, unlink

links = Resource("Links", "Ties between tickets.")

KINDS = tuple(sorted({*INVERSE_KINDS, *INVERSE_KINDS.values()}))


@dataclass(frozen=True, slots=True)
class NewLink:
    """A tie to be made."""

    kind: str
    number: str


class LinkForm(Form):
    """A tie to be made, read from the ticket in the path: it is `kind` the ticket `number`."""

    makes = NewLink

    kind = Text("What the ticket is to the other.", choices=KINDS, required=True, example="caused_by")
    number = Text("The other ticket.", 100, required=True, example="PRB0000007")


class LinkShape(Shape):
    """A tie, read from the ticket in the path."""

    id = whole("Which tie.")
    kind = text("What the ticket is to the other.", example="caused_by")
    own = flag("Whether it is kept as it reads from here: what blocks is, what is blocked is not.")
    number = text("The other ticket.")
    type = text("Its type.")
    title = text("Its title.")
    state = text("Its state.")
    category = category()


class LinksShape(Shape):
    """The ties of a ticket to those that the caller sees."""

    items = many(LinkShape)
    next = paging.next_field()


@links.get("/tickets/{number}/links", policy=SIGNED_IN, query=PageForm(), answers={200: LinksShape()})
def find(tx: Tx, query: PageQuery, number: str) -> Answer:
    """List the ties of a ticket to those that the caller sees, the oldest first."""
    record = queries.ticket(tx, number)
    asked = ["links", record.id]
    found = queries.ties(tx, record, paging.after(tx, asked, query, 0), query.limit + 1)
    page, more = paging.cut(tx, asked, found, query.limit, lambda tie: tie.id)
    return Answer({"items": [asdict(tie) for tie in page], "next": more}, headers=paging.next_link(request, more))


@links.post("/tickets/{number}/links", policy=SIGNED_IN, body=LinkForm(), answers={201: LinkShape()})
def tie(tx: Tx, number: str, body: NewLink) -> Answer:
    """Tie a ticket to another. Both must be visible to the caller."""
    record, link_id = link(tx, number, body.kind, body.number)
    return Answer(asdict(queries.tie(tx, record, link_id)), 201, {"Location": f"{address(number)}/links"})


@links.delete("/tickets/{number}/links/{link_id}", policy=SIGNED_IN, answers={204: None})
def untie(tx: Tx, number: str, link_id: int) -> Answer:
    """Take back a tie, from either of its ends. Both tickets' stories keep that it was there."""
    unlink(tx, number, link_id)
    return Answer(None, 204)
