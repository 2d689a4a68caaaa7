"""The change calendar: forward schedule, conflicts, free slots, freezes, the feed, and the gate for pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import request
from marshmallow import fields

from itsm.api import representation
from itsm.api.auth import NOBODY, SIGNED_IN, Policy, may
from itsm.api.forms import Fault, Form, Text, WholeNumber, fault, words
from itsm.api.representation import TicketShape, address
from itsm.api.routing import PREFIX, Answer, Media, Resource
from itsm.api.shapes import Shape, addresses, flag, instant, many, open_object, text, texts, whole
from itsm.changes import assessing, commands, feed, gate, queries, standard
from itsm.changes import figures as outcomes
from itsm.changes.assessing import Kept
from itsm.changes.commands import NewFreeze
from itsm.changes.figures import By, Figure
from itsm.changes.queries import Conflict, Declared, Entry
from itsm.changes.risk import Guide
from itsm.changes.rules import Period
from itsm.changes.standard import Offered
from itsm.people.access import Permission, Scope
from itsm.people.tokens import actor_by_login
from itsm.tickets.desk import Desk, Tx
from itsm.worktime.duration import Duration, DurationError

changes = Resource("Changes", "The change calendar: what is scheduled, frozen, in whose way, and where there is room.")

APPROVES_MODELS: Final = may(Permission.APPROVE_MODELS)
FREEZES: Final = may(Permission.FREEZE)
HOLDS_KEY: Final = Policy("the feed's key", needs_token=False)
"""Calendar programs send no token; the address of a feed has a key of its own, which opens nothing else."""

LONGEST: Final = timedelta(days=400)
AHEAD: Final = timedelta(days=90)
BEHIND: Final = timedelta(days=30)
LONGEST_SLOT: Final = timedelta(days=30)


class Moment(fields.AwareDateTime):
    """An instant as RFC 3339 writes it, with its offset."""

    def __init__(self, about: str, **more: Any) -> None:
        naive = [Fault("invalid_value", "This must say its offset from UTC.")]
        told = {**words("a moment"), "invalid_awareness": naive}
        super().__init__(format="iso", error_messages=told, metadata={"description": about}, **more)


class Length(fields.String):
    """A span of elapsed time as ISO 8601 writes it; it becomes a timedelta."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(error_messages=words("text"), metadata={"description": about, "example": "PT2H"}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        try:
            length = Duration.parse(super()._deserialize(value, attr, data, **more)[:40])
        except DurationError as error:
            raise fault("invalid_value", str(error)) from None
        if length.business or length.business_days or length.end_of_day or not timedelta() < length.exact <= LONGEST_SLOT:
            raise fault("invalid_value", f"This must be elapsed time of up to {LONGEST_SLOT.days} days, such as PT2H.")
        return length.exact


# The schedule


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


class FreezeShape(Shape):
    """A time in which nothing is changed."""

    key = text("Its name in the configuration, or its number.")
    reason = text("Why.")
    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    services = texts("The services that are frozen, by key; null for all.", optional=True)
    spares = texts("The types of change that it does not hold for.")
    declared_by = text("The login of who declared it; null for one of the configuration.", optional=True)
    declared_at = instant("When it was declared.", optional=True)


class ScheduleShape(Shape):
    """The forward schedule, the earliest first: 1,000 changes at most, and every freeze."""

    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    items = many(ScheduledShape, "The changes.")
    freezes = many(FreezeShape, "The freezes.")


@changes.get("/changes/schedule", policy=SIGNED_IN, query=ScheduleForm(), answers={200: ScheduleShape()})
def schedule(tx: Tx, query: ScheduleQuery) -> Answer:
    """Read the forward schedule of changes.

    It has the changes that the caller sees whose window shares an instant with the period, and every freeze in it.
    """
    start = query.start or tx.now
    period = queries.asked_period(start, query.end or start + AHEAD, LONGEST)
    items = [_entry(each) for each in queries.schedule(tx, period, query.service, query.ci)]
    freezes = [_freeze(each) for each in queries.declared(tx, period)]
    return Answer({"starts_at": period.start, "ends_at": period.end, "items": items, "freezes": freezes})


