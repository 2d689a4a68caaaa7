"""The schema: made by migrations alone, the same as the models, never half made, never worked on when it is another's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from itsm.platform import migrate
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.migrate import Revision
from itsm.platform.schema import Base
from tests import world


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without any table."""
    with world.bare_database(request.param) as database:
        yield database


def tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}


def checks(database: Database) -> dict[str, set[str | None]]:
    inspector = sa.inspect(database.engine)
    return {name: {check["name"] for check in inspector.get_check_constraints(name)} for name in Base.metadata.tables}


def test_the_migrated_schema_is_the_one_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        command.check(migrate.configuration(connection))  # raises with the differences
    assert checks(database) == {
        table.name: {f"{check.name}" for check in table.constraints if isinstance(check, sa.CheckConstraint)}
        for table in Base.metadata.sorted_tables
    }


def test_an_empty_database_becomes_current_by_upgrading(bare: Database) -> None:
    assert migrate.revision_state(bare) is Revision.EMPTY
    migrate.upgrade(bare)
    assert migrate.revision_state(bare) is Revision.CURRENT
    migrate.refuse_unless_current(bare)


def test_upgrading_a_current_database_keeps_its_rows(database: Database) -> None:
    add_an_organisation(database)
    migrate.upgrade(database)
    assert count(database, "organisations") == 1


def test_down_and_up_again_with_data_gives_the_same_schema(bare: Database) -> None:
    migrate.upgrade(bare)
    before = objects(bare)
    fill(bare)
    migrate.downgrade(bare, "base")
    assert tables(bare) == set()
    assert migrate.revision_state(bare) is Revision.EMPTY
    migrate.upgrade(bare)
    assert objects(bare) == before
    fill(bare)


