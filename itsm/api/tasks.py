"""Work tasks: pieces of work that groups do for another ticket. Each is a ticket of its own, and moves like one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request

from itsm.api import paging, representation
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text, Values
from itsm.api.paging import PageForm, PageQuery
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, many
from itsm.people.access import Permission
from itsm.tickets import opening, queries
from itsm.tickets.desk import Tx
from itsm.workflow.builtin import LONGEST

tasks = Resource("Tasks", "Pieces of work done for a ticket.")


@dataclass(frozen=True, slots=True)
class NewTask:
    """A piece of work to be done."""

    title: str
    description: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


class TaskForm(Form):
    """A piece of work to be done."""

    makes = NewTask

    title = Text("What is to be done.", LONGEST["title"], required=True)
    description = Text("The whole of it, in Markdown.", LONGEST["description"], least=0, load_default="")
    fields_ = Values("Its group, and what its workflow declares.", data_key="fields", attribute="fields", load_default=dict)


class TasksShape(Shape):
    """The work tasks of a ticket."""

    items = many(TicketShape)
    next = paging.next_field()


@tasks.get("/tickets/{number}/tasks", policy=SIGNED_IN, query=PageForm(), answers={200: TasksShape()})
def find(tx: Tx, query: PageQuery, number: str) -> Answer:
    """List the work tasks of a ticket that the caller sees, the oldest first."""
    record = queries.ticket(tx, number)
    asked = ["tasks", record.id]
    found = queries.tasks(tx, record, paging.after(tx, asked, query, 0), query.limit + 1)
    page, more = paging.cut(tx, asked, found, query.limit, lambda task: task.id)
    visible = queries.visible_fields_of_many(tx, page)
    items = [representation.ticket(tx, task, seen) for task, seen in zip(page, visible, strict=True)]
    return Answer({"items": items, "next": more}, headers=paging.next_link(request, more))


@tasks.post("/tickets/{number}/tasks", policy=may(Permission.WORK), body=TaskForm(), answers={201: TicketShape()}, etag=True)
def add(tx: Tx, number: str, body: NewTask) -> Answer:
    """Open a work task under a ticket."""
    return representation.created(tx, opening.add_task(tx, number, body.title, body.description, body.fields))
