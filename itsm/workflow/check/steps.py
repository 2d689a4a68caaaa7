"""One step in the life of a ticket of which only some fields are looked at: creation, an edit, a move, what happens by itself.

The order is the engine's (inputs, condition, `do`, derivation, requirements), and what it would refuse is no step. People are
taken to fill required fields with a transition, and to change others by an edit before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod
from typing import Final

from itsm.workflow.builtin import FILLED_AT_CREATION, KEPT_BY_THE_DESK, MOVED_BY_TRANSITIONS, REQUIRED_AT_CREATION
from itsm.workflow.check.abstract import Sight, Values
from itsm.workflow.check.domains import COUNTS
from itsm.workflow.check.logic import ANYTHING, FILLED, Value, Verdict, World
from itsm.workflow.check.people import may_write, people_among, some_person_may_write
from itsm.workflow.check.subject import Move, Subject
from itsm.workflow.definition import Action, Comment, Invariant
from itsm.workflow.tree import Tree

_BORN_WITH: Final = frozenset({"title", "requester", *KEPT_BY_THE_DESK})
_PASSES: Final = frozenset({Verdict.HOLDS, Verdict.OPEN})


@dataclass(frozen=True, slots=True)
class Station:
    """A state and the values of the fields looked at, in their order."""

    state: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What was done (`given`: with which values) and where the ticket was then.

    `binding`: an invariant that it breaks is the workflow's fault; an edit, or an entry at creation, is merely refused.
    `facts` are the counts at that moment, `conditions` what had to hold. After a `blind` step the counts are no longer free,
    as its condition looked at them: it is not followed further.
    """

    deed: str
    given: Mapping[str, Value]
    to: Station
    binding: bool
    conditions: tuple[Tree, ...] = ()
    facts: Mapping[str, Value] = field(default_factory=dict)
    blind: bool = False


