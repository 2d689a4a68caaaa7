"""Spreadsheets as CSV (RFC 4180): reading what others wrote, one odd row at a time, and writing what no program runs.

A cell that begins like a formula is text here, and stays text for whoever opens what we write (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from itsm.platform.errors import DeskError, Kind

_MOST_LINE: Final = 1 << 20
"""How many characters one line may have."""

BROKEN: Final = re.compile("[\udc80-\udcff]")
"""What stands for a byte that could not be decoded."""

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def harmless(cell: str) -> str:
    """The cell as it is written to a sheet: what a spreadsheet would run gets an apostrophe in front."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def meant(cell: str) -> str:
    """What a cell of a sheet says, without the apostrophe that `harmless` put there: its inverse."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def write(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV, every cell harmless."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


class Lines:
    """The lines of a text, counted, of bounded length. Lines that were taken too many can be given `back`."""

    def __init__(self, stream: io.RawIOBase, file: str, encoding: str) -> None:
        encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        buffered = io.BufferedReader(stream, 1 << 16)
        self._text = io.TextIOWrapper(buffered, encoding=encoding, errors="surrogateescape", newline="")
        self._file = file
        self._returned: deque[str] = deque()
        self.count = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._text.readline(_MOST_LINE + 1)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) > _MOST_LINE:
            sentence = f"The line has more than {_MOST_LINE:,} characters."
            raise DeskError(Kind.MALFORMED, "line_too_long", f"{self._file}:{self.count}: {sentence}")
        self.taken.append(line)
        return line

    def back(self) -> None:
        """Give back all lines that were taken but the first."""
        self._returned.extendleft(reversed(self.taken[1:]))
        self.count -= len(self.taken) - 1


class Rows:
    """Rows of cells, each with the line it begins on and what is wrong with it, in words, if anything.

    A quotation mark that is never closed would swallow the rows below. So a row that cannot be read, and one of several lines
    that has not as many cells as there are columns (`width`), is taken to be its first line only, and reading goes on below it.
    """

    def __init__(self, lines: Lines, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self.width: int | None = None

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        return self

    def __next__(self) -> tuple[int, list[str], str]:
        while True:
            line = self._lines.count + 1
            self._lines.taken.clear()
            try:
                cells = next(self._reader)
            except csv.Error as error:
                return line, self._first_line_only(), f"The row is not CSV: {error}"
            if len(self._lines.taken) > 1 and self.width not in {None, len(cells)}:
                return line, self._first_line_only(), "The row runs over several lines, with too few or too many cells"
            if cells:
                return line, cells, ""

    def _first_line_only(self) -> list[str]:
        self._lines.back()
        first = self._lines.taken[0].rstrip("\r\n")
        try:
            return next(csv.reader([first], delimiter=self._delimiter), [])
        except csv.Error:
            return [first]
