"""A ticket as the API shows it: the same everywhere, only with the fields that the caller may see.

It is put together by hand from a record, for every list page is made of it; `TicketShape` documents it, and the tests hold that
both agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from marshmallow import fields

from itsm.api.conditions import tag
from itsm.api.routing import PREFIX, Answer
from itsm.api.shapes import Shape, category, instant, open_object, text, whole
from itsm.tickets import queries
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.tickets.saving import encode
from itsm.tickets.visibility import sees_internal
from itsm.workflow.engine import Process


class PersonShape(Shape):
    """A person, as far as tickets name him."""

    login = text("The login.", example="ra1")
    name = text("The full name.")


class WorkflowRefShape(Shape):
    """The version of a workflow that a ticket was born with."""

    name = text("The workflow's name: the ticket's type.", example="incident")
    version = text("The digest of the version's content.")


class TicketLinksShape(Shape):
    """Where to go from here."""

    self = text("The ticket.")
    transitions = text("What can be done to it now.")
    timeline = text("Its story.")


class TicketShape(Shape):
    """A ticket of any type."""

    number = text("What addresses the ticket.", example="INC0000042")
    type = text("The name of its workflow.", example="incident")
    title = text("One line that says what it is about.")
    description = text("The whole of it, in Markdown.")
    state = text("The state it is in, as its workflow names it.", example="in_progress")
    state_title = text("The same for people.", example="In progress")
    category = category()
    priority = text("Its priority, if its workflow has one and you may see it.", optional=True, example="p2")
    fields_ = open_object(
        "The fields that its workflow declares, as far as you may see them; null where nothing is entered.", data_key="fields"
    )
    requester = fields.Nested(PersonShape, required=True, allow_none=True)
    organisation = text("The key of the requester's organisation.", optional=True)
    group = text("The key of the group that answers for it.", optional=True, example="network")
    assignee = text("The login of who works on it.", optional=True)
    service = text("The key of the service it is about.", optional=True)
    ci = text("The key of the configuration item it is about.", optional=True)
    parent = text("The number of the ticket it is a part of.", optional=True)
    created_at = instant("When it was opened.")
    updated_at = instant("When something last happened to it.")
    entered_state_at = instant("When it came into its state.")
    resolved_at = instant("When it was resolved; null while it is not.", optional=True)
    closed_at = instant("When it was closed; null while it is not.", optional=True)
    work_minutes = fields.Integer(metadata={"description": "Minutes of work booked on it; for staff only."})
    version = whole("How many things have happened to it; in quotes, its ETag.")
    workflow = fields.Nested(WorkflowRefShape, required=True)
    links = fields.Nested(TicketLinksShape, required=True)


_REFERENCES: Final = ("organisation", "group", "assignee", "service", "ci", "parent")


def address(number: str) -> str:
    """The path of a ticket."""
    return f"{PREFIX}/tickets/{number}"


def ticket(tx: Tx, record: Record, visible: frozenset[str]) -> dict[str, Any]:
    """The ticket as JSON, with the fields that are visible."""
    values, workflow = record.values, record.process.workflow
    here = address(record.number)
    shown: dict[str, Any] = {
        "number": record.number,
        "type": record.type,
        "title": values["title"] if "title" in visible else "",
        "description": (values.get("description") or "") if "description" in visible else "",
        "state": record.state,
        "state_title": state_title(record),
        "category": record.category,
        "priority": values.get("priority") if "priority" in visible else None,
        "fields": {name: encode(values.get(name)) for name in _declared(record.process) if name in visible},
        "requester": _requester(tx, record) if "requester" in visible else None,
    }
    for name in _REFERENCES:
        shown[name] = values.get(name) if name in visible else None
    shown.update(
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        entered_state_at=record.entered_state_at,
        resolved_at=record.resolved_at,
        closed_at=record.closed_at,
        version=record.version,
        workflow={"name": workflow.name, "version": workflow.digest},
        links={"self": here, "transitions": f"{here}/transitions", "timeline": f"{here}/timeline"},
    )
    if sees_internal(tx.actor):
        shown["work_minutes"] = record.work_minutes
    return shown


def answer(tx: Tx, record: Record, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer that shows a ticket, with its ETag."""
    body = ticket(tx, record, queries.visible_fields(tx, record))
    return Answer(body, status, {"ETag": tag(record.version), **(headers or {})})


def created(tx: Tx, record: Record) -> Answer:
    """The answer to a ticket's creation."""
    return answer(tx, record, 201, {"Location": address(record.number)})


def state_title(record: Record) -> str:
    """The title of the state a ticket is in."""
    return record.process.workflow.states[record.state].title or record.state


@lru_cache(maxsize=256)
def _declared(process: Process) -> tuple[str, ...]:
    """The fields that a workflow declares, in its order."""
    return tuple(name for name, each in process.fields.items() if not each.builtin)


def _requester(tx: Tx, record: Record) -> dict[str, Any] | None:
    login = record.values.get("requester")
    return None if login is None else {"login": login, "name": queries.requester_name(tx, record)}