@pytest.mark.parametrize("statements", [3, 30, 60])
def test_a_migration_that_dies_midway_leaves_nothing_and_can_be_run_again(bare: Database, statements: int) -> None:
    left = iter(range(statements))

    @sa.event.listens_for(bare.engine, "before_cursor_execute")
    def die(*_arguments: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(bare)
    sa.event.remove(bare.engine, "before_cursor_execute", die)
    assert tables(bare) == set()
    migrate.upgrade(bare)
    migrate.refuse_unless_current(bare)


def test_a_step_that_the_database_refuses_is_told_in_its_own_words_and_leaves_nothing(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(config: Any, _revision: str) -> None:
        connection = config.attributes["connection"]
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(command, "upgrade", step)
    with pytest.raises(DeskError, match="nowhere") as refusal:
        migrate.upgrade(bare)
    assert (refusal.value.kind, refusal.value.code) == (Kind.SETUP, "migration_failed")
    assert tables(bare) == set()
    monkeypatch.undo()
    migrate.upgrade(bare)
    migrate.refuse_unless_current(bare)


def test_a_step_may_think_for_as_long_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    with world.bare_database("postgresql") as bare:
        hasty = Database(bare.url, statement_timeout=0.2, idle_timeout=0.2)
        upgrade = command.upgrade

        def step(config: Any, revision: str) -> None:
            time.sleep(0.4)
            config.attributes["connection"].exec_driver_sql("SELECT pg_sleep(0.4)")
            upgrade(config, revision)

        monkeypatch.setattr(command, "upgrade", step)
        migrate.upgrade(hasty)
        migrate.refuse_unless_current(hasty)
        hasty.dispose()


def test_a_database_that_is_away_or_kept_by_another_migration_is_said_to_be_unavailable(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeskError) as refusal:
        migrate.upgrade(Database("postgresql://nobody@127.0.0.1:9/desk"))
    assert refusal.value.code == "database_unavailable"

    monkeypatch.setattr(migrate, "_PATIENCE_MS", 50)
    monkeypatch.setattr(command, "upgrade", lambda *_step: waits_in_vain(Database(bare.url)))
    migrate.upgrade(bare)


def waits_in_vain(other: Database) -> None:
    with pytest.raises(DeskError) as refusal:
        migrate.upgrade(other)
    assert (refusal.value.kind, refusal.value.code) == (Kind.UNAVAILABLE, "database_unavailable")
    other.dispose()


def test_several_processes_may_upgrade_at_once(bare: Database) -> None:
    others = [Database(bare.url) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(migrate.upgrade, [bare, *others]))
    assert migrate.revision_state(bare) is Revision.CURRENT
    for other in others:
        other.dispose()


def test_a_database_without_tables_is_refused_with_the_command_to_run(bare: Database) -> None:
    with pytest.raises(DeskError, match="itsm db upgrade") as refusal:
        migrate.refuse_unless_current(bare)
    assert (refusal.value.kind, refusal.value.code) == (Kind.SETUP, "schema_behind")


def test_a_newer_schema_is_refused_and_left_alone(bare: Database) -> None:
    migrate.upgrade(bare)
    with bare.session() as session:
        session.script("UPDATE alembic_version SET version_num = '9999'")
    assert migrate.revision_state(bare) is Revision.AHEAD
    for deed in (migrate.refuse_unless_current, migrate.upgrade):
        with pytest.raises(DeskError, match="later release") as refusal:
            deed(bare)
        assert (refusal.value.kind, refusal.value.code) == (Kind.SETUP, "schema_ahead")
    assert rows(bare, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.parametrize(
    "deed",
    ["UPDATE {} SET id = id + 1", "DELETE FROM {}", "TRUNCATE {} CASCADE", "REPLACE INTO {} SELECT * FROM {}"],
)
@pytest.mark.parametrize("table", ["ticket_events", "people_events", "audit_checkpoints", "configuration_events"])
def test_history_cannot_be_rewritten(database: Database, table: str, deed: str) -> None:
    if "TRUNCATE" in deed and not database.is_postgresql:
        pytest.skip("SQLite has no TRUNCATE")
    if "REPLACE" in deed and database.is_postgresql:
        pytest.skip("PostgreSQL has no REPLACE")
    fill(database)
    with pytest.raises(Exception, match=f"{table} is append-only"), database.session() as session:
        session.script(deed.format(table, table))
    assert count(database, table) == 1


def test_what_is_written_is_found_at_once_and_what_is_rewritten_is_found_anew(database: Database) -> None:
    fill(database)
    assert found(database, "tickets", "printer") == [1]
    assert found(database, "comments", "toner") == [1]
    with database.session() as session:
        session.script("UPDATE tickets SET title = 'Scanner', state = 'done'")
        session.script("UPDATE comments SET body = 'lamp'")
    assert found(database, "tickets", "printer") == found(database, "comments", "toner") == []
    assert found(database, "tickets", "scan", prefix=True) == found(database, "tickets", "dritten") == [1]
    with database.session() as session:
        session.script("DELETE FROM comments")
    assert found(database, "comments", "lamp") == []


def test_a_text_too_long_for_the_index_is_kept_all_the_same(database: Database) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))
    fill(database)
    with database.session() as session:
        session.script(f"UPDATE tickets SET description = '{words}'")
    assert found(database, "tickets", "word77") == [1]


A_TICKET = (
    "tickets (id, number, type, workflow_version_id, state, category, title, description, priority_rank, fields,"
    " created_at, updated_at, entered_state_at, work_minutes, event_count, chain, seal)"
    " VALUES (1, 'INC1', 'incident', 1, 'new', 'open', 'Printer', 'im dritten Stock', 9, '{}', 0, 0, 0, 0, 1, '', '')"
)


def fill(database: Database) -> None:
    """One row in every table that others refer to or that has triggers."""
    add_an_organisation(database)
    with database.session() as session:
        for row in (
            "workflow_versions VALUES (1, 'incident', 'd', 'Incident', '…', 0, 'ada', true)",
            A_TICKET,
            "ticket_events VALUES (1, 1, 1, 'created', 0, 0, 'ada', NULL, 'api', false, '{}', '')",
            "comments VALUES (1, 1, 2, 'ada', 'public', 'more toner', 0)",
            "people_events VALUES (1, 0, 'ada', 'user_added', '{}')",
            "audit_checkpoints VALUES (1, 0, 1, 1, '')",
            "configuration_events VALUES (1, 0, 'ada', 'changed', 'service:erp', '{}', '{}')",
        ):
            session.script(f"INSERT INTO {row}")


def add_an_organisation(database: Database) -> None:
    with database.session() as session:
        session.script("INSERT INTO organisations (id, key, name) VALUES (1, 'acme', 'Acme')")


def rows(database: Database, sql: str) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.exec_driver_sql(sql))


def count(database: Database, table: str) -> int:
    (row,) = rows(database, f"SELECT count(*) FROM {table}")
    return int(row[0])


def found(database: Database, table: str, word: str, prefix: bool = False) -> list[int]:
    """The ids of the rows in which `word` is found, by each database's own means."""
    if database.is_postgresql:
        query = f"SELECT id FROM {table} WHERE search @@ to_tsquery('simple', '{word}{':*' if prefix else ''}')"
    else:
        query = f"SELECT rowid FROM {table.removesuffix('s')}_search('{word}{'*' if prefix else ''}')"
    return [row[0] for row in rows(database, query)]


def objects(database: Database) -> set[Any]:
    """Every table, index and trigger of the schema, as the database itself describes it."""
    if not database.is_postgresql:
        return {tuple(row) for row in rows(database, "SELECT type, name, sql FROM sqlite_master")}
    return {
        tuple(row)
        for query in (
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint",
        )
        for row in rows(database, query)
    }


def test_the_newest_revision_is_that_of_the_last_file() -> None:
    assert migrate.head() == ScriptDirectory.from_config(migrate.configuration()).get_current_head()
