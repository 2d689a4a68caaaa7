"""One statement for many rows on PostgreSQL: a change written for one row, widened to take each parameter as an array.

A row of `executemany` costs the driver and the server some 60 µs before anything is done about it; of a dozen arrays, which
`unnest` turns into rows, it costs a tenth of that. SQLite has no such way to go between the two, and needs none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PARAMETER = re.compile(r"%\((\w+)\)s(?:::\w+)?")
_INSERT = re.compile(r"(INSERT INTO \w+ \([^()]*\) )VALUES (?=\()")


@dataclass(frozen=True, slots=True)
class Widened:
    """A statement for many rows: `arrays` are the parameters that it takes as arrays, `alone` those that it takes once."""

    sql: str
    arrays: Sequence[str]
    alone: Sequence[str]

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """The parameters of these rows; None if they differ in what the statement takes only once."""
        first = rows[0]
        if any(row[name] != first[name] for name in self.alone for row in rows):
            return None
        return {name: [row[name] for row in rows] for name in self.arrays} | {name: first[name] for name in self.alone}


def widen(sql: str, types: Mapping[str, str]) -> Widened | None:
    """The statement that does at once what `sql` does row by row, where no two rows touch the same row of the table.

    `sql` inserts one row, updates or deletes, with parameters like `%(name)s`; `types` are theirs in SQL. None for a statement
    of another shape, or one with a parameter whose type nobody knows.
    """
    if (insert := _INSERT.match(sql)) is not None:
        end = _closing(sql, insert.end())
        row, tail = sql[insert.end() + 1 : end], sql[end + 1 :]
        frame = f"{insert.group(1)}SELECT {{row}} FROM {{given}}{tail}"  # noqa: S608  (made of a statement of ours)
        return _widened(frame, row, tail, types)
    verb = sql.partition(" ")[0]
    where = _at_top(sql, " WHERE ")
    if verb not in {"UPDATE", "DELETE"} or where is None or (verb == "UPDATE" and _at_top(sql, " FROM ") is not None):
        return None
    joined = " FROM " if verb == "UPDATE" else " USING "
    head, condition = sql[:where], sql[where:]
    return _widened("{row}", f"{head}{joined}{{given}}{condition}", "", types)


def _widened(frame: str, row: str, tail: str, types: Mapping[str, str]) -> Widened | None:
    """The `frame` with the `row`, in which each parameter is now a column of what is given; those of the `tail` stay."""
    arrays = list(dict.fromkeys(_PARAMETER.findall(row)))
    alone = list(dict.fromkeys(_PARAMETER.findall(tail)))
    if not arrays or not set(arrays).isdisjoint(alone) or any(name not in types for name in arrays):
        return None
    columns = ", ".join(f'"{name}"' for name in arrays)
    # In binary: an array as text has every quotation mark of the JSON in it escaped, which costs more than all the rest.
    values = ", ".join(f"%({name})b::{types[name]}[]" for name in arrays)
    turned = _PARAMETER.sub(r'given."\1"', row)
    text = frame.replace("{row}", turned).replace("{given}", f"unnest({values}) AS given({columns})")
    return Widened(text, arrays, alone)


def _closing(sql: str, opening: int) -> int:
    """Where the bracket closes that opens there."""
    depth = 0
    for place in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"a bracket is not closed in {sql}")


def _at_top(sql: str, word: str) -> int | None:
    """Where a word first stands outside all brackets; None if it does not."""
    depth = 0
    for place, character in enumerate(sql):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and sql.startswith(word, place):
            return place
    return None
