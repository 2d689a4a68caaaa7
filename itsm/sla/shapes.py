"""A great many stories told anew at the price of a few: what follows from a story's shape is worked out once for each shape.

Which cycles there are, and between which of a story's events they count, follows from what the conditions say at each event;
not from when it was. So two stories in which the same happened, and the same conditions held, have the same cycles at other
instants. What does depend on instants (when a clock is due, whether a promise was kept) is worked out for each from its own.
Where the cycles themselves would depend on them, the story is told in full, as `replay.py` does. The outcome is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from itsm.sla import measure
from itsm.sla.moments import APPLIED, CORRECTED, EXCUSED, THRESHOLD_REACHED, Facts, Moment
from itsm.sla.policy import Agreement, OnChange, Policy, expressions_of
from itsm.sla.replay import Begun, retold
from itsm.sla.rules import Judge, Subject, calendar_key
from itsm.sla.standing import Cycle, Status, Stretch
from itsm.workflow.expression import Compiled

Clock: TypeAlias = tuple[str, str]
"""Policy and part."""

ByClock: TypeAlias = Mapping[Clock, Sequence[Begun]]

_MOST_SITUATIONS: Final = 200_000
_MOST_SHAPES: Final = 20_000
_NOT_TIME: Final = frozenset({APPLIED, EXCUSED, THRESHOLD_REACHED})
_OWN: Final = ("ticket.type", "ticket.number", "ticket.state", "ticket.category")


@dataclass(frozen=True, slots=True)
class Retold:
    """A story's cycles by clock, in their order, as `replay.retold` gives them; each clock's are made when they are asked for.

    Only the status of ended cycles and what leads to the due instant are up to date; thresholds are not.
    """

    agreement: Agreement
    cycles: ByClock
    instants: Mapping[int, int] | None = None

    def __iter__(self) -> Iterator[Clock]:
        return iter(self.cycles)

    def is_open(self, clock: Clock) -> bool:
        """Whether the clock has a cycle without a result."""
        return any(one.cycle.is_open for one in self.cycles.get(clock, ()))

    def of(self, clock: Clock) -> Sequence[Begun]:
        """The cycles of a clock."""
        found = self.cycles.get(clock, ())
        if self.instants is None:
            return found
        at = self.instants
        return [Begun(at[one.began_at], _decided(self.agreement, _moved(one.cycle, at))) for one in found]


@dataclass(frozen=True, slots=True)
class _Situation:
    """What all conditions say of a ticket at one moment: a number for it, and the policies that apply then."""

    number: int
    applying: frozenset[str]


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
    _places: tuple[str, ...] = field(init=False)
    _by_number: bool = field(init=False)
    _by_group: bool = field(init=False)
    _situations: dict[tuple[Any, ...], _Situation] = field(init=False, default_factory=dict)
    _numbers: dict[tuple[Any, ...], _Situation] = field(init=False, default_factory=dict)
    _shapes: dict[tuple[Any, ...], ByClock | None] = field(init=False, default_factory=dict)
    _parts: dict[frozenset[str], Agreement] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        policies = self.agreement.policies.values()
        self._conditions = tuple(dict.fromkeys(one for policy in policies for one in expressions_of(policy)))
        names = sorted(frozenset[str]().union(*(one.names for one in self._conditions)))
        self._fields = tuple(
            dict.fromkeys(name.split(".")[1] for name in names if name.startswith("ticket.") and name not in _OWN)
        )
        hours = [goal.hours for policy in policies for goal in policy.goals]
        near = {f"{place.value}.{what}" for one in hours for place in (one.by, one.zone_by) if place for what in _OF_HOURS}
        self._places = tuple(sorted({name for name in names if not name.startswith("ticket.")} | near))
        self._by_number = "ticket.number" in names
        self._by_group = any(policy.per_group is not None for policy in policies)

    def tell(self, story: Sequence[Moment]) -> Retold:
        """The cycles that a story gives."""
        self.told += 1
        moments = [moment for moment in story if moment.kind not in _NOT_TIME and (moment.matters or moment.stamp)]
        instants = [moment.at for moment in moments]
        if instants != sorted(instants) or any(moment.kind == CORRECTED for moment in moments):
            return self._in_full(story)
        ranks = {at: rank for rank, at in enumerate(dict.fromkeys(instants))}
        situations = self._situations_of(moments)
        shape = tuple(
            (ranks[moment.at], situation.number, moment.happenings, moment.matters)
            for moment, situation in zip(moments, situations, strict=True)
        )
        if shape not in self._shapes:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            self._shapes[shape] = self._template(story, situations, ranks)
        template = self._shapes[shape]
        return self._in_full(story) if template is None else Retold(self.agreement, template, dict(enumerate(ranks)))

    def _situations_of(self, moments: Sequence[Moment]) -> list[_Situation]:
        places: Mapping[str, Any] = {}
        found: list[_Situation] = []
        before: tuple[Facts, Mapping[str, Any]] | None = None
        for moment in moments:
            if noted := moment.stamp.get("places"):
                places = {**places, **noted}
            if before is not None and moment.after is before[0] and places is before[1]:
                found.append(found[-1])
            else:
                found.append(self._situation(moment, places))
            before = moment.after, places
        return found

    def _situation(self, moment: Moment, places: Mapping[str, Any]) -> _Situation:
        facts = moment.after
        key = (
            facts.type,
            facts.number if self._by_number else None,
            facts.state,
            facts.category,
            facts.values.get("group") if self._by_group else None,
            *map(facts.values.get, self._fields),
            *map(places.get, self._places),
        )
        try:
            known = self._situations.get(key)
        except TypeError:  # a list among the values
            key = tuple(map(_plain, key))
            known = self._situations.get(key)
        if known is None:
            if len(self._situations) >= _MOST_SITUATIONS:
                self._situations.clear()
            known = self._situations[key] = self._judged(Subject(facts, places), moment, places)
        return known

    def _judged(self, subject: Subject, moment: Moment, places: Mapping[str, Any]) -> _Situation:
        answers = tuple(self.judge.holds(one, subject) for one in self._conditions)
        calendars = tuple(
            calendar_key(self.agreement, goal.hours, places)
            for policy in self.agreement.policies.values()
            for goal in policy.goals
        )
        group = moment.after.values.get("group") if self._by_group else None
        applying = frozenset(
            name for name, policy in self.agreement.policies.items() if self.judge.holds(policy.applies, subject)
        )
        return self._numbers.setdefault((answers, calendars, group), _Situation(len(self._numbers), applying))

    def _template(self, story: Sequence[Moment], situations: Sequence[_Situation], ranks: Mapping[int, int]) -> ByClock | None:
        """A story's cycles with the ranks of their instants; None if they would differ at other instants."""
        names = frozenset[str]().union(*(situation.applying for situation in situations))
        if any(not _is_portable(self.agreement.policies[name]) for name in names):
            return None
        _, told = retold((self._part(names), self.judge), self.agreement.id, story)
        return {
            clock: [Begun(ranks[one.began_at], _moved(one.cycle, ranks)) for one in cycles.values()]
            for clock, cycles in told.items()
        }

    def _part(self, names: frozenset[str]) -> Agreement:
        """The agreement with these of its policies: what never applies leaves no trace, and costs time."""
        found = self._parts.get(names)
        if found is None:
            chosen = {name: policy for name, policy in self.agreement.policies.items() if name in names}
            found = self._parts[names] = replace(self.agreement, policies=chosen)
        return found

    def _in_full(self, story: Sequence[Moment]) -> Retold:
        self.in_full += 1
        _, told = retold((self.agreement, self.judge), self.agreement.id, story)
        return Retold(self.agreement, {clock: list(cycles.values()) for clock, cycles in told.items()})


