"""What timers, reactions and linked tickets can bring about: the moves that the system makes when nobody asks for them."""

from __future__ import annotations

from itsm.workflow.check.domains import Answer, can_hold
from itsm.workflow.check.logic import Value
from itsm.workflow.check.subject import Automatic, Move, Subject
from itsm.workflow.definition import SYSTEM, Comment


def fired_in(subject: Subject, each: Automatic, state: str) -> tuple[Move, ...]:
    """The moves that are open to a timer or a reaction in a state, as far as words and conditions go."""
    given: dict[str, Value] = {"comment": None, "actor.id": SYSTEM}
    return tuple(
        move
        for move in subject.moves_from(state)
        if move.branch.trigger == each.what.fire
        and SYSTEM in subject.open_to(move.branch, state)
        and can_hold(subject.conditions(each.what.condition, move.branch.condition), subject.frame(state, given=given))
        is not Answer.NO
    )


def hindrance(subject: Subject, each: Automatic, move: Move) -> str | None:
    """What keeps the system from making a move that is open to it, as the end of a sentence."""
    if move.branch.comment is Comment.REQUIRED:
        return "it requires a comment, and the system says nothing"
    set_before = {name for action in each.what.do for name, value in subject.writes(action) if value is not None}
    written = subject.written_by(move.branch)
    for name in subject.required(move):
        filled = written[name] is not None if name in written else name in set_before or subject.can_be_filled(name)
        if not filled:
            return f"it requires “{name}”, which {'it empties itself' if name in written else 'nothing ever fills'}"
    return None


def can_fire(subject: Subject, each: Automatic, state: str) -> bool:
    """Whether what a timer or reaction fires in a state can ever come to pass."""
    return any(hindrance(subject, each, move) is None for move in fired_in(subject, each, state))


def fires(subject: Subject, trigger: str) -> bool:
    """Whether a timer, a reaction, or a `fire` of any known workflow calls for this transition."""
    return any(each.what.fire == trigger for each in subject.automatic) or _is_linked(subject, trigger)


def is_fired(subject: Subject, move: Move) -> bool:
    """Whether a timer, a reaction or a linked ticket can bring this move about."""
    for each in subject.automatic:
        if move.source in each.states and move in fired_in(subject, each, move.source) and not hindrance(subject, each, move):
            return True
    return SYSTEM in move.branch.by and _is_linked(subject, move.branch.trigger)


def _is_linked(subject: Subject, trigger: str) -> bool:
    every = (action for workflow in subject.others.values() for action in subject.actions_of(workflow))
    return any(action.name == "fire" and action.arguments.get("trigger") == trigger for action in every)
