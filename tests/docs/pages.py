"""The pages of the handbook, taken apart: headings, links, fenced blocks, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Page:
    """A page: where it is, and its text."""

    path: Path
    text: str

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def headings(self) -> list[str]:
        """Every heading, without its marks."""
        return re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)

    @property
    def anchors(self) -> set[str]:
        """What a link within the page can lead to: a heading's letters and digits, blanks as dashes."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    @property
    def links(self) -> list[str]:
        """Every link's target."""
        return _LINK.findall(self.prose)

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks in a language, in order."""
        return [text for name, text in _FENCE.findall(self.text) if name == language]

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next of its level or above."""
        match = re.search(rf"^(#+) {re.escape(heading)}\n(.*)", self.text, re.MULTILINE | re.DOTALL)
        assert match is not None, f"{self.path.name} has no heading “{heading}”"
        rest: str = match[2]
        after = re.search(rf"^#{{1,{len(match[1])}}} ", _without_fences(rest), re.MULTILINE)
        return rest[: after.start()] if after else rest

    def first_cells(self) -> set[str]:
        """The code words in the first column of the page's tables: `a`, `b` gives both."""
        return {
            word for row in re.findall(r"^\s*\| ([^|]*) \|", self.text, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)
        }


def _without_fences(text: str) -> str:
    """The text with fenced blocks blanked out, every character in its place."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def page(name: str) -> Page:
    """A page of `docs/`."""
    return Page(DOCS / name, (DOCS / name).read_text())


def pages() -> Iterator[Page]:
    """Every page: those of `docs/`, and the README where there is one."""
    for path in sorted([*DOCS.rglob("*.md"), *ROOT.glob("README.md")]):
        yield Page(path, path.read_text())