_OF_HOURS: Final = ("calendar", "location")


def _is_portable(policy: Policy) -> bool:
    """Whether its cycles, target and all, are the same at other instants."""
    return policy.on_change is not OnChange.PRORATE and not any(goal.target.end_of_day for goal in policy.goals)


def _decided(agreement: Agreement, cycle: Cycle) -> Cycle:
    """A cycle with the result that its own instants give it, with the due instant if that was reached."""
    if cycle.is_open or cycle.status is Status.CANCELLED or cycle.stopped_at is None:
        return cycle
    due = measure.used_up(agreement, cycle, cycle.target.length)
    missed = due is not None and cycle.stopped_at > due
    return replace(cycle, status=Status.MISSED if missed else Status.MET, due_at=due)


def _moved(cycle: Cycle, instants: Mapping[int, int]) -> Cycle:
    """A cycle with other instants in the place of its own."""
    return Cycle(
        clock=cycle.clock,
        part=cycle.part,
        number=cycle.number,
        version=cycle.version,
        status=cycle.status,
        started_at=instants[cycle.started_at],
        target=cycle.target,
        counted=tuple([_at_other(one, instants) for one in cycle.counted]),
        credit=cycle.credit,
        stopped_at=None if cycle.stopped_at is None else instants[cycle.stopped_at],
    )


def _at_other(one: Stretch, instants: Mapping[int, int]) -> Stretch:
    return Stretch(instants[one.start], None if one.end is None else instants[one.end], one.calendar)


def _plain(value: object) -> object:
    """A value as a part of a key."""
    if type(value) is list:
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value
