"""What a meeting of the change advisory board knows without asking anybody: its words, the times of its items, the count of
votes, and the order of the agenda (ITIL 4, “Change enablement”: the change authority). Pure.

The board advises. A change is authorised by its approval alone; an item's outcome says what the board came to, and must not
contradict how that approval has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeVar

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


class Voice(Protocol):
    """A vote as it is counted: `root` is the same for all accounts of one person."""

    @property
    def root(self) -> int:
        """Whose it is."""
        ...

    @property
    def vote(self) -> Vote:
        """What was said."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """How many people approve, reject and abstain, each counted once."""

    approve: int = 0
    reject: int = 0
    abstain: int = 0


def counted(voices: Iterable[Voice]) -> Tally:
    """The count of some votes, the oldest first: of one person's, by whatever account, the last counts."""
    last = {voice.root: voice.vote for voice in voices}
    said = list(last.values())
    return Tally(said.count(Vote.APPROVE), said.count(Vote.REJECT), said.count(Vote.ABSTAIN))


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
