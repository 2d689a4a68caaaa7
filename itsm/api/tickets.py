"""Tickets of every kind: open one, read one, change its fields, list those one sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request
from marshmallow import ValidationError, validates_schema

from itsm.api import conditions, paging, representation
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Fault, Form, Listed, Text, Values, fault
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import CATEGORIES, Shape, many
from itsm.people.access import Permission
from itsm.tickets import commands, listing, opening, queries, search
from itsm.tickets.desk import Tx
from itsm.tickets.listing import Key, Question
from itsm.tickets.opening import NewTicket
from itsm.workflow.builtin import LONGEST

tickets = Resource("Tickets", "Tickets of every kind: incidents, requests, problems, changes, tasks.")

ME = "me"
"""The word that stands for the caller in filters by person."""

MOST_KEYS = 3
_RANKED = "priority"


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be changed: values by field."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list as they were given."""

    limit: int
    cursor: str | None
    q: str | None
    sort: tuple[Key, ...]
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class NewTicketForm(Form):
    """A ticket to be opened."""

    makes = NewTicket

    type = Text("The name of its workflow.", 100, required=True, example="incident")
    title = Text("One line that says what it is about.", LONGEST["title"], required=True)
    description = Text("The whole of it, in Markdown.", LONGEST["description"], least=0, load_default="")
    fields_ = Values("Fields that its workflow declares.", data_key="fields", attribute="fields", load_default=dict)
    service = Text("The key of the service it is about.", load_default=None)
    ci = Text("The key of the configuration item it is about.", load_default=None)
    requester = Text("The login of whom it is for, if not for you; staff only.", 100, load_default=None)


class EditForm(Form):
    """Fields to be changed; null empties one. The state is none of them: see transitions."""

    title = Text("One line that says what it is about.", LONGEST["title"])
    description = Text("The whole of it, in Markdown.", LONGEST["description"], least=0, allow_none=True)
    service = Text("The key of the service it is about.", allow_none=True)
    ci = Text("The key of the configuration item it is about.", allow_none=True)
    requester = Text("The login of whom it is for.", 100)
    fields_ = Values("Fields that its workflow declares.", data_key="fields", attribute="fields")

    @staticmethod
    def makes(**given: Any) -> Edit:
        declared = given.pop("fields", {})
        return Edit({**given, **declared})

    @validates_schema
    def _once(self, data: dict[str, Any], **_more: Any) -> None:
        twice = sorted(data.keys() & data.get("fields", {}).keys())
        if twice:
            raise ValidationError({"fields": {name: [Fault("repeated", "This field is given twice.")] for name in twice}})


