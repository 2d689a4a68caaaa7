"""The third step of the layout: where in its row every item stands.

First everything moves as near to its neighbours above and below as the order of its row allows; then long arrows are pulled
straight, for an eye follows a straight line and loses a wavy one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from itsm.workflow.diagram.rows import Item

GAP: Final = 22.0
"""Free space beside boxes and words."""

LINE_GAP: Final = 13.0
"""Free space between two lines that run side by side."""

SWEEPS: Final = 60
PULLS: Final = 12


def place(rows: Sequence[Sequence[Item]], chains: Sequence[Sequence[Item]]) -> None:
    """Give every item its x, the leftmost edge being 0."""
    for row in rows:
        edge = 0.0
        for item in row:
            item.x = edge + item.width / 2
            edge = item.right + GAP
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            _settle(row)
    beside = {id(item): neighbours for row in rows for item, neighbours in zip(row, _neighbours(row), strict=True)}
    for _ in range(PULLS):
        for chain in sorted(chains, key=len, reverse=True):
            _straighten(chain[1:-1], beside)
        for row in rows:
            _recentre(row, beside)
    left = min((item.left for row in rows for item in row), default=0.0)
    for row in rows:
        for item in row:
            item.x -= left


def _gap(left: Item, right: Item) -> float:
    return LINE_GAP if left.is_line and right.is_line else GAP


def _settle(row: Sequence[Item]) -> None:
    """The least-squares positions of one row that keep its order and its gaps (pool adjacent violators)."""
    offsets: list[float] = []
    for index, item in enumerate(row):
        before = row[index - 1]
        offsets.append(offsets[-1] + (before.width + item.width) / 2 + _gap(before, item) if index else 0.0)
    pools: list[tuple[float, float, int]] = []  # position less offset, weight, how many items
    for item, offset in zip(row, offsets, strict=True):
        wish, weight = item.wish()
        value, count = wish - offset, 1
        while pools and pools[-1][0] >= value:
            other, other_weight, other_count = pools.pop()
            value = (value * weight + other * other_weight) / (weight + other_weight)
            weight, count = weight + other_weight, count + other_count
        pools.append((value, weight, count))
    values = (value for value, _, count in pools for _ in range(count))
    for item, offset, value in zip(row, offsets, values, strict=True):
        item.x = offset + value


_Neighbours = tuple[Item | None, Item | None]


def _neighbours(row: Sequence[Item]) -> Iterator[_Neighbours]:
    for index in range(len(row)):
        yield (row[index - 1] if index else None, row[index + 1] if index + 1 < len(row) else None)


def _room(item: Item, beside: dict[int, _Neighbours]) -> tuple[float, float]:
    """How far to the left and to the right an item can go without coming too near to its neighbours."""
    left, right = beside[id(item)]
    least = left.right + _gap(left, item) + item.width / 2 if left else float("-inf")
    most = right.left - _gap(item, right) - item.width / 2 if right else float("inf")
    return least, max(least, most)


def _straighten(run: Sequence[Item], beside: dict[int, _Neighbours]) -> None:
    """Cut the inner part of a chain into as few pieces as can each stand on one vertical line, and stand them there."""
    piece: list[Item] = []
    least, most = float("-inf"), float("inf")
    for item in run:
        low, high = _room(item, beside)
        if piece and max(least, low) > min(most, high):
            _align(piece, least, most)
            piece, least, most = [], float("-inf"), float("inf")
        piece.append(item)
        least, most = max(least, low), min(most, high)
    if piece:
        _align(piece, least, most)


def _align(piece: Sequence[Item], least: float, most: float) -> None:
    """Stand a piece on one line: in line with what comes before and after it, if there is room."""
    ends = [other.x for other, _ in piece[0].ups] + [other.x for other, _ in piece[-1].downs]
    wish = sum(ends) / len(ends) if len(piece) == 1 else sum(item.x for item in piece) / len(piece)
    x = min(max(wish, least), most)
    for item in piece:
        item.x = x


def _recentre(row: Sequence[Item], beside: dict[int, _Neighbours]) -> None:
    """Let boxes follow the lines that were pulled straight."""
    for item in row:
        if item.box:
            least, most = _room(item, beside)
            item.x = min(max(item.wish()[0], least), most)
