"""Rules about thresholds: what they do must be possible for the tickets whose clocks reach them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from itsm.sla.check.registry import Fault, rule
from itsm.sla.check.subject import Clock, Subject
from itsm.sla.policy import Threshold
from itsm.workflow.check.firing import can_fire
from itsm.workflow.check.subject import Automatic
from itsm.workflow.check.wording import listed
from itsm.workflow.definition import SYSTEM, Action, Reaction, Rule, Workflow
from itsm.workflow.findings import Severity
from itsm.workflow.rules import FaultyWorkflowError, Rulebook

_REACHED: Final = "threshold_reached"

_States: TypeAlias = dict[str, tuple[str, ...]]


@rule("threshold-never-fires", Severity.ERROR)
def threshold_never_fires(subject: Subject) -> Iterator[Fault]:
    """This threshold fires a transition that the desk can make in none of the states in which the clock runs."""
    for clock, threshold, able, vain in _firing(subject):
        if vain and not able:
            message = f"At “{threshold.label}” nothing comes of “{threshold.fire}”: {_why(subject, threshold, vain)}."
            yield Fault(threshold.at, message, _mend(clock, threshold))


@rule("threshold-sometimes-never-fires", Severity.WARNING)
def threshold_sometimes_never_fires(subject: Subject) -> Iterator[Fault]:
    """In some states in which the clock runs, the desk cannot make the transition that this threshold fires: it is lost."""
    for clock, threshold, able, vain in _firing(subject):
        if vain and able:
            message = (
                f"At “{threshold.label}” nothing comes of “{threshold.fire}” {_where(vain)}: {_why(subject, threshold, vain)}."
            )
            yield Fault(threshold.at, message, _mend(clock, threshold))


def _firing(subject: Subject) -> Iterator[tuple[Clock, Threshold, _States, _States]]:
    """What fires a transition, with the states by workflow in which it can, and in which it cannot."""
    for clock in subject.clocks.values():
        for threshold in clock.policy.thresholds:
            if threshold.fire is None:
                continue
            able, vain = _States(), _States()
            for workflow, states in clock.reached_in(threshold).items():
                can = tuple(state for state in states if _can_fire(subject, threshold, workflow, state))
                cannot = tuple(state for state in states if state not in can)
                able |= {workflow: can} if can else {}
                vain |= {workflow: cannot} if cannot else {}
            yield clock, threshold, able, vain


def _can_fire(subject: Subject, threshold: Threshold, workflow: str, state: str) -> bool:
    practice = subject.practice(workflow)
    if threshold.fire not in practice.workflow.transitions:
        return False
    what = Rule(threshold.at, (state,), None, threshold.fire, threshold.do)
    return can_fire(practice, Automatic(_REACHED, what, (state,), _REACHED), state)


def _where(states: _States) -> str:
    """Where something is so: `in on_hold of incident`."""
    return "in " + listed((f"{listed(names, 'or')} of {workflow}" for workflow, names in states.items()), "or")


def _why(subject: Subject, threshold: Threshold, vain: _States) -> str:
    """Why a transition is not made, for each workflow."""
    return "; ".join(_why_in(subject.workflows[workflow], str(threshold.fire), states) for workflow, states in vain.items())


def _why_in(workflow: Workflow, trigger: str, states: tuple[str, ...]) -> str:
    if trigger not in workflow.transitions:
        return f"{workflow.name} has no such transition"
    branches = [each for each in workflow.transitions[trigger].branches if not set(each.sources).isdisjoint(states)]
    if not branches:
        return f"in {workflow.name} it does not start in {listed(states, 'or')}"
    if not any(SYSTEM in branch.by for branch in branches):
        people = dict.fromkeys(word for branch in branches for word in branch.by)
        return f"in {workflow.name} it is for {listed(people)}, not for the system"
    return f"in {workflow.name} the system is refused in {listed(states, 'or')}"


def _mend(clock: Clock, threshold: Threshold) -> str:
    if len(clock.workflows) > 1:
        return f"Say by an if which tickets it is for, or let the system make “{threshold.fire}” in all of them."
    return f"Let the system make “{threshold.fire}” there, or pause the clock."


@rule("threshold-action-impossible", Severity.ERROR)
def threshold_action_impossible(subject: Subject) -> Iterator[Fault]:
    """An action of a threshold cannot be carried out on the tickets that reach it: a field or a choice is not theirs."""
    asked: dict[str, list[Action]] = {}
    for clock in subject.clocks.values():
        for threshold in clock.policy.thresholds:
            for workflow in clock.reached_in(threshold) if threshold.do else ():
                asked.setdefault(workflow, []).extend(threshold.do)
    for workflow, do in asked.items():
        yield from _impossible(subject, subject.workflows[workflow], tuple(do))


def _impossible(subject: Subject, workflow: Workflow, do: tuple[Action, ...]) -> Iterator[Fault]:
    """What keeps actions from being carried out on tickets of a workflow."""
    at = do[0].at
    reactions = {_REACHED: Reaction(_REACHED, (Rule(at, do=do),), at)}
    alone = replace(workflow, transitions={}, timers={}, reactions=reactions, invariants=(), source="")
    try:
        Rulebook.of(alone, subject.vocabulary)
    except FaultyWorkflowError as faulty:
        for finding in faulty.findings:
            if finding.at.file == at.file:
                message = f"On tickets of {workflow.name} this cannot be done: {finding.message}"
                yield Fault(finding.at, message, "Say by an if which tickets it is for.")
