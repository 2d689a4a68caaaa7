"""The outline of each category: who cannot tell the colours apart can tell the shapes."""

from __future__ import annotations

from typing import Final

from itsm.workflow.definition import Category
from itsm.workflow.diagram.palette import PALETTE

CORNER: Final = 10.0


def outline(category: Category, x: float, y: float, width: float, height: float) -> str:
    """The SVG shape of a category around a centre: pill, box, hexagon, cut corners, or double frame."""
    look = PALETTE[category]
    paint = f'fill="{look.fill}" stroke="{look.line}" stroke-width="1.6"'
    left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    match category:
        case Category.NEW:
            return _rectangle(left, top, width, height, min(18.0, height / 2), paint)
        case Category.OPEN:
            return _rectangle(left, top, width, height, 5.0, paint)
        case Category.PENDING:
            tip = 1.4 * CORNER
            corners = [
                (left, y),
                (left + tip, top),
                (right - tip, top),
                (right, y),
                (right - tip, bottom),
                (left + tip, bottom),
            ]
            return _polygon(corners, paint)
        case Category.RESOLVED:
            corners = [(left, top + CORNER), (left + CORNER, top), (right - CORNER, top), (right, top + CORNER)]
            corners += [(right, bottom - CORNER), (right - CORNER, bottom), (left + CORNER, bottom), (left, bottom - CORNER)]
            return _polygon(corners, paint)
        case Category.CLOSED:
            frame = f'fill="none" stroke="{look.line}" stroke-width="1"'
            return _rectangle(left, top, width, height, 2.0, paint) + _rectangle(
                left + 4, top + 4, width - 8, height - 8, 1.0, frame
            )


def _rectangle(x: float, y: float, width: float, height: float, radius: float, paint: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:.1f}" {paint}/>'


def _polygon(corners: list[tuple[float, float]], paint: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{points}" stroke-linejoin="round" {paint}/>'
