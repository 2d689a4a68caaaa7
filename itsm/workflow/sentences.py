"""The sentences of refusals: what an agent reads at three in the morning. They say what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from itsm.workflow.case import Person, Reason, Value, Why
from itsm.workflow.definition import SYSTEM, Field, Transition
from itsm.workflow.expression import Compiled, EvaluationError
from itsm.workflow.values import choice_list

_RANKS: Final = {why: rank for rank, why in enumerate(Why)}
_SHORT: Final = 40


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The gravest first, each once; of one gravity as they were found."""
    return tuple(sorted(dict.fromkeys(reasons), key=lambda reason: _RANKS[reason.code]))


def who(words: Iterable[str], values: Mapping[str, Value]) -> str:
    """The people that words of `by` or `edit` mean on this ticket; those not in `values` are not to be named."""
    return choice_list([_who(word, values) for word in words] or ["nobody"])


def _who(word: str, values: Mapping[str, Value]) -> str:
    match word:
        case "requester" | "assignee":
            return f"the {word} ({values[word] or 'there is none'})" if word in values else f"the {word}"
        case "group":
            return f"members of its group ({values['group'] or 'none is set'})" if word in values else "members of its group"
        case "approver" | "watcher":
            return f"its {word}s"
        case "system":
            return "the desk itself"
        case _:
            return f"people with the role {word}"


def unknown_trigger(trigger: str, workflow: str, known: Iterable[str], state: str, possible: Iterable[str]) -> Reason:
    """A transition that this workflow does not have."""
    close = get_close_matches(trigger[:_SHORT], list(known), n=1)
    meant = f" Did you mean “{close[0]}”?" if close else ""
    message = f"There is no transition “{trigger[:_SHORT]}” in {workflow}.{meant} {_from_here(state, possible)}"
    return Reason(Why.UNKNOWN_TRIGGER, message)


def wrong_state(transition: Transition, state: str, possible: Iterable[str]) -> Reason:
    """A transition that does not start here."""
    starts = list(dict.fromkeys(source for branch in transition.branches for source in branch.sources))
    message = f"“{transition.name}” starts in {choice_list(starts)}; the ticket is in {state}. {_from_here(state, possible)}"
    return Reason(Why.WRONG_STATE, message)


def lost_state(state: str, workflow: str) -> Reason:
    """A ticket in a state that its version of the workflow does not have."""
    return Reason(Why.WRONG_STATE, f"The ticket is in {state}, a state that this version of {workflow} does not have.")


def _from_here(state: str, possible: Iterable[str]) -> str:
    names = list(possible)
    return f"From {state} you can: {', '.join(names)}." if names else f"From {state} nothing is open to you."


def not_allowed(trigger: str, words: Iterable[str], person: Person, values: Mapping[str, Value]) -> Reason:
    """A transition that is for others."""
    return Reason(Why.NOT_ALLOWED, f"“{trigger}” is for {who(words, values)}; {person.login} is not among them.")


def separation(field: Field, login: str, why: str) -> Reason:
    """A part in the ticket for somebody who has approved it."""
    message = f"The field {field.name} cannot be given to {login}: {why}. Who approves does not carry out, nor ask."
    return Reason(Why.SEPARATION, message, field.name)


def condition(trigger: str, compiled: Compiled, why: str) -> Reason:
    """A condition that does not hold, with what it looked at."""
    return Reason(Why.CONDITION, f"“{trigger}” waits until “{compiled.text}” holds{why}.")


def invariant(state: str, compiled: Compiled, why: str) -> Reason:
    """Something that must always hold in a state, and would not."""
    return Reason(Why.INVARIANT, f"In {state}, “{compiled.text}” must hold{why}.")


def missing(field: Field) -> Reason:
    """A field that must be filled."""
    choices = f" Choose {choice_list(field.choices)}." if 0 < len(field.choices) <= 8 else ""
    return Reason(Why.REQUIRED, f"The field {field.name} must be filled.{choices}", field.name)


def comment_missing(trigger: str) -> Reason:
    """A transition that asks for words."""
    return Reason(Why.COMMENT_REQUIRED, f"“{trigger}” needs a comment.")


def unknown_field(name: str, workflow: str, known: Iterable[str]) -> Reason:
    """A field that this workflow does not declare."""
    close = get_close_matches(name[:_SHORT], list(known), n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return Reason(Why.UNKNOWN_FIELD, f"There is no field “{name[:_SHORT]}” in {workflow}.{meant}", name)


def invalid_value(field: Field, must: str) -> Reason:
    """A value that is none of its field's type."""
    return Reason(Why.INVALID_VALUE, f"The field {field.name} {must}.", field.name)


def uncomputable(action: str, compiled: Compiled, failure: EvaluationError, field: str | None = None) -> Reason:
    """A value that an action was to compute."""
    message = f"“{action}” cannot compute “{compiled.text}”: {failure.text}."
    return Reason(Why.INVALID_VALUE, message, field)


def not_editable(field: Field, why: str) -> Reason:
    """A field that cannot be written, or not so, or not now."""
    return Reason(Why.NOT_EDITABLE, f"The field {field.name} {why}.", field.name)


def editors(field: Field, values: Mapping[str, Value]) -> str:
    """Who may write a field, as the end of a sentence."""
    if field.edit == (SYSTEM,):
        return "is filled by the desk itself"
    return f"is filled by {who(field.edit, values)}"


def shown(name: str, value: object) -> str:
    """“tasks.open is 2”."""
    if value is None:
        return f"{name} is empty"
    text = str(value)
    return f"{name} is {text if len(text) <= _SHORT else text[:_SHORT] + '…'}"
