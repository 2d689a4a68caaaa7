"""How a ticket's clocks go on from one event to the next. Pure: the same events give the same clocks, for ever.

At each moment, for each policy in the order of the file that can apply to the ticket's type:

1. The conditions are asked of the ticket as it is after the event: does the policy apply, is the clock set off, is it paused,
   is it over?
2. A running or paused cycle ends, by the first of these that holds: the policy no longer applies or no goal fits (cancelled),
   `cancel` (cancelled), `stop` (met, or missed if the due instant has passed), `reset` (cancelled, and a new cycle begins).
3. One that goes on takes a changed target, by the policy's rule for that, and is paused or resumed.
4. A clock without an open cycle that is set off by `start` or `reset` waits until the policy applies and nothing pauses it;
   then its cycle begins (docs/sla.md, rule 6: a ticket born in a pausing state starts its clock when it first leaves it). With
   `retroactive`, what passed unpaused while it waited counts.

A clock per group is one such clock for each group; all but that of the ticket's present group are paused (`accumulate`), or end
when the ticket leaves (`restart`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from itsm.sla import measure
from itsm.sla.deeds import DEEDS
from itsm.sla.judging import Judge, Subject
from itsm.sla.moments import THRESHOLD_REACHED, Facts, Moment
from itsm.sla.phases import concluded, from_now_in, paused, resumed, used_up_since
from itsm.sla.policy import Agreement, OnChange, Policy, Return
from itsm.sla.standing import Cycle, Retarget, Spans, Standing, Status, Stretch, Target
from itsm.sla.step import Step

NO_LONGER_APPLIES: Final = "the policy no longer applies"
NO_GOAL: Final = "no goal fits"
WITH_ANOTHER_GROUP: Final = "with another group"
HANDED_OVER: Final = "handed over"
RESET: Final = "reset"


def advance(agreement: Agreement, judge: Judge, standing: Standing, moment: Moment) -> tuple[Standing, list[Cycle]]:
    """The standing after one more event, and the cycles that changed, in the order in which they did."""
    if stamp := moment.stamp:
        standing = _noted(standing, stamp)
    if not moment.matters:
        return standing, []
    if moment.at < standing.last_at:
        moment = replace(moment, at=standing.last_at)
    step = Step(agreement, judge, moment, Subject(moment.after, standing.places), standing, [])
    if moment.kind in DEEDS:
        DEEDS[moment.kind](step)
    else:
        for policy in agreement.of_type(moment.after.type):
            _go_on(step, policy)
        step.forget()
    if step.standing is standing:
        return standing, []
    if moment.kind == THRESHOLD_REACHED:  # that changes no clock
        return step.standing, step.touched
    return replace(step.standing, last_at=moment.at), step.touched


def _noted(standing: Standing, stamp: Mapping[str, Any]) -> Standing:
    return replace(
        standing,
        version=stamp.get("version", standing.version),
        places={**standing.places, **stamp.get("places", {})},
        quiet_until=stamp.get("quiet_until", standing.quiet_until),
    )


def _go_on(step: Step, policy: Policy) -> None:
    applies = step.judge.holds(policy.applies, step.subject)
    started = bool(policy.start.on & step.moment.happenings) | step.rose(f"{policy.name}:start", policy.start.when)
    was_reset = bool(policy.reset.on & step.moment.happenings) | step.rose(f"{policy.name}:reset", policy.reset.when)
    here = _part(policy, step.moment.after)
    for cycle in [one for one in step.standing.cycles.values() if one.clock == policy.name and one.is_open]:
        _continue(step, policy, cycle, applies=applies, was_reset=was_reset, is_away=cycle.part != here)
    _wait_on(step, policy, here, was_reset=was_reset)
    if here is not None:
        _begin(step, policy, here, applies=applies, set_off=started or was_reset)


def _part(policy: Policy, facts: Facts) -> str | None:
    """The part of a clock that the ticket is in; None while a clock per group has no group."""
    if policy.per_group is None:
        return ""
    group = facts.values.get("group")
    return group if isinstance(group, str) else None


# A cycle that is open


def _continue(step: Step, policy: Policy, cycle: Cycle, *, applies: bool, was_reset: bool, is_away: bool) -> None:
    goal = step.goal(policy)
    if not applies or goal is None:
        _end(step, cycle, Status.CANCELLED, NO_GOAL if applies else NO_LONGER_APPLIES)
        counted = step.standing.cycles[cycle.key].counted if policy.retroactive else ()
        step.wait(policy.name, cycle.part, tuple((one.start, one.end) for one in counted))
    elif step.is_so(policy.cancel):
        _end(step, cycle, Status.CANCELLED, "cancel")
    elif step.is_so(policy.stop):
        _end(step, cycle, None, "stop")
    elif was_reset:
        _end(step, cycle, Status.CANCELLED, RESET)
    elif is_away and policy.per_group is Return.RESTART:
        _end(step, cycle, None, HANDED_OVER)
    else:
        changed = cycle if is_away else _retarget(step, policy, cycle, goal)
        why = WITH_ANOTHER_GROUP if is_away else step.why_paused(policy)
        changed = paused(changed, step.moment.at, why) if why else resumed(changed, step.moment.at)
        if changed is not cycle:
            step.put(changed)


def _end(step: Step, cycle: Cycle, status: Status | None, why: str) -> None:
    """Give a cycle its result; without a `status`, met or missed: at the due instant itself the promise is still kept."""
    at = step.moment.at
    due = measure.due(step.agreement, cycle)
    if status is None:
        status = Status.MISSED if due is not None and at > due else Status.MET
    step.put(concluded(cycle, at, status, due, why))


def _retarget(step: Step, policy: Policy, cycle: Cycle, place: int) -> Cycle:
    """The cycle under the goal that fits now; the policy says what becomes of the time spent (docs/sla.md, rule 7)."""
    goal = policy.goals[place]
    calendar = step.calendar(goal)
    was = cycle.target
    if (was.text, was.calendar) == (str(goal.target), calendar):  # as much to keep as before, if by another row
        return cycle if was.goal == place else replace(cycle, target=replace(was, goal=place))
    at = step.moment.at
    base = at if policy.on_change is OnChange.RESTART else cycle.started_at
    target = Target(place, str(goal.target), calendar, measure.length_of(step.agreement, calendar, goal.target, base))
    retargets = (*cycle.retargets, Retarget(at, was, policy.on_change.value))
    changed = replace(cycle, target=target, retargets=retargets)
    if policy.on_change is OnChange.KEEP_ELAPSED:
        return changed if calendar == was.calendar else from_now_in(changed, at, calendar)
    counted = (Stretch(at, None, calendar),) if cycle.status is Status.RUNNING else ()
    if policy.on_change is OnChange.RESTART:
        return replace(changed, counted=counted, credit=0)
    changed = replace(changed, passed=measure.passed(step.agreement, cycle, at))
    due = measure.due(step.agreement, cycle)
    if due is not None and due <= at:
        return used_up_since(changed, due, at)
    credit = measure.spent(step.agreement, cycle, at) * target.length // was.length
    return replace(changed, counted=counted, credit=credit)


# A cycle that may begin


def _wait_on(step: Step, policy: Policy, here: str | None, *, was_reset: bool) -> None:
    """What this moment means for the policy's clocks that wait: its end, a new beginning, or that the ticket is elsewhere."""
    mine = [(part, spans) for (clock, part), spans in step.standing.waiting.items() if clock == policy.name]
    is_over = bool(mine) and (step.is_so(policy.stop) or step.is_so(policy.cancel))
    for part, spans in mine:
        is_away = part != here
        if is_over or (is_away and (was_reset or policy.per_group is Return.RESTART)):
            step.wait(policy.name, part, None)
        elif was_reset:
            step.wait(policy.name, part, ())
        elif is_away and spans and spans[-1][1] is None:
            step.wait(policy.name, part, _ended(spans, step.moment.at))


