"""What every table shares: the declarative base, naming of constraints, and the column types both databases agree on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase

from itsm.platform.time import from_micros, to_micros


class Base(DeclarativeBase):
    """The root of all tables; constraints have names, so that migrations can speak of them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table(model: type[Base]) -> sa.Table:
    """The Core table behind a model."""
    found = model.__table__
    assert isinstance(found, sa.Table)
    return found


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime kept as whole microseconds since 1970: the same order, value and hash in both databases."""

    impl = sa.BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        return lambda value: None if value is None else to_micros(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        return lambda value: None if value is None else from_micros(value)


class Json(sa.types.TypeDecorator[Any]):
    """JSON kept as the very text that was written, so that it can be hashed; never queried into."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        return lambda value: None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:
        return lambda value: None if value is None else orjson.loads(value)


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A surrogate key: 64 bits in both; SQLite numbers rows by itself only for INTEGER."""
