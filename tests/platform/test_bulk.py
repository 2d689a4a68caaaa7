"""Many rows at once come to the same as one after the other."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from itsm.platform import bulk
from itsm.platform.database import Database, Prepared
from itsm.platform.schema import Instant, Json

THINGS = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("said", Json),
    sa.Column("mark", sa.LargeBinary),
    sa.Column("is_so", sa.Boolean, nullable=False),
    sa.Column("at", Instant),
    sa.Column("count", sa.Integer, nullable=False),
)
COLUMNS = ("key", "said", "mark", "is_so", "at", "count")
_INSERT = postgresql.insert(THINGS).values({name: sa.bindparam(name) for name in COLUMNS})
PUT = Prepared(
    _INSERT.on_conflict_do_update(
        index_elements=["key"], set_={"said": _INSERT.excluded.said, "count": THINGS.c.count + sa.bindparam("more", 1)}
    )
)
CHANGE = Prepared(
    sa.update(THINGS)
    .where(THINGS.c.key == sa.bindparam("of"), THINGS.c.count == sa.bindparam("known"))
    .values(mark=sa.bindparam("new_mark"), at=sa.bindparam("new_at", type_=Instant), count=THINGS.c.count * 2)
)
DROP = Prepared(sa.delete(THINGS).where(THINGS.c.key == sa.bindparam("of")))
ALL = Prepared(sa.select(THINGS).order_by(THINGS.c.key))

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
things: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "key": texts,
        "said": st.none() | st.dictionaries(texts, texts | st.integers(-(2**40), 2**40), max_size=3),
        "mark": st.none() | st.binary(max_size=5),
        "is_so": st.booleans(),
        "at": st.none() | st.datetimes(timezones=st.timezones()),
        "count": st.integers(-1000, 1000),
    }
)


def _key(thing: dict[str, Any]) -> str:
    key: str = thing["key"]
    return key


@pytest.fixture
def table(database: Database) -> Any:
    THINGS.create(database.engine)
    yield database
    THINGS.drop(database.engine)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(things, max_size=5, unique_by=_key),
    st.lists(things, max_size=5, unique_by=_key),
)
def test_many_rows_come_to_what_each_by_itself_would(
    table: Database, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    changes = [
        {"of": one["key"], "known": one["count"], "new_mark": one["mark"], "new_at": one["at"]} for one in (*second, *first)
    ]
    changes = list({one["of"]: one for one in changes}.values())
    drops = [{"of": one["key"]} for one in second[::2]]
    came_to = []
    for at_once in (True, False):
        with table.session() as session:
            touched = []
            for statement, rows in ((PUT, first), (PUT, second), (CHANGE, changes), (DROP, drops)):
                if at_once:
                    touched.append(session.run_many(statement, rows))
                else:
                    touched.append(sum(session.run(statement, **row) for row in rows))
            came_to.append((touched, session.all(ALL)))
            session.script("DELETE FROM things")
    assert came_to[0] == came_to[1]


def test_postgresql_is_sent_one_statement_of_one_text_however_many_rows(table: Database) -> None:
    said: list[str] = []
    table.on_statement = said.append
    for many in (2, 50):
        rows: list[dict[str, Any]] = [
            {"key": f"{many}-{n}", "said": {}, "mark": b"", "is_so": True, "at": None, "count": n} for n in range(many)
        ]
        with table.session() as session:
            assert session.run_many(PUT, rows) == many
    table.on_statement = None
    assert len(said) == 2
    assert len(set(said)) == 1


def test_what_differs_from_row_to_row_where_a_statement_takes_it_once_is_done_row_by_row(table: Database) -> None:
    rows: list[dict[str, Any]] = [{"key": key, "said": {}, "mark": b"", "is_so": True, "at": None, "count": 1} for key in "ab"]
    with table.session() as session:
        session.run_many(PUT, rows)
        session.run_many(PUT, [{**row, "more": more} for row, more in zip(rows, (1, 5), strict=True)])
        assert [row.count for row in session.all(ALL)] == [2, 6]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT %(a)s",
        "UPDATE t SET a=%(a)s",
        "UPDATE t SET a=%(a)s FROM u WHERE t.id = u.id",
        "UPDATE t SET a=%(unknown)s WHERE t.id = %(a)s",
        "INSERT INTO t (a) SELECT a FROM u WHERE u.id = %(a)s",
        "INSERT INTO t (a) VALUES (%(a)s) ON CONFLICT (a) DO UPDATE SET a = %(a)s",
        "INSERT INTO t (a) VALUES (1)",
    ],
)
def test_what_has_another_shape_is_left_as_it_is(sql: str) -> None:
    assert bulk.widen(sql, {"a": "BIGINT"}) is None
