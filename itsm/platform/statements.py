"""Statements written once, and a transaction that runs them.

A statement is written in typed SQLAlchemy Core, as a `Prepared`; it is compiled once per kind of database and from then on runs
at nearly the driver's own cost. Everybody but `database.py` imports these from there.
"""

from __future__ import annotations

import re
import time
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import PoolProxiedConnection

from itsm.platform import bulk

_EVERY: WeakSet[Prepared] = WeakSet()


class Prepared:
    """A statement compiled once per kind of database.

    Parameters are given by name at each run. The types of the columns convert both ways, as they do in SQLAlchemy.
    """

    def __init__(self, statement: sa.sql.expression.Executable) -> None:
        if isinstance(statement, sa.Insert):
            statement = statement.inline()  # else SQLAlchemy asks PostgreSQL for each row's new id, which nobody then reads
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}
        _EVERY.add(self)

    def compiled(self, dialect: Dialect) -> _Compiled:
        """The text and converters for `dialect`, made at first use."""
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        return known


def compile_all(dialect: Dialect) -> None:
    """Compile every statement there is now, as its first use would; some milliseconds each."""
    for statement in list(_EVERY):
        statement.compiled(dialect)


class _Compiled:
    """What `Prepared` keeps per dialect: SQL text, the names of its tables, how to bind, how to read a row."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.sql: str = compiled.string
        self.tables = frozenset(part.name for part in sa.sql.visitors.iterate(statement) if isinstance(part, sa.Table))
        self.widened = bulk.widen(self.sql, _types(compiled, dialect)) if dialect.name == "postgresql" else None
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


def _types(compiled: Any, dialect: Dialect) -> dict[str, str]:
    """The SQL types of the parameters, as far as they are known."""
    return {
        name: dialect.type_compiler_instance.process(bind.type)
        for bind, name in compiled.bind_names.items()
        if not isinstance(bind.type, sa.types.NullType)
    }


class Session:
    """One connection in one transaction.

    Rows come back as named tuples, columns under the names the statement gave them. `statement_timeout` is in seconds.
    """

    def __init__(
        self,
        connection: PoolProxiedConnection,
        dialect: Dialect,
        statement_timeout: float,
        count: Callable[[str], None] | None,
    ) -> None:
        self._connection: Any = connection
        self._cursor: Any = connection.cursor()
        self.dialect = dialect
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        """What was said in this transaction about people, for whoever listens before the commit: kind and payload."""
        self.deadline = 0.0
        """When the statement at hand is to be given up, by `time.monotonic`. SQLite, which has no timeout, is stopped by it."""
        self._statement_timeout = statement_timeout
        self._count = count
        self._held_back: frozenset[str] = frozenset()
        self._write_out: Callable[[], None] = lambda: None

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL; for the few statements that differ."""
        return self.dialect.name == "postgresql"

    def hold_back(self, tables: Iterable[str], write_out: Callable[[], None]) -> None:
        """Rows of these tables are gathered, to be written together; `write_out` writes those there are by now.

        It is called before each statement that reads or writes such a table, so that nobody misses what is not written yet.
        """
        self._held_back, self._write_out = frozenset(tables), write_out

    def all(self, statement: Prepared, **parameters: Any) -> list[Any]:
        """Every row."""
        compiled = self._compiled(statement)
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
        compiled = self._compiled(statement)
        self._execute(compiled.sql, compiled.bind(parameters))
        return int(self._cursor.rowcount)

    def run_many(self, statement: Prepared, rows: Iterable[Mapping[str, Any]]) -> int:
        """Execute for each row, in one round trip where that can be; the number of rows touched in all.

        No two of the rows may be about the same row of the table: it is not said which of them would come first.
        """
        compiled = self._compiled(statement)
        bound = [compiled.bind(row) for row in rows]
        if len(bound) == 1:
            self._execute(compiled.sql, bound[0])
        elif bound and compiled.widened is not None and (arrays := compiled.widened.parameters(bound)) is not None:
            self._execute(compiled.widened.sql, arrays)
        elif bound:
            self._begin(compiled.sql)
            self._cursor.executemany(compiled.sql, bound)
        return int(self._cursor.rowcount) if bound else 0

    def as_of_now(self) -> None:
        """Read all that follows as of one moment, as SQLite always does; to be said before anything is read."""
        if self.is_postgresql:
            self.script("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def take_time(self) -> None:
        """Let PostgreSQL wait a minute between two statements of this transaction: what it writes is proved first."""
        if self.is_postgresql:
            self.script("SET LOCAL idle_in_transaction_session_timeout = 60000")

    def keep_much(self) -> None:
        """Have this connection keep 64 MiB of what it reads, for whoever reads most of a table in pieces: a piece of a hundred
        pages that lie apart turns over the 2 MiB that SQLite keeps by itself.
        """
        if not self.is_postgresql:
            self.script("PRAGMA cache_size=-65536")

    def at_once(self, sql: str) -> list[Any]:
        """Send PostgreSQL a constant text of several statements in one message; the rows of the one that has any.

        The server carries it out to its end whatever becomes of us: a lock that the text takes and, by its own COMMIT, gives
        back is never held for longer because this process stands still. It ends the transaction.
        """
        self._begin(sql)
        self._cursor.execute(sql, prepare=False)
        rows: list[Any] = []
        while True:
            if self._cursor.description:
                rows += self._cursor.fetchall()
            if not self._cursor.nextset():
                return rows

    def script(self, sql: str) -> None:
        """Run a constant text of SQL that takes no parameters."""
        self._execute(sql, ())

    def _compiled(self, statement: Prepared) -> _Compiled:
        compiled = statement.compiled(self.dialect)
        if not self._held_back.isdisjoint(compiled.tables):
            self._write_out()
        return compiled

    def _execute(self, sql: str, parameters: Any) -> None:
        self._begin(sql)
        self._cursor.execute(sql, parameters)

    def _begin(self, sql: str) -> None:
        if self._count:
            self._count(sql)
        self.deadline = time.monotonic() + self._statement_timeout
