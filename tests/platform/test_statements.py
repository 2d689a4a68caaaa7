"""Statements: many rows at once, several in one message, and rows that are held back without anybody missing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session
from tests import world

METADATA = sa.MetaData()
SHELVES = sa.Table("shelves", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("room", sa.Text))
BOOKS = sa.Table(
    "books",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("shelf", sa.Integer),
    sa.Column("title", sa.Text),
)
S, B = SHELVES.c, BOOKS.c

PUT_UP = Prepared(sa.insert(SHELVES).values(id=sa.bindparam("id"), room=sa.bindparam("room")))
ADD = Prepared(sa.insert(BOOKS).values(shelf=sa.bindparam("shelf"), title=sa.bindparam("title")))
SHELF_IDS = Prepared(sa.select(S.id).order_by(S.id))
TITLES = Prepared(sa.select(B.title).order_by(B.id))

HALL = sa.select(S.id).where(S.room == "hall")
READING = {
    "itself": sa.select(S.id.label("found")),
    "an alias": sa.select(SHELVES.alias("boards").c.id.label("found")),
    "a join": sa.select(B.id.label("found")).join(SHELVES, S.id == B.shelf),
    "an outer join": sa.select(S.id.label("found")).select_from(BOOKS).outerjoin(SHELVES, S.id == B.shelf).where(S.id > 0),
    "IN": sa.select(B.id.label("found")).where(B.shelf.in_(HALL)),
    "EXISTS": sa.select(B.id.label("found")).where(sa.exists().where(S.id == B.shelf)),
    "a column's subquery": sa.select(HALL.scalar_subquery().label("found")).where(HALL.exists()),
    "a derived table": sa.select(HALL.subquery().c.id.label("found")),
    "a CTE": sa.select(HALL.cte("halls").c.id.label("found")),
    "a CTE of a CTE": sa.select(sa.select(HALL.cte("halls").c.id).cte("again").c.id.label("found")),
    "a UNION": sa.union_all(HALL.with_only_columns(S.id.label("found")), sa.select(B.id).where(B.id < 0)),
    "an ordering": sa.select(B.id.label("found")).where(B.id == 7).order_by(HALL.scalar_subquery()),
}
WRITING = {
    "an update": sa.update(SHELVES).values(room="attic"),
    "a deletion": sa.delete(SHELVES),
    "an update of others by it": sa.update(BOOKS).where(B.shelf.in_(HALL)).values(title="found"),
    "a value taken from it": sa.update(BOOKS).where(HALL.exists()).values(shelf=HALL.scalar_subquery()),
    "a deletion of others by it": sa.delete(BOOKS).where(B.shelf.in_(HALL)),
    "an insertion from it": sa.insert(BOOKS).from_select(["shelf"], HALL),
    "an update through a CTE": sa.update(BOOKS).where(B.shelf.in_(sa.select(HALL.cte("halls").c.id))).values(title="found"),
}


@pytest.fixture
def house(database: Database) -> Iterator[Database]:
    """A house with a book whose shelf is not put up yet."""
    METADATA.create_all(database.engine)
    with database.session() as session:
        session.run(Prepared(sa.insert(BOOKS).values(id=7, shelf=1, title="Emma")))
        if database.is_postgresql:
            session.script("SELECT setval('books_id_seq', 7)")
    yield database
    METADATA.drop_all(database.engine)


class Held:
    """Shelves that are put up together, as late as can be."""

    def __init__(self, session: Session, *rooms: str) -> None:
        self._session = session
        self.rows: list[dict[str, Any]] = [{"id": number, "room": room} for number, room in enumerate(rooms, 1)]
        session.hold_back(["shelves"], self._write)

    def _write(self) -> None:
        rows, self.rows = self.rows, []
        if rows:  # asked again by the very statement that writes them
            self._session.run_many(PUT_UP, rows)


@pytest.mark.parametrize("way", READING)
def test_whoever_reads_finds_what_was_held_back(house: Database, way: str) -> None:
    with house.session() as session:
        held = Held(session, "hall")
        (row,) = session.all(Prepared(READING[way]))
        assert row.found in {1, 7}
        assert held.rows == []


@pytest.mark.parametrize("way", WRITING)
def test_whoever_writes_finds_what_was_held_back(house: Database, way: str) -> None:
    with house.session() as session:
        Held(session, "hall")
        assert session.run(Prepared(WRITING[way])) == 1


def test_what_returns_rows_of_a_write_finds_what_was_held_back(house: Database) -> None:
    gone = sa.delete(SHELVES).returning(S.id)
    with house.session() as session:
        Held(session, "hall")
        assert session.one(Prepared(gone)).id == 1


def test_a_write_of_many_rows_finds_what_was_held_back(house: Database) -> None:
    move = Prepared(sa.update(SHELVES).where(S.id == sa.bindparam("of")).values(room=sa.bindparam("to")))
    with house.session() as session:
        Held(session, "hall", "attic")
        assert session.run_many(move, [{"of": 1, "to": "study"}, {"of": 2, "to": "study"}, {"of": 3, "to": "study"}]) == 2


def test_a_row_written_past_the_held_ones_stands_behind_them(house: Database) -> None:
    with house.session() as session:
        Held(session, "hall", "attic")
        session.run(PUT_UP, id=3, room="study")
        assert [row.id for row in session.all(SHELF_IDS)] == [1, 2, 3]


def test_what_names_other_tables_leaves_it_held_back(house: Database) -> None:
    with house.session() as session:
        held = Held(session, "hall", "attic")
        assert [row.title for row in session.all(TITLES)] == ["Emma"]
        session.run_many(ADD, [{"shelf": 1, "title": "Persuasion"}, {"shelf": 2, "title": "Ulysses"}])
        assert len(held.rows) == 2


def test_rows_are_held_back_in_one_transaction_and_no_other(house: Database) -> None:
    with house.session() as session:
        held = Held(session, "hall")
    with house.session() as session:
        assert session.all(SHELF_IDS) == []
        assert len(held.rows) == 1


@pytest.mark.parametrize("many", [0, 1, 2, 300])
def test_many_rows_are_written_with_ids_of_their_own_and_counted(house: Database, many: int) -> None:
    with house.session() as session:
        assert session.run_many(ADD, ({"shelf": 1, "title": f"volume {number}"} for number in range(many))) == many
        assert session.run(ADD, shelf=1, title="last") == 1
    with house.session(write=False) as session:
        found = [row.title for row in session.all(Prepared(sa.select(B.title).where(B.id > 7)))]
    assert sorted(found) == sorted(["last", *(f"volume {number}" for number in range(many))])


def test_of_many_rows_with_a_faulty_one_none_stays(house: Database) -> None:
    driver = house.dialect.dbapi
    assert driver is not None
    rows = [{"id": 1, "room": "hall"}, {"id": 2, "room": "attic"}, {"id": 1, "room": "study"}]
    with pytest.raises(driver.IntegrityError), house.session() as session:
        session.run_many(PUT_UP, rows)
    with house.session(write=False) as session:
        assert session.all(SHELF_IDS) == []


def test_a_plain_insertion_asks_for_nothing_back(database: Database) -> None:
    assert "RETURNING" not in ADD.compiled(database.dialect).sql


def test_one_row_is_one_and_no_row_is_none(house: Database) -> None:
    with house.session(write=False) as session:
        assert session.first(SHELF_IDS) is None
        assert session.one(TITLES).title == "Emma"
        for none_or_more in (
            lambda: session.one(SHELF_IDS),
            lambda: session.one(Prepared(sa.union_all(*[sa.select(B.id)] * 2))),
        ):
            refuses(none_or_more)


def refuses(deed: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        deed()


@pytest.fixture
def postgresql() -> Iterator[Database]:
    with world.postgresql_database() as database:
        yield database


TAKE_A_LOOK = """
    BEGIN; LOCK TABLE books IN EXCLUSIVE MODE; SELECT count(*), max(title) FROM books; COMMIT
"""


@pytest.fixture
def library(postgresql: Database) -> Iterator[Database]:
    METADATA.create_all(postgresql.engine)
    yield postgresql
    METADATA.drop_all(postgresql.engine)


def test_several_statements_in_one_message_give_the_rows_of_the_one_that_has_any(library: Database) -> None:
    with library.session() as session:
        session.run(ADD, shelf=1, title="Emma")
    with library.session() as session:
        assert session.at_once(TAKE_A_LOOK) == [(1, "Emma")]


def test_a_lock_taken_in_one_message_is_given_back_by_its_own_commit(library: Database) -> None:
    def add() -> None:
        with library.session() as session:
            session.run(ADD, shelf=1, title="Emma")

    with library.session() as session, ThreadPoolExecutor() as pool:
        session.at_once(TAKE_A_LOOK)
        pool.submit(add).result(timeout=3)
        assert session.at_once(TAKE_A_LOOK) == [(1, "Emma")], "the session serves on"
