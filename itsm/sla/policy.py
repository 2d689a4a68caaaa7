"""What a promise is: the definitions that `config/sla.yaml` makes, compiled, and one version of them all.

Values only. `reading.py` makes them of YAML, `check/` proves them sound, `rules.py` says what they mean for a ticket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Final

from itsm.workflow.definition import Action, Position
from itsm.workflow.expression import Compiled
from itsm.workflow.tree import Call, Const, Items, Name, Tree
from itsm.worktime.calendar import Calendar, always
from itsm.worktime.duration import Duration

ALWAYS: Final = "always"
"""The calendar that plain durations run in, whatever else is configured under this name."""

NOTIFY: Final = "notify"
"""The action that tells people; all others do something to the ticket."""


class Kind(StrEnum):
    """Who promised: the desk to users, a group to the others, a supplier to the desk (ITIL 4, service level management)."""

    SLA = "sla"
    OLA = "ola"
    UC = "uc"


class OnChange(StrEnum):
    """What becomes of the time already spent when the target changes on the way (docs/sla.md, rule 7)."""

    KEEP_ELAPSED = "keep_elapsed"
    RESTART = "restart"
    PRORATE = "prorate"


class Return(StrEnum):
    """What a clock per group does when the ticket comes back to a group."""

    ACCUMULATE = "accumulate"
    RESTART = "restart"


class Happening(StrEnum):
    """What can happen to a ticket as far as clocks are concerned; read from its event log and from nothing else."""

    CREATED = "created"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    CLOSED = "closed"
    ASSIGNED = "assigned"
    GROUP_CHANGED = "group_changed"
    REQUESTER_REPLIED = "requester_replied"
    AGENT_REPLIED = "agent_replied"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_DECIDED = "approval_decided"
    ESCALATED = "escalated"


class Place(StrEnum):
    """Whose calendar or zone a policy may take instead of its own."""

    SERVICE = "service"
    GROUP = "group"
    REQUESTER = "requester"
    CI = "ci"


@dataclass(frozen=True, slots=True)
class Hours:
    """Which calendar a target runs in: that of `by`, where there is one, else `default`; in the zone of `zone_by`'s location.

    With neither `by` nor `zone_by` it is the calendar `default` as it stands.
    """

    default: str
    by: Place | None = None
    zone_by: Place | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """When something is so: at one of the happenings `on`, or while the expression `when` is true; either may be absent."""

    on: frozenset[Happening] = frozenset()
    when: Compiled | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """One row of the decision table: for tickets where `condition` holds (None: all), so much time in these hours."""

    target: Duration
    hours: Hours
    at: Position
    condition: Compiled | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A point on the way: a `share` of the target, or so far `before` or `after` the due instant. One of the three is set.

    `label` is its name for good, however it was spelt: `75%`, `due - 30 minutes`. `do` are the engine's actions; `fire` a
    transition of the ticket itself, by the desk. Of `do`, `news` tell people and `deeds` do something to the ticket; the same
    tuples each time, for what a workflow compiles of them is kept by their identity.
    """

    label: str
    at: Position
    share: Fraction | None = None
    before: Duration | None = None
    after: Duration | None = None
    do: tuple[Action, ...] = ()
    fire: str | None = None
    condition: Compiled | None = None
    news: tuple[Action, ...] = field(init=False, repr=False, compare=False)
    deeds: tuple[Action, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "news", tuple(action for action in self.do if action.name == NOTIFY))
        object.__setattr__(self, "deeds", tuple(action for action in self.do if action.name != NOTIFY))


