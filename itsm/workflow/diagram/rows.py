"""The first step of the layout: which row everything stands in, and what an arrow needs in the rows it crosses.

Boxes take the even rows, words the odd ones. An arrow that runs back towards the start is laid as if it ran forward and turned
round again when it is drawn (Sugiyama, Tagawa and Toda, 1981, §II).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

BEND_WIDTH: Final = 6.0

_STRAIGHTNESS: Final = ((1.0, 2.0), (2.0, 6.0))
"""How strongly two neighbours of a chain pull each other: a bend and a bend most, so that long arrows run straight."""


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow to be laid: the names of its boxes, and the size of its words."""

    source: str
    target: str
    width: float
    height: float


@dataclass(slots=True, eq=False)
class Item:
    """Something that takes up room in a row: a box (its name in `box`), the words of an arrow, or only its line."""

    row: int
    width: float
    height: float
    box: str = ""
    words: bool = False
    x: float = 0.0
    ups: list[tuple[Item, float]] = field(default_factory=list)
    downs: list[tuple[Item, float]] = field(default_factory=list)

    @property
    def is_line(self) -> bool:
        """Whether only an arrow's line passes here."""
        return not self.box and not self.words

    @property
    def left(self) -> float:
        """The x of its left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The x of its right edge."""
        return self.x + self.width / 2

    def wish(self) -> tuple[float, float]:
        """Where its neighbours would have it, and how strongly."""
        pulls = self.ups + self.downs
        weight = sum(pull for _, pull in pulls)
        if not weight:
            return self.x, 0.01
        return sum(other.x * pull for other, pull in pulls) / weight, weight


def build_rows(sizes: Mapping[str, tuple[float, float]], links: Sequence[Link]) -> tuple[list[list[Item]], list[list[Item]]]:
    """The rows from top to bottom, and for every link its chain of items from the upper box to the lower one."""
    order = _life_order(list(sizes), links)
    ranks = _ranks(order, links)
    rows: list[list[Item]] = [[] for _ in range(2 * max(ranks.values(), default=-1) + 1)]
    boxes: dict[str, Item] = {}
    for name in order:
        width, height = sizes[name]
        boxes[name] = Item(2 * ranks[name], width, height, box=name)
        rows[2 * ranks[name]].append(boxes[name])
    chains: dict[int, list[Item]] = {}
    loads: dict[int, float] = {}
    for number, link in sorted(enumerate(links), key=lambda pair: abs(ranks[pair[1].source] - ranks[pair[1].target])):
        upper, lower = sorted((boxes[link.source], boxes[link.target]), key=lambda item: item.row)
        chains[number] = _chain(link, upper, lower, loads)
        for item in chains[number][1:-1]:
            rows[item.row].append(item)
    return rows, [chains[number] for number in range(len(links))]


def _life_order(names: list[str], links: Sequence[Link]) -> list[str]:
    """The order of life, in which as few arrows as can be run back: the author's own, or by distance from the first state."""
    distance = {names[0]: 0} if names else {}
    queue = deque(distance)
    while queue:
        here = queue.popleft()
        for link in links:
            if link.source == here and link.target not in distance:
                distance[link.target] = distance[here] + 1
                queue.append(link.target)
    by_distance = sorted(names, key=lambda name: distance.get(name, len(names)))
    return min(names, by_distance, key=lambda order: sum(order.index(link.source) > order.index(link.target) for link in links))


def _ranks(order: Sequence[str], links: Sequence[Link]) -> dict[str, int]:
    """For every box the length of the longest way forward to it: so every arrow spans at least one row."""
    position = {name: index for index, name in enumerate(order)}
    ranks = dict.fromkeys(order, 0)
    for name in order:
        for link in links:
            ends = sorted((link.source, link.target), key=position.__getitem__)
            if ends[0] == name:
                ranks[ends[1]] = max(ranks[ends[1]], ranks[name] + 1)
    return ranks


def _chain(link: Link, upper: Item, lower: Item, loads: dict[int, float]) -> list[Item]:
    """The items of one arrow; its words go where the least is written so far, and rather near its source."""
    odd_rows = range(upper.row + 1, lower.row, 2)
    near = odd_rows if link.source == upper.box else odd_rows[::-1]
    chosen = min(near, key=lambda row: loads.get(row, 0.0))
    loads[chosen] = loads.get(chosen, 0.0) + link.width
    between = [
        Item(row, link.width, link.height, words=True) if row == chosen else Item(row, BEND_WIDTH, 0.0)
        for row in range(upper.row + 1, lower.row)
    ]
    chain = [upper, *between, lower]
    for above, below in pairwise(chain):
        pull = _STRAIGHTNESS[not above.box][not below.box]
        above.downs.append((below, pull))
        below.ups.append((above, pull))
    return chain
