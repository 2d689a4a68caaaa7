"""What the database's failures mean to a caller, and that no failure outlives its cause."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from itsm.people.models import Organisation
from itsm.platform.database import IDLE_TIMEOUT_SECONDS, Database, Prepared, Session
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import table
from tests import world

ORGANISATIONS = table(Organisation)
ADD = Prepared(sa.insert(ORGANISATIONS).values(key=sa.bindparam("key"), name=sa.bindparam("name")))
KEYS = Prepared(sa.select(ORGANISATIONS.c.id, ORGANISATIONS.c.key).order_by(ORGANISATIONS.c.id))
RENAME = Prepared(sa.update(ORGANISATIONS).where(ORGANISATIONS.c.key == sa.bindparam("of")).values(name=sa.bindparam("name")))
NAME = Prepared(sa.select(ORGANISATIONS.c.name).where(ORGANISATIONS.c.key == sa.bindparam("of")))
IDLE_TIMEOUT = Prepared(sa.select(sa.func.current_setting("idle_in_transaction_session_timeout").label("setting")))
SOME_WORK_ON_POSTGRESQL = "SELECT pg_sleep(0.01)"
SOME_WORK_ON_SQLITE = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT count(*) FROM n
"""
KILL_THE_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def sqlite() -> Iterator[Database]:
    with world.sqlite_database() as database:
        yield database


@pytest.fixture
def postgresql() -> Iterator[Database]:
    with world.postgresql_database() as database:
        yield database


def add(database: Database, key: str) -> None:
    with database.session() as session:
        session.run(ADD, key=key, name=key.title())


def rename(database: Database, key: str, name: str) -> None:
    with database.session() as session:
        session.run(RENAME, of=key, name=name)


def name_of(database: Database, key: str) -> str:
    with database.session(write=False) as session:
        name: str = session.one(NAME, of=key).name
        return name


def keys(database: Database) -> list[str]:
    with database.session(write=False) as session:
        return [row.key for row in session.all(KEYS)]


def kill_idle(database: Database, connections: int) -> None:
    """Open some connections, then let the server kill them all while they lie in the pool."""
    with ExitStack() as opened:
        for _ in range(connections):
            opened.enter_context(database.session()).all(KEYS)
    killer = Database(database.url)
    with killer.session() as session:
        session.script(KILL_THE_OTHERS)
    killer.dispose()


def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    def give_up_halfway() -> None:
        with database.session() as session:
            session.run(ADD, key="acme", name="Acme")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up_halfway()
    assert keys(database) == []


def test_a_database_that_is_down_is_said_to_be_unavailable_with_a_time_to_come_back(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/nowhere/desk.db", "postgresql://nobody@127.0.0.1:9/desk"):
        with pytest.raises(DeskError) as refusal:
            add(Database(url), "acme")
        assert (refusal.value.kind, refusal.value.code) == (Kind.UNAVAILABLE, "database_unavailable")
        assert refusal.value.retry_after


def test_a_file_that_is_no_database_is_said_to_be_unavailable(tmp_path: Path) -> None:
    (tmp_path / "desk.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DeskError) as refusal:
        add(Database(f"sqlite:///{tmp_path}/desk.db"), "acme")
    assert refusal.value.code == "database_unavailable"


def test_a_pool_with_all_connections_taken_is_said_to_be_unavailable(database: Database) -> None:
    small = Database(database.url, pool_size=1, pool_timeout=0.01)
    with small.session(write=False) as session:
        session.all(KEYS)
        with pytest.raises(DeskError) as refusal:
            keys(small)
    assert refusal.value.code == "database_unavailable"
    assert keys(small) == []
    small.dispose()


def test_killed_connections_do_not_poison_the_pool(postgresql: Database) -> None:
    kill_idle(postgresql, connections=6)
    for number in range(6):
        postgresql.retrying(partial(add, postgresql, f"org{number}"))
    assert len(keys(postgresql)) == 6


def test_a_connection_killed_in_mid_command_loses_the_command_whole_and_it_can_be_repeated(postgresql: Database) -> None:
    tries = []

    def command() -> None:
        with postgresql.session() as session:
            session.run(ADD, key="acme", name="Acme")
            tries.append(1)
            if len(tries) == 1:
                kill_idle(postgresql, connections=0)
            session.run(ADD, key="beta", name="Beta")

    postgresql.retrying(command)
    assert keys(postgresql) == ["acme", "beta"]
    assert len(tries) == 2


def test_a_connection_killed_before_the_commit_is_not_retried_blindly(postgresql: Database) -> None:
    tries = []

    def command() -> None:
        with postgresql.session() as session:
            session.run(ADD, key="acme", name="Acme")
            tries.append(1)
            kill_idle(postgresql, connections=0)

    with pytest.raises(DeskError) as refusal:
        postgresql.retrying(command)
    assert refusal.value.code == "outcome_unknown"
    assert len(tries) == 1
    assert keys(postgresql) == []


def test_a_deadlock_is_resolved_by_repeating_one_of_the_two(postgresql: Database) -> None:
    add(postgresql, "acme")
    add(postgresql, "beta")
    both_hold_one = threading.Barrier(2)
    tries: list[str] = []

    def rename(first: str, second: str) -> None:
        def command() -> None:
            tries.append(first)
            with postgresql.session() as session:
                session.run(RENAME, of=first, name=f"by {first}")
                if len(tries) <= 2:
                    both_hold_one.wait()
                session.run(RENAME, of=second, name=f"by {first}")

        postgresql.retrying(command)

    with ThreadPoolExecutor() as pool:
        list(pool.map(rename, ("acme", "beta"), ("beta", "acme")))
    assert len(tries) == 3


def test_writers_of_sqlite_wait_for_each_other_and_none_sees_it_locked(sqlite: Database) -> None:
    others = [Database(sqlite.url) for _ in range(4)]

    def write(number: int) -> None:
        for count in range(25):
            with others[number].session() as session:
                session.run(ADD, key=f"org{number}-{count}", name="")

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(4)))
    assert len(keys(sqlite)) == 100
    for other in others:
        other.dispose()


