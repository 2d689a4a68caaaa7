"""What a change calendar knows without asking anybody: freezes, maintenance windows, overlaps.

All periods are half open, `start ≤ t < end`: a window that ends at six and one that begins at six do not touch. Pure; whoever
asks brings the freezes, windows and scheduled changes along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from itsm.platform.time import rfc3339, to_micros
from itsm.services.rules import Node, Sort
from itsm.workflow.case import Value
from itsm.worktime.calendar import Calendar

CHANGE: Final = "change"
"""The type of a change ticket."""

DRAFT, ASSESSMENT, AUTHORISATION, AUTHORISED = "new", "assessment", "authorisation", "authorised"
SCHEDULED, UNDER_WAY, CANCELLED = "scheduled", "implementation", "cancelled"
"""States of the shipped change practice that the calendar looks at."""

START, END, OVERRIDE = "planned_start", "planned_end", "schedule_override"
"""Fields of a change that say when it is to take place, and why it may do so in spite of the calendar."""

TYPE, OUTCOME, MODEL, RISK = "change_type", "outcome", "standard_model", "risk"
"""Fields of a change that say of which type it is, how it ended, which standard model it follows, and how risky it is."""

FAILURES: Final = ("failed", "backed_out")
"""Outcomes that count as failures."""

CAUSED_BY: Final = "caused_by"
"""The kind of link by which an incident is counted against a change."""

INSTANT: Final = timedelta(microseconds=1)
"""The shortest period there is; how the present moment is asked about."""

WHAT_COUNTS: Final = frozenset({START, END, "service", "ci", TYPE})
"""Fields on which the calendar's word rests: when one changes, it is asked again."""


class Standing(StrEnum):
    """How firm a window is."""

    TENTATIVE = "tentative"
    SCHEDULED = "scheduled"
    UNDER_WAY = "under_way"
    DONE = "done"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The instants `start ≤ t < end`."""

    start: datetime
    end: datetime

    def overlaps(self, other: Period) -> bool:
        """Whether the two share an instant."""
        return self.start < other.end and other.start < self.end

    def within(self, other: Period) -> bool:
        """Whether the other covers all of it."""
        return other.start <= self.start and self.end <= other.end

    def __str__(self) -> str:
        return f"{rfc3339(self.start)} to {rfc3339(self.end)}"


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing is changed: on some services (by key), or on all (None), save changes of a `spared` type.

    `key` is its name in the configuration, or the number of one that was declared while the desk ran.
    """

    key: str
    reason: str
    period: Period
    services: frozenset[str] | None = None
    spared: frozenset[str] = frozenset()

    def holds(self, period: Period, services: Collection[str], change_type: str) -> bool:
        """Whether it forbids a change of this type that touches these services in this period."""
        if change_type in self.spared or not self.period.overlaps(period):
            return False
        return self.services is None or not self.services.isdisjoint(services)


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """When some services and items may be changed: the open hours of a calendar. Changes of a `spared` type need not wait."""

    key: str
    title: str
    of: frozenset[Node]
    calendar: Calendar
    spared: frozenset[str] = frozenset()

    def allows(self, period: Period) -> bool:
        """Whether one stretch of open hours covers all of the period."""
        start, end = to_micros(period.start), to_micros(period.end)
        return self.calendar.open_between(start, end) == [(start, end)]


@dataclass(frozen=True, slots=True)
class Model:
    """A template of standard changes. `version` names its content: whatever is changed in it makes it another version."""

    name: str
    title: str
    version: str
    description: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Search:
    """How free slots are looked for: in which hours unless windows say, on which grid, how far ahead."""

    calendar: Calendar
    step: timedelta = timedelta(minutes=15)
    ahead: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Book:
    """What `config/changes.yaml` says of the calendar. `depth`: how far along relations one change disturbs another."""

    search: Search
    freezes: tuple[Freeze, ...] = ()
    windows: tuple[MaintenanceWindow, ...] = ()
    depth: int = 3
    models: Mapping[str, Model] = field(default_factory=dict)


def nodes_of(values: Mapping[str, Value]) -> frozenset[Node]:
    """The service and the configuration item that a change names."""
    named = ((Sort.SERVICE, values.get("service")), (Sort.ITEM, values.get("ci")))
    return frozenset(Node(sort, key) for sort, key in named if isinstance(key, str))


def window_of(values: Mapping[str, Value]) -> Period | None:
    """The window that a change is planned for, if it has one that is not reversed."""
    start, end = values.get(START), values.get(END)
    if isinstance(start, datetime) and isinstance(end, datetime) and start < end:
        return Period(start, end)
    return None


def type_of(values: Mapping[str, Value]) -> str:
    """The type of a change (`normal`, `standard`, `emergency`); empty while it has none."""
    return str(values.get(TYPE) or "")


def windows_for(
    windows: Iterable[MaintenanceWindow], nodes: Collection[Node], change_type: str
) -> list[tuple[MaintenanceWindow, ...]]:
    """For each thing that has windows, its windows: a change must lie within one of each."""
    binding = [window for window in windows if change_type not in window.spared]
    found = (tuple(window for window in binding if node in window.of) for node in sorted(nodes))
    return [each for each in found if each]


def outside(groups: Iterable[Sequence[MaintenanceWindow]], period: Period) -> list[Sequence[MaintenanceWindow]]:
    """Of windows by thing, those none of which has room for the whole period."""
    return [group for group in groups if not any(window.allows(period) for window in group)]


class Cause(StrEnum):
    """Why two changes that overlap in time are in each other's way, the gravest first."""

    SAME_ITEM = "same_item"
    SAME_SERVICE = "same_service"
    DEPENDENT = "dependent"
    SAME_IMPLEMENTER = "same_implementer"


@dataclass(frozen=True, slots=True)
class Planned:
    """A change in the calendar, as far as conflicts go. `nodes` are the service and item it is about."""

    id: int
    period: Period
    standing: Standing
    nodes: frozenset[Node]
    implementer: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared with the calendar: what would be touched, by whom. `ties` are things that rest on it or bear it."""

    id: int
    nodes: frozenset[Node]
    implementer: str | None
    ties: Mapping[Node, tuple[Node, ...]] = field(default_factory=dict)


def causes(plan: Plan, other: Planned) -> tuple[Cause, ...]:
    """Why a planned change is in the way of another at the same time; empty if it is not, or is the same one."""
    if plan.id == other.id:
        return ()
    same = plan.nodes & other.nodes
    found = {
        Cause.SAME_ITEM: any(node.sort is Sort.ITEM for node in same),
        Cause.SAME_SERVICE: any(node.sort is Sort.SERVICE for node in same),
        Cause.DEPENDENT: not same and any(node in plan.ties for node in other.nodes),
        Cause.SAME_IMPLEMENTER: plan.implementer is not None and plan.implementer == other.implementer,
    }
    return tuple(cause for cause, holds in found.items() if holds)
