"""Orders that come again by themselves: subscribing, looking at what comes and what came, pausing, resuming, ending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import request
from marshmallow import fields

from itsm.api import paging
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text, Values, WholeNumber
from itsm.api.routing import PREFIX, Answer, Resource
from itsm.api.shapes import Shape, addresses, instant, many, open_object, text, whole
from itsm.catalog import recurrences as coming
from itsm.catalog.recurrences import NewRecurrence
from itsm.catalog.recurring import LONGEST_RULE, OnClosed
from itsm.people.access import Permission
from itsm.tickets.desk import Tx

recurrences = Resource("Recurring orders", "Orders that come again by a rule of the calendar.")

SHOWN: Final = 5
"""How many of the next dates, and of what came of the last, a recurrence is shown with."""

MOST_DATES: Final = 100


class RecurrenceForm(Form):
    """What is ordered again and again, and when."""

    makes = NewRecurrence

    item = Text("The key of the item.", 100, required=True)
    answers = Values("Answers by question; their form is the item's `schema`.", load_default=dict)
    rule = Text(
        "When, as RFC 5545 writes a RECUR: DAILY, WEEKLY, MONTHLY or YEARLY.",
        LONGEST_RULE,
        required=True,
        example="FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    )
    starts = Text("The local date and time it begins with and is counted from.", 16, required=True, example="2026-03-02T09:00")
    zone = Text("The time zone of all that, by its IANA name.", 64, required=True, example="Europe/Berlin")
    calendar = Text("The calendar whose working days count.", 100, load_default=None)
    on_closed = Text(
        "What becomes of a day that is closed in it: `order` all the same, `skip`, or the `next` or `previous` working day.",
        choices=tuple(OnClosed),
        load_default=OnClosed.ORDER.value,
    )
    requested_for = Text("The login of whom it is for, if not for you.", 100, load_default=None)


@dataclass(frozen=True, slots=True)
class RecurrencesQuery:
    """Which page."""

    limit: int
    cursor: str | None


class RecurrencesForm(Form):
    """Which page."""

    makes = RecurrencesQuery

    limit = paging.limit_field()
    cursor = paging.cursor_field()


@dataclass(frozen=True, slots=True)
class DatesQuery:
    """How many."""

    count: int


class RecurrenceDatesForm(Form):
    """How many."""

    makes = DatesQuery

    count = WholeNumber("How many.", 1, MOST_DATES, in_query=True, load_default=10)


class RecurrenceShape(Shape):
    """An order that comes again."""

    id = whole("What addresses it.")
    item = text("The key of the item.")
    owner = text("The login of who subscribed it; orders are made in this name.")
    requested_for = text("The login of whom it is for.")
    rule = text("When, as RFC 5545 writes a RECUR.")
    starts = text("The local date and time it is counted from.")
    zone = text("The time zone.")
    calendar = text("The calendar whose working days count.", optional=True)
    on_closed = text("What becomes of a day that is closed in it.")
    state = text("`active`, `paused`, `suspended` (an order was refused) or `ended`.")
    reason = text("Why it is suspended.", optional=True)
    next_at = instant("When it orders next.", optional=True)
    created_at = instant("When it was subscribed.")
    links = addresses()


class RecurrencesPageShape(Shape):
    """Orders that come again."""

    items = many(RecurrenceShape)
    next = paging.next_field()


class OccurrenceShape(Shape):
    """What came of one occurrence."""

    due_at = instant("When it was due.")
    at = instant("When it was dealt with.")
    outcome = text("`ordered` or `refused`.")
    ticket = text("The number of the ticket that it became.", optional=True)
    missed = whole("How many before it fell due while nothing ran, and were left out.")
    reason = text("Why it was refused.", optional=True)


class RecurrenceWholeShape(RecurrenceShape):
    """An order that comes again, with what comes and what came."""

    answers = open_object("Answers by question.")
    dates = fields.List(instant("An instant."), required=True, metadata={"description": "When it orders next, the first few."})
    occurrences = many(OccurrenceShape, "What came of the last ones, the latest first.")


class RecurrenceDatesShape(Shape):
    """When it orders next."""

    items = fields.List(instant("An instant."), required=True, metadata={"description": "In their order."})


@recurrences.get("/catalog/recurrences", policy=SIGNED_IN, query=RecurrencesForm(), answers={200: RecurrencesPageShape()})
def find(tx: Tx, query: RecurrencesQuery) -> Answer:
    """List the orders that come again which the caller owns, or which are for him."""
    after = int(paging.unseal(tx, "recurrences", query.cursor)[0]) if query.cursor is not None else 0
    found = coming.mine(tx, after, query.limit + 1)
    page = found[: query.limit]
    more = paging.seal(tx, "recurrences", (page[-1].id,)) if len(found) > query.limit else None
    return Answer({"items": [_shown(row) for row in page], "next": more}, headers=paging.next_link(request, more))


@recurrences.post(
    "/catalog/recurrences", policy=may(Permission.CREATE), body=RecurrenceForm(), answers={201: RecurrenceWholeShape()}
)
def subscribe(tx: Tx, body: NewRecurrence) -> Answer:
    """Have an item ordered again and again.

    The order is judged at once as if it were made now; each time, it is made in the caller's name with the rights that he has
    then, under the version of the item that is offered then.
    """
    made = coming.subscribe(tx, body)
    return Answer(_whole(tx, made), 201, {"Location": _address(made.id)})


@recurrences.get("/catalog/recurrences/{recurrence_id}", policy=SIGNED_IN, answers={200: RecurrenceWholeShape()})
def read(tx: Tx, recurrence_id: int) -> Answer:
    """Read an order that comes again, with the next dates and what came of the last."""
    return Answer(_whole(tx, coming.one(tx, recurrence_id)))


@recurrences.get(
    "/catalog/recurrences/{recurrence_id}/dates",
    policy=SIGNED_IN,
    query=RecurrenceDatesForm(),
    answers={200: RecurrenceDatesShape()},
)
def dates(tx: Tx, recurrence_id: int, query: DatesQuery) -> Answer:
    """List when it orders next; nothing unless it is active."""
    return Answer({"items": list(coming.dates(tx, coming.one(tx, recurrence_id), query.count))})


@recurrences.post(
    "/catalog/recurrences/{recurrence_id}/pause", policy=may(Permission.CREATE), answers={200: RecurrenceWholeShape()}
)
def pause(tx: Tx, recurrence_id: int) -> Answer:
    """Order nothing until it is resumed. For its owner."""
    return Answer(_whole(tx, coming.pause(tx, recurrence_id)))


@recurrences.post(
    "/catalog/recurrences/{recurrence_id}/resume", policy=may(Permission.CREATE), answers={200: RecurrenceWholeShape()}
)
def resume(tx: Tx, recurrence_id: int) -> Answer:
    """Order again from the next date on, once the order is right; what lies behind is not made up. For its owner."""
    return Answer(_whole(tx, coming.resume(tx, recurrence_id)))


@recurrences.post(
    "/catalog/recurrences/{recurrence_id}/end", policy=may(Permission.CREATE), answers={200: RecurrenceWholeShape()}
)
def end(tx: Tx, recurrence_id: int) -> Answer:
    """Order nothing more, for good. For its owner."""
    return Answer(_whole(tx, coming.end(tx, recurrence_id)))


_PLAIN: Final = (
    *("id", "item", "owner", "requested_for", "rule", "starts", "zone", "calendar", "on_closed"),
    *("state", "reason", "next_at", "created_at"),
)


def _address(recurrence: int) -> str:
    return f"{PREFIX}/catalog/recurrences/{recurrence}"


def _shown(row: Any) -> dict[str, Any]:
    here = _address(row.id)
    told = {name: getattr(row, name) for name in _PLAIN}
    return {**told, "links": {"self": here, "dates": f"{here}/dates", "item": f"{PREFIX}/catalog/{row.item}"}}


def _whole(tx: Tx, row: Any) -> dict[str, Any]:
    return {
        **_shown(row),
        "answers": row.answers,
        "dates": list(coming.dates(tx, row, SHOWN)),
        "occurrences": [_came(each) for each in coming.last(tx, row.id, SHOWN)],
    }


def _came(row: Any) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in ("due_at", "at", "outcome", "missed", "reason")}
    return {**told, "ticket": row.number}
