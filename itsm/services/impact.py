"""What follows when a service or configuration item fails: what rests on it, what it rests on, and by which way.

Weight may not run in circles, over whatever relations it runs: of a circle, nothing could ever be started. Nothing here knows
a database; whoever asks brings the edges along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from itsm.services.rules import Edge, Node

DEPTH: Final = 5
"""How many steps impact is followed unless somebody asks for more or fewer."""

DEEPEST: Final = 20
MOST_REACHED: Final = 1_000
"""How many things an answer about impact names at most."""

LONGEST_WAY: Final = 20


class Direction(StrEnum):
    """Which way impact is followed: to what is touched when a thing fails, or to what a thing rests on."""

    TOUCHES = "touches"
    RESTS_ON = "rests_on"


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A step along a relation: how it reads from where one stands, and where it leads."""

    relation: str
    node: Node


@dataclass(frozen=True, slots=True)
class Reached:
    """Something that impact reaches, by a shortest way: from `start` along `path`, whose last step is this node."""

    node: Node
    start: Node
    path: tuple[Step, ...]


Neighbours: TypeAlias = Callable[[Collection[Node]], Iterable[Edge]]
"""Gives every edge that has an end among some nodes."""


def spread(starts: Iterable[Node], direction: Direction, depth: int, neighbours: Neighbours) -> list[Reached]:
    """What impact reaches from some nodes in up to `depth` steps, the nearest first, each once; at most `MOST_REACHED`.

    The starts themselves are not among it. Ties are broken by sort and key, so that the answer does not depend on the order
    in which edges are kept.
    """
    beginning = sorted(set(starts))
    known = {node: Reached(node, node, ()) for node in beginning}
    frontier: Sequence[Node] = beginning
    for _ in range(depth):
        if not frontier or len(known) - len(beginning) >= MOST_REACHED:
            break
        fresh: list[Node] = []
        for begin, step in sorted(_steps(frontier, direction, neighbours(frontier))):
            if step.node not in known:
                before = known[begin]
                known[step.node] = Reached(step.node, before.start, (*before.path, step))
                fresh.append(step.node)
        frontier = fresh
    return list(known.values())[len(beginning) :][:MOST_REACHED]


def _steps(frontier: Collection[Node], direction: Direction, edges: Iterable[Edge]) -> set[tuple[Node, Step]]:
    here = set(frontier)
    steps = set()
    for each in edges:
        if each.load is not None:
            rests, bears = each.load
            begin, end = (rests, bears) if direction is Direction.RESTS_ON else (bears, rests)
            if begin in here:
                steps.add((begin, Step(each.read_from(begin)[0], end)))
    return steps


def circle(new: Edge, neighbours: Neighbours) -> tuple[Node, ...]:
    """The circle that an edge would close, from the node that would rest to itself again; empty if there is none."""
    if new.load is None:
        return ()
    rests, bears = new.load
    before: dict[Node, Node] = {}
    frontier: list[Node] = [bears]
    seen = {bears}
    while frontier and rests not in seen:
        fresh = []
        for begin, step in sorted(_steps(frontier, Direction.RESTS_ON, neighbours(frontier))):
            if step.node not in seen:
                seen.add(step.node)
                before[step.node] = begin
                fresh.append(step.node)
        frontier = fresh
    if rests not in seen:
        return ()
    back = [rests]
    while back[-1] != bears:
        back.append(before[back[-1]])
    return (rests, *reversed(back))


def circles(standing: Iterable[Edge], added: Iterable[Edge]) -> dict[Edge, tuple[Node, ...]]:
    """Which of many added edges lie on a circle, each with a circle of those it is caught in.

    Those that stand have none among themselves. Every added edge of a circle is named: which of them is the mistaken one,
    nobody but their author can tell.
    """
    added = [one for one in dict.fromkeys(added) if one.load is not None]
    below: dict[Node, list[Edge]] = defaultdict(list)
    for one in dict.fromkeys([*standing, *added]):
        if one.load is not None:
            below[one.load[0]].append(one)
    knot = _knots(below)
    caught: dict[Edge, tuple[Node, ...]] = {}
    example: dict[Node, tuple[Node, ...]] = {}
    for one in added:
        rests, bears = _load(one)
        if knot[rests] == knot[bears]:
            if knot[rests] not in example:
                example[knot[rests]] = circle(one, lambda nodes: [each for node in nodes for each in below[node]])
            caught[one] = example[knot[rests]]
    return caught


def _knots(below: Mapping[Node, Sequence[Edge]]) -> dict[Node, Node]:
    """For each node one that stands for its strongly connected component: all nodes that reach it and that it reaches.

    Kosaraju's two passes, without recursion (Aho, Hopcroft, Ullman, Data Structures and Algorithms, 1983, section 6.7).
    """
    above: dict[Node, list[Node]] = defaultdict(list)
    done: dict[Node, None] = {}
    for start in list(below):
        stack: list[tuple[Node, bool]] = [(start, False)]
        open_: set[Node] = set()
        while stack:
            node, left = stack.pop()
            if left:
                done.setdefault(node)
            elif node not in done and node not in open_:
                open_.add(node)
                stack.append((node, True))
                for one in below.get(node, ()):
                    bears = _load(one)[1]
                    above[bears].append(node)
                    stack.append((bears, False))
    knot: dict[Node, Node] = {}
    for root in reversed(done):
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node not in knot:
                knot[node] = root
                waiting += above[node]
    return knot


def _load(one: Edge) -> tuple[Node, Node]:
    assert one.load is not None
    return one.load


def path_in_words(nodes: Iterable[Node]) -> str:
    """A way from node to node, as people read it; of a long one the middle is left out."""
    keys = [node.key for node in nodes]
    if len(keys) > LONGEST_WAY:
        keys[LONGEST_WAY // 2 : -LONGEST_WAY // 2] = ["…"]
    return " → ".join(keys)
