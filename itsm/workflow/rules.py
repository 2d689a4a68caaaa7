"""A workflow's rules, compiled: every expression typed, every literal read, every set of words ready to be compared.

`Rulebook.of` is where the work of a decision that does not depend on the ticket is done, once per version. It says all
that is wrong with a workflow at once, by raising `FaultyWorkflowError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from itsm.workflow import expression, values
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.case import Effect, Value
from itsm.workflow.definition import SYSTEM, Action, Branch, Expression, Field, Position, State, Workflow
from itsm.workflow.derive import Derived, derivations
from itsm.workflow.expression import Compiled
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.scope import Scope

if TYPE_CHECKING:
    from itsm.workflow.vocabulary import Vocabulary

T = TypeVar("T")


class FaultyWorkflowError(ValueError):
    """A workflow that cannot be made to run; `findings` say why, all of it."""

    def __init__(self, name: str, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(f"{name}: " + "; ".join(f"{each.at}: {each.message}" for each in self.findings))


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """Give a field a value: a literal, or what an expression yields."""

    field: Field
    value: Value | Compiled


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """Ask for an effect. `arguments` may hold compiled expressions at any depth; without any, `ready` is the effect itself."""

    action: str
    arguments: Mapping[str, object]
    ready: Effect | None


Deed: TypeAlias = Write | Ask


@dataclass(frozen=True, slots=True, eq=False)
class BranchRule:
    """A branch, ready to be tried."""

    branch: Branch
    by: frozenset[str]
    condition: Compiled | None
    deeds: tuple[Deed, ...]
    written: frozenset[str]
    """Fields that the deeds set or clear: what an input says about them does not outlast the transition."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerRule:
    """A timer, or one rule of a reaction: in these states (None: any), if this holds, do that and fire this."""

    states: frozenset[str] | None
    condition: Compiled | None
    deeds: tuple[Deed, ...]
    fire: str | None


@dataclass(frozen=True, slots=True, eq=False)
class InvariantRule:
    """What must hold in a state, and the fields that it looks at."""

    holds: Compiled
    fields: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """All the rules of one workflow."""

    workflow: Workflow
    fields: Mapping[str, Field]
    defaults: Mapping[str, Value]
    branches: Mapping[str, tuple[BranchRule, ...]]
    timers: Mapping[str, AnswerRule]
    reactions: Mapping[str, tuple[AnswerRule, ...]]
    invariants: Mapping[str, tuple[InvariantRule, ...]]
    derived: tuple[Derived, ...]
    actions: frozenset[str]

    @classmethod
    def of(cls, workflow: Workflow, vocabulary: Vocabulary) -> Rulebook:
        """Compile a workflow. Raises `FaultyWorkflowError` with everything that stands in the way."""
        return _Compiler(workflow, vocabulary).rulebook()

    def shows(self, field: Field, state: str, words: frozenset[str]) -> bool:
        """Whether someone of whom these words are true sees a field of a ticket in this state."""
        if SYSTEM in words:
            return True
        hidden = state in self.workflow.states and field.name in self.workflow.states[state].hidden
        return not hidden and (field.see is None or not words.isdisjoint(field.see))


def deeds_of(
    workflow: Workflow, vocabulary: Vocabulary, actions: tuple[Action, ...]
) -> tuple[tuple[Deed, ...], tuple[Finding, ...]]:
    """Actions that were written elsewhere as deeds of a workflow, and what in them does not fit it."""
    compiler = _Compiler(workflow, vocabulary)
    return compiler._deeds(actions), tuple(compiler.findings)


def fields_of(compiled: Compiled) -> frozenset[str]:
    """The fields that an expression names."""
    return frozenset(name.split(".")[1] for name in compiled.names if name.startswith("ticket."))


def expressions_in(deeds: Iterable[Deed]) -> Iterator[Compiled]:
    """Every expression in a `do` list."""
    for deed in deeds:
        yield from _compiled_in(deed.value if isinstance(deed, Write) else deed.arguments)


def _compiled_in(argument: object) -> Iterator[Compiled]:
    if isinstance(argument, Compiled):
        yield argument
    elif isinstance(argument, Mapping):
        yield from chain.from_iterable(map(_compiled_in, argument.values()))
    elif isinstance(argument, list | tuple):
        yield from chain.from_iterable(map(_compiled_in, argument))


