"""Rules about what must be filled: somebody who makes the transition must be able to fill it."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.people import may_write, people_among, some_person_may_write
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Move, Subject
from itsm.workflow.check.wording import listed
from itsm.workflow.definition import Position
from itsm.workflow.findings import Severity


@rule("requirement-nobody-can-meet", Severity.ERROR)
def requirement_nobody_can_meet(subject: Subject) -> Iterator[Fault]:
    """Nobody who may make this transition may fill a field that it requires, and the field is not surely filled before."""
    unmet: dict[tuple[str, int, str, str], list[Move]] = {}
    for move in subject.moves:
        if move.source in subject.reachable:
            for name in subject.required(move):
                if why := _why_unmet(subject, move, name):
                    unmet.setdefault((move.branch.trigger, move.branch.index, name, why), []).append(move)
    for (trigger, _, name, why), moves in unmet.items():
        branch = moves[0].branch
        places = "" if len(moves) == len(branch.sources) else f" from {listed((move.source for move in moves), 'or')}"
        hint = f"Let one of them edit “{name}”, or set it in do, or require it earlier."
        yield Fault(branch.at, f"“{trigger}”{places} requires “{name}”, {why}.", hint)
    initial = subject.workflow.states[subject.workflow.initial]
    for name in initial.require:
        field = subject.fields[name]
        if field.derive is None and field.default is None and not some_person_may_write(field):
            yield Fault(
                initial.at,
                f"A new ticket requires “{name}”, which nobody may fill.",
                "Give it a default, or let people edit it.",
            )


def _why_unmet(subject: Subject, move: Move, name: str) -> str | None:
    """Why a required field cannot be filled with this move, as the end of a sentence; None if it can be, or is already."""
    field = subject.fields[name]
    written = subject.written_by(move.branch)
    if name in written:
        return "but empties it itself" if written[name] is None else None
    if field.derive is not None or name in subject.surely_filled[move.source]:
        return None
    people = people_among(subject.open_to(move.branch, move.source))
    if not people:
        return None if subject.can_be_filled(name) else "which nothing ever fills"
    if not any(may_write(word, field, subject.vocabulary) for word in people):
        return f"which {listed(people, 'or')} cannot fill: it is for {listed(field.edit, 'or') if field.edit else 'nobody'}"
    return "which is read-only there" if name in subject.workflow.states[move.source].readonly else None


@rule("requires-derived-field", Severity.WARNING)
def requires_derived_field(subject: Subject) -> Iterator[Fault]:
    """A required field follows from others: a refusal asks for it, and nobody can fill it."""
    for whose, at, names in _requirements(subject):
        for name in names:
            if subject.fields[name].derive is not None:
                message = f"{whose} requires “{name}”, which is derived and cannot be filled."
                yield Fault(at, message, "Require the fields that it follows from.")


def _requirements(subject: Subject) -> Iterator[tuple[str, Position, tuple[str, ...]]]:
    for state in subject.workflow.states.values():
        yield f"The state “{state.name}”", state.at, state.require
    for branch in subject.branches:
        yield f"“{branch.trigger}”", branch.at, branch.require


@rule("approver-never-asked", Severity.WARNING)
def approver_never_asked(subject: Subject) -> Iterator[Fault]:
    """A branch is for approvers only, and nothing in the workflow ever asks for an approval: there are none."""
    asked = any(action.name == "request_approval" for action in subject.actions_of(subject.workflow))
    for branch in subject.branches:
        if set(branch.by) == {"approver"} and not asked:
            message = f"“{branch.trigger}” is for approvers, and nothing asks for an approval."
            yield Fault(branch.at, message, "Add request_approval to the do of the way here.")
