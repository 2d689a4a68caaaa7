"""Rules about order: the branches of a transition, and the rules of a reaction, are tried in turn, and the first is taken."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.domains import Answer
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.check.wording import listed
from itsm.workflow.definition import Branch, Rule
from itsm.workflow.findings import Severity


@rule("shadowed-branch", Severity.ERROR)
def shadowed_branch(subject: Subject) -> Iterator[Fault]:
    """This branch is never taken: wherever it could be, and for whomever, an earlier one of the same transition always is."""
    for branch in subject.branches:
        if branch.sources and not any(subject.open_to(branch, source) for source in branch.sources):
            yield Fault(
                branch.at,
                f"This branch of “{branch.trigger}” is never taken: {_winners(subject, branch)} always comes first.",
                "Put it before the other, or give the other a condition.",
            )


def _winners(subject: Subject, branch: Branch) -> str:
    earlier = subject.workflow.transitions[branch.trigger].branches[: branch.index]
    lines = dict.fromkeys(
        str(other.at.line)
        for source in branch.sources
        for other in earlier
        if source in other.sources and not set(other.by).isdisjoint(branch.by) and subject.wins(other, branch, source)
    )
    return f"the one in line {listed(lines)}"


@rule("overlapping-branches", Severity.WARNING)
def overlapping_branches(subject: Subject) -> Iterator[Fault]:
    """There are cases in which this branch and an earlier one both pass, so that only their order decides.

    A last branch without a condition means “otherwise” and is no overlap.
    """
    for transition in subject.workflow.transitions.values():
        for later in transition.branches:
            for earlier in transition.branches[: later.index]:
                if fault := _overlap(subject, earlier, later):
                    yield fault


def _overlap(subject: Subject, earlier: Branch, later: Branch) -> Fault | None:
    words = [word for word in later.by if word in earlier.by]
    shared = [source for source in later.sources if source in earlier.sources]
    states = [source for source in shared if words and _both_pass(subject, earlier, later, source)]
    entirely = not any(subject.open_to(later, source) for source in later.sources)
    if not states or entirely:
        return None
    return Fault(
        later.at,
        f"This branch of “{later.trigger}” and the one in line {earlier.at.line} can both pass for {listed(words, 'or')} in"
        f" {listed(states, 'or')}; the earlier one is then taken.",
        "Make their conditions exclude each other.",
    )


def _both_pass(subject: Subject, earlier: Branch, later: Branch, source: str) -> bool:
    if later.condition is None:
        return earlier.condition is None
    complete = all(subject.judged(each) for each in (earlier.condition, later.condition) if each is not None)
    return complete and subject.can_hold(source, earlier.condition, later.condition) is Answer.YES


@rule("shadowed-rule", Severity.ERROR)
def shadowed_rule(subject: Subject) -> Iterator[Fault]:
    """This rule of a reaction is never taken: in each of its states an earlier one of the same event always is."""
    for reaction in subject.workflow.reactions.values():
        for index, later in enumerate(reaction.rules):
            states = later.states if later.states is not None else tuple(subject.workflow.states)
            winners = {state: _winner(subject, reaction.rules[:index], later, state) for state in states}
            lines = dict.fromkeys(str(winner.at.line) for winner in winners.values() if winner is not None)
            if winners and None not in winners.values():
                yield Fault(
                    later.at,
                    f"This rule for {reaction.event} is never taken: the one in line {listed(lines)} always comes first.",
                    "Put it before the other, or give the other a condition.",
                )


def _winner(subject: Subject, earlier: tuple[Rule, ...], later: Rule, state: str) -> Rule | None:
    """The first of these rules that fits in a state wherever the later one does."""
    for rule_ in earlier:
        if (rule_.states is None or state in rule_.states) and subject.follows(rule_.condition, later.condition, state):
            return rule_
    return None
