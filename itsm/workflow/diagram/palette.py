"""How each category looks: a colour and, for those who do not tell colours apart, a shape (see `shapes.py`).

Text on its fill keeps a contrast of at least 7:1, lines on white at least 4.5:1 (WCAG 2.2, §1.4.6 and §1.4.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from itsm.workflow.definition import Category


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of one category and what the legend calls it."""

    fill: str
    line: str
    text: str
    legend: str


PALETTE: Final = {
    Category.NEW: Look("#ede9fe", "#6d28d9", "#2e1065", "new"),
    Category.OPEN: Look("#dbeafe", "#1d4ed8", "#172554", "open"),
    Category.PENDING: Look("#fef3c7", "#b45309", "#451a03", "pending"),
    Category.RESOLVED: Look("#dcfce7", "#15803d", "#052e16", "resolved"),
    Category.CLOSED: Look("#e5e7eb", "#4b5563", "#111827", "closed"),
}

INK: Final = "#1f2937"
QUIET: Final = "#4b5563"
BACK: Final = "#9a3412"
"""Arrows that run back towards the start; their heads tell the same without colour."""

PAPER: Final = "#ffffff"