@dataclass(frozen=True, slots=True)
class Policy:
    """A promise and its clock. `per_group`: each resolver group has a clock of its own (kind `ola`)."""

    name: str
    title: str
    kind: Kind
    at: Position
    goals: tuple[Goal, ...]
    applies: Compiled | None = None
    start: Condition = Condition(frozenset({Happening.CREATED}))
    retroactive: bool = False
    pause: Compiled | None = None
    stop: Condition = Condition()
    cancel: Condition = Condition()
    reset: Condition = Condition()
    on_change: OnChange = OnChange.KEEP_ELAPSED
    thresholds: tuple[Threshold, ...] = ()
    underpins: str | None = None
    per_group: Return | None = None
    promise: str | None = None
    """What the requester is told, as the end of “We …”: “will resolve this”. None: the clock is not his to see."""

    pause_reason: str | None = None
    """Why it pauses, as the end of “because …”: “we are waiting for your answer”. None: by what the ticket is then."""


@dataclass(frozen=True)
class Agreement:
    """One version of all promises, with the calendars and zones they rest on: what a ticket is born with.

    `id` is the row of `sla_versions`; 0 for one that was only read. `zones` has the IANA zone of each location, `openings` the
    calendar of each location that has one.
    """

    policies: Mapping[str, Policy]
    calendars: Mapping[str, Calendar]
    zones: Mapping[str, str] = field(default_factory=dict)
    openings: Mapping[str, str] = field(default_factory=dict)
    id: int = 0

    def calendar(self, key: str) -> Calendar:
        """The calendar of a key: a name, or `name@Zone/Of` for its hours in another zone. Raises `KeyError`."""
        found = self._kept.get(key)
        if found is None:
            name, _, zone = key.partition("@")
            found = self._kept[key] = replace(self.calendars[name], name=key, zone=zone)
        return found

    def of_type(self, type_: str) -> tuple[Policy, ...]:
        """The policies that can ever apply to tickets of a type, in their order; the others are not asked about them."""
        found = self._by_type.get(type_)
        if found is None:
            every = ((policy, types_of(policy)) for policy in self.policies.values())
            found = tuple(policy for policy, types in every if types is None or type_ in types)
            self._by_type[type_] = found
        return found

    @cached_property
    def _by_type(self) -> dict[str, tuple[Policy, ...]]:
        return {}

    @cached_property
    def _kept(self) -> dict[str, Calendar]:
        return {**self.calendars, ALWAYS: always()}

    @cached_property
    def needs_places(self) -> bool:
        """Whether anything rests on what the directory says of requester, service, group or item; see `places.py`."""
        hours = [goal.hours for policy in self.policies.values() for goal in policy.goals]
        return any(one.by or one.zone_by for one in hours) or any(
            name.partition(".")[0] != "ticket" for policy in self.policies.values() for name in names_of(policy)
        )


def expressions_of(policy: Policy) -> list[Compiled]:
    """Every expression in a policy."""
    every = [policy.applies, policy.pause]
    every += [condition.when for condition in (policy.start, policy.stop, policy.cancel, policy.reset)]
    every += [goal.condition for goal in policy.goals] + [threshold.condition for threshold in policy.thresholds]
    return [one for one in every if one is not None]


def names_of(policy: Policy) -> frozenset[str]:
    """Every variable that a policy's expressions ask for."""
    return frozenset().union(*(one.names for one in expressions_of(policy)))


def types_of(policy: Policy) -> frozenset[str] | None:
    """The ticket types that a policy's `when` leaves; None if it leaves all, or says it in a way that is not read here."""
    return None if policy.applies is None else _types_in(policy.applies.tree)


def _types_in(tree: Tree) -> frozenset[str] | None:
    match tree:
        case Call(function="_&&_", arguments=(left, right)):
            found = [types for types in (_types_in(left), _types_in(right)) if types is not None]
            return frozenset.intersection(*found) if found else None
        case Call(function="_||_", arguments=(left, right)):
            either, other = _types_in(left), _types_in(right)
            return None if either is None or other is None else either | other
        case Call(function="_==_", arguments=(Name(name="ticket.type"), Const(value=str(type_)))):
            return frozenset({type_})
        case Call(function="@in", arguments=(Name(name="ticket.type"), Items(elements=elements))):
            values = [one.value for one in elements if isinstance(one, Const)]
            return frozenset(map(str, values)) if len(values) == len(elements) else None
        case _:
            return None
