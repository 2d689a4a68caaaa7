"""The change calendar for calendar programs: private addresses, and what is read there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import request

from itsm.api.auth import NOBODY, SIGNED_IN, Policy
from itsm.api.change_shapes import AHEAD
from itsm.api.forms import Form, Text
from itsm.api.routing import PREFIX, Answer, Media, Resource
from itsm.api.shapes import Shape, instant, many, text, whole
from itsm.changes import feeds as store
from itsm.changes import freezes, ics, meeting_queries, queries
from itsm.changes.rules import Period
from itsm.people.access import Scope
from itsm.people.tokens import actor_by_login
from itsm.tickets.desk import Desk, Tx

subscriptions = Resource("Change feeds", "Subscriptions to the change calendar.")

HOLDS_KEY: Final = Policy("the feed's key", needs_token=False)
"""Calendar programs send no token; the address of a feed has a key of its own, which opens nothing else."""

BEHIND: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class FeedBody:
    """What a feed is for."""

    label: str


class NewFeedForm(Form):
    """A subscription to the calendar."""

    makes = FeedBody

    label = Text("What it is for, for you to tell it from others.", 100, least=0, load_default="")


class FeedShape(Shape):
    """A subscription."""

    id = whole("Which feed.")
    label = text("What it is for.")
    created_at = instant("When it was given out.")


class FeedsShape(Shape):
    """Subscriptions, the oldest first."""

    items = many(FeedShape)


class GivenShape(FeedShape):
    """A subscription as it is given out."""

    path = text("The address to subscribe to, told this once: whoever has it sees the calendar as you do.")


@subscriptions.get("/changes/feeds", policy=SIGNED_IN, answers={200: FeedsShape()})
def feeds(tx: Tx) -> Answer:
    """List the caller's subscriptions to the change calendar."""
    rows = store.mine(tx)
    return Answer({"items": [{"id": row.id, "label": row.label, "created_at": row.created_at} for row in rows]})


@subscriptions.post("/changes/feeds", policy=SIGNED_IN, body=NewFeedForm(), answers={201: GivenShape()})
def subscribe(tx: Tx, body: FeedBody) -> Answer:
    """Get a private address of the change calendar, for calendar programs.

    It is told once; the desk keeps a digest only. 409 `too_many_feeds` after 20.
    """
    given = store.subscribe(tx, body.label)
    path = f"{PREFIX}/changes/calendar.ics?key={given.key}"
    return Answer({"id": given.id, "label": given.label, "created_at": tx.now, "path": path}, 201)


@subscriptions.delete("/changes/feeds/{feed_id}", policy=SIGNED_IN, answers={204: None})
def unsubscribe(tx: Tx, feed_id: int) -> Answer:
    """Revoke one of the caller's subscriptions; its address leads nowhere from now on."""
    store.unsubscribe(tx, feed_id)
    return Answer(status=204)


class FeedKeyForm(Form):
    """The key of a feed."""

    makes = FeedBody

    key = Text("The key, as it was given out with the address.", 100, required=True)


@subscriptions.get(
    "/changes/calendar.ics", policy=HOLDS_KEY, query=FeedKeyForm(), answers={200: Media("text/calendar")}, scope=Scope.READ
)
def subscribed(desk: Desk) -> Answer:
    """Read the change calendar as iCalendar (RFC 5545), by the key of a feed.

    It has what the feed's owner sees at that moment: the last 30 days, the next 90, the freezes, and meetings of the board.
    """
    keys = request.args.getlist("key")
    with desk.reading(NOBODY) as tx:
        login = store.subscriber(tx, keys[0] if len(keys) == 1 else "")
        tx.actor = actor_by_login(tx.session, login, desk.roles)
        period = Period(tx.now - BEHIND, tx.now + AHEAD)
        content = ics.calendar(
            queries.schedule(tx, period), freezes.declared(tx, period), tx.now, meeting_queries.between(tx, period)
        )
    return Answer(content, media_type=ics.MEDIA_TYPE)
