"""Promises and stories, written as a reader would tell them.

A promise is compiled as `config/sla.yaml` would be; a story is the list of a ticket's events, in the very shape in which the
desk writes them. Times are readings of a wall clock in Berlin unless a zone is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import orjson

from itsm.sla import measure
from itsm.sla.judging import Judge
from itsm.sla.moments import APPLIED, CORRECTED, EXCUSED, LATE, STAMP, THRESHOLD_REACHED
from itsm.sla.policy import Agreement, Condition, Goal, Happening, Hours, Kind, OnChange, Place, Policy, Return, Threshold
from itsm.sla.replay import Derivation, Find, LoggedEvent, derive
from itsm.sla.standing import Cycle
from itsm.workflow import expression
from itsm.workflow.definition import Expression, Position
from itsm.workflow.expression import Compiled
from itsm.workflow.scope import Kind as Shape
from itsm.workflow.scope import Scope, Variable
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration
from itsm.worktime.layout import from_micros, to_micros
from tests.worktime.build import OFFICE, a_calendar, local

HERE: Final = Position("sla.yaml", 1, 1)
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE

STATES: Final[Mapping[str, str]] = {
    "new": "new",
    "work": "open",
    "waiting": "pending",
    "supplier": "pending",
    "resolved": "resolved",
    "closed": "closed",
}
"""The states of the tickets here, each with its category."""

_TEXTS = (
    "ticket.priority", "ticket.group", "ticket.assignee", "ticket.service", "ticket.pending_reason", "ticket.number",
    "service.criticality", "requester.location", "organisation.plan",
)  # fmt: skip
_SCOPE: Final = Scope(
    {
        name: Variable(name, kind)
        for name, kind in [
            *((name, Shape.TEXT) for name in ("ticket.type", "ticket.state", "ticket.category")),
            *((name, Shape.NULLABLE_TEXT) for name in _TEXTS),
            ("requester.roles", Shape.LIST),
        ]
    }
)


@cache
def cel(text: str) -> Compiled:
    """An expression, compiled as the reader of promises compiles it."""
    found = expression.compile(Expression(text, HERE), _SCOPE)
    assert isinstance(found, Compiled), found
    return found


def on(*happenings: str, when: str | None = None) -> Condition:
    """At one of these happenings, or while an expression is true."""
    return Condition(frozenset(map(Happening, happenings)), (when and cel(when)) or None)


DONE: Final = on(when="ticket.category in ['resolved', 'closed']")
WAITING: Final = "ticket.category == 'pending'"


def a_goal(target: str, when: str | None = None, hours: str = "office", by: str | None = None, zone: str | None = None) -> Goal:
    place, zone_by = Place(by) if by else None, Place(zone) if zone else None
    return Goal(Duration.parse(target), Hours(hours, place, zone_by), HERE, cel(when) if when else None)


def a_threshold(label: str) -> Threshold:
    """A threshold from its label: `75%`, `due - 30 minutes`, `due`, `due + 1 hour`."""
    if label.endswith("%"):
        return Threshold(label, HERE, share=Fraction(label.removesuffix("%")) / 100)
    if label == "due":
        return Threshold(label, HERE, share=Fraction(1))
    sign, length = label.removeprefix("due ").split(" ", 1)
    by = Duration.parse(length)
    return Threshold(label, HERE, before=by if sign == "-" else None, after=by if sign == "+" else None)


def a_policy(
    *goals: Goal | str,
    name: str = "resolution",
    applies: str | None = None,
    start: Condition | None = None,
    retroactive: bool = False,
    pause: str | None = WAITING,
    stop: Condition = DONE,
    cancel: Condition | None = None,
    reset: Condition | None = None,
    on_change: str = "keep_elapsed",
    thresholds: Iterable[str] = (),
    per_group: str | None = None,
) -> Policy:
    """A promise. Without more said: from creation to resolution, paused while the ticket waits."""
    return Policy(
        name,
        name,
        Kind.OLA if per_group else Kind.SLA,
        HERE,
        tuple(a_goal(goal) if isinstance(goal, str) else goal for goal in goals),
        applies=cel(applies) if applies else None,
        start=start or on("created", *(["group_changed"] if per_group else [])),
        retroactive=retroactive,
        pause=cel(pause) if pause else None,
        stop=stop,
        cancel=cancel or Condition(),
        reset=reset or Condition(),
        on_change=OnChange(on_change),
        thresholds=tuple(map(a_threshold, thresholds)),
        per_group=Return(per_group) if per_group else None,
    )


CALENDARS: Final[Mapping[str, Calendar]] = MappingProxyType(
    {
        "office": a_calendar(weekly=OFFICE),
        "late": a_calendar(weekly={"mon-fri": ["12:00-20:00"]}),
        "nights": a_calendar(weekly={"mon-sun": ["22:00-06:00"]}),
        "round-the-clock": a_calendar(weekly={"mon-sun": ["00:00-24:00"]}),
    }
)


def an_agreement(
    *policies: Policy,
    version: int = 1,
    calendars: Mapping[str, Calendar] = CALENDARS,
    zones: Mapping[str, str] | None = None,
    openings: Mapping[str, str] | None = None,
) -> Agreement:
    return Agreement({policy.name: policy for policy in policies}, calendars, zones or {}, openings or {}, version)


def at(text: str, micros: int = 0, zone: str = "Europe/Berlin") -> int:
    """The instant at which a wall clock reads this (the first time it does), and so many microseconds on."""
    return to_micros(local(text, zone)) + micros


def reading(instant: int | None) -> str | None:
    """An instant as it is written in UTC, for messages that people can read."""
    return None if instant is None else from_micros(instant).isoformat()


@dataclass
class Story:
    """What happens to one ticket. Each method is one event; `events` are all of them as the log keeps them."""

    values: dict[str, Any] = field(default_factory=dict)
    state: str = ""
    events: list[LoggedEvent] = field(default_factory=list)

    @classmethod
    def opened(
        cls,
        when: int,
        state: str = "new",
        *,
        version: int | None = 1,
        places: Mapping[str, Any] | None = None,
        quiet_until: int | None = None,
        by: str = "mara",
        **fields: Any,
    ) -> Story:
        """A ticket that `by` creates; `version` is the agreement it is born with."""
        story = cls()
        fields = {"title": "Screen stays black", "requester": "mara", "priority": "p3", "number": "INC0000001", **fields}
        stamp = {"version": version, "places": places, "quiet_until": quiet_until}
        payload = {
            "type": "incident",
            "number": fields["number"],
            "workflow": "0" * 64,
            "to": state,
            "category": STATES[state],
            "opened_by": by,
            "changes": story._changed({"created_at": from_micros(when).isoformat(), **fields}),
            STAMP: {name: value for name, value in stamp.items() if value is not None},
        }
        story.state = state
        return story._tell(when, "created", by, payload)

    def moved(
        self,
        when: int,
        state: str,
        trigger: str = "move",
        *,
        by: str = "ines",
        comment: bool = False,
        places: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Story:
        """A transition, with a public word if `comment`."""
        payload: dict[str, Any] = {
            "trigger": trigger,
            "from": self.state,
            "to": state,
            "category": STATES[state],
            "changes": self._changed(fields),
        }
        if comment:
            payload |= {"comment": len(self.events), "sha256": "0" * 64}
        self.state = state
        return self._tell(when, "moved", by, _stamped(payload, places))

    def edited(self, when: int, *, by: str = "ines", places: Mapping[str, Any] | None = None, **fields: Any) -> Story:
        """Fields change, the state does not."""
        return self._tell(when, "edited", by, _stamped({"changes": self._changed(fields)}, places))

    def written(self, when: int, *, by: str, visibility: str = "public") -> Story:
        """A comment."""
        payload = {"comment": len(self.events), "sha256": "0" * 64, "visibility": visibility}
        return self._tell(when, "commented", by, payload)

    def told(self, when: int, kind: str, payload: Mapping[str, Any] | None = None, *, by: str = "ines") -> Story:
        """An event of another kind."""
        return self._tell(when, kind, by, payload or {})

    def reached(self, when: int, label: str, clock: str = "resolution", part: str = "", cycle: int = 1) -> Story:
        """A threshold was answered."""
        return self.told(
            when, THRESHOLD_REACHED, {"clock": clock, "part": part, "cycle": cycle, "threshold": label}, by="system"
        )

    def corrected(
        self, when: int, start: int, end: int, clock: str = "resolution", part: str = "", cycle: int = 1, reason: str = "drill"
    ) -> Story:
        """A time was taken out of a clock."""
        what = {"clock": clock, "part": part, "cycle": cycle, "start": start, "end": end, "reason": reason}
        return self.told(when, CORRECTED, what, by="lena")

    def excused(self, when: int, clock: str = "resolution", part: str = "", cycle: int = 1, reason: str = "storm") -> Story:
        """A miss was excused."""
        return self.told(when, EXCUSED, {"clock": clock, "part": part, "cycle": cycle, "reason": reason}, by="lena")

    def applied(self, when: int, version: int, *, late: bool = True) -> Story:
        """Another agreement was applied; what had passed by then is answered, unless an earlier release did it."""
        return self.told(when, APPLIED, {"version": version, **({LATE: True} if late else {})}, by="lena")

    def _changed(self, fields: Mapping[str, Any]) -> dict[str, list[Any]]:
        changes = {name: [self.values.get(name), value] for name, value in fields.items()}
        self.values.update(fields)
        return changes

    def _tell(self, when: int, kind: str, by: str, payload: Mapping[str, Any]) -> Story:
        self.events.append((when, kind, by, orjson.loads(orjson.dumps(payload))))  # as it comes back from the log
        return self


def _stamped(payload: dict[str, Any], places: Mapping[str, Any] | None) -> dict[str, Any]:
    return payload if places is None else {**payload, STAMP: {"places": places}}


def finder(*agreements: Agreement) -> Find:
    """The agreements by version, as the desk finds them."""
    known = {agreement.id: (agreement, Judge()) for agreement in agreements}
    return known.__getitem__


def told_by(story: Story, *policies: Policy, agreement: Agreement | None = None) -> Derivation:
    """What a story gives under these promises."""
    return derive(finder(agreement or an_agreement(*policies)), story.events)


@dataclass(frozen=True)
class Clock:
    """A cycle with the agreement it is measured by, for tests that ask about one."""

    agreement: Agreement
    cycle: Cycle
    quiet_until: int = 0

    @property
    def due(self) -> int | None:
        return measure.due(self.agreement, self.cycle)

    @property
    def status(self) -> str:
        return self.cycle.status.value

    def spent(self, now: int) -> int:
        return measure.spent(self.agreement, self.cycle, now)

    def owed(self) -> dict[str, int]:
        """Thresholds still to be answered, each with its instant, in their order."""
        return {
            one.label: when for when, one in measure.outstanding(self.agreement, self.cycle, self.quiet_until, self.quiet_until)
        }


def the_clock(story: Story, *policies: Policy, agreement: Agreement | None = None, part: str = "", cycle: int = 1) -> Clock:
    """One cycle of the first promise."""
    agreed = agreement or an_agreement(*policies)
    derived = told_by(story, agreement=agreed)
    name = next(iter(agreed.policies))
    return Clock(agreed, derived.cycles[name, part, cycle], derived.standing.quiet_until)


def cycles_of(story: Story, *policies: Policy) -> list[tuple[str, int, str]]:
    """Part, number and status of every cycle there was, in the order in which they began."""
    return [(part, number, cycle.status.value) for (_, part, number), cycle in told_by(story, *policies).cycles.items()]
