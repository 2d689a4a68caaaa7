"""A life cycle as a drawing that stands alone: no script, no style sheet, no font and nothing fetched.

It can be put into a page as it is: only presentation attributes are used, so the strictest content security policy lets it
pass, and every text of the source is escaped. Those who do not see it get it in words (`<desc>`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from itsm.workflow.definition import Category, Workflow
from itsm.workflow.diagram.layout import Layout, Route, Spot, arrange
from itsm.workflow.diagram.palette import BACK, INK, PALETTE, PAPER, QUIET
from itsm.workflow.diagram.picture import Arrow, Node, Picture, paint
from itsm.workflow.diagram.rows import Link
from itsm.workflow.diagram.shapes import outline
from itsm.workflow.diagram.text import literal, shortened, width

MARGIN: Final = 28.0
HEADING: Final = 34.0
START: Final = 34.0
"""Room above the first row for the dot that marks the beginning."""

LEGEND: Final = 58.0
LINE: Final = 15.0
LONGEST: Final = 44
FONT: Final = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class _Pen:
    """How an arrow is drawn: its colour, its head, and its dashes if it has any."""

    colour: str
    head: str
    dashes: str = ""


_FORWARD: Final = _Pen(QUIET, "a")
_BACK: Final = _Pen(BACK, "b")
_DASHES: Final = ' stroke-dasharray="5 4"'


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of words: the text and how it is set."""

    text: str
    size: float
    style: str

    @property
    def width(self) -> float:
        return width(self.text, self.size)


def svg(workflow: Workflow) -> str:
    """The drawing, as one SVG element."""
    picture = paint(workflow)
    sizes = {node.name: _node_size(node) for node in picture.nodes}
    links = [Link(arrow.source, arrow.target, *_words_size(arrow)) for arrow in picture.arrows]
    layout = arrange(sizes, links)
    return "\n".join(_Drawing(picture, sizes, links, layout).elements()) + "\n"


class _Drawing:
    """Puts an arranged picture on paper, from back to front: arrows, then their words, then the boxes."""

    def __init__(self, picture: Picture, sizes: dict[str, tuple[float, float]], links: list[Link], layout: Layout) -> None:
        self._picture = picture
        self._sizes = sizes
        self._links = links
        self._layout = layout
        self._id = f"{sha256(picture.name.encode()).hexdigest()[:8]}"
        heading = width(picture.title, 18.5)
        self._width = max(layout.width, heading, self._legend_width()) + 2 * MARGIN
        self._height = HEADING + START + layout.height + LEGEND + 2 * MARGIN

    def elements(self) -> Iterator[str]:
        """The lines of the drawing."""
        across, down = f"{self._width:.0f}", f"{self._height:.0f}"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" viewBox="0 0 {across} {down}" role="img"'
            f' aria-labelledby="t{self._id} d{self._id}" font-family="{FONT}">'
        )
        yield f'<title id="t{self._id}">{literal(self._picture.title)}</title>'
        yield f'<desc id="d{self._id}">{literal(self._picture.words())}</desc>'
        yield f"<defs>{self._head('a', QUIET)}{self._head('b', BACK)}</defs>"
        yield f'<rect width="{across}" height="{down}" fill="{PAPER}"/>'
        yield _text(self._width / 2, MARGIN + 14, _Line(self._picture.title, 17.0, 'font-weight="600"'), INK)
        left = (self._width - self._layout.width) / 2
        yield f'<g transform="translate({left:.1f} {MARGIN + HEADING + START:.1f})">'
        yield from self._beginning()
        for arrow, route in zip(self._picture.arrows, self._layout.routes, strict=True):
            yield self._line(route.path, _pen(arrow, route))
        for arrow, link, route in zip(self._picture.arrows, self._links, self._layout.routes, strict=True):
            yield from _words(arrow, link, route.words)
        for node in self._picture.nodes:
            yield from self._box(node)
        yield "</g>"
        yield from self._legend()
        yield "</svg>"

    def _head(self, name: str, colour: str) -> str:
        return (
            f'<marker id="{name}{self._id}" viewBox="0 0 10 10" refX="9.2" refY="5" markerWidth="7" markerHeight="7"'
            f' orient="auto"><path d="M0 0.8 10 5 0 9.2 2 5Z" fill="{colour}"/></marker>'
        )

    def _beginning(self) -> Iterator[str]:
        for node in self._picture.nodes:
            if node.initial:
                spot, height = self._layout.boxes[node.name], self._sizes[node.name][1]
                yield f'<circle cx="{spot.x:.1f}" cy="-28" r="5" fill="{QUIET}"/>'
                yield self._line(f"M{spot.x:.1f} -22V{spot.y - height / 2:.1f}", _FORWARD)

    def _line(self, path: str, pen: _Pen) -> str:
        """A line with its head, and beneath it a paper-coloured one, so that it is seen which of two crossing lines goes on."""
        return (
            f'<path d="{path}" fill="none" stroke="{PAPER}" stroke-width="3.6"/>'
            f'<path d="{path}" fill="none" stroke="{pen.colour}" stroke-width="1.4"{pen.dashes}'
            f' marker-end="url(#{pen.head}{self._id})"/>'
        )

    def _box(self, node: Node) -> Iterator[str]:
        spot, (across, down) = self._layout.boxes[node.name], self._sizes[node.name]
        colour = PALETTE[node.category].text
        yield f"<g>{outline(node.category, spot.x, spot.y, across, down)}"
        yield from _lines(_node_lines(node), spot, colour)
        yield "</g>"

    def _legend(self) -> Iterator[str]:
        y = self._height - MARGIN - 8
        x = (self._width - self._legend_width()) / 2
        yield f'<path d="M{MARGIN:.0f} {y - 26:.1f}H{self._width - MARGIN:.1f}" stroke="#d1d5db" stroke-width="1"/>'
        for sign, entry in self._entries():
            yield outline(sign, x + 17, y, 34, 20) if isinstance(sign, Category) else self._line(f"M{x:.1f} {y:.1f}h34", sign)
            yield f'<text x="{x + 42:.1f}" y="{y + 4:.1f}" font-size="12" fill="{INK}">{literal(entry)}</text>'
            x += _entry_width(entry)

    def _entries(self) -> Iterator[tuple[Category | _Pen, str]]:
        """What the legend explains: the categories and kinds of arrows that occur."""
        used = {node.category for node in self._picture.nodes}
        yield from ((category, PALETTE[category].legend) for category in Category if category in used)
        if any(route.back for route in self._layout.routes):
            yield _BACK, "back"
        if any(arrow.automatic for arrow in self._picture.arrows):
            yield replace(_FORWARD, dashes=_DASHES), "only by itself"

    def _legend_width(self) -> float:
        return sum(_entry_width(entry) for _, entry in self._entries())


