"""One workflow under examination: everything that several rules want to know of it, found out once.

The moves that count are those that can be made: a branch whose condition can never hold, or that always loses to an earlier
one, leads nowhere. Where something cannot be decided, it counts as possible, so that no rule says more than it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from itsm.workflow import expression
from itsm.workflow.builtin import BUILTIN_FIELDS, KEPT_BY_THE_DESK, REQUIRED_AT_CREATION
from itsm.workflow.check.domains import PLACE, Answer, Frame, can_hold, implies
from itsm.workflow.check.effort import CASES, STEPS, Effort
from itsm.workflow.check.logic import Condition, Values
from itsm.workflow.check.people import some_person_may_write
from itsm.workflow.definition import Action, Branch, Expression, Field, Rule, Timer, Workflow
from itsm.workflow.engine import FaultyWorkflowError, Process
from itsm.workflow.findings import Finding
from itsm.workflow.scope import Scope
from itsm.workflow.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A branch taken from one of its states."""

    source: str
    target: str
    branch: Branch


@dataclass(frozen=True, slots=True, eq=False)
class Automatic:
    """A timer, or one rule of a reaction: what happens by itself. `event` is None for a timer."""

    name: str
    what: Timer | Rule
    states: tuple[str, ...]
    event: str | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The states that it names; a rule without any is meant for whatever state it fits."""
        return self.what.states or ()

    def __str__(self) -> str:
        return f"the timer {self.name}" if self.event is None else f"the reaction to {self.event}"


class Subject:
    """A workflow, the names around it, and the other workflows that it may meet."""

    def __init__(self, workflow: Workflow, vocabulary: Vocabulary, others: Mapping[str, Workflow] | None = None) -> None:
        self.workflow = workflow
        self.vocabulary = vocabulary
        self.others = dict(others or {}) | {workflow.name: workflow}
        self.fields: Mapping[str, Field] = {**BUILTIN_FIELDS, **workflow.fields}
        self.steps = Effort(STEPS)
        """What may still be spent on exploring."""
        self._cases = Effort(CASES)
        self._open: dict[tuple[str, int, str], tuple[str, ...]] = {}
        self._answers: dict[tuple[str | Expression | None, ...], Answer] = {}
        self._follows: dict[tuple[Expression, Expression | None, str], bool] = {}
        self.process, self.faults = self._process()
        """The workflow made to run, or what is wrong with its expressions and literals."""
        self._judged = self._compiled()

    def _process(self) -> tuple[Process | None, tuple[Finding, ...]]:
        try:
            return Process(self.workflow, self.vocabulary), ()
        except FaultyWorkflowError as faulty:
            return None, faulty.findings

    # Expressions

    def _compiled(self) -> dict[Expression, Condition]:
        """All conditions and invariants that compile."""
        scope = Scope.of(self.workflow, self.vocabulary)
        compiled = ((each, expression.compile(each, scope)) for each in dict.fromkeys(self._written_conditions()))
        return {each: Condition(result.tree) for each, result in compiled if not isinstance(result, tuple)}

    def _written_conditions(self) -> Iterator[Expression]:
        for branch in self.branches:
            if branch.condition:
                yield branch.condition
        for each in self.automatic:
            if each.what.condition:
                yield each.what.condition
        for invariant in self.workflow.invariants:
            yield invariant.holds

    def judged(self, written: Expression) -> Condition | None:
        """A condition, ready to be judged; None if it does not compile."""
        return self._judged.get(written)

    def conditions(self, *written: Expression | None) -> list[Condition]:
        """These conditions, ready to be judged; what is not there, or does not compile, is left out."""
        return [self._judged[each] for each in written if each in self._judged]

    @property
    def all_conditions(self) -> Iterable[Condition]:
        """Every condition and invariant that compiles."""
        return self._judged.values()

    def frame(self, *states: str, given: Values | None = None) -> Frame:
        """Where to ask a condition: in these states."""
        return Frame(self.workflow, self.fields, states, given or {}, self._cases)

    # Moves

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """Every branch of every transition, as written."""
        return tuple(chain.from_iterable(transition.branches for transition in self.workflow.transitions.values()))

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """Every branch from every state it starts in, if it can be taken there."""
        return tuple(
            Move(source, branch.lands_in(source), branch)
            for branch in self.branches
            for source in branch.sources
            if source in self.workflow.states and self.can_pass(branch, source) and self.open_to(branch, source)
        )

    def can_pass(self, branch: Branch, source: str) -> bool:
        """Whether the branch's condition can hold in this state."""
        return self.can_hold(source, branch.condition) is not Answer.NO

    def can_hold(self, state: str, *written: Expression | None) -> Answer:
        """Whether conditions can hold at once in a state; it is asked once for all states if they do not look at the state."""
        key = (self._place(state, *written), *written)
        if key not in self._answers:
            self._answers[key] = can_hold(self.conditions(*written), self.frame(state))
        return self._answers[key]

    def _place(self, state: str, *written: Expression | None) -> str:
        """The state, if any of these conditions looks at it."""
        return state if any(condition.names & PLACE for condition in self.conditions(*written)) else ""

    def open_to(self, branch: Branch, source: str) -> tuple[str, ...]:
        """The words of `by` for which no earlier branch of the same transition is always taken in this state."""
        key = (branch.trigger, branch.index, source)
        if key not in self._open:
            earlier = self.workflow.transitions[branch.trigger].branches[: branch.index]
            winners = (other for other in earlier if source in other.sources and self.wins(other, branch, source))
            taken = frozenset(chain.from_iterable(other.by for other in winners))
            self._open[key] = tuple(word for word in branch.by if word not in taken)
        return self._open[key]

    def wins(self, earlier: Branch, later: Branch, source: str) -> bool:
        """Whether the earlier branch's condition holds in this state wherever the later one's does."""
        return self.follows(earlier.condition, later.condition, source)

    def follows(self, conclusion: Expression | None, premise: Expression | None, state: str) -> bool:
        """Whether in this state one condition certainly holds wherever another does; no condition always holds."""
        if conclusion is None:
            return True
        key = (conclusion, premise, self._place(state, conclusion, premise))
        if key not in self._follows:
            judged = self.judged(conclusion)
            self._follows[key] = judged is not None and implies(self.conditions(premise), judged, self.frame(state))
        return self._follows[key]

    def moves_from(self, state: str) -> tuple[Move, ...]:
        """The moves that leave a state or stay in it."""
        return self._by_source.get(state, ())

    @cached_property
    def _by_source(self) -> dict[str, tuple[Move, ...]]:
        found: dict[str, tuple[Move, ...]] = {}
        for move in self.moves:
            found[move.source] = (*found.get(move.source, ()), move)
        return found

    @cached_property
    def reachable(self) -> frozenset[str]:
        """The states that some way of moves leads to from the initial one."""
        return frozenset(self.reach([self.workflow.initial]))

    def reach(self, starts: Iterable[str]) -> dict[str, None]:
        """The states that can be reached from these, themselves among them, the nearest first."""
        found = dict.fromkeys(starts)
        waiting = list(found)
        for state in waiting:
            for move in self.moves_from(state):
                if move.target not in found:
                    found[move.target] = None
                    waiting.append(move.target)
        return found

    # What happens by itself

    @cached_property
    def automatic(self) -> tuple[Automatic, ...]:
        """The timers and the rules of reactions, as written."""
        workflow = self.workflow
        every = tuple(workflow.states)
        timers = (Automatic(timer.name, timer, timer.states) for timer in workflow.timers.values())
        rules = (
            Automatic(reaction.event, rule, rule.states if rule.states is not None else every, reaction.event)
            for reaction in workflow.reactions.values()
            for rule in reaction.rules
        )
        return (*timers, *rules)

    # Fields

    def required(self, move: Move) -> tuple[str, ...]:
        """The fields that must be filled when a move is made, each once."""
        return tuple(dict.fromkeys(move.branch.require + self.workflow.states[move.target].require))

    def can_be_filled(self, name: str) -> bool:
        """Whether anything ever fills a field: a default, a derivation, an action, or a person."""
        field = self.fields[name]
        by_itself = field.default is not None or field.derive is not None or name in KEPT_BY_THE_DESK
        return by_itself or name in self._written or some_person_may_write(field)

    @cached_property
    def surely_filled(self) -> Mapping[str, frozenset[str]]:
        """For each state the fields that every way into it fills, as long as nobody empties them by hand."""
        defaults = (field.name for field in self.fields.values() if field.default is not None)
        states = self.workflow.states
        born = {*defaults, *REQUIRED_AT_CREATION, "requester", *states[self.workflow.initial].require}
        filled: dict[str, frozenset[str]] = dict.fromkeys(states, frozenset(self.fields))
        filled[self.workflow.initial] = frozenset(born)
        changed = True
        while changed:
            changed = False
            for move in self.moves:
                written = self.written_by(move.branch)
                emptied = {name for name, value in written.items() if value is None}
                after = (filled[move.source] | written.keys() | set(self.required(move))) - emptied
                if not filled[move.target] <= after:
                    filled[move.target] &= after
                    changed = True
        return filled

    def written_by(self, branch: Branch) -> Mapping[str, object]:
        """The fields that a branch writes, with what it writes last: a literal, an `Expression`, or None."""
        return dict(chain.from_iterable(self.writes(action) for action in branch.do))

    @cached_property
    def _written(self) -> frozenset[str]:
        """The fields that some action gives a value."""
        every = chain.from_iterable(self.writes(action) for action in self.actions_of(self.workflow))
        return frozenset(name for name, value in every if value is not None)

    # Actions

    @staticmethod
    def actions_of(workflow: Workflow) -> Iterator[Action]:
        """Every action in a workflow, wherever it stands."""
        for transition in workflow.transitions.values():
            for branch in transition.branches:
                yield from branch.do
        for timer in workflow.timers.values():
            yield from timer.do
        for reaction in workflow.reactions.values():
            for rule in reaction.rules:
                yield from rule.do

    @staticmethod
    def writes(action: Action) -> Iterator[tuple[str, object]]:
        """The fields that an action writes, and what it writes into them: a literal, an `Expression`, or None."""
        match action.name, action.arguments:
            case "set", {"values": Mapping() as values}:
                yield from values.items()
            case "clear", {"fields": list() | tuple() as names}:
                yield from ((name, None) for name in names)
            case "assign", values:
                yield from values.items()
