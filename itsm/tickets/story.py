"""Another system's records of one ticket, as `history.py` takes them, and what it says to them. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from itsm.people.access import Actor
from itsm.workflow.case import Reason, Value


class Refused(StrEnum):
    """What becomes of a step that the workflow would not have allowed."""

    RECORD = "record"
    REFUSE = "refuse"


class Fate(StrEnum):
    """What became of a step."""

    CREATED = "created"
    MOVED = "moved"
    UPDATED = "updated"
    OVERRIDDEN = "overridden"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Opened:
    """Another ticket that a step opened; `link` is the kind of link as it is kept, read from the first ticket."""

    type: str
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `target` is a state, `=` for a step that leaves the ticket where it is, None if nobody knows.

    `values` is what the source says the fields were after it (None empties one); `fill` and `comment_fill` stand in where the
    workflow asks for what the source does not have. `compare` is only compared. `told` is kept in the event as it was.
    """

    at: datetime
    by: str
    line: int
    status: str
    target: str | None
    trigger: str | None = None
    roles: frozenset[str] = frozenset()
    values: Mapping[str, Value] = field(default_factory=dict)
    fill: Mapping[str, Value] = field(default_factory=dict)
    comment: str | None = None
    comment_fill: str | None = None
    opens: Opened | None = None
    compare: Mapping[str, Value] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    why_refused: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """The whole life of one ticket. `steps` are in order of time, and there is at least one. `roles` are its opener's."""

    source: str
    case: str
    type: str
    opened_at: datetime
    opened_by: str
    roles: frozenset[str]
    requester: str | None
    organisation: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the workflow said to a step.

    `dropped` has the reasons against values that it did not take; `differs` what is not as the source says: (there, here).
    """

    step: Step
    fate: Fate
    source: str | None
    target: str
    trigger: str | None = None
    code: str | None = None
    message: str = ""
    filled: tuple[str, ...] = ()
    dropped: tuple[Reason, ...] = ()
    differs: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    opened: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A story that has become a ticket. `born_against` is the code of what the workflow would have said to its creation."""

    id: int
    number: str
    born_against: str | None
    verdicts: tuple[Verdict, ...]


class People(Protocol):
    """Who and what the keys of a story are on this desk. All of it exists by the time a story is told."""

    def actor(self, login: str) -> Actor:
        """The user with this login, active or not."""
        ...

    def id_of(self, field: str, key: str) -> int:
        """The row id behind the key that a built-in field holds."""
        ...
