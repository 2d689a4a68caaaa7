"""A ticket's story, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request
from marshmallow import fields

from itsm.api import paging
from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, instant, many, now_and_then, text, whole
from itsm.tickets import timeline as story
from itsm.tickets.desk import Tx
from itsm.tickets.timeline import Entry

timeline = Resource("Timeline", "What happened to a ticket: who, when, from what to what, why.")

TOLD = ("from", "to", "trigger")
"""What an event says that stands in its entry by name; all else stands in `details`."""


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """Which stretch of the story."""

    limit: int
    cursor: str | None


class TimelineForm(Form):
    """Which stretch of the story."""

    makes = TimelineQuery

    limit = paging.limit_field(default=paging.MOST)
    cursor = paging.cursor_field()


class SaidShape(Shape):
    """What somebody wrote."""

    id = whole("Which comment.")
    body = text("The words, in Markdown.")
    visibility = text("`public`, or `internal` for what staff alone may read.")


class EntryShape(Shape):
    """One thing that happened."""

    seq = whole("Its place in the ticket's story.")
    at = instant("When it happened.")
    recorded_at = fields.AwareDateTime(
        metadata={"description": "When it was written down, if at another time: imported history."}
    )
    kind = text("What happened.", example="moved")
    actor = text("The login of who did it; `system` for the desk itself.")
    on_behalf_of = text("Whose deed the desk carried on.", optional=True)
    channel = text("The way it came in.", example="api")
    internal = fields.Boolean(metadata={"description": "True for what staff alone are told; absent otherwise."})
    from_ = now_and_then("The state it left.", data_key="from")
    to = now_and_then("The state it came into.")
    trigger = now_and_then("The move that was made.")
    changes = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Raw()),
        metadata={"description": "Old and new value of each field that changed and that the caller may see."},
    )
    comment = fields.Nested(SaidShape)
    details = fields.Dict(keys=fields.String(), metadata={"description": "What else there is to say, by the kind of event."})


class TimelineShape(Shape):
    """A stretch of a ticket's story."""

    items = many(EntryShape)
    next = paging.next_field()


@timeline.get("/tickets/{number}/timeline", policy=SIGNED_IN, query=TimelineForm(), answers={200: TimelineShape()})
def read(tx: Tx, number: str, query: TimelineQuery) -> Answer:
    """Read a ticket's story, the newest last.

    Internal notes and what goes on behind the scenes are told to staff only; changes of fields that the caller may not see are
    left out.
    """
    asked = ["timeline", number]
    after = 0 if query.cursor is None else paging.unseal(tx, asked, query.cursor)[0]
    told = story.read(tx, number, after, query.limit)
    cursor = None if told.next is None else paging.seal(tx, asked, (told.next,))
    items = [_item(entry) for entry in told.entries]
    return Answer({"items": items, "next": cursor}, headers=paging.next_link(request, cursor))


def _item(entry: Entry) -> dict[str, Any]:
    details = dict(entry.details)
    item: dict[str, Any] = {
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "on_behalf_of": entry.on_behalf_of,
        "channel": entry.channel,
    }
    if entry.recorded_at != entry.at:
        item["recorded_at"] = entry.recorded_at
    if entry.internal:
        item["internal"] = True
    item.update({name: details.pop(name) for name in TOLD if isinstance(details.get(name), str)})
    if entry.changes:
        item["changes"] = entry.changes
    if entry.comment is not None:
        item["comment"] = {"id": entry.comment.id, "body": entry.comment.body, "visibility": entry.comment.visibility}
    if details:
        item["details"] = details
    return item
