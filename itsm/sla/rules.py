"""How a ticket's clocks go on from one event to the next. Pure: the same events give the same clocks, for ever.

At each moment, for each policy in the order of the file that can apply to the ticket's type:

1. The conditions are asked of the ticket as it is after the event: does the policy apply, is the clock set off, is it paused,
   is it over?
2. A running or paused cycle ends, by the first of these that holds: the policy no longer applies or no goal fits (cancelled),
   `cancel` (cancelled), `stop` (met, or missed if the due instant has passed), `reset` (cancelled, and a new cycle begins).
3. One that goes on takes a changed target, by the policy's rule for that, and is paused or resumed.
4. A clock without an open cycle that is set off by `start` or `reset` waits until the policy applies and nothing pauses it;
   then its cycle begins (time.md, rule 6: a ticket born in a pausing state starts its clock when it first leaves it). With
   `retroactive`, what passed unpaused while it waited counts.

A clock per group is one such clock for each group; all but that of the ticket's present group are paused (`accumulate`), or end
when the ticket leaves (`restart`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from itsm.sla import measure
from itsm.sla.moments import CORRECTED, EXCUSED, THRESHOLD_REACHED, Facts, Moment
from itsm.sla.policy import Agreement, Condition, Goal, Hours, OnChange, Policy, Return
from itsm.sla.standing import Correction, Cycle, Pause, Retarget, Spans, Standing, Status, Stretch, Target
from itsm.workflow.expression import Compiled

NO_LONGER_APPLIES: Final = "the policy no longer applies"
NO_GOAL: Final = "no goal fits"
WITH_ANOTHER_GROUP: Final = "with another group"
HANDED_OVER: Final = "handed over"
RESET: Final = "reset"

_MOST_REMEMBERED: Final = 20_000


class Subject:
    """What a policy's expressions see: the ticket, and what the directory says of those near it."""

    __slots__ = ("facts", "places")

    def __init__(self, facts: Facts, places: Mapping[str, Any]) -> None:
        self.facts = facts
        self.places = places

    def __getitem__(self, name: str) -> object:
        root, _, rest = name.partition(".")
        if root != "ticket":
            return self.places.get(name)
        match rest:
            case "type" | "number" | "state" | "category":
                return getattr(self.facts, rest)
            case _:
                return self.facts.values.get(rest.partition(".")[0])


