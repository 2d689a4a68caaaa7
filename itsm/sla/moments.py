"""What the event log tells a clock: one event at a time, with the ticket as it was before and as it is after.

The same moments come from a command that is about to write its events and from the log read again years later; so the clocks
come out the same, to the microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from itsm.people.access import SYSTEM
from itsm.sla.policy import Happening
from itsm.workflow.case import Value
from itsm.workflow.definition import Category

STAMP: Final = "sla"
"""The member of an event's payload for what this capability must know again: `version`, `places`, `quiet_until`."""

THRESHOLD_REACHED: Final = "threshold_reached"
CORRECTED: Final = "clock_corrected"
EXCUSED: Final = "miss_excused"
APPLIED: Final = "agreement_applied"

LATE: Final = "late"
"""The member of `agreement_applied` by which thresholds that had passed by then are answered; events of earlier releases lack
it, and what they left alone stays so.
"""

_DONE: Final = frozenset({Category.RESOLVED.value, Category.CLOSED.value})
_OWN: Final = frozenset({THRESHOLD_REACHED, CORRECTED, EXCUSED, APPLIED})
_BY_KIND: Final[Mapping[str, Happening]] = {
    "created": Happening.CREATED,
    "approval_requested": Happening.APPROVAL_REQUESTED,
    "approval_decided": Happening.APPROVAL_DECIDED,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """A ticket as expressions see it: `values` are all its fields by name."""

    type: str
    number: str
    state: str
    category: str
    values: Mapping[str, Value]


NOTHING: Final = Facts("", "", "", "", {})
"""A ticket before its first event."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One event: when (microseconds), what, by whom; the ticket `before` and `after` it."""

    at: int
    kind: str
    payload: Mapping[str, Any]
    actor: str
    before: Facts
    after: Facts
    happenings: frozenset[Happening] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "happenings", frozenset(_happenings(self)))

    @property
    def matters(self) -> bool:
        """Whether any clock could care."""
        return bool(self.happenings) or "to" in self.payload or bool(self.payload.get("changes")) or self.kind in _OWN

    @property
    def stamp(self) -> Mapping[str, Any]:
        """What was noted here for later."""
        found: Mapping[str, Any] = self.payload.get(STAMP) or {}
        return found


def moments(events: Iterable[tuple[int, str, str, Mapping[str, Any]]], before: Facts = NOTHING) -> Iterator[Moment]:
    """Events (instant, kind, actor, payload) in their order as moments of a ticket that was `before`."""
    for at, kind, actor, payload in events:
        after = _after(before, kind, payload)
        yield Moment(at, kind, payload, actor, before, after)
        before = after


def _after(before: Facts, kind: str, payload: Mapping[str, Any]) -> Facts:
    changes = payload.get("changes")
    moved = "to" in payload
    if not changes and not moved:
        return before
    values = {**before.values, **{name: new for name, (_, new) in changes.items()}} if changes else before.values
    type_, number = (payload["type"], payload["number"]) if kind == "created" else (before.type, before.number)
    state, category = (payload["to"], payload["category"]) if moved else (before.state, before.category)
    return Facts(type_, number, state, category, values)


def _happenings(moment: Moment) -> Iterator[Happening]:
    kind, before, after = moment.kind, moment.before, moment.after
    if kind in _BY_KIND:
        yield _BY_KIND[kind]
    if before.category != after.category and kind != "created":
        if after.category == Category.RESOLVED.value:
            yield Happening.RESOLVED
        elif after.category == Category.CLOSED.value:
            yield Happening.CLOSED
        if before.category in _DONE and after.category not in _DONE:
            yield Happening.REOPENED
    if (assignee := after.values.get("assignee")) is not None and assignee != before.values.get("assignee"):
        yield Happening.ASSIGNED
    if after.values.get("group") != before.values.get("group"):
        yield Happening.GROUP_CHANGED
    if moment.payload.get("trigger") == "escalate" and "to" in moment.payload:
        yield Happening.ESCALATED
    if _is_public_word(moment):
        by_requester = after.values.get("requester") == moment.actor
        yield Happening.REQUESTER_REPLIED if by_requester else Happening.AGENT_REPLIED


def _is_public_word(moment: Moment) -> bool:
    """A public comment, or the public words that go with a transition; not what the desk itself writes."""
    if moment.actor == SYSTEM.login:
        return False
    if moment.kind == "commented":
        return bool(moment.payload.get("visibility", "public") == "public")
    return moment.kind == "moved" and "comment" in moment.payload
