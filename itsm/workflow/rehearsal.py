"""A ticket that lives in memory only: its state, its fields, its timers and the time of day.

It does what `itsm.tickets` does with a ticket in a database, in the same order, so that a scenario shows what will happen.
Timers run in the order of the instants at which they are due; of one instant, in the order of the file. What other tickets
would do is not played: their events are steps of the scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from itsm.workflow.case import SYSTEM_PERSON, Case, Change, Decision, Effect, Person, Refusal, Response
from itsm.workflow.definition import Timer
from itsm.workflow.engine import Process
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration
from itsm.worktime.intervals import Interval

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday morning: where every scenario begins."""

_HOUR: Final = 3_600
DAYTIME: Final = Calendar(
    name="scenario",
    zone="UTC",
    weekly=((Interval(9 * _HOUR, 17 * _HOUR),),) * 5 + ((), ()),
)
"""Monday to Friday, 09:00 to 17:00 UTC, no holidays: the working time of scenarios, whatever calendar a timer names."""

TIMERS_MAX: Final = 1_000
"""Timers that one `wait` may run: what goes on longer goes round in a circle."""


class RunawayError(Exception):
    """Something that happens by itself and does not come to an end; the sentence says what."""


@dataclass(slots=True)
class Rehearsal:
    """One ticket under rehearsal. `story` tells in sentences what has happened so far."""

    process: Process
    case: Case
    calendars: Mapping[str, Calendar]
    now: datetime = START
    trail: list[str] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    notified: dict[str, None] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    armed: dict[str, datetime] = field(default_factory=dict)

    def begin(self) -> None:
        """The ticket is where it is: its timers start to run."""
        self.trail = [self.case.state]
        self._rearm(None)

    def fire(self, person: Person, trigger: str, inputs: Mapping[str, object], comment: str | None) -> Decision | Refusal:
        """Someone makes a transition."""
        decision = self.process.fire(self.case, person, trigger, inputs, comment, self.now)
        self._settle(decision, f"{person.login}: {trigger}")
        return decision

    def edit(self, person: Person, inputs: Mapping[str, object]) -> Decision | Refusal:
        """Someone edits fields."""
        decision = self.process.edit(self.case, person, inputs, self.now)
        self._settle(decision, f"{person.login}: edit")
        return decision

    def happen(self, event: str) -> Refusal | None:
        """Something happens to the ticket; what it answers may be refused, and then changes nothing."""
        self.story.append(f"{self._clock()} {event}")
        return self._respond(self.process.react(event, self.case, self.now), event)

    def wait(self, length: Duration) -> None:
        """Time passes, and timers run. Raises `RunawayError`."""
        end = DAYTIME.add_duration(self.now, length)
        for _ in range(TIMERS_MAX):
            name = self._next()
            if name is None or self.armed[name] > end:
                self.now = end
                return
            self.now = self.armed[name]
            self._ring(self.process.workflow.timers[name])
        raise RunawayError(f"More than {TIMERS_MAX} timers run within {length}.")

    def _next(self) -> str | None:
        """The timer that runs out first; of one instant, the first of the file."""
        order = [name for name in self.process.workflow.timers if name in self.armed]
        return min(order, key=lambda name: self.armed[name], default=None)

    def learn(self, facts: Mapping[str, object]) -> None:
        """From now on these counts hold: {"tasks": {"open": 1}}."""
        case = self.case
        self.case = replace(
            case,
            tasks=_counted(case.tasks, facts.get("tasks")),
            approvals=_counted(case.approvals, facts.get("approvals")),
            links=_counted(case.links, facts.get("links")),
        )

    def _ring(self, timer: Timer) -> None:
        self.story.append(f"{self._clock()} timer {timer.name}")
        del self.armed[timer.name]
        if timer.every is not None:
            self.armed[timer.name] = self._after(timer, timer.every)
        self._respond(self.process.due(timer.name, self.case, self.now), timer.name)

    def _respond(self, response: Response | None, cause: str) -> Refusal | None:
        if response is None:
            return None
        if response.refusal is not None:
            self.story.append(f"{self._clock()} {cause}: {response.refusal.reasons[0].message}")
            return response.refusal
        self._apply(response.changes, response.effects)
        if response.fire is None:
            return None
        outcome = self.fire(SYSTEM_PERSON, response.fire, {}, None)
        return outcome if isinstance(outcome, Refusal) else None

    def _settle(self, decision: Decision | Refusal, deed: str) -> None:
        if isinstance(decision, Refusal):
            self.story.append(f"{self._clock()} {deed} is refused: {decision.reasons[0].message}")
            return
        source = self.case.state
        self.case = replace(self.case, state=decision.target)
        self._apply(decision.changes, decision.effects)
        moved = decision.target != source
        self.story.append(f"{self._clock()} {deed}: {source} → {decision.target}" if moved else f"{self._clock()} {deed}")
        if moved:
            self.trail.append(decision.target)
            self._rearm(source)

    def _apply(self, changes: Mapping[str, Change], effects: tuple[Effect, ...]) -> None:
        values = {**self.case.values, **{name: change.new for name, change in changes.items()}}
        self.case = replace(self.case, values=values)
        for effect in effects:
            self.effects.append(effect)
            if effect.action == "notify":
                self.notified |= dict.fromkeys(self._reached(effect.arguments.get("to")))

    def _reached(self, to: object) -> list[str]:
        """The recipients that are somebody: an assignee who is not there is not told."""
        listed = to if isinstance(to, list | tuple) else [to]
        words = [next(iter(each.values())) if isinstance(each, Mapping) else each for each in listed]
        return [str(word) for word in words if self._is_somebody(str(word))]

    def _is_somebody(self, word: str) -> bool:
        if word == "watchers":
            return bool(self.case.watchers)
        field = word.removesuffix(".lead")
        return field not in ("requester", "assignee", "group") or self.case.values.get(field) is not None

    def _rearm(self, source: str | None) -> None:
        """Timers start on entry from outside their states, and stop on leaving them."""
        for timer in self.process.workflow.timers.values():
            if self.case.state not in timer.states:
                self.armed.pop(timer.name, None)
            elif source not in timer.states:
                self.armed[timer.name] = self._after(timer, timer.after)

    def _after(self, timer: Timer, length: Duration) -> datetime:
        return self.calendars.get(timer.calendar or "", DAYTIME).add_duration(self.now, length)

    def _clock(self) -> str:
        return f"{self.now:%a %d %b %H:%M}"


def _counted(known: Mapping[str, int], news: object) -> Mapping[str, int]:
    return {**known, **news} if isinstance(news, Mapping) else known
