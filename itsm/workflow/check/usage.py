"""Rules about what is there for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final

from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Expression, Workflow
from itsm.workflow.findings import Severity

_NAMED: Final = re.compile(r"\bticket\.([A-Za-z_][A-Za-z0-9_]*)")


@rule("unused-field", Severity.WARNING)
def unused_field(subject: Subject) -> Iterator[Fault]:
    """Nothing in the workflow mentions this field: no requirement, condition, action, derivation, state or scenario."""
    used = frozenset(_used(subject))
    for field in subject.workflow.fields.values():
        if field.name not in used and not field.builtin:
            yield Fault(field.at, f"Nothing uses the field “{field.name}”.", "Require it somewhere, or take it out.")


def _used(subject: Subject) -> Iterator[str]:
    workflow = subject.workflow
    for state in workflow.states.values():
        yield from chain(state.require, () if _is_everything(subject, state.readonly) else state.readonly, state.hidden)
    for branch in subject.branches:
        yield from chain(branch.require, _in_text(branch.condition))
    for each in subject.automatic:
        yield from _in_text(each.what.condition)
    for invariant in workflow.invariants:
        yield from _in_text(invariant.holds)
    for action in subject.actions_of(workflow):
        yield from (name for name, _ in subject.writes(action))
        yield from _in_argument(action.arguments)
    yield from _in_derivations(subject)
    yield from _in_scenarios(workflow)


def _is_everything(subject: Subject, names: tuple[str, ...]) -> bool:
    """Whether a list of fields was written as `"*"`: that says nothing about any of them."""
    return subject.workflow.fields.keys() <= set(names)


def _in_text(expression: Expression | None) -> Iterator[str]:
    if expression:
        yield from _NAMED.findall(expression.text)


def _in_argument(argument: object) -> Iterator[str]:
    match argument:
        case Expression():
            yield from _in_text(argument)
        case Mapping():
            yield from chain.from_iterable(_in_argument(part) for part in argument.values())
        case list() | tuple():
            yield from chain.from_iterable(_in_argument(part) for part in argument)


def _in_derivations(subject: Subject) -> Iterator[str]:
    """A derived field is used by those who read it, and uses those it follows from."""
    for field in subject.workflow.fields.values():
        if field.derive is not None:
            yield field.name
            yield from _in_text(field.derive.expression)
            if (matrix := subject.vocabulary.matrices.get(field.derive.matrix or "")) is not None:
                yield from matrix.axes


def _in_scenarios(workflow: Workflow) -> Iterator[str]:
    for scenario in workflow.scenarios:
        expected = scenario.expect.get("fields")
        yield from chain(scenario.fields, expected if isinstance(expected, Mapping) else ())
        for step in scenario.steps:
            yield from chain(step.inputs, step.edit or ())