class Judge:
    """Asks expressions, and remembers: the same values give the same answer. One per agreement; safe to share among threads."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[Compiled, tuple[object, ...]], bool] = {}

    def holds(self, condition: Compiled | None, subject: Subject) -> bool:
        """Whether a condition is true; one that cannot be answered is not."""
        if condition is None:
            return True
        key = condition, tuple([_hashable(subject[name]) for name in condition.names])
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[key] = condition.evaluate(subject) is True
        return known


@dataclass(slots=True)
class _Run:
    """One step of the fold under way."""

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


def advance(agreement: Agreement, judge: Judge, standing: Standing, moment: Moment) -> tuple[Standing, list[Cycle]]:
    """The standing after one more event, and the cycles that changed, in the order in which they did."""
    if stamp := moment.stamp:
        standing = _noted(standing, stamp)
    if not moment.matters:
        return standing, []
    if moment.at < standing.last_at:
        moment = replace(moment, at=standing.last_at)
    run = _Run(agreement, judge, moment, Subject(moment.after, standing.places), standing, [])
    if moment.kind in _DEEDS:
        _DEEDS[moment.kind](run)
    else:
        for policy in agreement.of_type(moment.after.type):
            _go_on(run, policy)
        _forget(run)
    if run.standing is standing:
        return standing, []
    last_at = standing.last_at if moment.kind == THRESHOLD_REACHED else moment.at  # that changes no clock
    return replace(run.standing, last_at=last_at), run.touched


def _noted(standing: Standing, stamp: Mapping[str, Any]) -> Standing:
    return replace(
        standing,
        version=stamp.get("version", standing.version),
        places={**standing.places, **stamp.get("places", {})},
        quiet_until=stamp.get("quiet_until", standing.quiet_until),
    )


def _go_on(run: _Run, policy: Policy) -> None:
    applies = run.judge.holds(policy.applies, run.subject)
    started = bool(policy.start.on & run.moment.happenings) | run.rose(f"{policy.name}:start", policy.start.when)
    was_reset = bool(policy.reset.on & run.moment.happenings) | run.rose(f"{policy.name}:reset", policy.reset.when)
    here = _part(policy, run.moment.after)
    for cycle in [one for one in run.standing.cycles.values() if one.clock == policy.name and one.is_open]:
        _continue(run, policy, cycle, applies=applies, was_reset=was_reset, is_away=cycle.part != here)
    _wait_on(run, policy, here, was_reset=was_reset)
    if here is not None:
        _begin(run, policy, here, applies=applies, set_off=started or was_reset)


def _part(policy: Policy, facts: Facts) -> str | None:
    """The part of a clock that the ticket is in; None while a clock per group has no group."""
    if policy.per_group is None:
        return ""
    group = facts.values.get("group")
    return group if isinstance(group, str) else None


# A cycle that is open


def _continue(run: _Run, policy: Policy, cycle: Cycle, *, applies: bool, was_reset: bool, is_away: bool) -> None:
    goal = _goal(run, policy)
    if not applies or goal is None:
        _end(run, cycle, Status.CANCELLED, NO_GOAL if applies else NO_LONGER_APPLIES)
        counted = run.standing.cycles[cycle.key].counted if policy.retroactive else ()
        run.wait(policy.name, cycle.part, tuple((one.start, one.end) for one in counted))
    elif run.is_so(policy.cancel):
        _end(run, cycle, Status.CANCELLED, "cancel")
    elif run.is_so(policy.stop):
        _end(run, cycle, None, "stop")
    elif was_reset:
        _end(run, cycle, Status.CANCELLED, RESET)
    elif is_away and policy.per_group is Return.RESTART:
        _end(run, cycle, None, HANDED_OVER)
    else:
        changed = cycle if is_away else _retarget(run, policy, cycle, goal)
        why = WITH_ANOTHER_GROUP if is_away else _why_paused(run, policy)
        changed = _paused(changed, run.moment.at, why) if why else _resumed(changed, run.moment.at)
        if changed is not cycle:
            run.put(changed)


def _why_paused(run: _Run, policy: Policy) -> str | None:
    if policy.pause is not None and run.judge.holds(policy.pause, run.subject):
        return policy.pause.text
    return None


def _end(run: _Run, cycle: Cycle, status: Status | None, why: str) -> None:
    """Give a cycle its result; without a `status`, met or missed: at the due instant itself the promise is still kept."""
    at = run.moment.at
    due = measure.due(run.agreement, cycle)
    if status is None:
        status = Status.MISSED if due is not None and at > due else Status.MET
    run.put(concluded(cycle, at, status, due, why))


def concluded(cycle: Cycle, at: int, status: Status, due: int | None, why: str) -> Cycle:
    """A cycle that has ended at an instant, with its result; `due` is what was its due instant then."""
    counted, pauses = _closed(cycle, at)
    return replace(cycle, status=status, counted=counted, pauses=pauses, stopped_at=at, due_at=due, ended_by=why)


def _closed(cycle: Cycle, at: int) -> tuple[tuple[Stretch, ...], tuple[Pause, ...]]:
    counted = tuple(one if one.end is not None else replace(one, end=at) for one in cycle.counted)
    pauses = tuple(one if one.end is not None else replace(one, end=at) for one in cycle.pauses)
    return tuple(one for one in counted if one.end != one.start), tuple(one for one in pauses if one.end != one.start)


def _paused(cycle: Cycle, at: int, why: str) -> Cycle:
    if cycle.status is Status.PAUSED and cycle.pauses and cycle.pauses[-1].why == why:
        return cycle
    counted, pauses = _closed(cycle, at)
    return replace(cycle, status=Status.PAUSED, counted=counted, pauses=(*pauses, Pause(at, None, why)))


def _resumed(cycle: Cycle, at: int) -> Cycle:
    if cycle.status is Status.RUNNING:
        return cycle
    counted, pauses = _closed(cycle, at)
    return replace(cycle, status=Status.RUNNING, pauses=pauses, counted=(*counted, Stretch(at, None, cycle.target.calendar)))


def _retarget(run: _Run, policy: Policy, cycle: Cycle, place: int) -> Cycle:
    """The cycle under the goal that fits now; the policy says what becomes of the time spent (time.md, rule 7)."""
    goal = policy.goals[place]
    calendar = _calendar(run, goal)
    was = cycle.target
    if (was.text, was.calendar) == (str(goal.target), calendar):  # as much to keep as before, if by another row
        return cycle if was.goal == place else replace(cycle, target=replace(was, goal=place))
    at = run.moment.at
    base = at if policy.on_change is OnChange.RESTART else cycle.started_at
    target = Target(place, str(goal.target), calendar, measure.length_of(run.agreement, calendar, goal.target, base))
    retargets = (*cycle.retargets, Retarget(at, was, policy.on_change.value))
    changed = replace(cycle, target=target, retargets=retargets)
    if policy.on_change is OnChange.KEEP_ELAPSED:
        return changed if calendar == was.calendar else _from_now_in(changed, at, calendar)
    counted = (Stretch(at, None, calendar),) if cycle.status is Status.RUNNING else ()
    if policy.on_change is OnChange.RESTART:
        return replace(changed, counted=counted, credit=0)
    due = measure.due(run.agreement, cycle)
    if due is not None and due <= at:
        return _used_up_since(changed, due, at)
    credit = measure.spent(run.agreement, cycle, at) * target.length // was.length
    return replace(changed, counted=counted, credit=credit)


def _used_up_since(cycle: Cycle, due: int, at: int) -> Cycle:
    """All of a target is all of another: used up since the same instant, the microsecond before which still counted."""
    pieces = (piece for one in cycle.counted for piece in _without(one, cycle.started_at, due - 1))
    kept = replace(cycle, counted=tuple(pieces), credit=cycle.target.length - 1)
    return _from_now_in(kept, at, cycle.target.calendar)


def _from_now_in(cycle: Cycle, at: int, calendar: str) -> Cycle:
    """What has counted stays as it was counted; from now on another calendar is asked."""
    if cycle.status is not Status.RUNNING:
        return cycle
    counted, _ = _closed(cycle, at)
    return replace(cycle, counted=(*counted, Stretch(at, None, calendar)))


# A cycle that may begin


def _wait_on(run: _Run, policy: Policy, here: str | None, *, was_reset: bool) -> None:
    """What this moment means for the policy's clocks that wait: its end, a new beginning, or that the ticket is elsewhere."""
    mine = [(part, spans) for (clock, part), spans in run.standing.waiting.items() if clock == policy.name]
    is_over = bool(mine) and (run.is_so(policy.stop) or run.is_so(policy.cancel))
    for part, spans in mine:
        is_away = part != here
        if is_over or (is_away and (was_reset or policy.per_group is Return.RESTART)):
            run.wait(policy.name, part, None)
        elif was_reset:
            run.wait(policy.name, part, ())
        elif is_away and spans and spans[-1][1] is None:
            run.wait(policy.name, part, _ended(spans, run.moment.at))


