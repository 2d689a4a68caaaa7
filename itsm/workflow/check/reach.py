"""Rules about ways through the life cycle: whether every state can be reached, and every ticket closed."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.firing import is_fired
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.check.wording import listed
from itsm.workflow.definition import SYSTEM, Category
from itsm.workflow.findings import Severity


@rule("no-closed-state", Severity.ERROR)
def no_closed_state(subject: Subject) -> Iterator[Fault]:
    """No state has the category `closed`, so no ticket ever ends."""
    workflow = subject.workflow
    if not any(state.category is Category.CLOSED for state in workflow.states.values()):
        yield Fault(
            workflow.at, f"No state of {workflow.name} is closed: no ticket ever ends.", "Give a state category: closed."
        )


@rule("initial-not-new", Severity.WARNING)
def initial_not_new(subject: Subject) -> Iterator[Fault]:
    """Tickets begin in a state whose category is not `new`: clocks and reports take them for work that somebody began."""
    state = subject.workflow.states[subject.workflow.initial]
    if state.category is not Category.NEW:
        yield Fault(state.at, f"Tickets begin in “{state.name}”, whose category is {state.category}.", "Give it category: new.")


@rule("unreachable-state", Severity.ERROR)
def unreachable_state(subject: Subject) -> Iterator[Fault]:
    """No way of transitions leads from the initial state to this one."""
    for state in subject.workflow.states.values():
        if state.name not in subject.reachable:
            yield Fault(state.at, f"The state “{state.name}” cannot be reached: {_why_not(subject, state.name)}.")


def _why_not(subject: Subject, state: str) -> str:
    sources = dict.fromkeys(move.source for move in subject.moves if move.target == state != move.source)
    if sources:
        return f"it is entered only from {listed(sources, 'or')}, which cannot be reached either"
    written = [branch for branch in subject.branches for source in branch.sources if branch.lands_in(source) == state != source]
    if written:
        return f"no branch into it can ever be taken ({listed(dict.fromkeys(branch.trigger for branch in written))})"
    return "no transition leads into it"


@rule("no-way-to-closed", Severity.ERROR)
def no_way_to_closed(subject: Subject) -> Iterator[Fault]:
    """Tickets can get into this state, but from there no way of transitions leads to a closed one."""
    for name in _lost(subject):
        if not _is_trap(subject, name):
            on = [state for state in subject.reach([name]) if state != name]
            where = f"only to {listed(on)}" if on else "nowhere: no transition leaves it"
            yield Fault(
                subject.workflow.states[name].at,
                f"From “{name}” no closed state can be reached; the way leads {where}.",
                "Add a transition that leads on to a closed state.",
            )


def _lost(subject: Subject) -> Iterator[str]:
    """The states that tickets get into and never end from; none if nothing is closed at all, which is a fault of its own."""
    states = subject.workflow.states
    closed = {name for name, state in states.items() if state.category is Category.CLOSED}
    for name in states:
        if closed and name in subject.reachable and closed.isdisjoint(subject.reach([name])):
            yield name


@rule("pending-forever", Severity.ERROR)
def pending_forever(subject: Subject) -> Iterator[Fault]:
    """Tickets wait in this `pending` state, and neither a person nor a timer or reaction can ever take them out of it."""
    for name, state in subject.workflow.states.items():
        if name in subject.reachable and _is_trap(subject, name):
            idle = dict.fromkeys(move.branch.trigger for move in subject.moves_from(name) if move.target != name)
            why = f": {listed(idle)} can be made by the system only, and nothing fires it here" if idle else ""
            yield Fault(
                state.at,
                f"No timer, reaction or person can take a ticket out of “{name}”{why}.",
                "Let somebody resume it, or give it a timer.",
            )


def _is_trap(subject: Subject, name: str) -> bool:
    """Whether a pending state is one that nobody and nothing takes a ticket out of."""
    if subject.workflow.states[name].category is not Category.PENDING:
        return False
    leaving = [move for move in subject.moves_from(name) if move.target != name]
    return not any(
        any(word != SYSTEM for word in subject.open_to(move.branch, name)) or is_fired(subject, move) for move in leaving
    )
