"""Who is told what happens to a ticket. Watching gives nobody a right to see it."""

from __future__ import annotations

from dataclasses import dataclass

from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text
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


@watchers.get("/tickets/{number}/watchers", policy=SIGNED_IN, answers={200: WatchersShape()})
def find(tx: Tx, number: str) -> Answer:
    """List who watches a ticket."""
    return Answer(_listed(tx, queries.ticket(tx, number)))


@watchers.post("/tickets/{number}/watchers", policy=SIGNED_IN, body=WatcherForm(), answers={201: WatchersShape()})
def add(tx: Tx, number: str, body: NewWatcher) -> Answer:
    """Watch a ticket, or let somebody watch it. Whoever watches already goes on doing so."""
    record = commands.watch(tx, number, body.login)
    return Answer(_listed(tx, record), 201, {"Location": f"{address(number)}/watchers"})


@watchers.delete("/tickets/{number}/watchers/{login}", policy=SIGNED_IN, answers={204: None})
def remove(tx: Tx, number: str, login: str) -> Answer:
    """Watch a ticket no longer."""
    commands.unwatch(tx, number, login)
    return Answer(None, 204)


def _listed(tx: Tx, record: Record) -> dict[str, object]:
    return {"items": [{"login": row.login, "name": row.name} for row in queries.watchers(tx, record)]}
