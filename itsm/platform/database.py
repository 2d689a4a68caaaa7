"""One database, two kinds: SQLite (embedded) and PostgreSQL. Sessions of each, and what failure means.

A `Session` is one connection and one transaction, in which `Prepared` statements run: whoever opens it (a door) ends it,
nothing below a door commits.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection

from itsm.platform.errors import DeskError, Kind, busy
from itsm.platform.statements import Prepared, Session

__all__ = ["Database", "Prepared", "Session", "describe", "sqlite_driver"]

Result = TypeVar("Result")

WAL_SAFE_SINCE = (3, 51, 3)
"""Before this SQLite release several connections that checkpoint one WAL at the same time can corrupt it."""

STATEMENT_TIMEOUT_SECONDS = 5.0
IDLE_TIMEOUT_SECONDS = 15.0
"""How long a process may stand still in the middle of a transaction before PostgreSQL undoes it: nobody waits longer than that
for what a process holds that was stopped, suspended or cut off.
"""

POOL_TIMEOUT_SECONDS = 5.0
RETRY_AFTER_SECONDS = 5

CROWDED_SECONDS = 3.0
"""For how long after meeting another writer on SQLite a process reckons with more of them."""

_PROGRESS_STEPS = 20_000
_ATTEMPTS = 3
_POLL_SECONDS = 0.001
_RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, lock_timeout
_STOOD_STILL = "25P03"  # idle_in_transaction_session_timeout; to the driver no OperationalError


class Database:
    """Where everything is kept. Thread-safe; one per process.

    `url` is SQLAlchemy's, without a driver (`sqlite:///var/demo.db`, `postgresql://…`). In seconds: `statement_timeout`, for
    each statement and for the turn to write; `pool_timeout`, for a free connection; `idle_timeout`, see `IDLE_TIMEOUT_SECONDS`.
    """

    def __init__(
        self,
        url: str,
        statement_timeout: float = STATEMENT_TIMEOUT_SECONDS,
        pool_size: int = 10,
        pool_timeout: float = POOL_TIMEOUT_SECONDS,
        idle_timeout: float = IDLE_TIMEOUT_SECONDS,
    ) -> None:
        self.url = url
        self._statement_timeout = statement_timeout
        self._idle_timeout = idle_timeout
        self._pool_timeout = pool_timeout
        self.engine: Engine = (
            self._sqlite_engine(url, pool_size) if url.startswith("sqlite") else self._postgresql_engine(url, pool_size)
        )
        self.dialect = self.engine.dialect
        self._turn = threading.Lock()
        self._crowded_until = 0.0
        self.on_statement: Callable[[str], None] | None = None
        """Called with the text of each statement; the tests that hold the number of statements listen here."""

    @property
    def is_postgresql(self) -> bool:
        return self.dialect.name == "postgresql"

    @property
    def is_crowded(self) -> bool:
        """Whether others have wanted SQLite's one write in these last seconds, as far as that was felt here."""
        return time.monotonic() < self._crowded_until

    @contextmanager
    def session(self, *, write: bool = True) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back if the block raises.

        Raises `DeskError` `database_unavailable` when the database cannot be reached, is locked, or gives up; `busy` or
        `connection_lost` for what `retrying` is to repeat; `outcome_unknown` when the connection broke during the commit
        itself, so that nobody can say whether it took place.
        """
        with self._taking_turns(write=write):
            yield from self._session(write=write)

    def _session(self, *, write: bool) -> Iterator[Session]:
        committing = False
        try:
            connection = self.engine.raw_connection()
        except (self.driver_error, sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
            raise _unavailable() from error
        try:
            session = Session(connection, self.dialect, self._statement_timeout, self.on_statement)
            if not self.is_postgresql:
                if write:
                    self._begin_writing(session._cursor)
                else:
                    session._cursor.execute("BEGIN")
                connection.set_progress_handler(lambda: time.monotonic() > session.deadline, _PROGRESS_STEPS)
            yield session
            committing = True
            connection.commit()
        except self.driver_error as error:
            self._discard(connection, error)
            translated = self._translate(error)
            if translated is None:
                raise
            was_undone = getattr(error, "sqlstate", None) == _STOOD_STILL
            if committing and translated.code == "connection_lost" and not was_undone:
                raise _outcome_unknown() from error
            raise translated from error
        except BaseException:
            self._discard(connection, None)
            raise
        finally:
            if not self.is_postgresql and connection.is_valid:
                connection.set_progress_handler(None, 0)
            connection.close()

    def _begin_writing(self, cursor: Any) -> None:
        """Wait for the place of the one writer. SQLite itself asks again after pauses of up to 100 ms, and so comes off worst
        against a process that writes batch after batch; we ask each millisecond.
        """
        gives_up = time.monotonic() + self._statement_timeout
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    cursor.execute("BEGIN IMMEDIATE")
                except self.driver_error as error:
                    if "locked" not in str(error) or time.monotonic() > gives_up:
                        raise
                    self._meet_somebody()
                    time.sleep(_POLL_SECONDS)
                else:
                    return
        finally:
            cursor.execute(f"PRAGMA busy_timeout={int(self._statement_timeout * 1000)}")

    @contextmanager
    def _taking_turns(self, *, write: bool) -> Iterator[None]:
        """SQLite lets one write at a time and makes the others poll; the threads of a process queue for their turn instead, and
        only processes poll.
        """
        if self.is_postgresql or not write:
            yield
            return
        if not self._turn.acquire(blocking=False):
            self._meet_somebody()
            if not self._turn.acquire(timeout=self._statement_timeout):
                raise busy()
        try:
            yield
        finally:
            self._turn.release()

    def _meet_somebody(self) -> None:
        self._crowded_until = time.monotonic() + CROWDED_SECONDS

    def retrying(self, command: Callable[[], Result]) -> Result:
        """Run a whole command, again if its transaction lost a race or its connection had died, three times at most."""
        for attempt in range(_ATTEMPTS):
            try:
                return command()
            except DeskError as error:
                if error.code not in {"busy", "connection_lost"} or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.01 * 4**attempt)
        raise AssertionError("unreachable")

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @property
    def driver_error(self) -> type[Exception]:
        """The base of what the driver raises; what reaches a caller as such is a fault of ours, or of the data."""
        driver = self.dialect.dbapi
        assert driver is not None
        error: type[Exception] = driver.Error
        return error

    def _discard(self, connection: PoolProxiedConnection, error: Exception | None) -> None:
        try:
            if error is None or not self.is_postgresql or not getattr(connection.driver_connection, "closed", False):
                connection.rollback()
                return
            connection.invalidate(error)
        except self.driver_error as gone:
            connection.invalidate(gone)
        if self.is_postgresql:
            self.engine.dispose()  # what killed this connection has most likely killed the idle ones too

    def _translate(self, error: Exception) -> DeskError | None:
        """What a driver's error means to the caller; None for what is a fault of ours (a broken constraint, bad SQL)."""
        driver: Any = self.dialect.dbapi
        if self.is_postgresql:
            state = getattr(error, "sqlstate", None)
            if state in _RETRYABLE_SQLSTATES:
                return busy()
            if state == "57014":
                return _too_slow()
            if state == _STOOD_STILL:
                return _unavailable("connection_lost")
            if isinstance(error, driver.OperationalError):
                is_lost = state is None or state.startswith(("57", "08"))
                return _unavailable("connection_lost" if is_lost else "database_unavailable")
            return None
        if isinstance(error, driver.OperationalError):
            text = str(error)
            if "interrupted" in text:
                return _too_slow()
            if "locked" in text or "busy" in text:
                return busy()
            if any(sign in text for sign in ("unable to open", "disk", "readonly", "I/O", "full")):
                return _unavailable()
        if isinstance(error, driver.DatabaseError) and "not a database" in str(error):
            return _unavailable()
        return None

    def _sqlite_engine(self, url: str, pool_size: int) -> Engine:
        driver = sqlite_driver()
        engine = sa.create_engine(
            url,
            module=driver,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=self._pool_timeout,
            connect_args={"timeout": self._statement_timeout, "check_same_thread": False, "cached_statements": 256},
        )
        journal = "WAL" if driver.sqlite_version_info >= WAL_SAFE_SINCE else "TRUNCATE"

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves
            cursor = connection.cursor()
            for pragma in (f"journal_mode={journal}", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        return engine

    def _postgresql_engine(self, url: str, pool_size: int) -> Engine:
        url = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql+psycopg:", url)
        options = " ".join(
            f"-c {name}={value}"
            for name, value in {
                "statement_timeout": int(self._statement_timeout * 1000),
                "lock_timeout": int(self._statement_timeout * 800),  # the first to run out names the cause
                "idle_in_transaction_session_timeout": int(self._idle_timeout * 1000),
                "join_collapse_limit": 1,  # joins stand in the order in which they are to run: weighing eight costs 20 ms
                "timezone": "UTC",
            }.items()
        )
        return sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=self._pool_timeout,
            connect_args={"options": options, "connect_timeout": 5},
        )


def sqlite_driver() -> ModuleType:
    """The newest SQLite at hand: the one bundled with `pysqlite3`, else the one Python was built with."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:  # no wheel for this platform: the rollback journal is used where WAL is not safe
        return sqlite3
    bundled: ModuleType = dbapi2
    return bundled


def describe(url: str) -> str:
    """The URL without its password, for people and logs."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


def _outcome_unknown() -> DeskError:
    return DeskError(
        Kind.UNAVAILABLE,
        "outcome_unknown",
        "The connection broke while the change was being saved. Look whether it is there, or send it again with the same key.",
        retry_after=RETRY_AFTER_SECONDS,
    )


def _too_slow() -> DeskError:
    return DeskError(Kind.UNAVAILABLE, "too_slow", "The question takes too long to answer; narrow it.", retry_after=1)


def _unavailable(code: str = "database_unavailable") -> DeskError:
    return DeskError(Kind.UNAVAILABLE, code, "The database is not available.", retry_after=RETRY_AFTER_SECONDS)
