"""The form of `config/sla.yaml`: every key that may be written, as marshmallow schemas.

What a key means is told in docs/sla.md; whether the whole makes sense is told by `check/`. `reading.py` makes policies of what
these forms accept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any, ClassVar, Final

from marshmallow import ValidationError, validates_schema

from itsm.sla.policy import ALWAYS, Happening, Hours, Kind, OnChange, Place, Return
from itsm.workflow import source
from itsm.workflow.action_spec import Do
from itsm.workflow.definition import Action
from itsm.workflow.grammar import PlacedForm
from itsm.workflow.reading.compounds import Part, Several
from itsm.workflow.reading.entries import Cel, Entry, Json, Matching, Name, OneOf, Span, Text, Word, text_of
from itsm.workflow.reading.form import Fault, Form, Noun, fault, place_of, shape, under
from itsm.worktime.duration import Duration, DurationError

NAME: Final = "[a-z][a-z0-9_-]{0,62}"
LONGEST_TARGET: Final = timedelta(days=731)
"""Two years: nobody waits longer for what was promised."""

LARGEST_SHARE: Final = 10
"""Ten times the target: a threshold beyond is forgotten before it is reached."""

_SHARE: Final = re.compile(r"([+-]?[0-9]{1,9}(?:\.[0-9]{1,6})?) ?%")
_OFFSET: Final = re.compile(r"due ?([+-]) ?(.+)")
_NO_LENGTH: Final = ("it is negative", "it has no length", "it is longer than ten years")
_POINTS: Final = "Such as “75%”, “due - 30 minutes”, “due” or “due + 1 hour”."
_NO_GOALS: Final = Fault("missing-key", "A policy needs at least one goal.")
_NO_DEED: Final = Fault("missing-key", "Something must be done here.")
_NEVER_STOPS: Final = Fault(
    "missing-key", "Nothing ever stops this clock: it needs `stop`.", "Such as stop: {when: \"ticket.category == 'closed'\"}."
)


@dataclass(frozen=True, slots=True)
class Point:
    """Where a threshold lies, under its canonical name. One of the three is set."""

    label: str
    share: Fraction | None = None
    before: Duration | None = None
    after: Duration | None = None


class Truth(Entry[bool]):
    """True or false."""

    def take(self, value: Any) -> bool:
        truth = value.core if isinstance(value, source.Scalar) else value
        if not isinstance(truth, bool):
            raise fault("wrong-type", f"Here true or false is wanted, not {shape(value)}.")
        return truth

    def json_schema(self) -> Json:
        return {"type": "boolean"}


class Mention(Cel):
    """A name that is looked up when all are known, with its place."""


class Target(Span):
    """How long something may take: a span of time that is more than nothing and no slip of the pen."""

    def take(self, value: Any) -> Duration:
        text = text_of(value)
        hint = "Such as “30 minutes”, “8 business hours” or “end of next business day”."
        try:
            target = Duration.parse(text)
        except DurationError as error:
            code = "absurd-target" if error.why.startswith(_NO_LENGTH) else "bad-duration"
            raise fault(code, str(error), hint) from None
        days = timedelta(days=target.business_days + target.end_of_day)
        if target.exact + target.business + days > LONGEST_TARGET:
            raise fault("absurd-target", f"“{text}” is longer than two years.", hint)
        return target


class PointEntry(Entry[Point]):
    """The point of a threshold: `75%`, `due`, `due - 30 minutes`, `due + 1 hour`."""

    def take(self, value: Any) -> Point:
        text = " ".join(text_of(value).split())
        if text == "due":
            return Point("due", share=Fraction(1))
        if found := _SHARE.fullmatch(text):
            return _share(text, Fraction(found[1]))
        if found := _OFFSET.fullmatch(text):
            return _offset(text, found[1], found[2])
        raise fault("bad-threshold", f"{source.quoted(text)} is no point on the way.", _POINTS)

    def json_schema(self) -> Json:
        return {"type": "string", "examples": ["75%", "due - 30 minutes", "due", "due + 1 hour"]}


def _share(text: str, percent: Fraction) -> Point:
    if not 0 < percent <= LARGEST_SHARE * 100:
        raise fault("bad-threshold", f"“{text}” is not above 0 % and up to {LARGEST_SHARE * 100:,} %.", _POINTS)
    number = f"{float(percent):.6f}".rstrip("0").rstrip(".")
    return Point(f"{number}%", share=percent / 100)


def _offset(text: str, sign: str, length: str) -> Point:
    try:
        by = Duration.parse(length)
    except DurationError as error:
        raise fault("bad-threshold", str(error), _POINTS) from None
    if by.end_of_day:
        raise fault("bad-threshold", f"“{text}”: a closing time is no length that lies before or after.", _POINTS)
    label = f"due {sign} {by}"
    return Point(label, before=by) if sign == "-" else Point(label, after=by)


class _ZoneForm(Form):
    by = Word((Place.REQUESTER, Place.CI), "place", required=True)


class _HoursForm(Form):
    by = OneOf(Place, "place")
    default = Name(Noun.CALENDAR, also=(ALWAYS,), required=True)
    zone = Part(_ZoneForm())


class HoursEntry(Entry[Hours]):
    """A calendar by its name, or whose calendar it is: `{by: service, default: office-hours, zone: {by: requester}}`."""

    known = Name(Noun.CALENDAR, also=(ALWAYS,))
    place = Part(_HoursForm())

    def take(self, value: Any) -> Hours:
        if not isinstance(value, Mapping):
            return Hours(self.known.take(value))
        data = self.place.take(value)
        zone = data.get("zone")
        return Hours(data["default"], data.get("by"), Place(zone["by"]) if zone else None)

    def json_schema(self) -> Json:
        return {"anyOf": [self.known.json_schema(), self.place.json_schema()]}


class Answer(Do):
    """One entry of a threshold's `do:`: any action; or `fire: TRIGGER`, a transition of the ticket itself.

    The latter comes back as the action `fire` without the argument `on`, which the action itself cannot lack.
    """

    trigger = Name(Noun.TRIGGER)

    def take(self, value: Any) -> Action:
        if not isinstance(value, Mapping) or list(value) != ["fire"] or not isinstance(value["fire"], str):
            return super().take(value)
        try:
            return Action("fire", {"trigger": self.trigger.take(value["fire"])}, place_of(value, "fire"))
        except ValidationError as error:
            raise under("fire", error) from None


def is_own(action: Action) -> bool:
    """Whether an action of a threshold is a transition of the ticket itself."""
    return action.name == "fire" and "on" not in action.arguments


def _happenings(**kwargs: Any) -> Several:
    return Several(OneOf(Happening, "happening"), **kwargs)


class _ConditionForm(Form):
    on = _happenings()
    when = Cel()

    @validates_schema
    def something(self, data: dict[str, Any], **_: object) -> None:
        """Nothing is no condition."""
        if not data.get("on") and "when" not in data:
            raise fault("missing-key", "Say when: by `on`, by `when`, or by both.")


class _StartForm(Form):
    on = _happenings()
    when = Cel()
    retroactive = Truth(load_default=False)


class _PauseForm(Form):
    while_ = Cel(data_key="while", attribute="condition", required=True)
    because = Text()


class _GoalForm(PlacedForm):
    if_ = Cel(data_key="if", attribute="condition")
    target = Target(required=True)
    calendar = HoursEntry()


class _ThresholdForm(PlacedForm):
    point = PointEntry(data_key="at", attribute="point", required=True)
    if_ = Cel(data_key="if", attribute="condition")
    do = Several(Answer(), empty=_NO_DEED, required=True)

    @validates_schema
    def one_move(self, data: dict[str, Any], **_: object) -> None:
        """After one transition the other would start from where nobody looked."""
        if sum(map(is_own, data["do"])) > 1:
            raise under(
                "do", fault("double-fire", "A threshold fires one transition.", "Give the other a threshold of its own.")
            )


class PolicyForm(PlacedForm):
    """One policy."""

    missing: ClassVar[Mapping[str, Fault]] = {"stop": _NEVER_STOPS}

    sla = Matching(NAME, "bad-name", "a name for a policy", required=True)
    title = Text()
    kind = OneOf(Kind, "kind", load_default=Kind.SLA)
    underpins = Mention()
    when = Cel()
    calendar = HoursEntry()
    start = Part(_StartForm(), load_default=dict)
    pause = Part(_PauseForm())
    stop = Part(_ConditionForm(), required=True)
    cancel = Part(_ConditionForm())
    reset = Part(_ConditionForm())
    on_change = OneOf(OnChange, "change-rule", load_default=OnChange.KEEP_ELAPSED)
    per_group = OneOf(Return, "return")
    promise = Text()
    goals = Several(Part(_GoalForm()), empty=_NO_GOALS, required=True)
    thresholds = Several(Part(_ThresholdForm()), load_default=())

    @validates_schema
    def fitting(self, data: dict[str, Any], **_: object) -> None:
        """What belongs to groups and to what lies beneath a promise stands nowhere else."""
        if "per_group" in data and data["kind"] is not Kind.OLA:
            wrong = fault(
                "misplaced-key", f"A clock per group is an ola, not a {data['kind']}.", "Write kind: ola.", on_key=True
            )
            raise under("per_group", wrong)
        if "underpins" in data and data["kind"] is Kind.SLA:
            wrong = fault("misplaced-key", "An sla underpins nothing.", "Write kind: ola or kind: uc.", on_key=True)
            raise under("underpins", wrong)


POLICIES: Final[Several] = Several(Part(PolicyForm()))