def _pen(arrow: Arrow, route: Route) -> _Pen:
    pen = _BACK if route.back else _FORWARD
    return replace(pen, dashes=_DASHES) if arrow.automatic else pen


def _node_lines(node: Node) -> list[_Line]:
    lines = [_Line(shortened(node.title, LONGEST), 13.5, 'font-weight="600"')]
    for label in node.stays:
        lines.append(_Line(f"↻ {shortened(label.text, LONGEST)}", 11.5, ""))
        lines += [_Line(shortened(note, LONGEST), 10.5, 'font-style="italic"') for note in label.notes]
    return lines


def _node_size(node: Node) -> tuple[float, float]:
    lines = _node_lines(node)
    return max(104.0, max(line.width for line in lines) + 40), 18 + len(lines) * (LINE + 1)


def _arrow_lines(arrow: Arrow) -> list[tuple[_Line, str]]:
    lines: list[tuple[_Line, str]] = []
    for label in arrow.labels:
        lines.append((_Line(shortened(label.text, LONGEST), 12.0, ""), INK))
        lines += [(_Line(shortened(note, LONGEST), 10.5, 'font-style="italic"'), QUIET) for note in label.notes]
    return lines


def _words_size(arrow: Arrow) -> tuple[float, float]:
    lines = _arrow_lines(arrow)
    return max(line.width for line, _ in lines) + 8, len(lines) * LINE + 2


def _words(arrow: Arrow, link: Link, spot: Spot) -> Iterator[str]:
    left, top = spot.x - link.width / 2, spot.y - link.height / 2
    yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{link.width:.1f}" height="{link.height:.1f}" rx="3" fill="{PAPER}"/>'
    for number, (line, colour) in enumerate(_arrow_lines(arrow)):
        yield _text(spot.x, top + 1 + (number + 0.76) * LINE, line, colour)


def _lines(lines: list[_Line], spot: Spot, colour: str) -> Iterator[str]:
    first = spot.y - (len(lines) - 1) * (LINE + 1) / 2 + 4.6
    for number, line in enumerate(lines):
        yield _text(spot.x, first + number * (LINE + 1), line, colour)


def _text(x: float, y: float, line: _Line, colour: str) -> str:
    style = f" {line.style}" if line.style else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{line.size:g}" text-anchor="middle" fill="{colour}"{style}>'
        f"{literal(line.text)}</text>"
    )


def _entry_width(entry: str) -> float:
    return 42 + width(entry, 12.0) + 20