class Stepper:
    """Knows every step from every station of a workflow, looking at these fields and counts (`tasks.open`)."""

    def __init__(self, subject: Subject, names: Iterable[str]) -> None:
        looked_at = frozenset(names)
        counts = sorted(name for name in looked_at if name.partition(".")[0] in COUNTS)
        self.subject = subject
        self.sight = Sight(subject, looked_at - set(counts))
        self._cases = [dict(zip(counts, case, strict=True)) for case in product(*(self.sight.counts(name) for name in counts))]
        self._roots = {name.partition(".")[0] for name in counts}
        self._invariants = {each: trees[0] for each in subject.workflow.invariants if (trees := subject.trees(each.holds))}

    @property
    def names(self) -> tuple[str, ...]:
        """The fields looked at."""
        return self.sight.names

    @property
    def size(self) -> int:
        """How many stations there can be at most, times the cases of counts in each."""
        return prod(len(domain) for domain in self.sight.domains.values()) * len(self.subject.workflow.states) * len(self._cases)

    # Invariants

    def breaks(self, step: Step, invariant: Invariant) -> bool:
        """Whether an invariant certainly does not hold after a step."""
        return not self._holds(invariant, step.to, step.facts)

    def refused(self, step: Step) -> bool:
        """Whether any invariant certainly does not hold after a step."""
        return any(self.breaks(step, each) for each in self._invariants)

    def _holds(self, invariant: Invariant, station: Station, facts: Mapping[str, Value]) -> bool:
        if invariant not in self._invariants or (invariant.states is not None and station.state not in invariant.states):
            return True
        return self._world(station.state, self._of(station), facts).judge(self._invariants[invariant]) in _PASSES

    # Steps

    def births(self) -> Iterator[Step]:
        """The ways in which a ticket can be created; the first without anything that could be left out."""
        initial = self.subject.workflow.states[self.subject.workflow.initial]
        bare: Values = {name: self._born(name) for name in self.names}
        options = [self._creation_options(name, bare[name]) for name in self.names]
        required = {*initial.require, *REQUIRED_AT_CREATION}
        for number, choice in enumerate(product(*options)):
            values = self.sight.derived(dict(zip(self.names, choice, strict=True)))
            if all(values[name] is not None for name in required & values.keys()):
                given = {name: value for name, value in values.items() if value != bare[name] and self._is_own(name)}
                yield Step("created", given, self._station(initial.name, values), binding=number == 0)

    def _creation_options(self, name: str, born: Value) -> list[Value]:
        """What a field can be at creation, what it is born with first."""
        each = self.subject.fields[name]
        if name not in _BORN_WITH and (name in FILLED_AT_CREATION or some_person_may_write(each)):
            return list(dict.fromkeys([born, *(value for value in self.sight.domains[name] if value is not None)]))
        return [born]

    def _born(self, name: str) -> Value:
        if name in _BORN_WITH:
            return FILLED
        return self.sight.abstract(name, self.subject.fields[name].default)

    def steps(self, station: Station) -> Iterator[Step]:
        """Everything that can be done to a ticket in this station."""
        yield from self._moves(station)
        yield from self._automatic(station)
        yield from self._edits(station)

    def _edits(self, station: Station) -> Iterator[Step]:
        state = self.subject.workflow.states[station.state]
        shut = {*state.readonly, *state.hidden, *MOVED_BY_TRANSITIONS, *_BORN_WITH}
        values = self._of(station)
        for name in self.names:
            if name not in shut and any(may_write(word, self.subject.fields[name], self.subject.vocabulary) for word in self._editors(name)):
                for value in self.sight.domains[name]:
                    if value != values[name] and not (value is None and name in state.require):
                        after = self.sight.derived({**values, name: value})
                        yield Step("edit", {name: value}, self._station(state.name, after), binding=False)

    def _editors(self, name: str) -> tuple[str, ...]:
        return people_among(self.subject.fields[name].edit)

    def _automatic(self, station: Station) -> Iterator[Step]:
        """What timers and reactions write before they fire anything."""
        values = self._of(station)
        for each in self.subject.automatic:
            if station.state in each.states and self._writes_any(each.what.do):
                world = self._world(station.state, values, {"comment": None})
                conditions = tuple(self.subject.trees(each.what.condition))
                if all(world.judge(tree) in _PASSES for tree in conditions):
                    after = self.sight.derived(self._carried_out(each.what.do, values))
                    yield Step(str(each), {}, self._station(station.state, after), binding=True, conditions=conditions)

    def _writes_any(self, do: tuple[Action, ...]) -> bool:
        return any(name in self.sight.domains for action in do for name, _ in self.subject.writes(action))

    def _moves(self, station: Station) -> Iterator[Step]:
        for move in self.subject.moves_from(station.state):
            for given in self._inputs(station, move):
                for facts in self._cases:
                    if (step := self._move(station, move, given, facts)) is not None:
                        yield step

    def _inputs(self, station: Station, move: Move) -> Iterator[Values]:
        """The ways to fill what a move requires; none if something cannot be filled."""
        values, written = self._of(station), self.subject.written_by(move.branch)
        people = people_among(self.subject.open_to(move.branch, move.source))
        wanted = [name for name in self.subject.required(move) if name in values and name not in written and self._is_own(name)]
        wanted += [name for name in MOVED_BY_TRANSITIONS if name in values and name not in (*wanted, *written)]
        options: list[list[Value]] = []
        for name in wanted:
            here = [] if values[name] is None and name in self.subject.required(move) else [values[name]]
            open_ = name not in self.subject.workflow.states[move.source].readonly and any(
                may_write(word, self.subject.fields[name], self.subject.vocabulary) for word in people
            )
            filled = [value for value in self.sight.domains[name] if value is not None] if open_ else []
            options.append(list(dict.fromkeys([*here, *filled])))
        for choice in product(*options):
            yield {name: value for name, value in zip(wanted, choice, strict=True) if value != values[name]}

    def _move(self, station: Station, move: Move, given: Values, facts: Mapping[str, Value]) -> Step | None:
        """The step that a move is with these inputs and counts, if it is possible."""
        if any(not self._holds(each, station, facts) for each in self._invariants) and facts:
            return None
        values = {**self._of(station), **given}
        comment = FILLED if move.branch.comment is Comment.REQUIRED else ANYTHING
        world = self._world(station.state, values, {**facts, "comment": comment})
        conditions = tuple(self.subject.trees(move.branch.condition))
        if any(world.judge(tree) not in _PASSES for tree in conditions) or self._loses(move, world):
            return None
        after = self.sight.derived(self._carried_out(move.branch.do, values))
        if any(after[name] is None for name in self.subject.required(move) if name in after):
            return None
        return Step(
            move.branch.trigger, given, self._station(move.target, after), binding=True, conditions=conditions, facts=facts,
            blind=self.sight.names_root(conditions, self._roots),
        )

    def _loses(self, move: Move, world: World) -> bool:
        """Whether for everyone an earlier branch of the same transition is certainly taken here."""
        taken: set[str] = set()
        for other in self.subject.workflow.transitions[move.branch.trigger].branches[: move.branch.index]:
            if move.source in other.sources:
                trees = self.subject.trees(other.condition)
                if other.condition is None or (trees and world.judge(trees[0]) is Verdict.HOLDS):
                    taken.update(other.by)
        return taken.issuperset(move.branch.by)

    def _carried_out(self, do: tuple[Action, ...], values: Values) -> Values:
        after = dict(values)
        for action in do:
            for name, raw in self.subject.writes(action):
                if name in after:
                    after[name] = self.sight.abstract(name, raw, after)
        return after

    # Stations

    def _station(self, state: str, values: Values) -> Station:
        return Station(state, tuple(values[name] for name in self.names))

    def _of(self, station: Station) -> Values:
        return dict(zip(self.names, station.values, strict=True))

    def _is_own(self, name: str) -> bool:
        """Whether a field has a value of its own, and not one that follows from others."""
        return self.subject.fields[name].derive is None

    def _world(self, state: str, values: Values, others: Mapping[str, Value]) -> World:
        return self.sight.world(state, values, others)
