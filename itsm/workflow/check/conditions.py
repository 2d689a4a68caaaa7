"""Rules about conditions: well typed, and neither never nor always true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from itsm.workflow.check.domains import Answer, can_hold, implies
from itsm.workflow.check.logic import Value
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.check.wording import quoted
from itsm.workflow.definition import SYSTEM, Expression
from itsm.workflow.findings import Severity


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition, whose it is, and where it is asked."""

    expression: Expression
    whose: str
    states: tuple[str, ...]
    system: bool = False


def _conditions(subject: Subject) -> Iterator[_Condition]:
    for branch in subject.branches:
        if branch.condition:
            yield _Condition(branch.condition, f"this branch of “{branch.trigger}”", branch.sources)
    for each in subject.automatic:
        if each.what.condition:
            yield _Condition(each.what.condition, str(each), each.states, system=True)


def _given(condition: _Condition) -> dict[str, Value]:
    return {"actor.id": SYSTEM, "comment": None} if condition.system else {}


@rule("condition-never-holds", Severity.ERROR)
def condition_never_holds(subject: Subject) -> Iterator[Fault]:
    """No values of the fields and counts that this condition names make it true. What cannot be decided is passed over."""
    for each in _conditions(subject):
        condition = subject.judged(each.expression)
        if condition and can_hold([condition], subject.frame(*each.states, given=_given(each))) is Answer.NO:
            yield Fault(each.expression.at, f"{quoted(each.expression)} never holds, so {each.whose} never comes to pass.")


@rule("condition-always-holds", Severity.WARNING)
def condition_always_holds(subject: Subject) -> Iterator[Fault]:
    """Whatever the fields and counts that this condition names may be, it is true: it might as well not be there."""
    for each in _conditions(subject):
        condition = subject.judged(each.expression)
        if condition and implies([], condition, subject.frame(*each.states, given=_given(each))):
            yield Fault(each.expression.at, f"{quoted(each.expression)} always holds.", "Leave it out, or say what was meant.")


@rule("invariant-always-holds", Severity.WARNING)
def invariant_always_holds(subject: Subject) -> Iterator[Fault]:
    """Nothing could break this invariant, whatever a ticket's fields may be: it says nothing."""
    for invariant in subject.workflow.invariants:
        condition = subject.judged(invariant.holds)
        states = invariant.states or tuple(subject.workflow.states)
        if condition and implies([], condition, subject.frame(*states)):
            yield Fault(invariant.holds.at, f"{quoted(invariant.holds)} holds whatever happens.", "Say what was meant.")
