"""The forward schedule of changes, what is in the way of one, and where there is room for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsm.api.auth import SIGNED_IN
from itsm.api.change_shapes import AHEAD, FreezeShape, Length, Moment, asked_period, span, told_freeze
from itsm.api.forms import Form, Text, WholeNumber
from itsm.api.representation import address
from itsm.api.routing import PREFIX, Answer, Resource
from itsm.api.shapes import Shape, addresses, flag, instant, many, text, texts
from itsm.changes import conflicts as planning
from itsm.changes import freezes, queries
from itsm.changes.conflicts import Conflict
from itsm.changes.queries import Entry
from itsm.tickets.desk import Tx

calendar = Resource("Change calendar", "What is scheduled, in whose way, and where there is room.")


@dataclass(frozen=True, slots=True)
class ScheduleQuery:
    """Which part of the schedule."""

    start: datetime | None
    end: datetime | None
    service: str | None
    ci: str | None


class ScheduleForm(Form):
    """Which part of the schedule; the next 90 days unless something else is said."""

    makes = ScheduleQuery

    start = Moment("From when on; now, unless given.", data_key="from", load_default=None)
    end = Moment("Until when; 90 days later, unless given.", data_key="to", load_default=None)
    service = Text("Only changes of this service, by key.", 100, load_default=None)
    ci = Text("Only changes of this configuration item, by key.", 100, load_default=None)


class ScheduledShape(Shape):
    """A change in the schedule."""

    number = text("The change's number.", example="CHG0000042")
    title = text("Its title.")
    state = text("Its state.")
    standing = text("`tentative` until it is scheduled, `scheduled`, `under_way` or `done`.")
    starts_at = instant("When its window begins.")
    ends_at = instant("When its window ends; the first instant after it.")
    implementer = text("The login of who is to carry it out.", optional=True)
    service = text("The key of the service it changes.", optional=True)
    ci = text("The key of the configuration item it changes.", optional=True)
    priority = text("Its priority.", optional=True)
    links = addresses()


class ScheduleShape(Shape):
    """The forward schedule, the earliest first: 1,000 changes at most, and every freeze."""

    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    items = many(ScheduledShape, "The changes.")
    freezes = many(FreezeShape, "The freezes.")


@calendar.get("/changes/schedule", policy=SIGNED_IN, query=ScheduleForm(), answers={200: ScheduleShape()})
def schedule(tx: Tx, query: ScheduleQuery) -> Answer:
    """Read the forward schedule of changes.

    It has the changes that the caller sees whose window shares an instant with the period, and every freeze in it.
    """
    start = query.start or tx.now
    period = asked_period(start, query.end or start + AHEAD)
    items = [_entry(each) for each in queries.schedule(tx, period, query.service, query.ci)]
    frozen = [told_freeze(each) for each in freezes.declared(tx, period)]
    return Answer({"starts_at": period.start, "ends_at": period.end, "items": items, "freezes": frozen})


class ConflictShape(Shape):
    """A change that is in the way."""

    number = text("Its number; null where the caller does not see it.", optional=True)
    title = text("Its title.", optional=True)
    state = text("Its state.", optional=True)
    standing = text("How firm its window is.")
    starts_at = instant("When its window begins.")
    ends_at = instant("When its window ends.")
    causes = texts("Why: `same_item`, `same_service`, `dependent`, `same_implementer`.")
    via = texts("For `dependent`, a way along relations from this change to that one.")


class ConflictsShape(Shape):
    """What the calendar says of a change as it is planned."""

    starts_at = instant("When its window begins.")
    ends_at = instant("When its window ends.")
    conflicts = many(ConflictShape, "Changes that are in the way.")
    freezes = many(FreezeShape, "Freezes that cover the window or a part of it.")
    outside = texts("Maintenance windows that it should lie in and does not, by name.")
    clear = flag("Whether there is nothing of all that.")


@calendar.get("/changes/{number}/conflicts", policy=SIGNED_IN, answers={200: ConflictsShape()})
def conflicts(tx: Tx, number: str) -> Answer:
    """What is in the way of a change as it is planned: other changes, freezes, maintenance windows.

    A change that the caller does not see is told without number and title. 409 `no_window` if this one has no window yet.
    """
    verdict = planning.verdict(tx, queries.change(tx, number))
    body = {
        "starts_at": verdict.period.start,
        "ends_at": verdict.period.end,
        "conflicts": [_conflict(each) for each in verdict.conflicts],
        "freezes": [told_freeze(each) for each in verdict.freezes],
        "outside": verdict.outside,
        "clear": not (verdict.conflicts or verdict.freezes or verdict.outside),
    }
    return Answer(body)


@dataclass(frozen=True, slots=True)
class SlotsQuery:
    """How long a slot, from when on, how many."""

    duration: timedelta
    after: datetime | None
    limit: int


class SlotsForm(Form):
    """How long a slot, from when on, how many."""

    makes = SlotsQuery

    duration = Length("How long the change takes, as ISO 8601 writes it.", required=True)
    after = Moment("Not before; now, unless given.", load_default=None)
    limit = WholeNumber("How many at most.", 1, planning.MOST_SLOTS, in_query=True, load_default=5)


class SlotShape(Shape):
    """A time at which the change could take place."""

    starts_at = instant("When it begins.")
    ends_at = instant("When it ends.")


class SlotsShape(Shape):
    """Free slots, the earliest first."""

    items = many(SlotShape)


@calendar.get("/changes/{number}/slots", policy=SIGNED_IN, query=SlotsForm(), answers={200: SlotsShape()})
def slots(tx: Tx, number: str, query: SlotsQuery) -> Answer:
    """Find the next times at which a change could take place.

    They lie in the maintenance windows of what it changes (else in working hours), in no freeze, and in nobody's way; one for
    each stretch of free time.
    """
    record = queries.change(tx, number)
    after = max(query.after or tx.now, tx.now)
    found = planning.free_slots(tx, record, query.duration, after, query.limit)
    return Answer({"items": [span(each) for each in found]})


def _entry(each: Entry) -> dict[str, Any]:
    return {
        "number": each.number,
        "title": each.title,
        "state": each.state,
        "standing": each.standing.value,
        **span(each.period),
        "implementer": each.implementer,
        "service": each.service,
        "ci": each.item,
        "priority": each.priority,
        "links": {"ticket": address(each.number), "conflicts": f"{PREFIX}/changes/{each.number}/conflicts"},
    }


def _conflict(each: Conflict) -> dict[str, Any]:
    return {
        "number": each.number,
        "title": each.title,
        "state": each.state,
        "standing": each.standing.value,
        **span(each.period),
        "causes": [cause.value for cause in each.causes],
        "via": list(each.via),
    }