class SortField(Text):
    """What a list is sorted by: names with commas between them, `-` before a name turns it round."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Any:
        words = super()._deserialize(value, attr, data, **more).split(",")
        names = [word.removeprefix("-") for word in words]
        unknown = [name for name in names if name not in listing.SORT_COLUMNS]
        if unknown:
            known = ", ".join(listing.SORT_COLUMNS)
            raise fault("unknown_sort", f"A list cannot be sorted by “{unknown[0]}”, only by {known}.")
        if len(names) > MOST_KEYS or len(set(names)) < len(names):
            raise fault("invalid_value", f"A list is sorted by up to {MOST_KEYS} different fields.")
        return tuple(_key(word) for word in words)

    def _validate(self, value: Any) -> None:
        """Checked while it was read."""


def _key(word: str) -> Key:
    name, turned = word.removeprefix("-"), word.startswith("-")
    # `-priority` asks for the highest priority first, and that has the lowest rank.
    return Key(name, first_low=turned if name == _RANKED else not turned)


class ListForm(Form):
    """Which tickets, in which order. Several values of a filter, with commas between them, mean any of them."""

    type = Listed("Names of workflows.")
    state = Listed("States, as workflows name them.")
    category = Listed("Categories of states.", choices=CATEGORIES)
    group = Listed("Keys of groups; `none` for tickets without one.")
    assignee = Listed("Logins; `me`; `none` for tickets that nobody works on.")
    requester = Listed("Logins; `me`.")
    service = Listed("Keys of services.")
    ci = Listed("Keys of configuration items.")
    parent = Listed("Numbers of tickets that they are a part of.")
    q = Text("Words to be found in what was written; the last may be a beginning.", search.LONGEST, load_default=None)
    sort = SortField(
        "Up to three of `priority`, `updated_at`, `created_at`, `number`; `-` puts the highest first. Usually `-updated_at`.",
        load_default=lambda: listing.NEWEST_FIRST,
        example="-priority,updated_at",
    )
    limit = paging.limit_field()
    cursor = paging.cursor_field()

    @staticmethod
    def makes(**given: Any) -> ListQuery:
        filters = {name: tuple(given.pop(name)) for name in listing.FILTERS if name in given}
        return ListQuery(filters=filters, **given)

    @validates_schema
    def _few_words(self, data: dict[str, Any], **_more: Any) -> None:
        if len(search.words(data.get("q") or "")) > search.MOST_WORDS:
            raise ValidationError({"q": [Fault("invalid_value", f"Look for {search.MOST_WORDS} words at most.")]})


class TicketPageShape(Shape):
    """A page of tickets."""

    items = many(TicketShape)
    next = paging.next_field()


@tickets.post("/tickets", policy=may(Permission.CREATE), body=NewTicketForm(), answers={201: TicketShape()}, etag=True)
def create(tx: Tx, body: NewTicket) -> Answer:
    """Open a ticket.

    Its requester is the caller, unless staff open it for somebody else. Which fields it takes, and what they default to, its
    workflow says.
    """
    return representation.created(tx, opening.create(tx, body))


@tickets.get("/tickets", policy=SIGNED_IN, query=ListForm(), answers={200: TicketPageShape()})
def find(tx: Tx, query: ListQuery) -> Answer:
    """List and search the tickets that the caller sees.

    Filtered before it is cut into pages, and stable while tickets arrive: go on with `cursor`, or follow the `Link` header. A
    parameter without a value counts as not given. Most urgent first is `-priority`.
    """
    filters = {name: _meant(tx, name, values) for name, values in query.filters.items()}
    words = search.words(query.q or "")
    asked = [filters, words, [[key.name, key.first_low] for key in query.sort]]
    place = None if query.cursor is None else paging.unseal(tx, asked, query.cursor)
    if query.q is not None and not words:
        return Answer({"items": [], "next": None})
    page = listing.page(tx, Question(filters, words, query.sort, query.limit), place)
    visible = queries.visible_fields_of_many(tx, page.tickets)
    items = [representation.ticket(tx, record, seen) for record, seen in zip(page.tickets, visible, strict=True)]
    cursor = None if page.next is None else paging.seal(tx, asked, page.next)
    return Answer({"items": items, "next": cursor}, headers=paging.next_link(request, cursor))


@tickets.get("/tickets/{number}", policy=SIGNED_IN, answers={200: TicketShape(), 304: None}, etag=True)
def read(tx: Tx, number: str) -> Answer:
    """Read a ticket.

    With `If-None-Match` the answer is 304 and empty as long as nothing has happened to it.
    """
    record = queries.ticket(tx, number)
    if conditions.known(request.headers.get("If-None-Match"), record.version):
        return Answer(None, 304, {"ETag": conditions.tag(record.version)})
    return representation.answer(tx, record)


@tickets.patch("/tickets/{number}", policy=SIGNED_IN, body=EditForm(), answers={200: TicketShape()}, if_match=True, etag=True)
def edit(tx: Tx, number: str, body: Edit, versions: frozenset[int] | None) -> Answer:
    """Change fields of a ticket, never its state.

    Who may edit which field in which state, its workflow says. Nothing is changed if one of the fields cannot be.
    """
    return representation.answer(tx, commands.edit(tx, number, body.values, seen(tx, number, versions)))


def seen(tx: Tx, number: str, versions: frozenset[int] | None) -> int | None:
    """The version to compare with, of those that `If-Match` allows; None if it allows any."""
    if versions is None or len(versions) == 1:
        return None if versions is None else next(iter(versions))
    current = queries.version(tx, number)
    return current if current in versions else conditions.UNSEEN


def _meant(tx: Tx, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of a filter, with `me` read as the caller and `none` kept where it means something."""
    if name in {"assignee", "requester"}:
        values = tuple(tx.actor.login if value == ME else value for value in values)
    return tuple(sorted(set(values)))
