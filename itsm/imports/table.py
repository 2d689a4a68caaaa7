"""Logs as tables: CSV, one row for each event, with the names of the columns in the first row.

Rows of one case need not stand together, and a whole file need not fit in memory: rows go through a temporary database on disk,
which gives them back case by case, cases in the order of their first row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import orjson

from itsm.imports.log import MOST_CHARACTERS, MOST_EVENTS, MOST_WEIGHT, Fault, SourceCase, SourceEvent, unreadable
from itsm.imports.stream import Stream
from itsm.platform.sheets import BROKEN, Lines, Rows

_MOST_COLUMNS = 2_000
_BATCH = 1_000
_PUT_ASIDE = "INSERT INTO rows VALUES (?, ?, ?, ?)"

_GROUPED = """
SELECT rows.case_id, rows.line, rows.cells, rows.trouble FROM rows
JOIN (SELECT case_id, min(line) AS first FROM rows GROUP BY case_id) USING (case_id) ORDER BY first, line
"""


class TableLog:
    """A log in CSV. `case` names the column that holds a row's case; `unknown` cells count as not given."""

    def __init__(self, stream: Stream, file: str, case: str, unknown: frozenset[str], delimiter: str, encoding: str) -> None:
        self._stream = stream
        self._file = file
        self._case = case
        self._unknown = unknown
        self._rows = Rows(Lines(stream, file, encoding), delimiter)
        self._done = self._total = 0
        self.columns = self._header()

    @property
    def progress(self) -> float:
        return self._done / self._total if self._total else 0.0

    def _header(self) -> list[str]:
        _, columns, trouble = next(self._rows, (1, [], ""))
        if trouble:
            raise unreadable(f"{self._file}:1", "bad_csv", f"The first row cannot be read: {trouble}.")
        if not columns:
            raise unreadable(f"{self._file}:1", "no_header", "The first row must name the columns.")
        if len(columns) > _MOST_COLUMNS:
            raise unreadable(f"{self._file}:1", "too_many_columns", f"There are more than {_MOST_COLUMNS:,} columns.")
        doubles = sorted({name for name in columns if columns.count(name) > 1})
        if doubles:
            raise unreadable(f"{self._file}:1", "double_column", f"A column is there twice: {', '.join(doubles)}.")
        self._rows.width = len(columns)
        return columns

    def cases(self) -> Iterator[SourceCase | Fault]:
        """Every case, and every row that belongs to none. Raises `DeskError` where the file cannot be read any further."""
        place = self.columns.index(self._case)
        spool = sqlite3.connect("")
        try:
            spool.execute("CREATE TABLE rows (case_id TEXT, line INTEGER, cells BLOB, trouble TEXT)")
            yield from self._fill(spool, place)
            spool.execute("CREATE INDEX by_case ON rows (case_id, line)")
            (self._total,) = spool.execute("SELECT count(DISTINCT case_id) FROM rows").fetchone()
            for case, rows in groupby(spool.execute(_GROUPED), key=itemgetter(0)):
                self._done += 1
                yield self._case_of(case, rows)
        finally:
            spool.close()

    def _fill(self, spool: sqlite3.Connection, place: int) -> Iterator[Fault]:
        """Put every row aside; what cannot be told to be a row of any case is a fault of its own."""
        batch: list[tuple[str, int, bytes, str]] = []
        for line, cells, trouble in self._rows:
            case = cells[place].strip() if place < len(cells) else ""
            if not case or case in self._unknown or BROKEN.search(case):
                message = trouble or f"The row says nothing in the column “{self._case}”"
                yield Fault(line, None, "bad_csv" if trouble else "missing_case", f"{message}.", _told(cells))
                continue
            if BROKEN.search("".join(cells)):
                cells = [BROKEN.sub("\ufffd", cell) for cell in cells]
                trouble = trouble or "The row holds bytes that are no text in the encoding of the mapping"
            batch.append((case, line, orjson.dumps(cells), trouble))
            if len(batch) == _BATCH:
                spool.executemany(_PUT_ASIDE, batch)
                batch.clear()
        spool.executemany(_PUT_ASIDE, batch)

    def _case_of(self, case: str, rows: Iterator[tuple[str, int, bytes, str]]) -> SourceCase:
        events: list[SourceEvent] = []
        faults: dict[str, Fault] = {}
        weight = first = 0
        for _, line, packed, broken in rows:
            first = first or line
            weight += len(packed)
            cells = orjson.loads(packed)
            code, message = ("bad_csv", f"{broken}.") if broken else self._trouble(cells, len(events), weight)
            if code:
                faults.setdefault(code, Fault(line, case, code, message, _told(cells)))
                continue
            pairs = zip(self.columns, cells, strict=True)
            events.append(SourceEvent(line, {name: value for name, value in pairs if value and value not in self._unknown}))
        return SourceCase(case, first, {self._case: case}, tuple(events), tuple(faults.values()))

    def _trouble(self, cells: list[str], events: int, weight: int) -> tuple[str, str]:
        if len(cells) != len(self.columns):
            return "wrong_columns", f"The row has {len(cells)} cells; there are {len(self.columns)} columns."
        if "\x00" in "".join(cells):
            return "nul", "The row holds NUL characters."
        if max(map(len, cells)) > MOST_CHARACTERS:
            return "too_long", f"A cell has more than {MOST_CHARACTERS:,} characters."
        if events >= MOST_EVENTS:
            return "too_many_events", f"The case has more than {MOST_EVENTS:,} events."
        if weight > MOST_WEIGHT:
            return "too_large", f"The case has more than {MOST_WEIGHT:,} characters."
        return "", ""


def _told(cells: list[str]) -> list[str]:
    """Cells as the error file shows them."""
    return [BROKEN.sub("\ufffd", cell)[:200] for cell in cells[:100]]
