"""One step in the life of a ticket of which only some fields are looked at: creation, an edit, a move, what happens by itself.

The order is the engine's (inputs, condition, `do`, derivation, requirements), and what it would refuse is no step. People are
taken to fill required fields with a transition, and to change others by an edit before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Final

from itsm.workflow.builtin import FILLED_AT_CREATION, KEPT_BY_THE_DESK, MOVED_BY_TRANSITIONS, REQUIRED_AT_CREATION
from itsm.workflow.check.abstract import Sight
from itsm.workflow.check.domains import is_count
from itsm.workflow.check.logic import ANYTHING, FILLED, HOLDS, Condition, Value, Values
from itsm.workflow.check.passage import Passage, may_be_written, prepared, writes_among
from itsm.workflow.check.people import people_among, some_person_may_write
from itsm.workflow.check.subject import Automatic, Subject
from itsm.workflow.definition import Comment, Invariant

_BORN_WITH: Final = frozenset({"title", "requester", *KEPT_BY_THE_DESK})


@dataclass(frozen=True, slots=True)
class Station:
    """A state and the values of the fields looked at, in their order."""

    state: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What was done (`given`: with which values) and where the ticket was then.

    `binding`: an invariant that it breaks is the workflow's fault; an edit, or an entry at creation, is merely refused.
    `facts` are the counts at that moment, `names` what its conditions looked at.
    """

    deed: str
    given: Values
    to: Station
    binding: bool
    names: frozenset[str] = frozenset()
    facts: Values = field(default_factory=dict)


