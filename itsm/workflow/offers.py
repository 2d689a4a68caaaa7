"""A transition as someone finds it: open with its inputs, or blocked and why. Read off a draft that `fire` would have made."""

from __future__ import annotations

from itsm.workflow.case import Input, Offer, Reason, Why
from itsm.workflow.definition import Transition
from itsm.workflow.draft import Draft, Occasion
from itsm.workflow.rules import BranchRule, required
from itsm.workflow.sentences import in_order


def offer(draft: Draft, transition: Transition) -> Offer:
    """What a draft made without inputs and comment says about its transition.

    A reason does not block if something that the transition asks for may mend it: a missing field that this person may fill
    and `do` does not write, a missing comment, or an expression that looks at one of these.
    """
    rule = draft.taken
    title = transition.title or transition.name.replace("_", " ").capitalize()
    if rule is None:
        targets = {each.lands_in(draft.case.state) for each in transition.branches if draft.case.state in each.sources}
        target = targets.pop() if len(targets) == 1 else None
        return Offer(transition.name, title, target, (), comment_required=False, blocked=in_order(draft.reasons))
    inputs = _inputs(draft, rule)
    open_ = {f"ticket.{each.field}" for each in inputs if each.required} | {"comment"}
    blocking = [reason for reason in draft.reasons if not _mendable(reason, draft, open_)]
    words = any(reason.code is Why.COMMENT_REQUIRED or "comment" in draft.about.get(reason, ()) for reason in draft.reasons)
    target = rule.branch.lands_in(draft.case.state)
    return Offer(transition.name, title, target, inputs, comment_required=words, blocked=in_order(blocking))


def _inputs(draft: Draft, rule: BranchRule) -> tuple[Input, ...]:
    """The required fields that this person may fill, whether filled already or not; what `do` writes is not asked for."""
    target = draft.book.workflow.states[rule.branch.lands_in(draft.case.state)]
    missing = {reason.field for reason in draft.reasons if reason.code is Why.REQUIRED}
    fields = [draft.book.fields[name] for name in required(rule, target) if name not in rule.written]
    return tuple(
        Input(field.name, required=field.name in missing)
        for field in fields
        if draft.hindrance(field, Occasion.TRANSITION) is None
    )


def _mendable(reason: Reason, draft: Draft, open_: set[str]) -> bool:
    if reason.code is Why.COMMENT_REQUIRED:
        return True
    if reason.code is Why.REQUIRED:
        return f"ticket.{reason.field}" in open_
    return not open_.isdisjoint(draft.about.get(reason, ()))
