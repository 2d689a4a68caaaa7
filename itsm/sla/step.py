"""One step of the fold under way: the moment, what the clocks have come to so far, and the questions that are asked of both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itsm.sla import measure
from itsm.sla.judging import Judge, Subject
from itsm.sla.moments import Moment
from itsm.sla.policy import Agreement, Condition, Goal, Policy
from itsm.sla.standing import Cycle, Spans, Standing, Status
from itsm.workflow.expression import Compiled


@dataclass(slots=True)
class Step:
    """One event on its way into a ticket's clocks: what they have come to so far, and which cycles have changed."""

    agreement: Agreement
    judge: Judge
    moment: Moment
    subject: Subject
    standing: Standing
    touched: list[Cycle]

    def put(self, cycle: Cycle) -> None:
        """Lay a cycle over its former self."""
        self.standing = replace(self.standing, cycles={**self.standing.cycles, cycle.key: cycle})
        self.touched.append(cycle)

    def wait(self, clock: str, part: str, spans: Spans | None) -> None:
        """Note that a clock waits, or (None) that it does not."""
        waiting = dict(self.standing.waiting)
        if spans is None:
            waiting.pop((clock, part), None)
        else:
            waiting[clock, part] = spans
        self.standing = replace(self.standing, waiting=waiting)

    def rose(self, edge: str, condition: Compiled | None) -> bool:
        """Whether a condition has become true just now."""
        if condition is None:
            return False
        holds, held = self.judge.holds(condition, self.subject), edge in self.standing.edges
        if holds != held:
            edges = self.standing.edges | {edge} if holds else self.standing.edges - {edge}
            self.standing = replace(self.standing, edges=edges)
        return holds and not held

    def is_so(self, condition: Condition) -> bool:
        """Whether one of its happenings has just been, or its expression is true."""
        if condition.on & self.moment.happenings:
            return True
        return condition.when is not None and self.judge.holds(condition.when, self.subject)

    def why_paused(self, policy: Policy) -> str | None:
        """The condition that keeps the policy's clocks from running now; None while they may."""
        if policy.pause is not None and self.judge.holds(policy.pause, self.subject):
            return policy.pause.text
        return None

    def goal(self, policy: Policy) -> int | None:
        """The place of the first goal that fits the ticket."""
        for place, goal in enumerate(policy.goals):
            if self.judge.holds(goal.condition, self.subject):
                return place
        return None

    def calendar(self, goal: Goal) -> str:
        """The key of the calendar that a goal's target runs in for this ticket."""
        hours = measure.calendar_key(self.agreement, goal.hours, self.standing.places)
        return measure.calendar_for(goal.target, hours)

    def forget(self) -> None:
        """Drop cycles that have ended and been followed by another, once nothing about them is owed any more.

        A miss stays: it may be excused at any time.
        """
        kept = {
            key: cycle
            for key, cycle in self.standing.cycles.items()
            if cycle.status is Status.MISSED
            or self.standing.latest(cycle.clock, cycle.part) is cycle
            or measure.outstanding(self.agreement, cycle, *self.standing.past)
        }
        if len(kept) != len(self.standing.cycles):
            self.standing = replace(self.standing, cycles=kept)
