"""Who is told what happens to a ticket. Watching gives nobody a right to see it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from itsm.api import paging
from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text
from itsm.api.paging import PageForm, PageQuery
from itsm.api.representation import PersonShape, address
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, many
from itsm.tickets import commands, queries
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record

watchers = Resource("Watchers", "Who is told what happens to a ticket.")


@dataclass(frozen=True, slots=True)
class NewWatcher:
    """Who is to watch."""

    login: str


class WatcherForm(Form):
    """Who is to watch."""

    makes = NewWatcher

    login = Text("Whose login: your own, or, for staff, anybody's.", 100, required=True)


class WatchersShape(Shape):
    """Who watches a ticket."""

    items = many(PersonShape)
    next = paging.next_field()


@watchers.get("/tickets/{number}/watchers", policy=SIGNED_IN, query=PageForm(), answers={200: WatchersShape()})
def find(tx: Tx, query: PageQuery, number: str) -> Answer:
    """List who watches a ticket, by login."""
    body, more = _listed(tx, queries.ticket(tx, number), query)
    return Answer(body, headers=paging.next_link(request, more))


@watchers.post("/tickets/{number}/watchers", policy=SIGNED_IN, body=WatcherForm(), answers={201: WatchersShape()})
def add(tx: Tx, number: str, body: NewWatcher) -> Answer:
    """Watch a ticket, or let somebody watch it. Whoever watches already goes on doing so."""
    listed, _ = _listed(tx, commands.watch(tx, number, body.login), PageQuery(paging.MOST, None))
    return Answer(listed, 201, {"Location": f"{address(number)}/watchers"})


@watchers.delete("/tickets/{number}/watchers/{login}", policy=SIGNED_IN, answers={204: None})
def remove(tx: Tx, number: str, login: str) -> Answer:
    """Watch a ticket no longer."""
    commands.unwatch(tx, number, login)
    return Answer(None, 204)


def _listed(tx: Tx, record: Record, query: PageQuery) -> tuple[dict[str, object], str | None]:
    asked = ["watchers", record.id]
    found = queries.watchers(tx, record, paging.after(tx, asked, query, ""), query.limit + 1)
    page, more = paging.cut(tx, asked, found, query.limit, lambda row: row.login)
    return {"items": [{"login": row.login, "name": row.name} for row in page], "next": more}, more
