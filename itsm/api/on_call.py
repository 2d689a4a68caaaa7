"""Who is on call, who stands in, and who is away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from itsm.api import forms
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text, within_reach, words
from itsm.api.routing import PREFIX, Answer, Resource
from itsm.api.shapes import Shape, instant, many, text, whole
from itsm.assignment import on_call, periods
from itsm.assignment.on_call import LONGEST
from itsm.assignment.periods import NewAbsence, NewOverride
from itsm.assignment.rota import Duty
from itsm.people.access import Permission
from itsm.tickets.desk import Tx

duty = Resource("On call", "Who is on call for a group and when, gaps included; and who is away.")

LONGEST_NOTE = 500
_WEEK = timedelta(days=7)


def _moment(about: str, **more: Any) -> fields.AwareDateTime:
    told = {**words("an instant like 2026-03-02T09:00:00Z")}
    told["invalid_awareness"] = told["invalid"]
    metadata = {"description": about}
    return fields.AwareDateTime(format="iso", validate=within_reach, error_messages=told, metadata=metadata, **more)


@dataclass(frozen=True, slots=True)
class OnCallQuery:
    """Whose rota, and which stretch of it."""

    group: str
    from_: datetime | None
    to: datetime | None


class OnCallForm(Form):
    """Whose rota, and which stretch of it."""

    makes = OnCallQuery

    group = Text("The key of the group.", required=True)
    from_ = _moment("From when on; now unless given.", data_key="from", load_default=None)
    to = _moment("Until when; a week later unless given.", load_default=None)


class AbsenceForm(Form):
    """Who is away, and when."""

    makes = NewAbsence

    login = Text("Who; the caller himself unless given.", 100, load_default=None)
    starts_at = _moment("From when on.", required=True)
    ends_at = _moment("Until when.", required=True)
    note = Text("Why, for those who plan.", LONGEST_NOTE, least=0, load_default="")


class OverrideForm(Form):
    """Who stands in, where, and when."""

    makes = NewOverride

    group = Text("The key of the group.", required=True)
    layer = Text("The layer of its rota.", required=True)
    login = Text("Who is on call instead.", 100, required=True)
    starts_at = _moment("From when on.", required=True)
    ends_at = _moment("Until when.", required=True)
    note = Text("Why.", LONGEST_NOTE, least=0, load_default="")


class DutyShape(Shape):
    """A stretch of time in a layer of a rota."""

    layer = text("Which layer.")
    start = instant("From when on.")
    end = instant("Until when.")
    login = text("Who is on call; null where there is a gap.", optional=True)
    gap = text("Why nobody is.", optional=True)
    override = fields.Integer(required=True, allow_none=True, metadata={"description": "The stand-in that it rests on."})


class PresentShape(Shape):
    """Who is on call in a layer now."""

    layer = text("Which layer.")
    login = text("Who; null where nobody is.", optional=True)
    gap = text("Why nobody is.", optional=True)


class OnCallShape(Shape):
    """A stretch of a rota."""

    group = text("Whose rota.")
    now = many(PresentShape, "Who is on call at this moment, layer by layer.")
    items = many(DutyShape, "Who is on call in the stretch asked for, layer by layer, without holes.")


class AbsenceShape(Shape):
    """A time in which somebody takes on no work."""

    id = whole("Which absence.")
    login = text("Who.")
    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    note = text("Why.")
    entered_by = text("Who entered it.", optional=True)


class AbsencesShape(Shape):
    """Absences, the earliest first."""

    items = many(AbsenceShape)


class OverrideShape(Shape):
    """Somebody who stands in on call."""

    id = whole("Which stand-in.")
    group = text("For which group.")
    layer = text("In which layer.")
    login = text("Who.")
    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    note = text("Why.")


@duty.get("/on-call", policy=may(Permission.READ_ALL), query=OnCallForm(), answers={200: OnCallShape()})
def rota(tx: Tx, query: OnCallQuery) -> Answer:
    """Tell who is on call for a group, now and in a stretch of time, with every gap and its reason."""
    start = query.from_ or tx.now
    end = query.to or start + _WEEK
    if end <= start or end - start > LONGEST:
        raise forms.refusal("/to", "invalid_value", f"It must end after it begins, and {LONGEST.days} days later at most.")
    duties = on_call.duties(tx, query.group, start, end)
    present = [{"layer": one.layer, "login": one.login, "gap": one.gap} for one in on_call.present(tx, query.group)]
    return Answer({"group": query.group, "now": present, "items": [_duty(one) for one in duties]})


@duty.post("/on-call/overrides", policy=may(Permission.WORK), body=OverrideForm(), answers={201: OverrideShape()})
def stand_in(tx: Tx, body: NewOverride) -> Answer:
    """Let somebody be on call in a layer for a period, whoever's turn it is.

    For the group's lead, and for those who administer users.
    """
    made = periods.enter_override(tx, body)
    told = {name: getattr(body, name) for name in ("group", "layer", "login", "starts_at", "ends_at", "note")}
    return Answer({"id": made, **told}, 201, {"Location": f"{PREFIX}/on-call/overrides/{made}"})


@duty.delete("/on-call/overrides/{override_id}", policy=may(Permission.WORK), answers={204: None})
def stand_down(tx: Tx, override_id: int) -> Answer:
    """Call a stand-in off; whose turn it is is on call again."""
    periods.cancel_override(tx, override_id)
    return Answer(None, 204)


@duty.get("/absences", policy=SIGNED_IN, answers={200: AbsencesShape()})
def absences(tx: Tx) -> Answer:
    """List when the caller, and the members of groups that he leads, are away, now and to come."""
    return Answer({"items": [_absence(row) for row in periods.absences(tx)]})


@duty.post("/absences", policy=may(Permission.WORK), body=AbsenceForm(), answers={201: AbsenceShape()})
def be_away(tx: Tx, body: NewAbsence) -> Answer:
    """Say that the caller, or a member of a group that he leads, is away for a period and takes on no work in it."""
    made = periods.enter_absence(tx, body)
    return Answer(_absence(periods.absence(tx, made)), 201, {"Location": f"{PREFIX}/absences/{made}"})


@duty.delete("/absences/{absence_id}", policy=may(Permission.WORK), answers={204: None})
def be_back(tx: Tx, absence_id: int) -> Answer:
    """Call an absence off."""
    periods.cancel_absence(tx, absence_id)
    return Answer(None, 204)


def _duty(one: Duty) -> dict[str, Any]:
    return {
        "layer": one.layer,
        "start": one.start,
        "end": one.end,
        "login": one.login,
        "gap": one.gap,
        "override": one.stand_in,
    }


def _absence(row: Any) -> dict[str, Any]:
    names = ("id", "login", "starts_at", "ends_at", "note", "entered_by")
    return {name: getattr(row, name) for name in names}
