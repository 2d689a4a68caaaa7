"""Why each clock of a ticket stands as it does: read from the ticket's events, and from nothing else. Pure.

The events are folded once more, this time looking on: what each of them did to a clock, under which goal and on account of
which values, and what became of the due instant. Nothing is rounded; instants and lengths are whole microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from itsm.sla import measure
from itsm.sla.intervals import Grain, Holding, Slice, Span, intervals, spans
from itsm.sla.judging import Subject
from itsm.sla.moments import APPLIED, THRESHOLD_REACHED, Moment
from itsm.sla.policy import Agreement, Policy, Threshold
from itsm.sla.replay import Find, LoggedEvent, steps
from itsm.sla.standing import Correction, Cycle, Key, Standing, Status
from itsm.workflow.expression import Compiled
from itsm.worktime.calendar import Calendar


class Deed(StrEnum):
    """What can happen to a cycle."""

    STARTED = "started"
    RETARGETED = "retargeted"
    PAUSED = "paused"
    RESUMED = "resumed"
    TAKEN_OUT = "taken_out"
    EXCUSED = "excused"
    OTHER_AGREEMENT = "other_agreement"
    ENDED = "ended"


class Answer(StrEnum):
    """What has become of a threshold."""

    ANSWERED = "answered"
    OWED = "owed"
    AHEAD = "ahead"
    NOT_REACHED = "not_reached"
    IN_THE_PAST = "in_the_past"
    """It lay in the past when the ticket was told to this desk, or given another agreement."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that an event did to a cycle, and the due instant before and after; None while nothing would be due."""

    deed: Deed
    moment: Moment
    cycle: Cycle
    due_before: int | None
    due_after: int | None


