"""What answers mean in a tree of quorums, who sits where in it, and how far a delegation reaches. Pure.

A tree has seats and groups. Nobody has two seats in one stage, so the seats' answers are independent of each other, and a group
is decided exactly when no completion of the missing answers could decide it otherwise (threshold functions that read each
input once). More answers never undo what is decided.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from itsm.approvals.policy import Quorum

P = TypeVar("P", bound=Hashable)


class Outcome(Enum):
    """How a group, a stage or a round stands; the last two values are the events that workflows react to."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Node(Generic[P]):
    """A group: who sits in it, and the groups below."""

    quorum: Quorum
    seats: tuple[P, ...]
    groups: tuple[Node[P], ...] = ()

    @property
    def size(self) -> int:
        """How many members there are to approve, seats and groups alike."""
        return len(self.seats) + len(self.groups)

    @property
    def needed(self) -> int:
        """How many of them must approve."""
        return self.quorum.needed(self.size)


def standing(node: Node[P], answers: Mapping[P, Outcome]) -> Outcome:
    """How a group stands, given the answers so far: approved as soon as enough members are, rejected as soon as enough no
    longer can be; where everybody must answer, not before every member is decided.
    """
    said = [answers.get(seat, Outcome.OPEN) for seat in node.seats]
    said += [standing(group, answers) for group in node.groups]
    if node.quorum.everybody and Outcome.OPEN in said:
        return Outcome.OPEN
    if said.count(Outcome.APPROVED) >= node.needed:
        return Outcome.APPROVED
    if len(said) - said.count(Outcome.REJECTED) < node.needed:
        return Outcome.REJECTED
    return Outcome.OPEN


def attainable(node: Node[P]) -> bool:
    """Whether enough members can approve at all, and, where everybody must answer, everybody can."""
    able = [attainable(group) for group in node.groups]
    if node.size == 0 or (node.quorum.everybody and not all(able)):
        return False
    return len(node.seats) + able.count(True) >= node.needed


def seats_of(node: Node[P]) -> Iterator[P]:
    """Every seat of a tree, a group's own first."""
    yield from node.seats
    for group in node.groups:
        yield from seats_of(group)


def nodes_of(node: Node[P], path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node[P]]]:
    """Every group of a tree with the way to it, as positions among the groups of each group on that way."""
    yield path, node
    for index, group in enumerate(node.groups):
        yield from nodes_of(group, (*path, index))


def seated(wanted: Node[P]) -> Node[P]:
    """The tree in which everybody has one seat: who is named in several groups sits where he is missed most.

    Each group in turn takes as many as it needs, the one with the fewest to spare first, and of its people those whom the
    fewest others want; who is left over sits in the first group that names him.
    """
    groups = {path: tuple(dict.fromkeys(node.seats)) for path, node in nodes_of(wanted)}
    needs = {path: min(node.needed, len(groups[path])) for path, node in nodes_of(wanted)}
    wanted_by: dict[P, int] = {}
    for people in groups.values():
        for person in people:
            wanted_by[person] = wanted_by.get(person, 0) + 1
    taken: dict[P, tuple[int, ...]] = {}
    for path in sorted(groups, key=lambda one: (len(groups[one]) - needs[one], one)):
        free = sorted((person for person in groups[path] if person not in taken), key=wanted_by.__getitem__)
        taken.update(dict.fromkeys(free[: needs[path]], path))
    for path, people in groups.items():
        for person in people:
            taken.setdefault(person, path)
    return _kept(wanted, groups, taken, ())


def _kept(
    node: Node[P], groups: Mapping[tuple[int, ...], Sequence[P]], taken: Mapping[P, tuple[int, ...]], path: tuple[int, ...]
) -> Node[P]:
    below = tuple(_kept(group, groups, taken, (*path, index)) for index, group in enumerate(node.groups))
    return Node(node.quorum, tuple(person for person in groups[path] if taken[person] == path), below)


@dataclass(frozen=True, slots=True)
class Handing:
    """Somebody (`principal`) lets somebody else (`delegate`) decide in his place."""

    principal: int
    delegate: int


def deputies(principal: int, handings: Iterable[Handing], depth: int) -> list[int]:
    """Who may decide for somebody, the nearest first; a delegation is passed on `depth - 1` times at most, and never back."""
    return _reached(principal, [(each.principal, each.delegate) for each in handings], depth)


def principals(delegate: int, handings: Iterable[Handing], depth: int) -> list[int]:
    """For whom somebody may decide, the nearest first."""
    return _reached(delegate, [(each.delegate, each.principal) for each in handings], depth)


def _reached(start: int, ways: Sequence[tuple[int, int]], depth: int) -> list[int]:
    found: dict[int, None] = {}
    edge = [start]
    for _ in range(depth):
        edge = [there for here in edge for begin, there in ways if begin == here and there != start and there not in found]
        found.update(dict.fromkeys(edge))
    return list(found)


def closes_a_circle(new: Handing, handings: Sequence[Handing]) -> bool:
    """Whether a delegation would come back to where it began, however far round."""
    return new.principal == new.delegate or new.principal in deputies(new.delegate, handings, len(handings) + 1)
