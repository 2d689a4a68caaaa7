"""How wide words are, and how they are written into XML.

No font is shipped or measured: widths are those of a wide sans serif, so that text fits its box in whatever
font the reader has.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import combining, east_asian_width
from xml.sax.saxutils import escape as escape_xml

_NARROW: Final = frozenset("fijlrt.,:;'|!()[]{}·- ")
_BROAD: Final = frozenset("mwMWQO@%&→↻…—")
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def width(text: str, size: float) -> float:
    """The width of a line of text at a font size, in the same unit, rather too much than too little."""
    return size * sum(_em(char) for char in text)


def printable(text: str) -> str:
    """Text without the characters that XML 1.0 (§2.2) forbids: U+FFFD stands in for each."""
    return _FORBIDDEN.sub("\ufffd", text)


def literal(text: str) -> str:
    """Text for XML, meant as it stands: markup is escaped."""
    return escape_xml(printable(text), {'"': "&quot;", "'": "&#39;"})


def shortened(text: str, longest: int) -> str:
    """Text on one line, cut with an ellipsis where it is longer than a drawing can bear."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _em(char: str) -> float:
    if combining(char):
        return 0.0
    if char in _NARROW:
        return 0.39
    if char in _BROAD or east_asian_width(char) in "WF":
        return 1.0
    if char.isupper():
        return 0.74
    return 0.63