class _Compiler:
    """Collects findings on the way, so that all of them are told at once."""

    def __init__(self, workflow: Workflow, vocabulary: Vocabulary) -> None:
        self.workflow = workflow
        self.vocabulary = vocabulary
        self.fields = {**BUILTIN_FIELDS, **workflow.fields}
        self.scope = Scope.of(workflow, vocabulary)
        self.findings: list[Finding] = []
        self.actions: set[str] = set()

    def rulebook(self) -> Rulebook:
        workflow = self.workflow
        derived, faults = derivations(self.fields, self.scope, self.vocabulary.matrices)
        self.findings += faults
        book = Rulebook(
            workflow=workflow,
            fields=MappingProxyType(self.fields),
            defaults=self._defaults(),
            branches={
                name: tuple(self._branch(branch) for branch in transition.branches)
                for name, transition in workflow.transitions.items()
            },
            timers={
                name: self._answer(timer.states, timer.condition, timer.do, timer.fire)
                for name, timer in workflow.timers.items()
            },
            reactions={
                event: tuple(self._answer(rule.states, rule.condition, rule.do, rule.fire) for rule in reaction.rules)
                for event, reaction in workflow.reactions.items()
            },
            invariants=self._invariants(),
            derived=derived,
            actions=frozenset(self.actions),
        )
        if self.findings:
            raise FaultyWorkflowError(workflow.name, sorted(self.findings, key=lambda each: (each.at.line, each.at.column)))
        return book

    def _fault(self, code: str, message: str, at: Position) -> None:
        self.findings.append(Finding(code, Severity.ERROR, message, at))

    def _kept(self, result: T | tuple[Finding, ...]) -> T | None:
        if isinstance(result, tuple):
            self.findings += result
            return None
        return result

    def _condition(self, condition: Expression | None) -> Compiled | None:
        return None if condition is None else self._kept(expression.compile(condition, self.scope))

    def _defaults(self) -> Mapping[str, Value]:
        defaults: dict[str, Value] = {}
        for field in self.fields.values():
            value = values.accept(field, field.default)
            if isinstance(value, values.Fault):
                self._fault("bad-default", f"The default of {field.name} {value.must}.", field.at)
            elif value is not None:
                defaults[field.name] = value
        return defaults

    def _branch(self, branch: Branch) -> BranchRule:
        deeds = self._deeds(branch.do)
        written = frozenset(deed.field.name for deed in deeds if isinstance(deed, Write))
        return BranchRule(branch, frozenset(branch.by), self._condition(branch.condition), deeds, written)

    def _answer(
        self, states: tuple[str, ...] | None, condition: Expression | None, do: tuple[Action, ...], fire: str | None
    ) -> AnswerRule:
        return AnswerRule(None if states is None else frozenset(states), self._condition(condition), self._deeds(do), fire)

    def _invariants(self) -> Mapping[str, tuple[InvariantRule, ...]]:
        by_state: dict[str, tuple[InvariantRule, ...]] = dict.fromkeys(self.workflow.states, ())
        for invariant in self.workflow.invariants:
            holds = self._condition(invariant.holds)
            if holds is not None:
                for state in self.workflow.states if invariant.states is None else invariant.states:
                    by_state[state] += (InvariantRule(holds, fields_of(holds)),)
        return by_state

    def _deeds(self, do: tuple[Action, ...]) -> tuple[Deed, ...]:
        return tuple(chain.from_iterable(self._deed(action) for action in do))

    def _deed(self, action: Action) -> Iterator[Deed]:
        self.actions.add(action.name)
        match action.name, action.arguments:
            case "set", {"values": Mapping() as given}:
                yield from self._writes(given, action.at)
            case "clear", {"fields": list() | tuple() as names}:
                yield from self._writes(dict.fromkeys(names), action.at)
            case "assign", given:
                yield from self._writes(given, action.at)
            case name, given:
                arguments = {key: self._argument(value) for key, value in given.items()}
                fixed = next(_compiled_in(arguments), None) is None
                yield Ask(name, arguments, Effect(name, MappingProxyType(arguments)) if fixed else None)

    def _writes(self, given: Mapping[str, object], at: Position) -> Iterator[Write]:
        for name, raw in given.items():
            field = self.fields.get(name)
            if field is None or field.derive is not None:
                known = "is derived and cannot be written" if field else "does not exist"
                self._fault("unknown-field" if field is None else "derived-field", f"The field {name} {known}.", at)
                continue
            if isinstance(raw, Expression):
                compiled = self._kept(expression.compile_value(raw, self.scope, field))
                if compiled is not None:
                    yield Write(field, compiled)
                continue
            value = values.accept(field, raw)
            if isinstance(value, values.Fault):
                self._fault("bad-value", f"The field {name} {value.must}.", at)
            else:
                yield Write(field, value)

    def _argument(self, argument: object) -> object:
        """An action's argument with its expressions compiled, at any depth."""
        if isinstance(argument, Expression):
            return self._kept(expression.compile_value(argument, self.scope))
        if isinstance(argument, Mapping):
            return {key: self._argument(value) for key, value in argument.items()}
        if isinstance(argument, list | tuple):
            return [self._argument(value) for value in argument]
        return argument


def required(rule: BranchRule, target: State) -> tuple[str, ...]:
    """The fields that a branch into a state asks for, its own first, each once."""
    return tuple(dict.fromkeys(rule.branch.require + target.require))