def test_a_reader_of_sqlite_neither_waits_for_a_writer_nor_sees_its_unfinished_work(sqlite: Database) -> None:
    with sqlite.session() as session:
        session.run(ADD, key="acme", name="Acme")
        assert keys(sqlite) == []
    assert keys(sqlite) == ["acme"]


def test_a_sqlite_that_stays_locked_is_said_to_be_busy_after_the_statement_timeout(sqlite: Database) -> None:
    hasty = Database(sqlite.url, statement_timeout=0.05)
    started = time.monotonic()
    with sqlite.session() as session:
        session.run(ADD, key="acme", name="Acme")
        with pytest.raises(DeskError) as refusal:
            add(hasty, "beta")
    assert (refusal.value.kind, refusal.value.code, refusal.value.retry_after) == (Kind.UNAVAILABLE, "busy", 1)
    assert time.monotonic() - started < 2
    add(hasty, "beta")
    hasty.dispose()


def test_a_thread_waits_for_its_turn_to_write_on_sqlite_no_longer_than_for_a_statement(sqlite: Database) -> None:
    hasty = Database(sqlite.url, statement_timeout=0.05)
    with hasty.session() as session, ThreadPoolExecutor() as pool:
        session.run(ADD, key="acme", name="Acme")
        refusal = pool.submit(add, hasty, "beta").exception(timeout=2)
    assert isinstance(refusal, DeskError)
    assert refusal.code == "busy"
    add(hasty, "beta")
    hasty.dispose()


def test_a_statement_that_takes_too_long_is_stopped_and_the_connection_serves_on(database: Database) -> None:
    hasty = Database(database.url, statement_timeout=0.1)
    started = time.monotonic()
    with pytest.raises(DeskError) as refusal, hasty.session(write=False) as session:
        session.script(
            "SELECT pg_sleep(3)"
            if database.is_postgresql
            else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        )
    assert refusal.value.code == "too_slow"
    assert time.monotonic() - started < 2
    assert keys(hasty) == []
    hasty.dispose()


def test_the_time_for_a_statement_is_each_statements_own(database: Database) -> None:
    hasty = Database(database.url, statement_timeout=0.3)
    with hasty.session() as session:
        for _ in range(3):
            session.script(SOME_WORK_ON_POSTGRESQL if database.is_postgresql else SOME_WORK_ON_SQLITE)
            time.sleep(0.15)
        assert session.run_many(ADD, [{"key": f"org{number}", "name": ""} for number in range(3)]) == 3
    assert keys(hasty) == ["org0", "org1", "org2"]
    hasty.dispose()


@pytest.mark.parametrize("goes_on_by", ["another statement", "the commit"])
def test_a_transaction_that_stands_still_is_undone_and_what_it_held_is_free(postgresql: Database, goes_on_by: str) -> None:
    add(postgresql, "acme")
    sleepy = Database(postgresql.url, idle_timeout=0.3)
    tries = []

    def command() -> None:
        with sleepy.session() as session:
            session.run(RENAME, of="acme", name="held")
            tries.append(1)
            if len(tries) == 1:
                started = time.monotonic()
                rename(postgresql, "acme", "by another")  # waits for the row
                assert 0.2 < time.monotonic() - started < 3
                assert name_of(postgresql, "acme") == "by another"
            if goes_on_by == "another statement":
                session.run(ADD, key="beta", name="Beta")

    with pytest.raises(DeskError) as refusal:
        command()
    assert (refusal.value.kind, refusal.value.code) == (Kind.UNAVAILABLE, "connection_lost")
    assert name_of(postgresql, "acme") == "by another"

    tries.clear()
    sleepy.retrying(command)
    assert len(tries) == 2
    assert name_of(postgresql, "acme") == "held"
    sleepy.dispose()


def test_nobody_stands_still_in_a_transaction_for_long(postgresql: Database) -> None:
    with postgresql.session(write=False) as session:
        assert session.one(IDLE_TIMEOUT).setting == f"{IDLE_TIMEOUT_SECONDS:g}s"
    assert IDLE_TIMEOUT_SECONDS <= 15


def test_a_broken_rule_of_the_schema_is_a_fault_of_ours_and_is_not_dressed_up(database: Database) -> None:
    add(database, "acme")
    driver = database.dialect.dbapi
    assert driver is not None
    with pytest.raises(driver.IntegrityError):
        add(database, "acme")


def test_ids_begin_at_one_in_every_test(database: Database) -> None:
    add(database, "acme")
    with database.session() as session:
        assert first_id(session) == 1


def first_id(session: Session) -> int:
    number: int = session.one(KEYS).id
    return number
