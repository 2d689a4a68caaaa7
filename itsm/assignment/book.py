"""What `config/assignment.yaml` says: which group a ticket goes to, who in it takes it, and who is on call.

Values only. `reading.py` makes them of YAML, `check.py` proves them sound, `rules.py` and `rota.py` say what follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from typing import Final

from itsm.workflow.definition import Expression, Position
from itsm.worktime.duration import Duration

FILE: Final = "assignment.yaml"
HOPS: Final = 3
"""How often an assignment is passed on, unless its group says otherwise, before the lead has it."""


_NOWHERE: Final = Position("", 1, 1)


class Strategy(StrEnum):
    """How somebody is found within a group: nobody is, one after the other, or whoever has the fewest open tickets."""

    NONE = "none"
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"


@dataclass(frozen=True, slots=True)
class Need:
    """A skill and the level of it that a ticket needs, if the condition holds."""

    skill: str
    level: int
    condition: Expression | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table. Without a `group` the ticket stays where it is; without a `strategy` the group's own holds."""

    name: str
    at: Position
    group: str | None = None
    workflows: tuple[str, ...] = ()
    condition: Expression | None = None
    strategy: Strategy | None = None
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class TakeUp:
    """How long an assignee has to begin before the ticket passes on, counted in a calendar where business time is meant."""

    within: Duration
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """How a group works: its strategy, how many open tickets one of it has at most, when it is there, when work passes on.

    `tell` is the template of the message to whoever the ticket is assigned to.
    """

    key: str
    at: Position
    strategy: Strategy = Strategy.NONE
    capacity: int | None = None
    shift: str | None = None
    take_up: TakeUp | None = None
    hops: int = HOPS
    tell: str | None = None


@dataclass(frozen=True, slots=True)
class Staff:
    """What one person can (skills with their levels), how many open tickets he has at most, and when he works."""

    login: str
    skills: Mapping[str, int] = field(default_factory=dict)
    capacity: int | None = None
    shift: str | None = None
    at: Position = _NOWHERE


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of a rota: `people` take turns of so many `days`, from the local date `start` on, handing over at `handover`.

    `calendar` are the hours in which somebody is on call; without it, always.
    """

    name: str
    people: tuple[str, ...]
    start: date
    days: int
    handover: time
    zone: str
    at: Position
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Everything the file says. A group that is not among `teams` has no strategy."""

    rules: tuple[Rule, ...] = ()
    teams: Mapping[str, Team] = field(default_factory=dict)
    staff: Mapping[str, Staff] = field(default_factory=dict)
    skills: frozenset[str] = frozenset()
    on_call: Mapping[str, tuple[Layer, ...]] = field(default_factory=dict)

    def of(self, login: str) -> Staff:
        """What is said of a person; of one who is not mentioned, nothing."""
        return self.staff.get(login) or Staff(login)

    def team(self, group: str) -> Team:
        """How a group works; one that is not mentioned leaves it to its members who takes what."""
        return self.teams.get(group) or Team(group, _NOWHERE)
