"""How risky a change is, and how changes have ended: the figures that the next assessment rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from itsm.api.auth import SIGNED_IN, may
from itsm.api.change_shapes import Moment, asked_period, span
from itsm.api.forms import Form, Text, words
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, instant, many, open_object, text, whole
from itsm.changes import assessing
from itsm.changes import figures as outcomes
from itsm.changes.assessing import Kept
from itsm.changes.figures import By, Figure
from itsm.changes.risk import Guide
from itsm.people.access import Permission
from itsm.tickets.desk import Tx

risks = Resource("Change risk", "How risky changes are found, and how they have ended.")


class ReasonShape(Shape):
    """What one judge says."""

    judge = text("`rule`, `answers` or `history`.")
    level = text("`low`, `moderate` or `high`.")
    why = text("Why.")


class RiskShape(Shape):
    """How risky a change was found."""

    level = text("The gravest of the reasons' levels; null while nobody has assessed it.", optional=True)
    score = whole("The score of the answers.")
    answers = open_object("The answers by question.")
    reasons = many(ReasonShape, "What each judge said.")
    assessed_by = text("The login of who assessed it.", optional=True)
    assessed_at = instant("When.", optional=True)
    questions = open_object("What is asked, by question: `ask`, `weight`, and the points of each of its `answers`.")


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by question."""

    answers: dict[str, str]


class AnswersForm(Form):
    """Answers to the questions about risk."""

    makes = Answers

    answers = fields.Dict(
        keys=fields.String(),
        values=fields.String(error_messages=words("text")),
        required=True,
        error_messages=words("an object"),
        metadata={"description": "An answer to every question, by name.", "maxProperties": 100},
    )


@risks.get("/changes/{number}/risk", policy=SIGNED_IN, answers={200: RiskShape()})
def risk(tx: Tx, number: str) -> Answer:
    """Read how risky a change was found and why, and what is asked about it."""
    return Answer(_risk(tx, assessing.latest(tx, number)))


@risks.post("/changes/{number}/risk", policy=may(Permission.WORK), body=AnswersForm(), answers={200: RiskShape()})
def assess(tx: Tx, number: str, body: Answers) -> Answer:
    """Assess a change's risk by rules, answers and past changes.

    The level is written into its field `risk`, as far as the workflow lets the caller write it.
    """
    return Answer(_risk(tx, assessing.assess(tx, number, body.answers)))


def _risk(tx: Tx, kept: Kept | None) -> dict[str, Any]:
    asked = {
        each.name: {"ask": each.ask, "weight": each.weight, "answers": dict(each.points)}
        for each in tx.desk.part(Guide).questions
    }
    if kept is None:
        empty: dict[str, Any] = {
            "level": None,
            "score": 0,
            "answers": {},
            "reasons": [],
            "assessed_by": None,
            "assessed_at": None,
        }
        return {**empty, "questions": asked}
    return {
        "level": kept.level.value,
        "score": kept.score,
        "answers": dict(kept.answers),
        "reasons": [{"judge": each.judge, "level": each.level.value, "why": each.why} for each in kept.reasons],
        "assessed_by": kept.by,
        "assessed_at": kept.at,
        "questions": asked,
    }


@dataclass(frozen=True, slots=True)
class FiguresQuery:
    """Figures of which period, by what."""

    start: datetime | None
    end: datetime | None
    by: str


class FiguresForm(Form):
    """Figures of which period, by what."""

    makes = FiguresQuery

    start = Moment("From when on; 365 days before the end, unless given.", data_key="from", load_default=None)
    end = Moment("Until when; now, unless given.", data_key="to", load_default=None)
    by = Text("By what.", choices=tuple(each.value for each in By), load_default=By.SERVICE.value)


class FigureShape(Shape):
    """The changes of one service, model, type or month."""

    key = text("Which; null for changes that name none.", optional=True)
    ended = whole("How many ended.")
    successful = whole("How many simply succeeded.")
    failed = whole("How many failed or were backed out.")
    causing_incidents = whole("How many caused incidents: incidents are linked to them by `caused_by`.")
    incidents = whole("How many incidents they caused.")
    failures = whole("How many failed, were backed out or caused an incident, each once.")
    failure_rate = fields.Float(required=True, metadata={"description": "The share of `failures` in `ended`, from 0 to 1."})


class FiguresShape(Shape):
    """Figures, by key."""

    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    items = many(FigureShape)


@risks.get("/changes/figures", policy=SIGNED_IN, query=FiguresForm(), answers={200: FiguresShape()})
def figures(tx: Tx, query: FiguresQuery) -> Answer:
    """Read how the changes that the caller sees have ended, and the change failure rate."""
    end = query.end or tx.now
    period = asked_period(query.start or end - timedelta(days=365), end)
    items = [_figure(each) for each in outcomes.figures(tx, period, By(query.by))]
    return Answer({**span(period), "items": items})


def _figure(each: Figure) -> dict[str, Any]:
    return {
        "key": each.key,
        "ended": each.ended,
        "successful": each.successful,
        "failed": each.failed,
        "causing_incidents": each.causing,
        "incidents": each.incidents,
        "failures": each.failures,
        "failure_rate": each.rate,
    }
