"""The second step of the layout: the order of items in each row, so that few lines cross.

Barycentre sweeps with exchanges of neighbours (Sugiyama, Tagawa and Toda, 1981, §III; Gansner and others, 1993, §3): a
heuristic, for the exact problem is NP-hard. It is deterministic: one source, one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from itsm.workflow.diagram.rows import Item

SWEEPS: Final = 24


def untangle(rows: Sequence[Sequence[Item]]) -> list[list[Item]]:
    """The rows in the best order that was found, beginning from several first orders."""
    starts = [_by_descent(rows, step) for step in (1, -1)]
    starts.append([list(row) for row in rows])
    return min((_untangled(start) for start in starts), key=_crossings)


def _untangled(rows: list[list[Item]]) -> list[list[Item]]:
    current = best = rows
    fewest = _crossings(best)
    for sweep in range(SWEEPS):
        current = _swept(current, downwards=sweep % 2 == 0)
        _exchange(current)
        count = _crossings(current)
        if count < fewest:
            best, fewest = [list(row) for row in current], count
        if not fewest:
            break
    return best


def _by_descent(rows: Sequence[Sequence[Item]], step: int) -> list[list[Item]]:
    """A first order: as a walk down from the first box meets the items, from left to right (1) or right to left (-1)."""
    met: dict[int, int] = {}
    pending = [item for row in reversed(rows) for item in reversed(row) if not item.ups]
    while pending:
        item = pending.pop()
        if id(item) not in met:
            met[id(item)] = len(met)
            pending.extend(below for below, _ in item.downs[::-step])
    return [sorted(row, key=lambda item: met[id(item)]) for row in rows]


def _swept(rows: list[list[Item]], *, downwards: bool) -> list[list[Item]]:
    """Every row sorted by the mean position of its neighbours in the row before it."""
    places = {id(item): float(index) for row in rows for index, item in enumerate(row)}
    result = list(rows)
    for number in range(len(rows)) if downwards else reversed(range(len(rows))):
        result[number] = sorted(result[number], key=lambda item: _mean(item, places, upwards=downwards))
        for index, item in enumerate(result[number]):
            places[id(item)] = float(index)
    return result


def _mean(item: Item, places: dict[int, float], *, upwards: bool) -> float:
    neighbours = item.ups if upwards else item.downs
    if not neighbours:
        return places[id(item)]
    return sum(places[id(other)] for other, _ in neighbours) / len(neighbours)


def _exchange(rows: list[list[Item]]) -> None:
    """Swap neighbours as long as it helps."""
    places = {id(item): index for row in rows for index, item in enumerate(row)}
    improved = True
    while improved:
        improved = False
        for row in rows:
            for index in range(len(row) - 1):
                left, right = row[index], row[index + 1]
                if _crossed(right, left, places) < _crossed(left, right, places):
                    row[index], row[index + 1] = right, left
                    places[id(right)], places[id(left)] = index, index + 1
                    improved = True


def _crossed(left: Item, right: Item, places: dict[int, int]) -> int:
    """How many lines of two neighbours cross when `left` stands left of `right`."""
    return sum(
        places[id(of_left)] > places[id(of_right)]
        for lefts, rights in ((left.ups, right.ups), (left.downs, right.downs))
        for of_left, _ in lefts
        for of_right, _ in rights
    )


def _crossings(rows: Sequence[Sequence[Item]]) -> int:
    """How many lines cross in all."""
    places = {id(item): index for row in rows for index, item in enumerate(row)}
    total = 0
    for row in rows:
        lines = [(places[id(item)], places[id(below)]) for item in row for below, _ in item.downs]
        total += sum((a < c) != (b < d) for i, (a, b) in enumerate(lines) for c, d in lines[i + 1 :] if a != c and b != d)
    return total