def _ended(spans: Spans, at: int) -> Spans:
    return tuple((start, at if end is None else end) for start, end in spans)


def _begin(step: Step, policy: Policy, part: str, *, applies: bool, set_off: bool) -> None:
    latest = step.standing.latest(policy.name, part)
    if latest is not None and latest.is_open:
        return
    if step.is_so(policy.stop) or step.is_so(policy.cancel):
        return
    spans = step.standing.waiting.get((policy.name, part))
    if set_off and spans is None:
        spans = ()
    if spans is None:
        return
    is_paused = step.why_paused(policy) is not None
    goal = step.goal(policy) if applies and not is_paused else None
    if goal is not None:
        step.wait(policy.name, part, None)
        _open(step, policy, part, goal, spans, 1 if latest is None else latest.number + 1)
    else:
        step.wait(policy.name, part, _waited(policy, spans, step.moment.at, is_paused=is_paused))


def _waited(policy: Policy, spans: Spans, at: int, *, is_paused: bool) -> Spans:
    """What would have counted while a clock waits; kept for those that count it in the end."""
    if not policy.retroactive:
        return ()
    closed = _ended(spans, at)
    goes_on = spans and spans[-1][1] is None
    if is_paused:
        return closed
    return spans if goes_on else (*closed, (at, None))


def _open(step: Step, policy: Policy, part: str, place: int, spans: Spans, number: int) -> None:
    at = step.moment.at
    goal = policy.goals[place]
    calendar = step.calendar(goal)
    counted = tuple(Stretch(start, at if end is None else end, calendar) for start, end in spans)
    counted = tuple(one for one in counted if one.start != one.end)
    started_at = counted[0].start if counted else at
    target = Target(place, str(goal.target), calendar, measure.length_of(step.agreement, calendar, goal.target, started_at))
    running = Stretch(counted[-1].start if counted and counted[-1].end == at else at, None, calendar)
    before = counted[:-1] if counted and counted[-1].end == at else counted
    assert step.standing.version is not None
    version = step.standing.version
    step.put(Cycle(policy.name, part, number, version, Status.RUNNING, started_at, target, (*before, running)))
