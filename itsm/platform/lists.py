"""Many numbers, or keys, as one parameter of a statement: an array on PostgreSQL, JSON on SQLite, which has no arrays.

A statement that asks for many rows by their ids is thus the same text however many they are, and stays prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Prepared, Session


class PreparedForMany:
    """A statement about many numbers, or values of another type. `make` gets a selectable with one column `value`, which holds
    them.
    """

    def __init__(
        self, make: Callable[[sa.FromClause], sa.sql.expression.Executable], of: type[sa.BigInteger | sa.Text] = sa.BigInteger
    ) -> None:
        array: sa.BindParameter[Any] = sa.bindparam("numbers", type_=postgresql.ARRAY(of))
        text: sa.BindParameter[str] = sa.bindparam("numbers", type_=sa.Text)
        self._on_postgresql = Prepared(make(sa.func.unnest(array).table_valued("value", name="many").render_derived()))
        self._on_sqlite = Prepared(make(sa.func.json_each(text).table_valued("value", name="many")))

    def all(self, session: Session, numbers: Iterable[int] | Iterable[str]) -> list[Any]:
        """Every row that the statement gives for these."""
        if session.is_postgresql:
            return session.all(self._on_postgresql, numbers=list(numbers))
        return session.all(self._on_sqlite, numbers=orjson.dumps(list(numbers)).decode())
