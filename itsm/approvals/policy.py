"""What a policy of approval is: stages one after the other, in each a tree of groups with a quorum of their own, and what the
clock does when nobody answers.

Values only. `reading.py` makes them of YAML, `check.py` proves them sound, `rules.py` says what answers mean in them. A round
of approval keeps the text of its policy as it was when it began, so a change of `config/approvals.yaml` changes no open round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from itsm.workflow.definition import Expression, Position
from itsm.worktime.duration import Duration


class Rule(StrEnum):
    """How many of a group must approve; `majority` is more than half, a percentage is rounded up to whole members."""

    ANY = "any"
    ALL = "all"
    MAJORITY = "majority"
    AT_LEAST = "at_least"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Quorum:
    """A rule with its `number`. If `everybody` answers, nothing is decided before all have, even where it is clear already."""

    rule: Rule
    number: int = 0
    everybody: bool = False

    def needed(self, members: int) -> int:
        """How many of so many members must approve: at least one, and perhaps more than there are."""
        match self.rule:
            case Rule.ANY:
                return 1
            case Rule.ALL:
                return max(members, 1)
            case Rule.MAJORITY:
                return members // 2 + 1
            case Rule.AT_LEAST:
                return self.number
            case Rule.PERCENT:
                return max(-(-members * self.number // 100), 1)

    def __str__(self) -> str:
        words = {Rule.AT_LEAST: f"at least {self.number}", Rule.PERCENT: f"{self.number} percent"}.get(
            self.rule, self.rule.value
        )
        return f"everybody answers, {words} approve" if self.everybody else words


class Who(StrEnum):
    """The ways to name approvers. The first five are ties to the ticket, as recipients of the workflow language are."""

    REQUESTER = "requester"
    ASSIGNEE = "assignee"
    MEMBERS = "group"
    LEAD = "group.lead"
    WATCHERS = "watchers"
    MANAGER = "requester.manager"
    SERVICE_OWNER = "service.owner"
    COST_CENTRE_OWNER = "cost_centre.owner"
    CHAIN = "manager_chain"
    USER = "user"
    ROLE = "role"
    GROUP = "group key"
    FIELD = "field"


ONE_PERSON: Final = frozenset({Who.MANAGER, Who.SERVICE_OWNER, Who.COST_CENTRE_OWNER, Who.CHAIN, Who.USER, Who.FIELD})
"""Those who are asked in person: if they cannot decide, somebody stands in for them."""

IN_LINE: Final = frozenset({Who.MANAGER, Who.SERVICE_OWNER, Who.COST_CENTRE_OWNER, Who.CHAIN})
"""Those who answer for something by their place in the organisation: being asked is enough for them to decide."""


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody to be asked: a `name` where the way to name him takes one, a number of `levels` for a chain of managers.

    `here` ties a role to the ticket's organisation.
    """

    who: Who
    name: str = ""
    levels: int = 1
    here: bool = False

    def __str__(self) -> str:
        match self.who:
            case Who.CHAIN:
                return f"{self.levels} managers above the requester"
            case Who.USER | Who.FIELD:
                return f"{self.who.value} {self.name}"
            case Who.GROUP:
                return f"group {self.name}"
            case Who.ROLE:
                return f"role {self.name}{' of the organisation' if self.here else ''}"
            case _:
                return self.who.value


@dataclass(frozen=True, slots=True)
class Group:
    """People and further groups, of whom a quorum must approve."""

    quorum: Quorum
    people: tuple[Approver, ...]
    groups: tuple[Group, ...]
    at: Position
    title: str = ""


class Then(StrEnum):
    """What happens when nobody has decided in time."""

    APPROVE = "approve"
    REJECT = "reject"
    ESCALATE = "escalate"


class Above(StrEnum):
    """To whom open questions pass: the manager of whoever was asked, or the lead of the ticket's group."""

    MANAGER = "manager"
    LEAD = "lead"


@dataclass(frozen=True, slots=True)
class Reminder:
    """When whoever has not answered is reminded, and how often from then on."""

    after: Duration
    every: Duration | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """When open questions pass to somebody above."""

    after: Duration
    to: Above


@dataclass(frozen=True, slots=True)
class TimeOut:
    """When the stage ends by itself, and how."""

    after: Duration
    then: Then


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a policy. Durations run in `calendar` (None: the desk's own hours)."""

    name: str
    group: Group
    at: Position
    calendar: str | None = None
    remind: Reminder | None = None
    escalate: Escalation | None = None
    timeout: TimeOut | None = None


class Verdict(StrEnum):
    """What a row of the decision table says: decided without asking, or asked in spite of later rows."""

    APPROVE = "approve"
    REJECT = "reject"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the decision table; the first whose condition holds decides (None: always)."""

    name: str
    verdict: Verdict
    at: Position
    condition: Expression | None = None


class Party(StrEnum):
    """Who must be different people: separation of duties."""

    REQUESTER = "requester"
    APPROVER = "approver"
    IMPLEMENTER = "implementer"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy. `workflows` are those whose tickets it is for; `material` are the fields whose change makes approval void;
    whoever stands in a relation of `exclude` to the ticket is not asked.

    `source` is its own text as JSON: what a round keeps, and `reading.frozen` reads back.
    """

    name: str
    stages: tuple[Stage, ...]
    at: Position
    source: str
    title: str = ""
    workflows: tuple[str, ...] = ()
    table: tuple[Row, ...] = ()
    separate: frozenset[Party] = frozenset(Party)
    exclude: tuple[str, ...] = ()
    material: tuple[str, ...] = ()

    def separates(self, party: Party) -> bool:
        """Whether an approver may not be this party as well."""
        return {Party.APPROVER, party} <= self.separate


@dataclass(frozen=True, slots=True)
class Delegating:
    """How far decisions may be delegated: how often they are passed on, and for how many days at most."""

    depth: int = 1
    longest_days: int = 90


CostCentres: TypeAlias = Mapping[str, str]
"""The login of the owner of each cost centre."""


@dataclass(frozen=True, slots=True)
class Book:
    """All that is configured about approvals."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    delegating: Delegating = Delegating()
    cost_centres: CostCentres = field(default_factory=dict)
