"""Escalation ladders: who is told next while nobody takes a ticket on, after how long, and how much one person is told.

Values, and what follows from them alone; `escalation_reading.py` makes them of YAML, `escalation.py` climbs them. Functional
escalation goes to those who can help, hierarchic escalation to those who decide (ITIL 4, incident management): a ladder does
first the one and then the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from itsm.platform.time import EPOCH
from itsm.workflow.definition import Category, Expression, Position
from itsm.worktime.calendar import Calendar, always
from itsm.worktime.duration import Duration
from itsm.worktime.timeline import BeyondCalendarError

STARTED: Final = "escalation_started"
TOLD: Final = "escalated_to"
ACKNOWLEDGED: Final = "escalation_acknowledged"
ABANDONED: Final = "escalation_abandoned"
MOVED: Final = "moved"
KINDS: Final = (STARTED, TOLD, ACKNOWLEDGED, ABANDONED, MOVED)
"""The events from which the story of a ticket's escalations follows."""

OVER: Final = frozenset({Category.RESOLVED.value, Category.CLOSED.value})
"""Categories in which there is nothing left to escalate."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: recipients as the workflow language writes them, and how long it is given; None for the last."""

    to: tuple[object, ...]
    wait: Duration | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """Outside the hours of `calendar` a step waits until these begin, unless the condition holds for the ticket."""

    calendar: str
    unless: Expression | None = None

    def ends(self, now: datetime, calendars: Mapping[str, Calendar]) -> datetime | None:
        """When the quiet hours that an instant lies in are over; None if it lies in none.

        In years that nobody has written hours down for yet there are none: people are told.
        """
        try:
            opening = calendars[self.calendar].next_opening(now)
        except BeyondCalendarError:
            return None
        return opening if opening > now else None


@dataclass(frozen=True, slots=True)
class Cap:
    """How many messages one person gets in each window of `within`; `digest` is the template of the one more that says so."""

    per_person: int
    within: timedelta
    digest: str

    def window(self, now: datetime) -> datetime:
        """The beginning of the window that an instant lies in; windows follow each other without a gap since 1970."""
        return now - (now - EPOCH) % self.within


@dataclass(frozen=True, slots=True)
class Ladder:
    """A named ladder. Waits in business time run in `calendar`; `template` is what everybody on it is sent."""

    name: str
    title: str
    template: str
    steps: tuple[Step, ...]
    at: Position
    calendar: str | None = None
    quiet: Quiet | None = None
    cap: Cap | None = None

    def after(self, place: int, now: datetime, calendars: Mapping[str, Calendar]) -> datetime | None:
        """When the step after the one at `place` is due, if that is taken now; None after the last.

        Where the calendar ends before the wait does, business time passes around the clock: nobody waits for ever.
        """
        wait = self.steps[place].wait
        if wait is None or place + 1 >= len(self.steps):
            return None
        hours = calendars[self.calendar] if self.calendar is not None else always()
        try:
            return hours.add_duration(now, wait)
        except BeyondCalendarError:
            return always().add_duration(now, wait)


class State(StrEnum):
    """How a run up a ladder stands: with steps to come, all told and no answer, taken on by somebody, over by itself, or given
    up because the desk has no such ladder any more.
    """

    RUNNING = "running"
    UNANSWERED = "unanswered"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Told:
    """A step that was taken: when, which (from 1), whom it reached, and the steps before it that reached nobody."""

    at: datetime
    step: int
    to: tuple[str, ...]
    folded: tuple[str, ...]
    passed: tuple[int, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run up a ladder. `number` is that of the event with which it began; `ended_at` is when it was answered or over."""

    ladder: str
    number: int
    started_at: datetime
    state: State = State.RUNNING
    steps: tuple[Told, ...] = ()
    ended_at: datetime | None = None
    acknowledged_by: str | None = None
    said: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether an answer is still wanted."""
        return self.state in (State.RUNNING, State.UNANSWERED)

    @property
    def told(self) -> frozenset[str]:
        """Everybody whom it has reached so far."""
        return frozenset(login for step in self.steps for login in step.to)


@dataclass(slots=True)
class _Story:
    runs: dict[int, Run] = field(default_factory=dict)

    def end(self, state: State, at: datetime, by: str | None = None, said: int | None = None, only: int | None = None) -> None:
        for number, run in self.runs.items():
            if run.is_open and only in (None, number):
                self.runs[number] = replace(run, state=state, ended_at=at, acknowledged_by=by, said=said)


def runs(events: Iterable[tuple[datetime, str, str, Mapping[str, Any]]]) -> list[Run]:
    """The runs that a ticket's events (instant, kind, actor, payload) tell of, the first first."""
    story = _Story()
    for at, kind, actor, payload in events:
        if kind == STARTED:
            story.runs[payload["run"]] = Run(payload["ladder"], payload["run"], at)
        elif kind == TOLD and (run := story.runs.get(payload["run"])) is not None:
            step = _told(at, payload)
            state = State.UNANSWERED if step.is_last else run.state
            story.runs[run.number] = replace(run, state=state, steps=(*run.steps, step))
        elif kind == ACKNOWLEDGED:
            story.end(State.ACKNOWLEDGED, at, actor, payload.get("said"))
        elif kind == ABANDONED and payload["run"] is not None:
            story.end(State.ABANDONED, at, only=payload["run"])
        elif kind == MOVED and payload.get("category") in OVER:
            story.end(State.OVER, at)
    return list(story.runs.values())


def _told(at: datetime, payload: Mapping[str, Any]) -> Told:
    to, folded, passed = (tuple(payload[name]) for name in ("told", "folded", "passed"))
    return Told(at, payload["step"], to, folded, passed, payload["next"] is None)
