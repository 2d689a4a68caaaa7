"""Bringing a database to the schema of this release, and refusing to work on any other.

The steps are Alembic's (`migrations/versions`). All steps of one call run in one transaction in both databases, one caller
at a time: a migration that is killed leaves the schema as it was, and is simply run again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from itsm.platform.database import RETRY_AFTER_SECONDS, Database
from itsm.platform.errors import DeskError, Kind

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"

_PATIENCE_MS = 60_000  # for the migration that another process is carrying out, or for the last writers
_REVISION = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
_ADVISORY_LOCK = 0x6974736D  # "itsm": who migrates a PostgreSQL database holds it


class Revision(Enum):
    """How a database's schema stands to this release."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"  # a later release has migrated it, or it is not ours
    EMPTY = "empty"


def revision_state(database: Database) -> Revision:
    """Compare the revision that the database names with those that this release knows."""
    with _reaching(), database.engine.connect() as connection:
        return _state(connection)


def refuse_unless_current(database: Database) -> None:
    """Raise `schema_behind` or `schema_ahead`, saying what to run, unless the schema is this release's."""
    state = revision_state(database)
    if state is Revision.AHEAD:
        raise _ahead()
    if state is not Revision.CURRENT:
        what = "has no tables yet" if state is Revision.EMPTY else "was made by an earlier release"
        raise DeskError(Kind.SETUP, "schema_behind", f"The database {what}. Run `itsm db upgrade`.")


def upgrade(database: Database, revision: str = "head") -> None:
    """Run every step up to `revision`. A schema that is there already is left alone; a newer one is refused.

    Raises `migration_failed`, with the database's own words, for a step that it does not carry out.
    """
    from alembic import command

    with _migrating(database) as connection:
        if _state(connection) is Revision.AHEAD:
            raise _ahead()
        command.upgrade(configuration(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo every step after `revision` (`base` undoes all). What only the later schema can hold is lost.

    Raises `migration_failed`, as `upgrade` does.
    """
    from alembic import command

    with _migrating(database) as connection:
        command.downgrade(configuration(connection), revision)


def configuration(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration; there is no `alembic.ini`. `migrations/env.py` runs on `connection`."""
    from alembic.config import Config

    if not SCRIPTS.is_dir():
        raise _no_scripts()
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def head() -> str:
    """The newest revision of this release: that of the last file, for their names are in order.

    Alembic is asked only where a database has another. It costs each process 12 MiB and a good part of its start.
    """
    files = sorted((SCRIPTS / "versions").glob("*.py"))
    found = _REVISION.search(files[-1].read_text()) if files else None
    if found is None:
        raise _no_scripts()
    return found.group(1)


def _state(connection: sa.Connection) -> Revision:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return Revision.EMPTY
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if found is None:
        return Revision.EMPTY
    if found == head():
        return Revision.CURRENT
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        ScriptDirectory.from_config(configuration()).get_revision(str(found))
    except CommandError:
        return Revision.AHEAD
    return Revision.BEHIND


def _no_scripts() -> DeskError:
    return DeskError(Kind.SETUP, "migrations_missing", f"The migrations are not in {SCRIPTS}; run from a full checkout.")


def _ahead() -> DeskError:
    return DeskError(
        Kind.SETUP,
        "schema_ahead",
        "The database was made by a later release. Install that release, or restore a backup made before its upgrade.",
    )


def _unavailable() -> DeskError:
    return DeskError(
        Kind.UNAVAILABLE, "database_unavailable", "The database is not available.", retry_after=RETRY_AFTER_SECONDS
    )


@contextmanager
def _reaching() -> Iterator[None]:
    """What fails in here means that the database is away, or that others keep it to themselves."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        raise _unavailable() from error


@contextmanager
def _stepping() -> Iterator[None]:
    """What fails in here is a step, unless the connection broke under it."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable() from error
        raise DeskError(
            Kind.SETUP, "migration_failed", f"The migration failed, and the schema is as it was: {error.orig}"
        ) from error


@contextmanager
def _migrating(database: Database) -> Iterator[sa.Connection]:
    """One transaction that no other migration shares, without the time limits of everyday statements."""
    with _reaching():
        connection = database.engine.connect()
    with connection:
        if database.is_postgresql:
            with _reaching():
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE_MS}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            with _stepping():
                yield connection
                connection.commit()
            return
        # Tables that others refer to may be rebuilt while foreign keys sleep; they are checked before the end.
        # See "Making Other Kinds Of Table Schema Changes", SQLite's manual of ALTER TABLE.
        with _reaching():
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
        try:
            with _reaching():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            with _stepping():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise DeskError(Kind.SETUP, "migration_failed", f"The migration would break {len(broken)} references.")
                connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.rollback()