class Stepper:
    """Knows every step from every station of a workflow, looking at these fields and counts (`tasks.open`)."""

    def __init__(self, subject: Subject, names: Iterable[str]) -> None:
        looked_at = frozenset(names)
        counts = sorted(name for name in looked_at if is_count(name))
        self.subject = subject
        self.sight = Sight(subject, looked_at - set(counts))
        self.names = self.sight.names
        self._dotted = tuple(f"ticket.{name}" for name in self.names)
        self._cases = [
            dict(zip(counts, case, strict=True)) for case in product(*(self.sight.values_of_count(name) for name in counts))
        ]
        self._passages = {
            state: [prepared(subject, move, self.sight.domains) for move in subject.moves_from(state)]
            for state in subject.workflow.states
        }
        self._invariants = self._by_state()

    def _by_state(self) -> dict[str, list[tuple[Invariant, Condition]]]:
        """The invariants of each state that have something to do with what is looked at."""
        looked_at = {*self._dotted, *(name for case in self._cases for name in case)}
        found: dict[str, list[tuple[Invariant, Condition]]] = {state: [] for state in self.subject.workflow.states}
        for invariant in self.subject.workflow.invariants:
            for condition in self.subject.conditions(invariant.holds):
                if not looked_at.isdisjoint(condition.names):
                    for state in found if invariant.states is None else invariant.states:
                        found[state].append((invariant, condition))
        return found

    @property
    def size(self) -> int:
        """How many stations there can be at most, times the cases of counts in each."""
        return prod(map(len, self.sight.domains.values())) * len(self.subject.workflow.states) * len(self._cases)

    def broken(self, station: Station, facts: Values) -> list[Invariant]:
        """The invariants that certainly do not hold in a station."""
        invariants = self._invariants[station.state]
        if not invariants:
            return []
        world = self._world(station, facts)
        return [invariant for invariant, condition in invariants if not condition.judge(world) & HOLDS]

    # Steps

    def births(self) -> Iterator[Step]:
        """The ways in which a ticket can be created; the first says nothing that could be left out."""
        initial = self.subject.workflow.states[self.subject.workflow.initial]
        bare: dict[str, Value] = {name: self._born(name) for name in self.names}
        required = {*initial.require, *REQUIRED_AT_CREATION} & bare.keys()
        for number, choice in enumerate(product(*(self._entries(name, bare[name]) for name in self.names))):
            values = self.sight.derive(dict(zip(self.names, choice, strict=True)))
            if all(values[name] is not None for name in required):
                given = {
                    name: value
                    for name, value in values.items()
                    if value != bare[name] and self.subject.fields[name].derive is None
                }
                yield Step("create", given, self._station(initial.name, values), binding=number == 0)

    def _born(self, name: str) -> Value:
        return FILLED if name in _BORN_WITH else self.sight.written(name, self.subject.fields[name].default, {})

    def _entries(self, name: str, born: Value) -> list[Value]:
        """What a field can be at creation, what it is born with first."""
        if name in _BORN_WITH or not (name in FILLED_AT_CREATION or some_person_may_write(self.subject.fields[name])):
            return [born]
        return list(dict.fromkeys([born, *(value for value in self.sight.domains[name] if value is not None)]))

    def steps(self, station: Station) -> Iterator[Step]:
        """Everything that can be done to a ticket in this station."""
        values = dict(zip(self.names, station.values, strict=True))
        for passage in self._passages[station.state]:
            yield from self._moves(station, values, passage)
        for each in self.subject.automatic:
            if station.state in each.states and (writes := writes_among(self.subject, each.what.do, self.sight.domains)):
                yield from self._by_itself(station, values, each, writes)
        yield from self._edits(station, values)

    def _moves(self, station: Station, values: Values, passage: Passage) -> Iterator[Step]:
        """The ways to make a move. What must be filled can be filled well or badly; only if nothing fits is that a fault."""
        for handed in _choices({name: self._handed(passage, name, values[name]) for name in passage.handed}):
            for facts in self._cases:
                asked = {name: self._fillings(passage, name, values[name]) for name in passage.asked}
                steps = [
                    step for filled in _choices(asked) if (step := self._move(station, values, passage, handed | filled, facts))
                ]
                sound = [step for step in steps if not self.broken(step.to, facts)]
                yield from sound or steps

    def _move(self, station: Station, values: Values, passage: Passage, entered: Values, facts: Values) -> Step | None:
        """A move with these inputs and counts, if it is possible."""
        laid = {**values, **entered}
        if not self._passes(station.state, laid, passage, facts) or (facts and self.broken(station, facts)):
            return None
        after = self.sight.derive(self._carried_out(passage.writes, laid))
        if any(after[name] is None for name in passage.required):
            return None
        given = {name: value for name, value in entered.items() if value != values[name]}
        to = self._station(passage.move.target, after)
        return Step(passage.move.branch.trigger, given, to, binding=True, names=passage.names, facts=facts)

    def _fillings(self, passage: Passage, name: str, now: Value) -> list[Value]:
        """What a required field can be when a move is made: what it was, if anything, or what somebody fills in."""
        chosen = self.sight.domains[name] if name in passage.free else ()
        return [value for value in dict.fromkeys([now, *chosen]) if value is not None]

    def _handed(self, passage: Passage, name: str, now: Value) -> list[Value]:
        """Who has the work after a move: who had it, or whoever it is handed to."""
        return list(dict.fromkeys([now, FILLED])) if name in passage.free else [now]

    def _passes(self, state: str, values: Mapping[str, Value], passage: Passage, facts: Values) -> bool:
        if not passage.conditions and not passage.rivals:
            return True
        world = self._world(self._station(state, values), facts)
        world["comment"] = FILLED if passage.move.branch.comment is Comment.REQUIRED else ANYTHING
        if not all(condition.judge(world) & HOLDS for condition in passage.conditions):
            return False
        won = (rival.by for rival in passage.rivals if rival.condition is None or rival.condition.judge(world) == HOLDS)
        return not frozenset[str]().union(*won).issuperset(passage.move.branch.by)

    def _by_itself(
        self, station: Station, values: Mapping[str, Value], each: Automatic, writes: tuple[tuple[str, object], ...]
    ) -> Iterator[Step]:
        """What a timer or reaction writes before it fires anything."""
        world = self._world(station, {"comment": None})
        conditions = self.subject.conditions(each.what.condition)
        if all(condition.judge(world) & HOLDS for condition in conditions):
            to = self._station(station.state, self.sight.derive(self._carried_out(writes, values)))
            names = frozenset[str]().union(*(condition.names for condition in conditions))
            yield Step(str(each), {}, to, binding=True, names=names)

    def _edits(self, station: Station, values: Mapping[str, Value]) -> Iterator[Step]:
        state = self.subject.workflow.states[station.state]
        shut = {*state.readonly, *state.hidden, *MOVED_BY_TRANSITIONS, *_BORN_WITH}
        for name in self.names:
            editors = people_among(self.subject.fields[name].edit)
            if may_be_written(self.subject, name, editors, shut):
                for value in self.sight.domains[name]:
                    if value != values[name] and not (value is None and name in state.require):
                        to = self._station(state.name, self.sight.derive({**values, name: value}))
                        yield Step("edit", {name: value}, to, binding=False)

    # Stations

    def _carried_out(self, writes: Iterable[tuple[str, object]], values: Mapping[str, Value]) -> dict[str, Value]:
        after = dict(values)
        for name, raw in writes:
            after[name] = self.sight.written(name, raw, after)
        return after

    def _station(self, state: str, values: Mapping[str, Value]) -> Station:
        return Station(state, tuple(values[name] for name in self.names))

    def _world(self, station: Station, others: Values) -> dict[str, Value]:
        """What is known in a station."""
        world: dict[str, Value] = dict(zip(self._dotted, station.values, strict=True))
        workflow = self.subject.workflow
        world["ticket.state"], world["ticket.type"] = station.state, workflow.name
        world["ticket.category"] = workflow.category(station.state).value
        world.update(others)
        return world


def _choices(options: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Value]]:
    """Every way to choose one of the options of each name."""
    return (dict(zip(options, choice, strict=True)) for choice in product(*options.values()))
