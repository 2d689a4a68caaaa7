"""Work tasks: pieces of work that groups do for another ticket. Each is a ticket of its own, and moves like one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from itsm.api import representation
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text, Values
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, many
from itsm.people.access import Permission
from itsm.tickets import commands, queries
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


@tasks.get("/tickets/{number}/tasks", policy=SIGNED_IN, answers={200: TasksShape()})
def find(tx: Tx, number: str) -> Answer:
    """List the work tasks of a ticket that the caller sees."""
    found = queries.tasks(tx, queries.ticket(tx, number))
    visible = queries.visible_fields_of_many(tx, found)
    return Answer({"items": [representation.ticket(tx, task, seen) for task, seen in zip(found, visible, strict=True)]})


@tasks.post("/tickets/{number}/tasks", policy=may(Permission.WORK), body=TaskForm(), answers={201: TicketShape()}, etag=True)
def add(tx: Tx, number: str, body: NewTask) -> Answer:
    """Open a work task under a ticket."""
    return representation.created(tx, commands.add_task(tx, number, body.title, body.description, body.fields))