@dataclass(frozen=True, slots=True)
class Matched:
    """A condition that held, and the values that made it so; None for one that always holds."""

    condition: Compiled | None
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reached:
    """A threshold: its instant as things stand (None: none), what became of it, and when it was answered."""

    threshold: Threshold
    at: int | None
    answer: Answer
    answered_at: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The working time that counted by state, group and assignee; each adds up to all that counted, `carried_over` apart."""

    state: Mapping[str, int]
    group: Mapping[str | None, int]
    assignee: Mapping[str | None, int]
    carried_over: int


@dataclass(frozen=True, slots=True)
class Clock:
    """One cycle explained. `until` is its end, or now; `matched` are the policy's condition and the goal's."""

    agreement: Agreement
    policy: Policy
    cycle: Cycle
    until: int
    elapsed: int
    due: int | None
    applies: Matched
    goal: Matched
    changes: tuple[Change, ...]
    thresholds: tuple[Reached, ...]
    intervals: tuple[Slice, ...]
    grain: Grain
    totals: Totals

    @property
    def remaining(self) -> int:
        """What is left of the target; negative when more was spent."""
        return self.cycle.target.length - self.elapsed

    @property
    def calendar(self) -> Calendar:
        """The calendar that the target runs in."""
        return self.agreement.calendar(self.cycle.target.calendar)

    @property
    def breached(self) -> bool:
        """Whether the due instant has passed, or had when it ended."""
        if self.cycle.status in (Status.MET, Status.MISSED):
            return self.cycle.status is Status.MISSED
        return self.due is not None and self.until > self.due

    @property
    def late_by(self) -> int:
        """How long after the due instant it ended, or how long that is ago, on any clock; 0 if it is not broken."""
        return self.until - self.due if self.breached and self.due is not None else 0

    @property
    def taken_out(self) -> tuple[Correction, ...]:
        """The corrections that took time out."""
        return tuple(one for one in self.cycle.corrections if one.start is not None)


@dataclass(frozen=True, slots=True)
class Account:
    """All clocks of a ticket explained, the oldest cycle first; with what the events give, for comparing."""

    now: int
    standing: Standing
    cycles: Mapping[Key, Cycle]
    clocks: tuple[Clock, ...]


@dataclass(slots=True)
class _Following:
    """What is gathered while the events go by."""

    find: Find
    standing: Standing = field(default_factory=Standing)
    cycles: dict[Key, Cycle] = field(default_factory=dict)
    changes: dict[Key, list[Change]] = field(default_factory=dict)
    holdings: list[tuple[int, Holding]] = field(default_factory=list)
    answered: dict[tuple[Key, str], int] = field(default_factory=dict)
    story: list[tuple[Moment, Subject]] = field(default_factory=list)

    def agreement(self, cycle: Cycle) -> Agreement:
        return self.find(cycle.version)[0]

    def note(self, moment: Moment, cycles: Mapping[Key, Cycle]) -> None:
        """What a moment did to these cycles."""
        for key, cycle in cycles.items():
            before = self.cycles.get(key)
            for deed in _deeds(moment, before, cycle):
                was = None if before is None else measure.due(self.agreement(before), before)
                becomes = measure.due(self.agreement(cycle), cycle)
                self.changes.setdefault(key, []).append(Change(deed, moment, cycle, was, becomes))

    def keep(self, moment: Moment) -> None:
        """What holds from this moment on."""
        self.story.append((moment, Subject(moment.after, self.standing.places)))
        after = moment.after
        holding = Holding(after.state, _name(after.values.get("group")), _name(after.values.get("assignee")))
        if not self.holdings or self.holdings[-1][1] != holding:
            since = max(moment.at, self.holdings[-1][0]) if self.holdings else moment.at
            self.holdings.append((since, holding))
        if moment.kind == THRESHOLD_REACHED:
            payload = moment.payload
            self.answered[(payload["clock"], payload["part"], payload["cycle"]), payload["threshold"]] = moment.at


def explain(find: Find, events: Sequence[LoggedEvent], now: int) -> Account:
    """The clocks of a ticket with these events, explained as of `now`."""
    seen = _follow(find, events)
    ordered = sorted(seen.cycles.values(), key=lambda cycle: (cycle.started_at, cycle.clock, cycle.part, cycle.number))
    return Account(now, seen.standing, seen.cycles, tuple(_clock(seen, cycle, now) for cycle in ordered))


def _follow(find: Find, events: Sequence[LoggedEvent]) -> _Following:
    seen = _Following(find)
    for moment, standing, _, touched in steps(find, events):
        seen.note(moment, touched)
        seen.standing = standing
        seen.cycles.update(touched)
        seen.keep(moment)
    return seen


def _deeds(moment: Moment, before: Cycle | None, after: Cycle) -> Iterator[Deed]:
    """What happened between two states of a cycle, in the order in which one would tell it."""
    if moment.kind == APPLIED:
        if before != after:
            yield Deed.OTHER_AGREEMENT
        return
    if before is None:
        yield Deed.STARTED
        return
    if len(after.retargets) > len(before.retargets):
        yield Deed.RETARGETED
    if len(after.corrections) > len(before.corrections):
        yield Deed.EXCUSED if after.corrections[-1].start is None else Deed.TAKEN_OUT
    if not after.is_open and before.is_open:
        yield Deed.ENDED
    elif after.status is Status.PAUSED and before.pauses[-1:] != after.pauses[-1:]:
        yield Deed.PAUSED
    elif after.status is Status.RUNNING and before.status is Status.PAUSED:
        yield Deed.RESUMED


def _clock(seen: _Following, cycle: Cycle, now: int) -> Clock:
    agreement = seen.agreement(cycle)
    policy = agreement.policies[cycle.clock]
    until = max(cycle.started_at, now if cycle.stopped_at is None else cycle.stopped_at)
    pieces = spans(agreement, cycle, seen.holdings, until)
    told, grain = intervals(pieces)
    applies, goal = _matched(seen, policy, cycle)
    return Clock(
        agreement=agreement,
        policy=policy,
        cycle=cycle,
        until=until,
        elapsed=measure.spent(agreement, cycle, until),
        due=measure.due(agreement, cycle),
        applies=applies,
        goal=goal,
        changes=tuple(seen.changes.get(cycle.key, ())),
        thresholds=tuple(_reached(seen, agreement, cycle, threshold, now) for threshold in policy.thresholds),
        intervals=tuple(told),
        grain=grain,
        totals=_totals(pieces, cycle.credit),
    )


def _matched(seen: _Following, policy: Policy, cycle: Cycle) -> tuple[Matched, Matched]:
    """Why the policy applies and why this goal: the values at the event by which the clock came to its present target."""
    _, judge = seen.find(cycle.version)
    since = cycle.retargets[-1].at if cycle.retargets else cycle.started_at
    goal = policy.goals[cycle.target.goal].condition
    for moment, subject in seen.story:
        if moment.at >= since and judge.holds(policy.applies, subject) and judge.holds(goal, subject):
            return _held(policy.applies, subject), _held(goal, subject)
    return Matched(policy.applies, {}), Matched(goal, {})


def _held(condition: Compiled | None, subject: Subject) -> Matched:
    return Matched(condition, {} if condition is None else {name: subject[name] for name in sorted(condition.names)})


def _reached(seen: _Following, agreement: Agreement, cycle: Cycle, threshold: Threshold, now: int) -> Reached:
    at = measure.reached_at(agreement, cycle, threshold)
    ended = cycle.stopped_at
    if threshold.label in cycle.reached:
        answer = Answer.ANSWERED
    elif at is None or (ended is not None and at > ended) or cycle.status is Status.CANCELLED:
        answer = Answer.AHEAD if cycle.is_open else Answer.NOT_REACHED
    elif at <= seen.standing.quiet_until or (ended is not None and ended <= seen.standing.applied_at):
        answer = Answer.IN_THE_PAST
    else:
        answer = Answer.AHEAD if at > now else Answer.OWED
    return Reached(threshold, at, answer, seen.answered.get((cycle.key, threshold.label)))


def _totals(pieces: Sequence[Span], carried_over: int) -> Totals:
    state: dict[str, int] = {}
    group: dict[str | None, int] = {}
    assignee: dict[str | None, int] = {}
    for piece in pieces:
        if piece.working:
            held = piece.holding
            state[held.state] = state.get(held.state, 0) + piece.working
            group[held.group] = group.get(held.group, 0) + piece.working
            assignee[held.assignee] = assignee.get(held.assignee, 0) + piece.working
    return Totals(state, group, assignee, carried_over)


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None
