"""Services and configuration items as rows of a file, CSV or JSON: one form for import, export and the demo.

Each row is one thing: `record` says which sort (`item` if it is left out), `key` which one, the other columns are its fields,
and a column named as a relation holds the keys of what it is related to. A JSON file is a list of such rows. An empty cell says
nothing. A column that nobody knows refuses the file: it may have been meant to do something.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

from itsm.platform import sheets
from itsm.platform.errors import DeskError, Kind
from itsm.platform.sheets import BROKEN, Lines, Rows
from itsm.services import rules
from itsm.services.rules import FIELDS, Node, Relation, Sort

MOST_BYTES: Final = 8 << 20
MOST_ROWS: Final = 10_000
MOST_RELATED: Final = 500
"""How many keys one row may name in one relation."""

RECORD, KEY = "record", "key"
RELATIONS: Final = tuple(str(kind) for kind in Relation)
COLUMNS: Final = (RECORD, KEY, *dict.fromkeys([*FIELDS[Sort.ITEM], *FIELDS[Sort.SERVICE]]), *RELATIONS)

_BETWEEN: Final = re.compile(r"[;\s]+")


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says of a thing: the fields that it gives, and what it is related to."""

    number: int
    node: Node
    values: Mapping[str, str]
    related: tuple[tuple[Relation, Node], ...]


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row is left out. `row` is its first line in CSV, its place from 1 in JSON; `column` may be empty."""

    row: int
    key: str
    column: str
    code: str
    message: str


class _Wrong(Exception):
    """A fault of one row, before its number is known."""

    def __init__(self, column: str, code: str, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.code = code


def read(stream: BinaryIO, file: str) -> Iterator[Row | RowFault]:
    """Every row of a file, and every one that cannot be understood.

    Raises `DeskError` for the file as a whole: `too_large`, `too_many_rows`, `unknown_column`, `bad_csv`, `bad_json`.
    """
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DeskError(Kind.TOO_LARGE, "too_large", f"{file}: the file has more than {MOST_BYTES >> 20} MiB; split it.")
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"[", b"{"}
    for count, (number, cells, trouble) in enumerate(_json(data, file) if is_json else _csv(data, file)):
        if count >= MOST_ROWS:
            raise DeskError(Kind.TOO_LARGE, "too_many_rows", f"{file}: there are more than {MOST_ROWS:,} rows; split the file.")
        key = cells.get(KEY)
        try:
            if trouble:
                raise _Wrong("", "bad_row", trouble)
            yield _row(number, cells)
        except _Wrong as wrong:
            yield RowFault(number, key[:100] if isinstance(key, str) else "", wrong.column, wrong.code, str(wrong))


def _csv(data: bytes, file: str) -> Iterator[tuple[int, dict[str, Any], str]]:
    first = data.split(b"\n", 1)[0]
    rows = Rows(Lines(io.BytesIO(data), file, "utf-8"), ";" if first.count(b";") > first.count(b",") else ",")  # type: ignore[arg-type]
    _, header, trouble = next(rows, (1, [], "The file is empty"))
    if trouble or not header:
        raise _refused(file, "bad_csv", f"the first row must name the columns: {trouble or 'it is empty'}.")
    names = [name.strip().lower() for name in header]
    _know(names, file)
    rows.width = len(names)
    for line, cells, wrong in rows:
        if not wrong and len(cells) != len(names):
            wrong = f"The row has {len(cells)} cells; there are {len(names)} columns"
        if not wrong and BROKEN.search("".join(cells)):
            wrong = "The row holds bytes that are no UTF-8"
        told = {name: sheets.meant(cell) for name, cell in zip(names, cells, strict=False)}
        yield line, told, wrong and f"{wrong}."


def _json(data: bytes, file: str) -> Iterator[tuple[int, dict[str, Any], str]]:
    try:
        rows = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise _refused(file, "bad_json", f"this is no JSON: {error}.") from error
    if not isinstance(rows, list):
        raise _refused(file, "bad_json", "a list of rows is expected.")
    _know(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row), file)
    for number, row in enumerate(rows, 1):
        yield number, row if isinstance(row, dict) else {}, "" if isinstance(row, dict) else "The row is no object."


def _know(names: Iterable[str], file: str) -> None:
    names = list(names)
    if unknown := sorted(set(names) - set(COLUMNS)):
        told = ", ".join(f"“{name[:50]}”" for name in unknown[:5])
        raise _refused(file, "unknown_column", f"there is no column {told}; there are {', '.join(COLUMNS)}.")
    if len(set(names)) < len(names):
        raise _refused(file, "double_column", "a column is there twice.")


def _refused(file: str, code: str, sentence: str) -> DeskError:
    return DeskError(Kind.INVALID, code, f"{file}: {sentence}")


def _row(number: int, cells: Mapping[str, Any]) -> Row:
    given = {name: cell for name, cell in cells.items() if cell not in (None, "", [])}
    record = given.pop(RECORD, Sort.ITEM)
    if not isinstance(record, str) or record not in set(Sort):
        raise _Wrong(RECORD, "unknown_record", f"A record is {' or '.join(Sort)}, not “{str(record)[:50]}”.")
    node = Node(Sort(record), _text(KEY, given.pop(KEY, "")).strip())
    values: dict[str, str] = {}
    related: list[tuple[Relation, Node]] = []
    for name, cell in given.items():
        if name in FIELDS[node.sort]:
            values[name] = _text(name, cell)
        elif name in RELATIONS and Relation(name) in rules.kinds_from(node.sort):
            kind = Relation(name)
            related += [(kind, Node(rules.target_sort(node.sort, kind), key)) for key in _keys(name, cell)]
        else:
            noun = "service" if node.sort is Sort.SERVICE else "configuration item"
            raise _Wrong(name, "not_for_this", f"A {noun} has no {name}.")
    return Row(number, node, values, tuple(related))


def _text(name: str, cell: object) -> str:
    if not isinstance(cell, str):
        raise _Wrong(name, "wrong_type", "A text is expected.")
    return cell


def _keys(name: str, cell: object) -> list[str]:
    keys = cell if isinstance(cell, list) else _BETWEEN.split(_text(name, cell).strip())
    if len(keys) > MOST_RELATED:
        raise _Wrong(name, "too_many", f"A row names at most {MOST_RELATED} keys in one relation.")
    return list(dict.fromkeys(_text(name, key) for key in keys))


def errors(faults: Iterable[RowFault]) -> str:
    """The error file of an import, as CSV."""
    lines = ((str(each.row), each.key, each.column, each.code, each.message) for each in faults)
    return sheets.write([("row", "key", "column", "code", "message"), *lines])


def written(things: Iterable[tuple[Node, Mapping[str, str | None], Mapping[str, list[str]]]]) -> str:
    """Things, each with its values and the keys by relation, as CSV that an import takes again."""
    lines = [COLUMNS]
    for node, values, related in things:
        cells = {RECORD: str(node.sort), KEY: node.key, **{name: value or "" for name, value in values.items()}}
        cells.update({kind: " ".join(keys) for kind, keys in related.items()})
        lines.append(tuple(cells.get(name, "") for name in COLUMNS))
    return sheets.write(lines)