def _ended(spans: Spans, at: int) -> Spans:
    return tuple((start, at if end is None else end) for start, end in spans)


def _begin(run: _Run, policy: Policy, part: str, *, applies: bool, set_off: bool) -> None:
    latest = run.standing.latest(policy.name, part)
    if latest is not None and latest.is_open:
        return
    if run.is_so(policy.stop) or run.is_so(policy.cancel):
        return
    spans = run.standing.waiting.get((policy.name, part))
    if set_off and spans is None:
        spans = ()
    if spans is None:
        return
    is_paused = _why_paused(run, policy) is not None
    goal = _goal(run, policy) if applies and not is_paused else None
    if goal is not None:
        run.wait(policy.name, part, None)
        _open(run, policy, part, goal, spans, 1 if latest is None else latest.number + 1)
    else:
        run.wait(policy.name, part, _waited(policy, spans, run.moment.at, is_paused=is_paused))


def _waited(policy: Policy, spans: Spans, at: int, *, is_paused: bool) -> Spans:
    """What would have counted while a clock waits; kept for those that count it in the end."""
    if not policy.retroactive:
        return ()
    closed = _ended(spans, at)
    goes_on = spans and spans[-1][1] is None
    if is_paused:
        return closed
    return spans if goes_on else (*closed, (at, None))


