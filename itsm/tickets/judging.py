"""What a workflow says to a step of somebody's history: decided here, written down in `history.py`. No database, no effects.

A `Ruling` is the engine's own decision where there is one. Where the engine refuses, the ruling either carries the decision of
`Process.force`, marked as an override, or none, so that the ticket stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from itsm.tickets.records import Record
from itsm.tickets.story import Refused, Step
from itsm.workflow.builtin import MOVED_BY_TRANSITIONS
from itsm.workflow.case import Case, Change, Decision, Person, Reason, Refusal, Value, Why
from itsm.workflow.definition import Comment
from itsm.workflow.values import is_empty

NO_MEANING: Final = "no_meaning"
"""The code of a refusal for a status that stands for no state."""
NO_WAY: Final = "no_transition"
"""The code of a refusal where no transition leads from the ticket's state to the one that was told."""
ELSEWHERE: Final = "lands_elsewhere"
"""The code of a refusal where the transition is allowed, and leads to another state than was told."""

_OF_VALUES: Final = frozenset({Why.NOT_EDITABLE, Why.INVALID_VALUE})
"""Reasons that speak against a value and not against the step, which is then asked for again without it."""
_GRAVITY: Final = {ELSEWHERE: len(Why), **{code.value: place for place, code in enumerate(Why)}}

Ask: TypeAlias = Callable[[Mapping[str, Value]], "Decision | Refusal"]
Guarded: TypeAlias = Callable[["Decision | Refusal", Mapping[str, Value]], "Decision | Refusal"]
"""Gives a verdict, made of some values, as it is once the desk's guards were asked too."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to become of a step. Without a `decision` the ticket stays as it is; with a `code` the workflow had said no.

    `filled` are the fields (and `comment`) that the mapping and not the source has given; `dropped` says which values the
    ticket did not take, and why; `as_told` who the ticket lies with by the source's word, whatever the transition itself sets.
    """

    decision: Decision | None
    code: str | None = None
    reasons: tuple[str, ...] = ()
    trigger: str | None = None
    filled: tuple[str, ...] = ()
    dropped: tuple[Reason, ...] = ()
    as_told: tuple[str, ...] = ()

    @property
    def overridden(self) -> bool:
        """Whether it is recorded against the workflow's word."""
        return self.code is not None and self.decision is not None


class Judge:
    """Puts steps to workflows. It keeps which triggers can lead from where to where."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        self._ways: dict[tuple[int, str, str, str | None], tuple[str, ...]] = {}

    def birth(self, ask: Ask, force: Ask, given: Mapping[str, Value]) -> Ruling:
        """A ticket's creation. Without it there would be no ticket; so a refusal comes back without a decision."""
        verdict, dropped = _asked(ask, given, given)
        if isinstance(verdict, Decision):
            return Ruling(verdict, dropped=dropped)
        return self._overruled(force, given, Ruling(None, verdict.code.value, _sentences(verdict)))

    def move(self, record: Record, case: Case, person: Person, step: Step, target: str, guarded: Guarded) -> Ruling:
        """A step into another state: the first transition that leads there and is allowed."""
        given = changed(record, step)
        fill = {name: value for name, value in step.fill.items() if is_empty(given.get(name, record.values.get(name)))}
        nearest = Ruling(None, NO_WAY, (f"No transition leads from {record.state} to {target}.",), step.trigger)
        for trigger in self.ways(record, target, step.trigger):
            comment = step.comment or (step.comment_fill if _wants_comment(record, trigger, target) else None)
            filled = (*fill, "comment") if comment and not step.comment else tuple(fill)
            fire = partial(_fire, record, case, person, step, trigger, comment, guarded)
            verdict, dropped = _asked(fire, {**given, **fill}, given)
            if isinstance(verdict, Refusal):
                refusal = Ruling(None, verdict.code.value, _sentences(verdict), trigger)
            elif verdict.target == target:
                return _as_the_source_has_it(Ruling(verdict, None, (), trigger, filled, dropped), record, step)
            else:
                refusal = Ruling(None, ELSEWHERE, (f"From here, {trigger} leads to {verdict.target}.",), trigger)
            nearest = _nearer(nearest, refusal, step.trigger)
        force: Ask = lambda values: record.process.force(case, target, values, step.at, nearest.trigger)  # noqa: E731
        return self._overruled(force, {**given, **fill}, replace(nearest, filled=tuple(fill)))

    def update(self, record: Record, case: Case, person: Person, step: Step, guarded: Guarded) -> Ruling:
        """A step that leaves the ticket in its state: values that change, and hands that it passes into."""
        given = changed(record, step)
        fixed = record.process.workflow.states[record.state].readonly
        handed = {name: given[name] for name in MOVED_BY_TRANSITIONS & given.keys() if name not in fixed}
        plain = {name: value for name, value in given.items() if name not in handed}
        edit: Ask = lambda values: guarded(record.process.edit(case, person, values, step.at), values)  # noqa: E731
        verdict, dropped = _asked(edit, plain, plain)
        ruling = Ruling(None, dropped=dropped)
        if isinstance(verdict, Refusal):
            ruling = Ruling(None, verdict.code.value, _sentences(verdict))
        elif dropped and self.refused is Refused.RECORD:
            ruling = Ruling(None, dropped[0].code.value, tuple(reason.message for reason in dropped))
        else:
            return _with(Ruling(verdict, dropped=dropped), {**verdict.changes, **_changes(record, handed)})
        return self._overruled(
            lambda values: record.process.force(case, record.state, values, step.at), {**plain, **handed}, ruling
        )

    def ways(self, record: Record, target: str, preferred: str | None) -> tuple[str, ...]:
        """The triggers to try: the preferred one, then all that can lead from the ticket's state to the other, as written.

        The preferred one is tried even where it leads nowhere, for then the workflow's own words say why not.
        """
        key = (record.workflow_version_id, record.state, target, preferred)
        if key not in self._ways:
            found = [
                name
                for name, transition in record.process.workflow.transitions.items()
                if any(record.state in one.sources and one.lands_in(record.state) == target for one in transition.branches)
            ]
            own = [] if preferred is None else [preferred]
            self._ways[key] = tuple(dict.fromkeys([*own, *found]))
        return self._ways[key]

    def _overruled(self, force: Ask, given: Mapping[str, Value], ruling: Ruling) -> Ruling:
        """The same ruling, with the decision to do it all the same if that is what the caller wants."""
        if self.refused is Refused.REFUSE:
            return replace(ruling, filled=())
        verdict, dropped = _asked(force, given, given)
        return (
            replace(ruling, decision=verdict, dropped=dropped) if isinstance(verdict, Decision) else replace(ruling, filled=())
        )


