"""Rules about the decision table of a policy: the first goal that fits is taken."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.sla.check.cases import Case
from itsm.sla.check.registry import Fault, rule
from itsm.sla.check.subject import Clock, Subject
from itsm.sla.check.wording import described, some
from itsm.workflow.check.logic import HOLDS
from itsm.workflow.check.wording import listed
from itsm.workflow.findings import Severity


@rule("goal-gap", Severity.WARNING)
def goal_gap(subject: Subject) -> Iterator[Fault]:
    """There are tickets to which the policy applies and that no goal fits: their clock is cancelled, or never begins."""
    for clock in subject.clocks.values():
        policy = clock.policy
        gaps = [case for case, fits in clock.fitting if not any(fit & HOLDS for fit in fits)]
        left_out = [case for case in gaps if subject.holds(policy.applies, case)]
        if left_out:
            where = some(described(case, _looked_at(clock)) for case in left_out)
            hint = "End with a goal that has no if, or leave these tickets out in when."
            yield Fault(policy.goals[-1].at, f"No goal of “{policy.name}” fits where {where}.", hint)


def _looked_at(clock: Clock) -> list[str]:
    """The names that tell the goals apart; and the type, where the policy is about several."""
    names = frozenset[str]().union(*(goal.condition.names for goal in clock.policy.goals if goal.condition is not None))
    return [*(["ticket.type"] if len(clock.workflows) > 1 else []), *sorted(names - {"ticket.type"})]


@rule("goal-never-reached", Severity.ERROR)
def goal_never_reached(subject: Subject) -> Iterator[Fault]:
    """No ticket ever gets this goal: it fits none to which the policy applies, or an earlier one always comes first."""
    for clock in subject.clocks.values():
        goals, taken = clock.policy.goals, _taken(clock)
        for place, goal in enumerate(goals):
            if place in taken or not clock.fitting:
                continue
            winners = {_first(fits) for _, fits in clock.fitting if fits[place] & HOLDS}
            lines = sorted({goals[winner].at.line for winner in winners if winner is not None})
            if lines:
                winner = f"the one in line {listed(map(str, lines))}"
                message = f"This goal of “{clock.policy.name}” is never reached: {winner} always fits first."
                yield Fault(goal.at, message, "Put it before the other, or take it out.")
            else:
                message = f"This goal of “{clock.policy.name}” fits no ticket with a clock that runs."
                yield Fault(goal.at, message, "Say what was meant, or take the goal out.")


def _first(fits: tuple[int, ...]) -> int | None:
    """The place of the first goal that certainly fits."""
    return next((place for place, fit in enumerate(fits) if fit == HOLDS), None)


def _taken(clock: Clock) -> set[int]:
    """The places of the goals that some ticket may get."""
    taken: set[int] = set()
    for _, fits in clock.fitting:
        for place, fit in enumerate(fits):
            if fit & HOLDS:
                taken.add(place)
            if fit == HOLDS:
                break
    return taken


@rule("overlapping-goals", Severity.WARNING)
def overlapping_goals(subject: Subject) -> Iterator[Fault]:
    """There are tickets that this goal and an earlier one both fit, so that only their order decides.

    A last goal without a condition means “otherwise” and is no overlap.
    """
    for clock in subject.clocks.values():
        goals, taken = clock.policy.goals, _taken(clock)
        both: dict[tuple[int, int], list[Case]] = {}
        for case, fits in clock.fitting:
            earlier, *later = [place for place, fit in enumerate(fits) if fit == HOLDS] or [0]
            for place in later:
                both.setdefault((earlier, place), []).append(case)
        for (earlier, place), cases in sorted(both.items()):
            if goals[place].condition is not None and place in taken:
                where = some(described(case, _looked_at(clock)) for case in cases)
                line = goals[earlier].at.line
                message = f"This goal and the one in line {line} both fit where {where}; the earlier one is taken."
                yield Fault(goals[place].at, message, "Make their conditions exclude each other.")
