"""Rules about what a workflow asks of others. They say nothing while one of the workflows that exist is not at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import SYSTEM, Action, Comment
from itsm.workflow.findings import Severity


@rule("unknown-linked-transition", Severity.ERROR)
def unknown_linked_transition(subject: Subject) -> Iterator[Fault]:
    """`fire` names a transition for linked tickets that no workflow has."""
    known = {name for workflow in subject.others.values() for name in workflow.transitions}
    for action, trigger in _fired(subject):
        if trigger not in known:
            yield Fault(action.at, f"No workflow has a transition “{trigger}”.", _did_you_mean(trigger, known))


@rule("linked-transition-never-passes", Severity.ERROR)
def linked_transition_never_passes(subject: Subject) -> Iterator[Fault]:
    """`fire` names a transition for linked tickets that no workflow lets the system make, so that each of them refuses it."""
    for action, trigger in _fired(subject):
        transitions = [workflow.transitions[trigger] for workflow in subject.others.values() if trigger in workflow.transitions]
        branches = [branch for transition in transitions for branch in transition.branches]
        if branches and not any(SYSTEM in branch.by and branch.comment is not Comment.REQUIRED for branch in branches):
            yield Fault(action.at, f"No workflow lets the system make “{trigger}” without a comment.", "Add system to its by.")


def _fired(subject: Subject) -> Iterator[tuple[Action, str]]:
    """The `fire` actions of a workflow, with what they fire."""
    if subject.vocabulary.workflows <= subject.others.keys():
        for action in subject.actions_of(subject.workflow):
            if action.name == "fire":
                yield action, str(action.arguments.get("trigger"))


@rule("unknown-spawned-field", Severity.ERROR)
def unknown_spawned_field(subject: Subject) -> Iterator[Fault]:
    """`spawn` fills a field that the workflow of the new ticket does not have."""
    for action in subject.actions_of(subject.workflow):
        child = subject.others.get(str(action.arguments.get("workflow"))) if action.name == "spawn" else None
        fields = action.arguments.get("fields")
        if child is not None and isinstance(fields, Mapping):
            known = child.fields.keys() | BUILTIN_FIELDS.keys()
            for name in fields.keys() - known:
                yield Fault(action.at, f"A {child.name} has no field “{name}”.", _did_you_mean(name, known))


def _did_you_mean(name: str, known: set[str]) -> str | None:
    close = get_close_matches(name, sorted(known), n=1)
    return f"Did you mean “{close[0]}”?" if close else None