def changed(record: Record, step: Step) -> dict[str, Value]:
    """What the step says that is not so already."""
    values = record.values
    return {name: value for name, value in step.values.items() if value != values.get(name)}


def _asked(
    ask: Ask, given: Mapping[str, Value], droppable: Mapping[str, Value]
) -> tuple[Decision | Refusal, tuple[Reason, ...]]:
    """An answer to a step, once more without the values that alone were in its way; and the reasons against those."""
    verdict = ask(given)
    if isinstance(verdict, Decision):
        return verdict, ()
    dropped = tuple(reason for reason in verdict.reasons if reason.code in _OF_VALUES and reason.field in droppable)
    if not dropped:
        return verdict, ()
    without = {reason.field for reason in dropped}
    again = ask({name: value for name, value in given.items() if name not in without})
    return again, dropped


def _nearer(one: Ruling, other: Ruling, preferred: str | None) -> Ruling:
    """Of two refusals the one to tell: of the preferred trigger, else the less grave."""
    if preferred is not None and preferred in {one.trigger, other.trigger}:
        return one if one.trigger == preferred and one.code != NO_WAY else other
    return max(one, other, key=lambda ruling: _GRAVITY.get(str(ruling.code), -1))


def _fire(
    record: Record,
    case: Case,
    person: Person,
    step: Step,
    trigger: str,
    comment: str | None,
    guarded: Guarded,
    values: Mapping[str, Value],
) -> Decision | Refusal:
    return guarded(record.process.fire(case, person, trigger, values, comment, step.at), values)


def _wants_comment(record: Record, trigger: str, target: str) -> bool:
    return any(
        branch.comment is Comment.REQUIRED and record.state in branch.sources and branch.lands_in(record.state) == target
        for branch in record.process.workflow.transitions[trigger].branches
    )


def _as_the_source_has_it(ruling: Ruling, record: Record, step: Step) -> Ruling:
    """Who a ticket lies with is told by the source, even where the transition (`set: {assignee: actor.id}`) says otherwise."""
    if ruling.decision is None:
        return ruling
    changes, told = dict(ruling.decision.changes), []
    kept = {reason.field for reason in ruling.dropped}
    for name in MOVED_BY_TRANSITIONS:
        value, before = step.values.get(name), record.values.get(name)
        now = changes[name].new if name in changes else before
        if value is None or value == now or name in kept:
            continue
        told.append(name)
        changes.pop(name, None)
        if value != before:
            changes[name] = Change(before, value)
    return replace(_with(ruling, changes), as_told=tuple(sorted(told))) if told else ruling


def _with(ruling: Ruling, changes: Mapping[str, Change]) -> Ruling:
    return ruling if ruling.decision is None else replace(ruling, decision=replace(ruling.decision, changes=changes))


def _changes(record: Record, values: Mapping[str, Value]) -> dict[str, Change]:
    return {name: Change(record.values.get(name), value) for name, value in values.items()}


def _sentences(refusal: Refusal) -> tuple[str, ...]:
    return tuple(reason.message for reason in refusal.reasons)
