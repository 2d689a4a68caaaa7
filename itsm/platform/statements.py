"""Statements written once, and a transaction that runs them.

A statement is written in typed SQLAlchemy Core, as a `Prepared`; it is compiled once per kind of database and from then on runs
at nearly the driver's own cost. Everybody but `database.py` imports these from there.
"""

from __future__ import annotations

import itertools
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import PoolProxiedConnection

_STREAMS = itertools.count()


class Prepared:
    """A statement compiled once per kind of database.

    Parameters are given by name at each run. The types of the columns convert both ways, as they do in SQLAlchemy.
    """

    def __init__(self, statement: sa.sql.expression.Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: Dialect) -> _Compiled:
        """The text and converters for `dialect`, made at first use."""
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        return known


class _Compiled:
    """What `Prepared` keeps per dialect: SQL text, how to bind, how to read a row."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.sql: str = compiled.string
        self._defaults: dict[str, Any] = dict(compiled.params)
        self._positions: list[str] | None = compiled.positiontup
        self._binders = [
            (name, process)
            for bind, name in compiled.bind_names.items()
            if (process := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]
        columns = list(getattr(compiled, "_result_columns", ()))
        names = [re.sub(r"\W", "_", column.keyname) for column in columns]
        self._row: Any = namedtuple("Row", names, rename=True) if names else None
        self._readers = [
            (index, process)
            for index, column in enumerate(columns)
            if (process := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def bind(self, parameters: Mapping[str, Any]) -> Any:
        values = {**self._defaults, **parameters}
        for name, process in self._binders:
            values[name] = process(values[name])
        if self._positions is None:
            return values
        return [values[name] for name in self._positions]

    def rows(self, raw: Sequence[Sequence[Any]]) -> list[Any]:
        if not self._readers:
            return [self._row._make(each) for each in raw]
        rows = []
        for each in raw:
            values = list(each)
            for index, process in self._readers:
                values[index] = process(values[index])
            rows.append(self._row._make(values))
        return rows


class Session:
    """One connection in one transaction.

    Rows come back as named tuples, columns under the names the statement gave them.
    """

    def __init__(self, connection: PoolProxiedConnection, dialect: Dialect, count: Callable[[str], None] | None) -> None:
        self._connection: Any = connection
        self._cursor: Any = connection.cursor()
        self.dialect = dialect
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        """What was said in this transaction about people, for whoever listens before the commit: kind and payload."""
        self._count = count

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL; for the few statements that differ."""
        return self.dialect.name == "postgresql"

    def all(self, statement: Prepared, **parameters: Any) -> list[Any]:
        """Every row."""
        compiled = statement.compiled(self.dialect)
        self._execute(compiled.sql, compiled.bind(parameters))
        return compiled.rows(self._cursor.fetchall())

    def first(self, statement: Prepared, **parameters: Any) -> Any:
        """The first row, or None."""
        rows = self.all(statement, **parameters)
        return rows[0] if rows else None

    def one(self, statement: Prepared, **parameters: Any) -> Any:
        """The one row there must be."""
        (row,) = self.all(statement, **parameters)
        return row

    def run(self, statement: Prepared, **parameters: Any) -> int:
        """Execute for the effect; the number of rows touched."""
        compiled = statement.compiled(self.dialect)
        self._execute(compiled.sql, compiled.bind(parameters))
        return int(self._cursor.rowcount)

    def run_many(self, statement: Prepared, rows: Iterable[Mapping[str, Any]]) -> int:
        """Execute once per row, in one round trip where the driver can; the number of rows touched in all."""
        compiled = statement.compiled(self.dialect)
        bound = [compiled.bind(row) for row in rows]
        if len(bound) == 1:
            self._execute(compiled.sql, bound[0])
        elif bound:
            if self._count:
                self._count(compiled.sql)
            self._cursor.executemany(compiled.sql, bound)
        return int(self._cursor.rowcount) if bound else 0

    def stream(self, statement: Prepared, **parameters: Any) -> Iterator[Any]:
        """Every row, a thousand at a time, for answers that need not fit in memory; other statements may run meanwhile."""
        compiled = statement.compiled(self.dialect)
        on_the_server = {"name": f"stream_{next(_STREAMS)}"} if self.is_postgresql else {}
        cursor: Any = self._connection.cursor(**on_the_server)
        if self._count:
            self._count(compiled.sql)
        try:
            cursor.execute(compiled.sql, compiled.bind(parameters))
            while batch := cursor.fetchmany(1000):
                yield from compiled.rows(batch)
        finally:
            cursor.close()

    def as_of_now(self) -> None:
        """Read all that follows as of one moment, as SQLite always does; to be said before anything is read."""
        if self.is_postgresql:
            self.script("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def keep_much(self) -> None:
        """Have this connection keep 64 MiB of what it reads, for whoever reads most of a table in pieces: a piece of a hundred
        pages that lie apart turns over the 2 MiB that SQLite keeps by itself.
        """
        if not self.is_postgresql:
            self.script("PRAGMA cache_size=-65536")

    def script(self, sql: str) -> None:
        """Run a constant text of SQL that takes no parameters."""
        self._execute(sql, ())

    def _execute(self, sql: str, parameters: Any) -> None:
        if self._count:
            self._count(sql)
        self._cursor.execute(sql, parameters)
