"""Rules about the conditions of a clock: that it can begin, run and stop."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.sla.check.cases import Case
from itsm.sla.check.registry import Fault, rule
from itsm.sla.check.subject import Clock, Subject
from itsm.sla.policy import Condition, Happening
from itsm.workflow.check.subject import Subject as Practice
from itsm.workflow.check.wording import listed, quoted
from itsm.workflow.definition import Category
from itsm.workflow.findings import Severity

_DONE = frozenset({Category.RESOLVED, Category.CLOSED})


@rule("policy-never-applies", Severity.ERROR)
def policy_never_applies(subject: Subject) -> Iterator[Fault]:
    """No values of what `when` names make it true, in any workflow: nobody is ever promised this."""
    for clock in subject.clocks.values():
        applies = clock.policy.applies
        if applies is not None and clock.is_known and not clock.cases and subject.workflows:
            message = f"{quoted(applies.expression)} is true of no ticket, so “{clock.policy.name}” never applies."
            yield Fault(applies.expression.at, message, "Say what was meant.")


@rule("clock-never-starts", Severity.ERROR)
def clock_never_starts(subject: Subject) -> Iterator[Fault]:
    """Nothing ever sets this clock off, or whenever it is set off it is over already."""
    for clock in subject.clocks.values():
        policy = clock.policy
        if not clock.cases:
            continue
        off = (policy.start, policy.reset)
        begun = [case for case in clock.every_case if any(_may_be(subject, each, case) for each in off)]
        if not begun:
            yield Fault(policy.at, f"Nothing ever sets the clock of “{policy.name}” off.", "Say when it starts.")
        elif all(clock.is_over(case) for case in begun) or _ends_as_it_starts(clock):
            message = f"The clock of “{policy.name}” is over whenever it starts: its stop or cancel holds then."
            yield Fault(policy.at, message, "Let it stop when the work is done, not when it begins.")


def _ends_as_it_starts(clock: Clock) -> bool:
    start, ends = clock.policy.start, clock.policy.stop.on | clock.policy.cancel.on
    return start.when is None and bool(start.on) and start.on <= ends


@rule("clock-always-paused", Severity.ERROR)
def clock_always_paused(subject: Subject) -> Iterator[Fault]:
    """Wherever this clock is not over, `pause` holds: it never runs, and is never missed."""
    for clock in subject.clocks.values():
        pause = clock.policy.pause
        if pause is not None and clock.open_cases and all(subject.holds(pause, case) for case in clock.open_cases):
            message = (
                f"{quoted(pause.expression)} holds wherever the clock of “{clock.policy.name}” is not over: it never runs."
            )
            yield Fault(pause.expression.at, message, "Say what was meant.")


@rule("clock-never-stops", Severity.ERROR)
def clock_never_stops(subject: Subject) -> Iterator[Fault]:
    """Nothing ever stops this clock while the policy applies, so the promise is never kept.

    A ticket to which the policy no longer applies has its clock cancelled before `stop` is asked.
    """
    for clock in subject.clocks.values():
        lost = [name for name in clock.workflows if not any(_stops(subject, clock, case) for case in _cases_of(clock, name))]
        if lost:
            policy = clock.policy
            message = f"Nothing ever stops the clock of “{policy.name}” in {listed(lost, 'or')}."
            hint = "Name a state or a happening that there is, one in which when still holds and cancel does not."
            yield Fault(policy.stop.when.expression.at if policy.stop.when else policy.at, message, hint)


def _cases_of(clock: Clock, workflow: str) -> Iterator[Case]:
    return (case for case in clock.cases if case.workflow == workflow)


def _stops(subject: Subject, clock: Clock, case: Case) -> bool:
    cancel = clock.policy.cancel.when
    if (cancel is not None and subject.holds(cancel, case)) or not clock.some_goal_may_fit(case):
        return False
    return _may_be(subject, clock.policy.stop, case)


def _may_be(subject: Subject, condition: Condition, case: Case) -> bool:
    """Whether a condition may come about with a ticket being as in a case."""
    if condition.when is not None and subject.may_hold(condition.when, case):
        return True
    practice = subject.practice(case.workflow)
    return any(_may_happen(practice, happening, case.state) for happening in condition.on)


def _may_happen(practice: Practice, happening: Happening, state: str) -> bool:
    """Whether something can happen that leaves a ticket in a state."""
    category = practice.workflow.category(state)
    match happening:
        case Happening.CREATED:
            return state == practice.workflow.initial
        case Happening.RESOLVED:
            return category is Category.RESOLVED
        case Happening.CLOSED:
            return category is Category.CLOSED
        case Happening.REOPENED:
            return any(move.target == state and _leaves_done(practice, move.source, state) for move in practice.moves)
        case Happening.ESCALATED:
            return any(move.target == state and move.branch.trigger == "escalate" for move in practice.moves)
        case Happening.APPROVAL_REQUESTED | Happening.APPROVAL_DECIDED:
            return any(action.name == "request_approval" for action in practice.actions_of(practice.workflow))
        case _:
            return True


def _leaves_done(practice: Practice, source: str, target: str) -> bool:
    category = practice.workflow.category
    return category(source) in _DONE and category(target) not in _DONE
