"""A meeting of the change advisory board as it is told, the times of its items, the count of votes, and the order of the agenda
(ITIL 4, “Change enablement”: the change authority). Pure.

The board advises. A change is authorised by its approval alone; an item's outcome says what the board came to, and must not
contradict how that approval has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from itsm.changes.rules import Period

Thing = TypeVar("Thing")

DISCUSSED: Final = "discussed"
"""The event of a change that tells what a meeting came to."""

MOST_ITEMS: Final = 100
"""How many changes an agenda may have."""

LONGEST: Final = timedelta(days=7)
"""How long a meeting may last."""

CONTRADICTED: Final = {"authorised": "rejected", "rejected": "approved"}
"""How an approval has ended that an outcome would contradict, by outcome."""


class Status(StrEnum):
    """What becomes of a meeting."""

    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


class Vote(StrEnum):
    """What a member can say to a change."""

    APPROVE = "approve"
    REJECT = "reject"
    ABSTAIN = "abstain"


class Result(StrEnum):
    """What a meeting can come to about a change."""

    AUTHORISED = "authorised"
    REJECTED = "rejected"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Named:
    """A person by login, or a group by key, and the name."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who took part, and the groups of the board that he represented."""

    key: str
    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as it was given. `root` is the same for all accounts of one person.

    `answered` tells that it was the answer to the approval of the change, too.
    """

    root: int
    login: str
    name: str
    vote: Vote
    comment: str | None
    at: datetime
    answered: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many people approve, reject and abstain, each counted once."""

    approve: int = 0
    reject: int = 0
    abstain: int = 0


def counted(ballots: Iterable[Ballot]) -> Tally:
    """The count of some votes, the oldest first: of one person's, by whatever account, the last counts."""
    last = {ballot.root: ballot.vote for ballot in ballots}
    said = list(last.values())
    return Tally(said.count(Vote.APPROVE), said.count(Vote.REJECT), said.count(Vote.ABSTAIN))


@dataclass(frozen=True, slots=True)
class Item:
    """A change on the agenda. What the reader does not see is None, and its votes are left out."""

    ticket_id: int
    number: str | None
    title: str | None
    state: str | None
    starts_at: datetime
    minutes: int
    settled: str | None
    result: Result | None
    words: str | None
    decided_by: str | None
    decided_at: datetime | None
    ballots: tuple[Ballot, ...]

    @property
    def tally(self) -> Tally:
        """The count of its votes."""
        return counted(self.ballots)


@dataclass(frozen=True, slots=True)
class Note:
    """A free note of the minutes."""

    body: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """A meeting without what belongs to it. `question` is what its agenda is made from, if that was ever said."""

    id: int
    title: str
    period: Period
    chair: Named
    status: Status
    question: Any
    called_by: str
    called_at: datetime
    changed_at: datetime
    digest: str | None
    closed_by: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sitting:
    """A meeting with all that belongs to it. `through_at` is when its agenda is through, which may be after its end."""

    head: Head
    members: tuple[Named, ...]
    groups: tuple[Named, ...]
    present: tuple[Present, ...]
    items: tuple[Item, ...]
    through_at: datetime
    notes: tuple[Note, ...]
    kept: Any
    """The minutes as they were put down at the closing; None before."""


def times(start: datetime, minutes: Iterable[int]) -> list[datetime]:
    """When each item begins, one after the other, and at last when the agenda is through. `minutes` are those of each item."""
    found = [start]
    for each in minutes:
        found.append(found[-1] + timedelta(minutes=each))
    return found


def moved(order: Sequence[Thing], thing: Thing, position: int) -> list[Thing]:
    """An order with one thing put at a position, the first being 1; beyond the last means last."""
    rest = [each for each in order if each != thing]
    rest.insert(max(position, 1) - 1, thing)
    return rest
