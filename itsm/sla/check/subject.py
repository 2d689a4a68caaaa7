"""An agreement under examination: everything that several rules want to know of it, found out once.

Where something cannot be decided it counts as possible, so that no rule says more than it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

from itsm.sla.check.cases import Case, cases
from itsm.sla.policy import Agreement, Policy, Threshold, expressions_of
from itsm.workflow.check.effort import Effort
from itsm.workflow.check.logic import HOLDS, Condition, Verdict
from itsm.workflow.check.subject import Subject as Practice
from itsm.workflow.definition import Workflow
from itsm.workflow.expression import Compiled
from itsm.workflow.vocabulary import Vocabulary

TRIALS: Final = 400_000
"""Conditions asked over all cases before the rest is left undecided: the promises that come with the desk need a twentieth."""


class Subject:
    """An agreement, and the practices whose tickets it is about."""

    def __init__(self, agreement: Agreement, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> None:
        self.agreement = agreement
        self.workflows = workflows
        self.vocabulary = vocabulary
        self.effort = Effort(TRIALS)
        self._practices: dict[str, Practice] = {}
        self._judged: dict[Compiled, Condition] = {}

    @cached_property
    def clocks(self) -> Mapping[str, Clock]:
        """Every policy with what can happen to its clock, by name."""
        return {name: Clock(self, policy) for name, policy in self.agreement.policies.items()}

    def practice(self, name: str) -> Practice:
        """A workflow under examination."""
        if name not in self._practices:
            self._practices[name] = Practice(self.workflows[name], self.vocabulary, self.workflows)
        return self._practices[name]

    def verdict(self, condition: Compiled | None, case: Case) -> Verdict:
        """What may come out of a condition in a case; none always holds."""
        if condition is None:
            return HOLDS
        if condition not in self._judged:
            self._judged[condition] = Condition(condition.tree)
        return self._judged[condition].judge(case.values)

    def may_hold(self, condition: Compiled | None, case: Case) -> bool:
        """Whether a condition can be true in a case."""
        return bool(self.verdict(condition, case) & HOLDS)

    def holds(self, condition: Compiled | None, case: Case) -> bool:
        """Whether a condition is certainly true in a case."""
        return self.verdict(condition, case) == HOLDS

    def cases(self, policies: Iterable[Policy]) -> tuple[Case, ...] | None:
        """The ways for tickets of their workflows to be which the conditions of these policies tell apart; None if too many."""
        asked = list(policies)
        conditions = [each for policy in asked for each in expressions_of(policy)]
        weight = 1 + len(conditions) + sum(len(policy.goals) + len(policy.thresholds) for policy in asked)
        found: list[Case] = []
        for name in self.workflows:
            if self._is_about(asked, name):
                some = cases(self.practice(name), conditions, self.effort, weight)
                if some is None:
                    return None
                found += some
        return tuple(found)

    def may_apply(self, policies: Sequence[Policy], case: Case) -> bool:
        """Whether all of these policies may apply in a case."""
        return all(self.may_hold(policy.applies, case) for policy in policies)

    def _is_about(self, policies: Sequence[Policy], workflow: str) -> bool:
        """Whether policies may apply to tickets of a workflow, as far as their type tells; it spares most of the trying."""
        bare = Case(workflow, "", {"ticket.type": workflow})
        return self.may_apply(policies, bare)


class Clock:
    """A policy under examination."""

    def __init__(self, subject: Subject, policy: Policy) -> None:
        self._subject = subject
        self.policy = policy
        found = subject.cases([policy])
        self.is_known = found is not None
        """Whether all cases could be tried; without that, nothing is to be said."""
        self.every_case: tuple[Case, ...] = found or ()
        """A clock may be set off before the policy applies; then it waits."""
        self.cases = tuple(case for case in self.every_case if subject.may_hold(policy.applies, case))
        """Those in which the policy may apply."""

    @cached_property
    def open_cases(self) -> tuple[Case, ...]:
        """Those in which a clock that was set off is not over."""
        return tuple(case for case in self.cases if not self.is_over(case))

    @cached_property
    def fitting(self) -> tuple[tuple[Case, tuple[Verdict, ...]], ...]:
        """The open cases, each with what may come of the condition of each goal."""
        goals = self.policy.goals
        return tuple((case, tuple(self._subject.verdict(goal.condition, case) for goal in goals)) for case in self.open_cases)

    @cached_property
    def running_cases(self) -> tuple[Case, ...]:
        """Those in which the clock can run: it is not over, not paused, and some goal may fit."""
        pause = self.policy.pause
        return tuple(
            case
            for case in self.open_cases
            if (pause is None or not self._subject.holds(pause, case)) and self.some_goal_may_fit(case)
        )

    @cached_property
    def workflows(self) -> tuple[str, ...]:
        """The workflows to whose tickets the policy may apply."""
        return tuple(dict.fromkeys(case.workflow for case in self.cases))

    def is_over(self, case: Case) -> bool:
        """Whether the clock has certainly been stopped or cancelled."""
        ends = (self.policy.stop.when, self.policy.cancel.when)
        return any(end is not None and self._subject.holds(end, case) for end in ends)

    def some_goal_may_fit(self, case: Case) -> bool:
        """Whether there may be a goal for a case."""
        return any(self._subject.may_hold(goal.condition, case) for goal in self.policy.goals)

    def goal(self, case: Case) -> int | None:
        """The place of the goal that a case certainly has; None if there is none, or it cannot be said."""
        for place, goal in enumerate(self.policy.goals):
            if self._subject.holds(goal.condition, case):
                return place
            if self._subject.may_hold(goal.condition, case):
                return None
        return None

    def reached_in(self, threshold: Threshold) -> dict[str, tuple[str, ...]]:
        """The states in which the clock can run and this threshold may be answered, by workflow."""
        found: dict[str, dict[str, None]] = {}
        for case in self.running_cases:
            if self._subject.may_hold(threshold.condition, case):
                found.setdefault(case.workflow, {})[case.state] = None
        return {workflow: tuple(states) for workflow, states in found.items()}
