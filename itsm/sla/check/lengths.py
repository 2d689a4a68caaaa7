"""Rules about how long: a promise must leave time to keep it, and what lies beneath it must be shorter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from itsm.platform.errors import DeskError
from itsm.sla.check.cases import Case
from itsm.sla.check.registry import Fault, rule
from itsm.sla.check.subject import Clock, Subject
from itsm.sla.check.wording import described, some
from itsm.sla.measure import calendar_for, shifted
from itsm.sla.policy import Agreement, Goal, Threshold
from itsm.workflow.findings import Severity
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration
from itsm.worktime.intervals import DAY, union
from itsm.worktime.layout import to_micros

_WEEK: Final = tuple(datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=3 * step) for step in range(56))
"""Beginnings to try: a week without holidays or clock changes in most of the world."""


@rule("target-nobody-can-meet", Severity.ERROR)
def target_nobody_can_meet(subject: Subject) -> Iterator[Fault]:
    """A target counts the working time of a calendar that never opens, or too seldom."""
    for clock in subject.clocks.values():
        for goal in clock.policy.goals:
            calendar = subject.agreement.calendars.get(goal.hours.default)
            if goal.target.needs_calendar and calendar is not None and (why := _why_never(calendar, goal.target)):
                message = f"“{goal.target}” counts the working time of “{goal.hours.default}”, which {why}."
                yield Fault(goal.at, message, "Give the calendar hours, or name another.")


def _why_never(calendar: Calendar, target: Duration) -> str | None:
    """Why a target in a calendar has no end; None if it has."""
    if calendar.is_empty:
        return "never opens"
    if not any(calendar.weekly):
        return "opens on single dates only: after the last of them no promise has an end"
    try:
        _due(calendar, target, _WEEK[0])
    except DeskError:
        return "opens so seldom that this never ends"
    return None


@rule("business-days-without-nights", Severity.WARNING)
def business_days_without_nights(subject: Subject) -> Iterator[Fault]:
    """A target counts business days in a calendar that never closes: each is 24 hours long, Sundays included."""
    for clock in subject.clocks.values():
        for goal in clock.policy.goals:
            calendar = subject.agreement.calendars.get(goal.hours.default)
            if (goal.target.business_days or goal.target.end_of_day) and calendar is not None and _never_closes(calendar):
                message = f"“{goal.target}” counts the days of “{goal.hours.default}”, which never closes: each has 24 hours."
                yield Fault(goal.at, message, "Write hours or days without “business”, or name a calendar that closes.")


def _never_closes(calendar: Calendar) -> bool:
    days = (*calendar.weekly, *calendar.exceptions.values())
    return not calendar.breaks and not calendar.holidays and all(tuple(union(day)) == ((0, DAY),) for day in days)


@rule("underpins-too-long", Severity.ERROR)
def underpins_too_long(subject: Subject) -> Iterator[Fault]:
    """What underpins a promise takes longer than the promise itself, for the same tickets: the promise cannot rest on it."""
    for clock in subject.clocks.values():
        above = subject.clocks.get(clock.policy.underpins or "")
        if above is None:
            continue
        for (mine, theirs), cases in _together(subject, clock, above).items():
            goal, promised = clock.policy.goals[mine], above.policy.goals[theirs]
            if _is_longer(subject.agreement, goal, promised):
                yield _too_long(clock, goal, above, promised, cases)


def _together(subject: Subject, clock: Clock, above: Clock) -> dict[tuple[int, int], list[Case]]:
    """The goals that two policies have for the same tickets, by their places, with the cases of these."""
    found: dict[tuple[int, int], list[Case]] = {}
    policies = [clock.policy, above.policy]
    for case in subject.cases(policies) or ():
        if subject.may_apply(policies, case) and not clock.is_over(case) and not above.is_over(case):
            mine, theirs = clock.goal(case), above.goal(case)
            if mine is not None and theirs is not None:
                found.setdefault((mine, theirs), []).append(case)
    return found


def _too_long(clock: Clock, goal: Goal, above: Clock, promised: Goal, cases: list[Case]) -> Fault:
    names = _telling(goal, promised)
    place = f" where {some(described(case, names) for case in cases)}" if names else ""
    message = (
        f"“{clock.policy.name}” allows {goal.target}, and “{above.policy.name}”, which rests on it, promises"
        f" {promised.target} (line {promised.at.line}){place}."
    )
    return Fault(goal.at, message, "Let what lies beneath take less time than the promise.")


def _telling(*goals: Goal) -> list[str]:
    """The names by which these goals are chosen."""
    return sorted(frozenset[str]().union(*(goal.condition.names for goal in goals if goal.condition is not None)))


def _is_longer(agreement: Agreement, one: Goal, other: Goal) -> bool:
    """Whether one goal falls due after another, whenever both begin."""
    mine, theirs = _calendar(agreement, one), _calendar(agreement, other)
    if mine is None or theirs is None:
        return False
    try:
        return all(_due(mine, one.target, start) > _due(theirs, other.target, start) for start in _WEEK)
    except DeskError:
        return False  # a calendar that never opens, or that does not know this week


def _calendar(agreement: Agreement, goal: Goal) -> Calendar | None:
    key = calendar_for(goal.target, goal.hours.default)
    try:
        return agreement.calendar(key)
    except KeyError:
        return None


@lru_cache(maxsize=8192)
def _due(calendar: Calendar, target: Duration, start: datetime) -> datetime:
    return calendar.add_duration(start, target)


@rule("threshold-before-start", Severity.ERROR)
def threshold_before_start(subject: Subject) -> Iterator[Fault]:
    """This threshold lies further before the due instant than the target is long: it is reached before the clock begins."""
    for clock in subject.clocks.values():
        for threshold in clock.policy.thresholds:
            if threshold.before is not None:
                goals = _too_short(subject, clock, threshold, threshold.before)
                if goals:
                    told = ", ".join(f"{goal.target} in line {goal.at.line}" for goal in goals)
                    message = f"“{threshold.label}” lies before the clock begins, for a target as short as {told}."
                    hint = "Write a share of the target, such as 75%, or leave such tickets out by an if."
                    yield Fault(threshold.at, message, hint)


def _too_short(subject: Subject, clock: Clock, threshold: Threshold, before: Duration) -> list[Goal]:
    """The goals whose tickets reach a threshold before they have begun."""
    places = {
        clock.goal(case)
        for case in clock.running_cases
        if threshold.condition is None or subject.holds(threshold.condition, case)
    }
    goals = [clock.policy.goals[place] for place in sorted(place for place in places if place is not None)]
    return [goal for goal in goals if _begins_after(subject.agreement, goal, before)]


def _begins_after(agreement: Agreement, goal: Goal, before: Duration) -> bool:
    """Whether the clock always begins later than so long before it is due."""
    calendar = _calendar(agreement, goal)
    if calendar is None:
        return False
    key = calendar_for(goal.target, goal.hours.default)
    try:
        return all(
            at is not None and at <= to_micros(start)
            for start in _WEEK
            if calendar.is_working(start)
            for at in [shifted(agreement, key, to_micros(_due(calendar, goal.target, start)), before, -1)]
        )
    except DeskError:
        return False