def _open(run: _Run, policy: Policy, part: str, place: int, spans: Spans, number: int) -> None:
    at = run.moment.at
    goal = policy.goals[place]
    calendar = _calendar(run, goal)
    counted = tuple(Stretch(start, at if end is None else end, calendar) for start, end in spans)
    counted = tuple(one for one in counted if one.start != one.end)
    started_at = counted[0].start if counted else at
    target = Target(place, str(goal.target), calendar, measure.length_of(run.agreement, calendar, goal.target, started_at))
    running = Stretch(counted[-1].start if counted and counted[-1].end == at else at, None, calendar)
    before = counted[:-1] if counted and counted[-1].end == at else counted
    assert run.standing.version is not None
    version = run.standing.version
    run.put(Cycle(policy.name, part, number, version, Status.RUNNING, started_at, target, (*before, running)))


def _goal(run: _Run, policy: Policy) -> int | None:
    """The place of the first goal that fits the ticket."""
    for place, goal in enumerate(policy.goals):
        if run.judge.holds(goal.condition, run.subject):
            return place
    return None


def _calendar(run: _Run, goal: Goal) -> str:
    return measure.calendar_for(goal.target, calendar_key(run.agreement, goal.hours, run.standing.places))


def calendar_key(agreement: Agreement, hours: Hours, places: Mapping[str, Any]) -> str:
    """The key of the calendar that hours mean here: a name, or `name@Zone/Of`."""
    name = hours.default
    if hours.by is not None:
        place = str(places.get(f"{hours.by.value}.location"))
        own = str(places.get(f"{hours.by.value}.calendar") or agreement.openings.get(place))
        name = own if own in agreement.calendars else name
    if hours.zone_by is not None:
        zone = agreement.zones.get(str(places.get(f"{hours.zone_by.value}.location")))
        if zone is not None and zone != agreement.calendar(name).zone:
            return f"{name}@{zone}"
    return name


# What is done to a clock itself


def _threshold(run: _Run) -> None:
    payload = run.moment.payload
    cycle = run.standing.cycles.get((payload["clock"], payload["part"], payload["cycle"]))
    if cycle is not None and payload["threshold"] not in cycle.reached:
        run.put(replace(cycle, reached=(*cycle.reached, payload["threshold"])))
        _forget(run)


def _corrected(run: _Run) -> None:
    """A time that counted is not to count: it is cut out, and stands among the corrections with its reason."""
    payload = run.moment.payload
    cycle = run.standing.latest(payload["clock"], payload["part"])  # told anew, it may have another number
    if cycle is None or not cycle.is_open:
        return
    start, end = payload["start"], payload["end"]
    correction = Correction(run.moment.at, run.moment.actor, payload["reason"], start, end)
    counted = tuple(piece for one in cycle.counted for piece in _without(one, start, end))
    run.put(replace(cycle, counted=counted, corrections=(*cycle.corrections, correction)))


def _without(stretch: Stretch, start: int, end: int) -> Iterable[Stretch]:
    """A stretch without what lies between two instants, the second of which has passed."""
    if end <= stretch.start or (stretch.end is not None and start >= stretch.end):
        return [stretch]
    pieces = []
    if start > stretch.start:
        pieces.append(replace(stretch, end=start))
    if stretch.end is None or end < stretch.end:
        pieces.append(replace(stretch, start=end))
    return pieces


def _excused(run: _Run) -> None:
    payload = run.moment.payload
    cycle = run.standing.cycles.get((payload["clock"], payload["part"], payload["cycle"]))
    if cycle is not None and cycle.status is Status.MISSED:  # told anew, it may be another, or no miss
        correction = Correction(run.moment.at, run.moment.actor, payload["reason"])
        run.put(replace(cycle, corrections=(*cycle.corrections, correction)))


_DEEDS: Final = {THRESHOLD_REACHED: _threshold, CORRECTED: _corrected, EXCUSED: _excused}


def _forget(run: _Run) -> None:
    """Drop cycles that have ended and been followed by another, once nothing about them is owed any more."""
    kept = {
        key: cycle
        for key, cycle in run.standing.cycles.items()
        if run.standing.latest(cycle.clock, cycle.part) is cycle
        or measure.outstanding(run.agreement, cycle, run.standing.quiet_until)
    }
    if len(kept) != len(run.standing.cycles):
        run.standing = replace(run.standing, cycles=kept)


def _hashable(value: object) -> object:
    if isinstance(value, (list, set, frozenset)):
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, Mapping) else value