# One change


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


@changes.get("/changes/{number}/conflicts", policy=SIGNED_IN, answers={200: ConflictsShape()})
def conflicts(tx: Tx, number: str) -> Answer:
    """What is in the way of a change as it is planned: other changes, freezes, maintenance windows.

    A change that the caller does not see is told without number and title. 409 `no_window` if this one has no window yet.
    """
    verdict = queries.verdict(tx, queries.change(tx, number))
    if verdict is None:
        raise queries.no_window()
    body = {
        "starts_at": verdict.period.start,
        "ends_at": verdict.period.end,
        "conflicts": [_conflict(each) for each in verdict.conflicts],
        "freezes": [_freeze(Declared(each, None, None)) for each in verdict.freezes],
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
    limit = WholeNumber("How many at most.", 1, queries.MOST_SLOTS, in_query=True, load_default=5)


class SlotShape(Shape):
    """A time at which the change could take place."""

    starts_at = instant("When it begins.")
    ends_at = instant("When it ends.")


class SlotsShape(Shape):
    """Free slots, the earliest first."""

    items = many(SlotShape)


@changes.get("/changes/{number}/slots", policy=SIGNED_IN, query=SlotsForm(), answers={200: SlotsShape()})
def slots(tx: Tx, number: str, query: SlotsQuery) -> Answer:
    """Find the next times at which a change could take place.

    They lie in the maintenance windows of what it changes (else in working hours), in no freeze, and in nobody's way; one for
    each stretch of free time.
    """
    record = queries.change(tx, number)
    after = max(query.after or tx.now, tx.now)
    found = queries.free_slots(tx, record, query.duration, after, query.limit)
    return Answer({"items": [_span(each) for each in found]})


# Freezes


class NewFreezeForm(Form):
    """A freeze to be declared."""

    makes = staticmethod(lambda services, spares, **more: NewFreeze(services=tuple(services), spares=tuple(spares), **more))

    reason = Text("Why; whoever is turned away reads it.", 500, required=True)
    starts_at = Moment("From when on.", required=True)
    ends_at = Moment("Until when.", required=True)
    services = fields.List(
        Text("A service, by key.", 100),
        load_default=list,
        validate=lambda keys: len(keys) <= 200,
        metadata={"description": "The services that are frozen, by key; none stands for all."},
    )
    spares = fields.List(
        Text("A type of change.", choices=("normal", "standard", "emergency")),
        load_default=list,
        metadata={"description": "Types of change that it does not hold for."},
    )


@changes.post("/changes/freezes", policy=FREEZES, body=NewFreezeForm(), answers={201: FreezeShape()})
def freeze(tx: Tx, body: NewFreeze) -> Answer:
    """Declare a freeze.

    From now on nothing is scheduled into it or begun in it; what is scheduled there already stays, and cannot be begun.
    """
    return Answer(_freeze(commands.declare(tx, body)), 201)


@changes.delete("/changes/freezes/{freeze_id}", policy=FREEZES, answers={204: None})
def lift(tx: Tx, freeze_id: int) -> Answer:
    """End a freeze that was declared by the API. Those of the configuration are ended there."""
    commands.lift(tx, freeze_id)
    return Answer(status=204)


# The feed


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


@changes.get("/changes/feeds", policy=SIGNED_IN, answers={200: FeedsShape()})
def feeds(tx: Tx) -> Answer:
    """List the caller's subscriptions to the change calendar."""
    rows = queries.feeds(tx)
    return Answer({"items": [{"id": row.id, "label": row.label, "created_at": row.created_at} for row in rows]})


@changes.post("/changes/feeds", policy=SIGNED_IN, body=NewFeedForm(), answers={201: GivenShape()})
def subscribe(tx: Tx, body: FeedBody) -> Answer:
    """Get a private address of the change calendar, for calendar programs.

    It is told once; the desk keeps a digest only. 409 `too_many_feeds` after 20.
    """
    given = commands.subscribe(tx, body.label)
    path = f"{PREFIX}/changes/calendar.ics?key={given.key}"
    return Answer({"id": given.id, "label": given.label, "created_at": tx.now, "path": path}, 201)


@changes.delete("/changes/feeds/{feed_id}", policy=SIGNED_IN, answers={204: None})
def unsubscribe(tx: Tx, feed_id: int) -> Answer:
    """Revoke one of the caller's subscriptions; its address leads nowhere from now on."""
    commands.unsubscribe(tx, feed_id)
    return Answer(status=204)


class FeedKeyForm(Form):
    """The key of a feed."""

    makes = FeedBody

    key = Text("The key, as it was given out with the address.", 100, required=True)


@changes.get(
    "/changes/calendar.ics", policy=HOLDS_KEY, query=FeedKeyForm(), answers={200: Media("text/calendar")}, scope=Scope.READ
)
def subscribed(desk: Desk) -> Answer:
    """Read the change calendar as iCalendar (RFC 5545), by the key of a feed.

    It has what the feed's owner sees at that moment: the last 30 days, the next 90, and the freezes.
    """
    keys = request.args.getlist("key")
    with desk.reading(NOBODY) as tx:
        login = commands.subscriber(tx, keys[0] if len(keys) == 1 else "")
        tx.actor = actor_by_login(tx.session, login, desk.roles)
        period = Period(tx.now - BEHIND, tx.now + AHEAD)
        content = feed.calendar(queries.schedule(tx, period), queries.declared(tx, period), tx.now)
    return Answer(content, media_type=feed.MEDIA_TYPE)


# The gate


@dataclass(frozen=True, slots=True)
class GateBody:
    """What a pipeline is going to touch."""

    change: str | None
    service: str | None
    ci: str | None


class GateForm(Form):
    """A change, or what is going to be changed."""

    makes = GateBody

    change = Text("The number of a change; then nothing else is looked at.", 100, load_default=None)
    service = Text("A service, by key.", 100, load_default=None)
    ci = Text("A configuration item, by key.", 100, load_default=None)


class GateShape(Shape):
    """What a pipeline is told."""

    verdict = text("`approved`, `wait` or `refused`.")
    change = text("The number of the change that decided it, if one did.", optional=True)
    reasons = texts("Why, in sentences.")
    waiting_for = texts("Whose deed is awaited: logins, `group:KEY`, or `window` for a window that has not begun.")


@changes.post("/changes/gate", policy=SIGNED_IN, body=GateForm(), answers={200: GateShape()}, changes=False)
def ask(tx: Tx, body: GateBody) -> Answer:
    """Ask whether something may be deployed now: for pipelines.

    `approved`: its change is under way, or scheduled for now and not frozen. `wait`: it is not as far yet. `refused`: it is
    frozen or over, or there is no change. Nothing is moved by asking.
    """
    ruling = gate.ask(tx, body.change, body.service, body.ci)
    told = {"verdict": ruling.answer.value, "change": ruling.change, "reasons": list(ruling.reasons)}
    return Answer({**told, "waiting_for": list(ruling.waiting_for)})


# Risk and figures


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


@changes.get("/changes/{number}/risk", policy=SIGNED_IN, answers={200: RiskShape()})
def risk(tx: Tx, number: str) -> Answer:
    """Read how risky a change was found and why, and what is asked about it."""
    return Answer(_risk(tx, assessing.latest(tx, number)))


@changes.post("/changes/{number}/risk", policy=may(Permission.WORK), body=AnswersForm(), answers={200: RiskShape()})
def assess(tx: Tx, number: str, body: Answers) -> Answer:
    """Assess a change's risk by rules, answers and past changes.

    The level is written into its field `risk`, as far as the workflow lets the caller write it.
    """
    return Answer(_risk(tx, assessing.assess(tx, number, body.answers)))


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


@changes.get("/changes/figures", policy=SIGNED_IN, query=FiguresForm(), answers={200: FiguresShape()})
def figures(tx: Tx, query: FiguresQuery) -> Answer:
    """Read how the changes that the caller sees have ended, and the change failure rate."""
    end = query.end or tx.now
    period = queries.asked_period(query.start or end - timedelta(days=365), end, LONGEST)
    items = [_figure(each) for each in outcomes.figures(tx, period, By(query.by))]
    return Answer({**_span(period), "items": items})


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


# Standard models


class ModelShape(Shape):
    """A template of standard changes."""

    name = text("What changes name in `standard_model`.")
    title = text("What it is called.")
    version = text("Names its content as it reads now.")
    description = text("What it is for.")
    fills = open_object("The fields that it fills, and their values.")
    approved_by = text("The login of who approved this version; null if nobody has.", optional=True)
    approved_at = instant("When it was approved.", optional=True)
    ended = whole("How many changes by it have ended within a year.")
    failures = whole("How many of these failed, were backed out or caused an incident.")


class ModelsShape(Shape):
    """Models, by name."""

    items = many(ModelShape)


@dataclass(frozen=True, slots=True)
class ModelWord:
    """An approval of a version."""

    version: str
    note: str


class ModelWordForm(Form):
    """An approval of a version of a model."""

    makes = ModelWord

    version = Text("The version that was read.", 100, required=True)
    note = Text("Why, for the record.", 500, least=0, load_default="")


@dataclass(frozen=True, slots=True)
class FromModel:
    """A change by a model."""

    title: str | None
    service: str | None
    ci: str | None


class FromModelForm(Form):
    """A change by a model."""

    makes = FromModel

    title = Text("The model's own title, unless given.", load_default=None)
    service = Text("The service that is changed, by key.", 100, load_default=None)
    ci = Text("The configuration item that is changed, by key.", 100, load_default=None)


@changes.get("/changes/models", policy=SIGNED_IN, answers={200: ModelsShape()})
def models(tx: Tx) -> Answer:
    """List the models of standard changes, whether each is approved, and how changes by it have ended."""
    return Answer({"items": [_model(each) for each in standard.offered(tx)]})


@changes.post("/changes/models/{name}/approval", policy=APPROVES_MODELS, body=ModelWordForm(), answers={204: None})
def approve(tx: Tx, name: str, body: ModelWord) -> Answer:
    """Approve a version of a model: changes by it need no authorisation each."""
    standard.approve(tx, name, body.version, body.note)
    return Answer(status=204)


@changes.delete("/changes/models/{name}/approval", policy=APPROVES_MODELS, answers={204: None})
def revoke(tx: Tx, name: str) -> Answer:
    """Take back the approval of a model: no change by it is submitted from now on."""
    standard.revoke(tx, name)
    return Answer(status=204)


@changes.post(
    "/changes/models/{name}/changes", policy=may(Permission.WORK), body=FromModelForm(), answers={201: TicketShape()}, etag=True
)
def make(tx: Tx, name: str, body: FromModel) -> Answer:
    """Open a standard change by a model, which fills its fields. 409 `not_approved` if this version is not."""
    return representation.created(tx, standard.create(tx, name, body.title, body.service, body.ci))


def _model(each: Offered) -> dict[str, Any]:
    model, approved, figure = each.model, each.approved, each.figure
    return {
        "name": model.name,
        "title": model.title,
        "version": model.version,
        "description": model.description,
        "fills": dict(model.fields),
        "approved_by": approved.by if approved else None,
        "approved_at": approved.at if approved else None,
        "ended": figure.ended if figure else 0,
        "failures": figure.failures if figure else 0,
    }


# Telling


def _entry(each: Entry) -> dict[str, Any]:
    return {
        "number": each.number,
        "title": each.title,
        "state": each.state,
        "standing": each.standing.value,
        **_span(each.period),
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
        **_span(each.period),
        "causes": [cause.value for cause in each.causes],
        "via": list(each.via),
    }


def _freeze(each: Declared) -> dict[str, Any]:
    freeze = each.freeze
    return {
        "key": freeze.key,
        "reason": freeze.reason,
        **_span(freeze.period),
        "services": None if freeze.services is None else sorted(freeze.services),
        "spares": sorted(freeze.spared),
        "declared_by": each.by,
        "declared_at": each.at,
    }


def _span(period: Period) -> dict[str, datetime]:
    return {"starts_at": period.start, "ends_at": period.end}
