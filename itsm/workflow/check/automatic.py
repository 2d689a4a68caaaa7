"""Rules about what happens by itself: timers and reactions must be able to do what they are for, and must come to an end."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.firing import can_fire, fired_in, fires, hindrance
from itsm.workflow.check.people import DOERS
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Automatic, Subject
from itsm.workflow.check.wording import listed, quoted
from itsm.workflow.definition import SYSTEM
from itsm.workflow.findings import Severity


@rule("fire-never-passes", Severity.ERROR)
def fire_never_passes(subject: Subject) -> Iterator[Fault]:
    """This timer or reaction fires a transition that the system can make in none of its states."""
    for each, states in _firing(subject):
        if not any(can_fire(subject, each, state) for state in states) and not _is_for_its_doer(subject, each, states):
            yield Fault(each.what.at, f"{_opening(each)} which can never pass: {_why_never(subject, each, states)}.")


@rule("fire-sometimes-never-passes", Severity.WARNING)
def fire_sometimes_never_passes(subject: Subject) -> Iterator[Fault]:
    """In some of the states that it names, this timer or reaction fires a transition that the system can never make there."""
    for each, states in _firing(subject):
        vain = [state for state in states if state in each.named and not can_fire(subject, each, state)]
        if vain and len(vain) < len(states):
            why = _why_never(subject, each, vain)
            yield Fault(each.what.at, f"{_opening(each)} which can never pass in {listed(vain, 'or')}: {why}.")


@rule("fire-lacks-system", Severity.WARNING)
def fire_lacks_system(subject: Subject) -> Iterator[Fault]:
    """This reaction fires a transition meant for whoever caused the event; but it acts as the system, which is refused."""
    for each, states in _firing(subject):
        if not any(can_fire(subject, each, state) for state in states) and _is_for_its_doer(subject, each, states):
            yield Fault(
                each.what.at,
                f"{_opening(each)} but acts as the system, which may not make it.",
                f"Add system to the by of “{each.what.fire}”.",
            )


def _firing(subject: Subject) -> Iterator[tuple[Automatic, list[str]]]:
    """What fires a transition by itself, with its states that can be reached."""
    for each in subject.automatic:
        states = [state for state in each.states if state in subject.reachable]
        if each.what.fire and states:
            yield each, states


def _is_for_its_doer(subject: Subject, each: Automatic, states: list[str]) -> bool:
    """Whether people who can cause the event may make the transition that it fires."""
    doers = DOERS.get(each.event or "", frozenset())
    branches = subject.workflow.transitions[str(each.what.fire)].branches
    return any(not doers.isdisjoint(branch.by) for branch in branches if not set(branch.sources).isdisjoint(states))


def _opening(each: Automatic) -> str:
    words = str(each)
    return f"{words[0].upper()}{words[1:]} fires “{each.what.fire}”,"


def _why_never(subject: Subject, each: Automatic, states: list[str]) -> str:
    """The reason that comes nearest to passing."""
    trigger = str(each.what.fire)
    branches = [
        branch for branch in subject.workflow.transitions[trigger].branches if not set(branch.sources).isdisjoint(states)
    ]
    if not branches:
        return f"no branch of it starts in {listed(states, 'or')}"
    allowed = [branch for branch in branches if SYSTEM in branch.by]
    if not allowed:
        people = dict.fromkeys(word for branch in branches for word in branch.by)
        return f"from {listed(states, 'or')} it is for {listed(people)}, not for the system"
    moves = [move for state in states for move in fired_in(subject, each, state)]
    if not moves:
        conditions = [quoted(branch.condition) for branch in allowed if branch.condition]
        return f"{listed(conditions)} cannot hold then" if conditions else "an earlier branch is always taken"
    return next(filter(None, (hindrance(subject, each, move) for move in moves)), "it is refused")


@rule("never-fired", Severity.WARNING)
def never_fired(subject: Subject) -> Iterator[Fault]:
    """Only the system may make this transition, and no timer, reaction or `fire` of any workflow ever does."""
    for transition in subject.workflow.transitions.values():
        words = {word for branch in transition.branches for word in branch.by}
        if words == {SYSTEM} and not fires(subject, transition.name):
            yield Fault(
                transition.at,
                f"Only the system may make “{transition.name}”, and nothing fires it.",
                "Fire it by a timer or a reaction, or say in by who may make it.",
            )
