"""Where things stand in a drawing: boxes in rows from first to last, arrows as curves between rows, words on the arrows.

A layered layout (Sugiyama, Tagawa and Toda, 1981) in four steps: rank the boxes, order each row, place the items of a row,
route the curves. What makes it legible is one idea: between every two rows of boxes lies a row of words, and wherever an arrow
crosses a row it takes up room there like any other item. Curves bend only in the bands between rows, so no line and no word
can ever lie on a box, nor one word on another. It knows nothing of workflows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from itsm.workflow.diagram.order import untangle
from itsm.workflow.diagram.place import place
from itsm.workflow.diagram.rows import Item, Link, build_rows

BAND: Final = 14.0
"""Least height of the band in which curves bend; it grows with how far they swing."""

STUB: Final = 10.0
"""How far an arrow runs straight before it touches a box, so that its head points at it."""

PORT: Final = 16.0
"""Distance at which arrows leave a box from one another, where there is room."""


@dataclass(frozen=True, slots=True)
class Spot:
    """The centre of something that was placed."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Route:
    """An arrow's way: SVG path data from source to target, the centre of its words, whether it runs back up."""

    path: str
    words: Spot
    back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A finished arrangement: its size, a place for every box, a route for every link in the order they were given."""

    width: float
    height: float
    boxes: Mapping[str, Spot]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where an arrow crosses a row: its x, and the heights at which it comes in and goes out."""

    x: float
    top: float
    bottom: float


def arrange(sizes: Mapping[str, tuple[float, float]], links: Sequence[Link]) -> Layout:
    """Lay out boxes, given by name with their width and height in life order, and the links between different ones."""
    rows, chains = build_rows(sizes, links)
    rows = untangle(rows)
    place(rows, chains)
    router = _Router(rows, sizes)
    router.share_out(chains)
    routes = tuple(router.route(link, chain) for link, chain in zip(links, chains, strict=True))
    width = max((item.right for row in rows for item in row), default=0.0)
    return Layout(width, router.height, router.spots, routes)


class _Router:
    """Draws the curves once everything has its place; shares out each box's edge among the arrows that meet there."""

    def __init__(self, rows: Sequence[Sequence[Item]], sizes: Mapping[str, tuple[float, float]]) -> None:
        self._tops: list[float] = []
        self._bottoms: list[float] = []
        self._stack(rows)
        self._sizes = sizes
        self._ports: dict[tuple[int, str], float] = {}
        self.spots = {item.box: Spot(item.x, self._middle(item)) for row in rows for item in row if item.box}
        self.height = self._bottoms[-1] if rows else 0.0

    def _stack(self, rows: Sequence[Sequence[Item]]) -> None:
        """Give every row its top and bottom; a band is the higher the farther its curves swing."""
        y = 0.0
        for row in rows:
            self._tops.append(y)
            y += max((item.height + 2 * STUB * bool(item.box) for item in row), default=0.0)
            self._bottoms.append(y)
            swing = max((abs(item.x - below.x) for item in row for below, _ in item.downs), default=0.0)
            y += BAND + min(40.0, swing * 0.12)

    def _middle(self, item: Item) -> float:
        return (self._tops[item.row] + self._bottoms[item.row]) / 2

    def share_out(self, chains: Iterable[Sequence[Item]]) -> None:
        """Give every chain its port at both of its boxes, from left to right as the arrows come in."""
        sides: dict[tuple[str, str], list[tuple[float, int]]] = {}
        for chain in chains:
            sides.setdefault((chain[0].box, "bottom"), []).append((chain[1].x, id(chain)))
            sides.setdefault((chain[-1].box, "top"), []).append((chain[-2].x, id(chain)))
        for (box, side), arrivals in sides.items():
            step = min(PORT, (self._sizes[box][0] - 36) / max(1, len(arrivals) - 1))
            first = self.spots[box].x - step * (len(arrivals) - 1) / 2
            for position, (_, chain_id) in enumerate(sorted(arrivals)):
                self._ports[chain_id, side] = first + position * step

    def route(self, link: Link, chain: Sequence[Item]) -> Route:
        """The curve of one link: straight through rows, bent between them, drawn from its source to its target."""
        upper, *between, lower = chain
        leaves = self.spots[upper.box].y + self._sizes[upper.box][1] / 2
        arrives = self.spots[lower.box].y - self._sizes[lower.box][1] / 2
        stops = [
            _Stop(self._ports[id(chain), "bottom"], leaves, self._bottoms[upper.row]),
            *(_Stop(item.x, self._tops[item.row], self._bottoms[item.row]) for item in between),
            _Stop(self._ports[id(chain), "top"], self._tops[lower.row], arrives),
        ]
        back = link.source != upper.box
        if back:
            stops = [_Stop(stop.x, stop.bottom, stop.top) for stop in reversed(stops)]
        words = next(item for item in between if item.words)
        return Route(_path(stops), Spot(words.x, self._middle(words)), back)


def _path(stops: Sequence[_Stop]) -> str:
    """SVG path data: a vertical line in every row, a cubic curve with vertical ends in every band."""
    here = stops[0]
    parts = [f"M{here.x:.1f} {here.top:.1f}V{here.bottom:.1f}"]
    for stop in stops[1:]:
        if abs(stop.x - here.x) > 0.05:
            bend = (here.bottom + stop.top) / 2
            parts.append(f"C{here.x:.1f} {bend:.1f} {stop.x:.1f} {bend:.1f} {stop.x:.1f} {stop.top:.1f}")
        parts.append(f"V{stop.bottom:.1f}")
        here = stop
    return "".join(parts)
