"""The clocks of promises: why each stands as it does, which fall due next, what came of them, and putting one right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import request
from marshmallow import fields

from itsm.api import forms, paging, representation
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text, WholeNumber
from itsm.api.representation import TicketShape, address
from itsm.api.routing import Answer, Resource
from itsm.api.sla_results import counted
from itsm.api.sla_shapes import PoliciesShape, RunningListShape, SheetShape
from itsm.people.access import Permission
from itsm.sla import commands, queries, running, showing, telling, wording
from itsm.sla.keeping import Keeper
from itsm.sla.policy import Kind
from itsm.sla.running import AtRisk, Running
from itsm.tickets.desk import Tx
from itsm.worktime.duration import Duration, DurationError, iso

sla = Resource(
    "SLA",
    "The clocks of promises: why they stand as they do, which fall due next, and what came of them.",
    parts=(counted,),
)

KINDS: Final = tuple(kind.value for kind in Kind)
_LONGEST: Final = timedelta(days=366)


@sla.get("/tickets/{number}/sla", policy=SIGNED_IN, answers={200: SheetShape()})
def read(tx: Tx, number: str) -> Answer:
    """Read the clocks of a ticket, and why they stand as they do.

    All of it is derived from the ticket's events as they are read, and compared with what is kept. Who is no member of staff is
    told what was promised to him and every change of it, in plain words.
    """
    return Answer(telling.sheet(queries.of_ticket(tx, tx.desk.part(Keeper), number)))


# Putting a clock right


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """A time that is not to count."""

    clock: str
    part: str
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class NewExcuse:
    """An excuse of a miss."""

    clock: str
    part: str
    cycle: int
    reason: str


def _instant(about: str) -> fields.AwareDateTime:
    told = {**forms.words("an instant like 2026-03-02T09:00:00Z")}
    told["invalid_awareness"] = told["invalid"]
    metadata, reach = {"description": about}, forms.within_reach
    return fields.AwareDateTime(format="iso", required=True, validate=reach, error_messages=told, metadata=metadata)


class _ClockForm(Form):
    """Names a clock of a ticket, and says why."""

    clock = Text("The name of the policy.", required=True)
    part = Text("The group whose clock it is, where each has its own.", least=0, load_default="")
    reason = Text("Why; it shows in reports.", commands.LONGEST_REASON, required=True)


class CorrectionForm(_ClockForm):
    """A time that is not to count."""

    makes = NewCorrection

    start = _instant("From when.")
    end = _instant("Until when; it must have passed.")


class ExcuseForm(_ClockForm):
    """An excuse of a miss."""

    makes = NewExcuse

    cycle = WholeNumber("Which run of the clock.", 1, 1_000_000, required=True)


_MAY_CORRECT = may(Permission.CORRECT_CLOCKS)


@sla.post(
    "/tickets/{number}/sla/corrections", policy=_MAY_CORRECT, body=CorrectionForm(), answers={201: TicketShape()}, etag=True
)
def take_out(tx: Tx, number: str, body: NewCorrection) -> Answer:
    """Declare that a time does not count for a clock that has no result yet.

    The clock is not set: the correction is an event of the ticket, with a reason, and the clock follows from it.
    """
    keeper = tx.desk.part(Keeper)
    record = commands.take_out(tx, keeper, number, body.clock, body.part, body.start, body.end, body.reason)
    return representation.answer(tx, record, 201, {"Location": f"{address(number)}/sla"})


@sla.post("/tickets/{number}/sla/excuses", policy=_MAY_CORRECT, body=ExcuseForm(), answers={201: TicketShape()}, etag=True)
def excuse(tx: Tx, number: str, body: NewExcuse) -> Answer:
    """Excuse a miss, for reports. The result stays what it is."""
    keeper = tx.desk.part(Keeper)
    record = commands.excuse(tx, keeper, number, body.clock, body.part, body.cycle, body.reason)
    return representation.answer(tx, record, 201, {"Location": f"{address(number)}/sla"})


# Lists


@dataclass(frozen=True, slots=True)
class AtRiskQuery:
    """Which clocks."""

    within: str
    group: str | None
    clock: str | None
    kind: str | None
    limit: int
    cursor: str | None


class AtRiskForm(Form):
    """Which clocks."""

    makes = AtRiskQuery

    within = Text("Due within this time from now, as ISO 8601 writes it; what is overdue is always there.", load_default="PT4H")
    group = Text("Only of tickets that are with this group.", load_default=None)
    clock = Text("Only of this policy.", load_default=None)
    kind = Text("Only of this kind.", choices=KINDS, load_default=None)
    limit = paging.limit_field()
    cursor = paging.cursor_field()


@sla.get("/sla/at-risk", policy=may(Permission.READ_ALL), query=AtRiskForm(), answers={200: RunningListShape()})
def at_risk(tx: Tx, query: AtRiskQuery) -> Answer:
    """List the clocks that fall due next, and those that are overdue, the earliest first.

    A clock that is paused is not there: nothing falls due while it waits.
    """
    asked = ["at-risk", query.within, query.group, query.clock, query.kind]
    until = tx.now + _within(query.within)
    after = None
    if query.cursor is not None:  # the first page says until when, so that no clock is missed or told twice while one reads on
        until, *place = paging.unseal(tx, asked, query.cursor)
        after = (place[0], place[1], place[2], place[3])
    question = AtRisk(until, query.group, query.clock, query.kind, query.limit)
    page = running.at_risk(tx, tx.desk.part(Keeper), question, after)
    cursor = None if page.next is None else paging.seal(tx, asked, (until, *page.next))
    items = [_running(tx, one) for one in page.clocks]
    return Answer({"items": items, "next": cursor}, headers=paging.next_link(request, cursor))


def _within(said: str) -> timedelta:
    try:
        length = Duration.parse(said)
    except DurationError as error:
        raise forms.refusal("/within", "invalid_value", error.detail) from error
    if length.needs_calendar or length.exact > _LONGEST:
        raise forms.refusal("/within", "invalid_value", "Say up to a year of elapsed time, like PT4H or P2D.")
    return length.exact


def _running(tx: Tx, one: Running) -> dict[str, Any]:
    values, cycle, seen = one.record.values, one.cycle, one.visible
    return {
        "ticket": one.record.number,
        "title": values["title"] if "title" in seen else "",
        "type": one.record.type,
        "priority": values.get("priority") if "priority" in seen else None,
        "state": one.record.state,
        "group": values.get("group") if "group" in seen else None,
        "assignee": values.get("assignee") if "assignee" in seen else None,
        "clock": cycle.clock,
        "part": cycle.part,
        "cycle": cycle.number,
        "policy": one.policy.title,
        "kind": one.policy.kind.value,
        "target": cycle.target.text,
        "due": one.due_at,
        "left": iso(one.due_at - tx.now),
        "elapsed": showing.length(one.elapsed),
        "remaining": showing.length(one.remaining),
        "breached": tx.now > one.due_at,
        "links": {"ticket": address(one.record.number), "sla": f"{address(one.record.number)}/sla"},
    }


@sla.get("/sla/policies", policy=may(Permission.READ_WORKFLOWS), answers={200: PoliciesShape()})
def policies(tx: Tx) -> Answer:
    """Read what is promised to new tickets, in words."""
    agreement = queries.current(tx, tx.desk.part(Keeper))
    if agreement is None:
        return Answer({"version": 0, "items": []})
    items = [
        {
            "name": one.name,
            "title": one.title,
            "kind": one.kind.value,
            "promise": one.promise,
            "underpins": one.underpins,
            "words": wording.policy(one),
        }
        for one in agreement.policies.values()
    ]
    return Answer({"version": agreement.id, "items": items})
