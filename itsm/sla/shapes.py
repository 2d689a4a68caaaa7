"""A great many stories told anew at the price of a few: what follows from a story's shape is worked out once for each shape.

Which cycles there are, and between which of a story's events they count, follows from what the conditions say at each event;
not from when it was. So two stories in which the same happened, and the same conditions held, have the same cycles at other
instants. What does depend on instants (when a clock is due, whether a promise was kept) is worked out for each from its own.
Where the cycles themselves would depend on them, the story is told in full, as `replay.py` does. The outcome is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from itsm.people.access import SYSTEM
from itsm.sla.judging import Judge, Subject
from itsm.sla.measure import calendar_key
from itsm.sla.moments import APPLIED, CORRECTED, EXCUSED, STAMP, THRESHOLD_REACHED, Facts, Moment, moments
from itsm.sla.policy import Agreement, Happening, OnChange, Policy, expressions_of
from itsm.sla.replay import Begun, LoggedEvent, retold
from itsm.sla.threads import Retold, Short, Thread, Threads, in_full, moved
from itsm.workflow.expression import Compiled

_SYSTEM: Final = SYSTEM.login
_MOST_SITUATIONS: Final = 200_000
_MOST_SHAPES: Final = 20_000
_NOT_TIME: Final = frozenset({APPLIED, EXCUSED, THRESHOLD_REACHED})
_OWN: Final = ("ticket.type", "ticket.number", "ticket.state", "ticket.category")
_OF_HOURS: Final = ("calendar", "location")
_OF_HAPPENINGS: Final = ("assignee", "group", "requester")
"""The fields by which `Moment.happenings` tells what happened, whatever the conditions ask for."""


_NOWHERE: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class _Situation:
    """What all conditions say of a ticket at one moment: a number for it, and the policies that apply then."""

    number: int
    applying: frozenset[str]


@dataclass(slots=True)
class _Outline:
    """A story by its shape: `code` names it, `instants` fill it in, `situations` are those of the moments that clocks heed."""

    code: list[int] = field(default_factory=list)
    instants: list[int] = field(default_factory=list)
    situations: list[_Situation] = field(default_factory=list)

    def add(self, at: int, situation: _Situation, step: int) -> bool:
        """Go on by one moment; False if it lies before the one before it."""
        instants = self.instants
        if not instants or at > instants[-1]:
            instants.append(at)
        elif at < instants[-1]:
            return False
        self.situations.append(situation)
        self.code += (len(instants), situation.number, step)
        return True


@dataclass(slots=True)
class Retelling:
    """Tells stories anew under one agreement. Not to be shared among threads.

    `told` counts stories, `in_full` those among them that had to be told in full.
    """

    agreement: Agreement
    judge: Judge
    told: int = 0
    in_full: int = 0
    _conditions: tuple[Compiled, ...] = field(init=False)
    _fields: tuple[str, ...] = field(init=False)
    _watched: frozenset[str] = field(init=False)
    _places: tuple[str, ...] = field(init=False)
    _by_number: bool = field(init=False)
    _by_group: bool = field(init=False)
    _situations: dict[tuple[Any, ...], _Situation] = field(init=False, default_factory=dict)
    _numbers: dict[tuple[Any, ...], _Situation] = field(init=False, default_factory=dict)
    _placed: dict[tuple[Any, ...], int] = field(init=False, default_factory=dict)
    _steps: dict[tuple[Any, ...], int] = field(init=False, default_factory=dict)
    _heard: dict[frozenset[Happening], int] = field(init=False, default_factory=dict)
    _shapes: dict[tuple[int, ...], Threads | None] = field(init=False, default_factory=dict)
    _parts: dict[frozenset[str], Agreement] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        policies = self.agreement.policies.values()
        self._conditions = tuple(dict.fromkeys(one for policy in policies for one in expressions_of(policy)))
        names = sorted(frozenset[str]().union(*(one.names for one in self._conditions)))
        self._fields = tuple(
            dict.fromkeys(name.split(".")[1] for name in names if name.startswith("ticket.") and name not in _OWN)
        )
        if any(policy.per_group is not None for policy in policies):
            self._fields = tuple(dict.fromkeys((*self._fields, "group")))
        self._watched = frozenset((*self._fields, *_OF_HAPPENINGS))
        hours = [goal.hours for policy in policies for goal in policy.goals]
        near = {f"{place.value}.{what}" for one in hours for place in (one.by, one.zone_by) if place for what in _OF_HOURS}
        self._places = tuple(sorted({name for name in names if not name.startswith("ticket.")} | near))
        self._by_number = "ticket.number" in names
        self._by_group = any(policy.per_group is not None for policy in policies)

    def tell(self, story: Sequence[LoggedEvent]) -> Retold:
        """The cycles that a story gives; its events are in the order in which they were written."""
        self.told += 1
        outline = self._outline(story)
        if outline is None:
            return self._in_full(story)
        code = tuple(outline.code)
        if code not in self._shapes:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            self._shapes[code] = self._template(story, outline)
        template = self._shapes[code]
        return self._in_full(story) if template is None else Retold(self.agreement, template, outline.instants)

    def _outline(self, story: Sequence[LoggedEvent]) -> _Outline | None:
        """The shape of a story; None of one that has to be told in full.

        It does what `moments.moments` does, but looks only at the fields that somebody asks for, and makes no moments.
        """
        found = _Outline()
        type_ = number = state = category = ""
        values: dict[str, Any] = {}
        places, placed = _NOWHERE, 0
        situation: _Situation | None = None
        for at, kind, actor, payload in story:
            if kind in _NOT_TIME:
                continue
            if kind == CORRECTED:
                return None
            changes, stamp, moved = payload.get("changes"), payload.get(STAMP), "to" in payload
            was, assignee, group = category, values.get("assignee"), values.get("group")
            if changes and (asked := self._watched.intersection(changes)):
                for name in asked:
                    values[name] = changes[name][1]
                situation = None
            if moved:
                state, category, situation = payload["to"], payload["category"], None
            if kind == "created" and (changes or moved):
                type_, number, situation = payload["type"], payload["number"], None
            if stamp and (noted := stamp.get("places")):
                places, situation = {**places, **noted}, None
                placed = self._placed.setdefault(_key(map(places.get, self._places)), len(self._placed) + 1)
            by = actor == values.get("requester"), actor == _SYSTEM, "comment" in payload, payload.get("visibility")
            into = values.get("assignee") not in (None, assignee), values.get("group") != group, payload.get("trigger")
            key = kind, was, category, moved, bool(changes), by, into
            step = self._steps.get(key)
            if step is None:
                before = Facts("", "", "", was, {"assignee": assignee, "group": group})
                moment = Moment(at, kind, payload, actor, before, Facts("", "", "", category, values))
                step = self._steps[key] = self._step(moment)
            if not step and not stamp:
                continue
            if situation is None:
                facts = type_, number if self._by_number else "", state, category
                situation = self._situation(placed, facts, values, places)
            if not found.add(at, situation, step):
                return None
        return found

    def _step(self, moment: Moment) -> int:
        """A number for what an event is to clocks: what has happened by it. 0 for what means nothing to them."""
        return self._heard.setdefault(moment.happenings, len(self._heard) + 1) if moment.matters else 0

    def _situation(
        self, placed: int, facts: tuple[str, str, str, str], values: Mapping[str, Any], places: Mapping[str, Any]
    ) -> _Situation:
        key = (placed, facts, *map(values.get, self._fields))
        try:
            known = self._situations.get(key)
        except TypeError:  # a list among the values
            key = _key(key)
            known = self._situations.get(key)
        if known is None:
            if len(self._situations) >= _MOST_SITUATIONS:
                self._situations.clear()
            type_, number, state, category = facts
            known = self._situations[key] = self._judged(Subject(Facts(type_, number, state, category, values), places))
        return known

    def _judged(self, subject: Subject) -> _Situation:
        answers = tuple(self.judge.holds(one, subject) for one in self._conditions)
        calendars = tuple(
            calendar_key(self.agreement, goal.hours, subject.places)
            for policy in self.agreement.policies.values()
            for goal in policy.goals
        )
        group = subject.facts.values.get("group") if self._by_group else None
        applying = frozenset(
            name for name, policy in self.agreement.policies.items() if self.judge.holds(policy.applies, subject)
        )
        return self._numbers.setdefault((answers, calendars, group), _Situation(len(self._numbers), applying))

    def _template(self, story: Sequence[LoggedEvent], outline: _Outline) -> Threads | None:
        """A story's cycles with the places of their instants; None if they would differ at other instants."""
        names = frozenset[str]().union(*(situation.applying for situation in outline.situations))
        if any(not _is_portable(self.agreement.policies[name]) for name in names):
            return None
        _, told = retold((self._part(names), self.judge), self.agreement.id, list(moments(story)))
        places = {at: place for place, at in enumerate(outline.instants)}
        return {
            clock: self._thread([Begun(places[one.began_at], moved(one.cycle, places)) for one in cycles.values()])
            for clock, cycles in told.items()
        }

    def _thread(self, cycles: Sequence[Begun]) -> Thread:
        """A clock's cycles, with the short form of the one that is open."""
        found = next((one for one in cycles if one.cycle.is_open), None)
        if found is None or found.cycle.credit or found.cycle.target.length <= 0:
            return Thread(cycles, is_open=found is not None)
        spans = [(self.agreement.calendar(one.calendar), one.start, one.end) for one in found.cycle.counted]
        return Thread(cycles, is_open=True, open=Short(found.cycle.target, found.began_at, spans))

    def _part(self, names: frozenset[str]) -> Agreement:
        """The agreement with these of its policies: what never applies leaves no trace, and costs time."""
        found = self._parts.get(names)
        if found is None:
            chosen = {name: policy for name, policy in self.agreement.policies.items() if name in names}
            found = self._parts[names] = replace(self.agreement, policies=chosen)
        return found

    def _in_full(self, story: Sequence[LoggedEvent]) -> Retold:
        self.in_full += 1
        _, told = retold((self.agreement, self.judge), self.agreement.id, list(moments(story)))
        return Retold(self.agreement, in_full(told))


def _is_portable(policy: Policy) -> bool:
    """Whether its cycles, target and all, are the same at other instants."""
    return policy.on_change is not OnChange.PRORATE and not any(goal.target.end_of_day for goal in policy.goals)


def _key(values: Iterable[object]) -> tuple[Any, ...]:
    """Values as a key."""
    return tuple([_plain(value) for value in values])


def _plain(value: object) -> object:
    if type(value) is list:
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value
