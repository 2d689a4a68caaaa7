"""Bringing a database to the schema of this release, and refusing to work on any other.

The steps are Alembic's (`migrations/versions`). All steps of one call run in one transaction in both databases, one caller
at a time: a migration that is killed leaves the schema as it was, and is simply run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from itsm.platform.database import RETRY_AFTER_SECONDS, Database
from itsm.platform.errors import DeskError, Kind

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"

_PATIENCE_MS = 60_000  # for the migration that another process is carrying out, or for the last writers
_ADVISORY_LOCK = 0x6974736D  # "itsm": who migrates a PostgreSQL database holds it


class Revision(Enum):
    """How a database's schema stands to this release."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"  # a later release has migrated it, or it is not ours
    EMPTY = "empty"


def revision_state(database: Database) -> Revision:
    """Compare the revision that the database names with those that this release knows."""
    with _connected(database) as connection:
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
    """Run every step up to `revision`. A schema that is there already is left alone; a newer one is refused."""
    with _migrating(database) as connection:
        if _state(connection) is Revision.AHEAD:
            raise _ahead()
        command.upgrade(configuration(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo every step after `revision` (`base` undoes all). What only the later schema can hold is lost."""
    with _migrating(database) as connection:
        command.downgrade(configuration(connection), revision)


def configuration(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration; there is no `alembic.ini`. `migrations/env.py` runs on `connection`."""
    if not SCRIPTS.is_dir():
        raise DeskError(Kind.SETUP, "migrations_missing", f"The migrations are not in {SCRIPTS}; run from a full checkout.")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _state(connection: sa.Connection) -> Revision:
    scripts = ScriptDirectory.from_config(configuration())
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        return Revision.EMPTY
    if found == scripts.get_current_head():
        return Revision.CURRENT
    try:
        scripts.get_revision(found)
    except CommandError:
        return Revision.AHEAD
    return Revision.BEHIND


def _ahead() -> DeskError:
    return DeskError(
        Kind.SETUP,
        "schema_ahead",
        "The database was made by a later release. Install that release, or restore a backup made before its upgrade.",
    )


@contextmanager
def _connected(database: Database) -> Iterator[sa.Connection]:
    try:
        with database.engine.connect() as connection:
            yield connection
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        raise DeskError(
            Kind.UNAVAILABLE, "database_unavailable", "The database is not available.", retry_after=RETRY_AFTER_SECONDS
        ) from error


@contextmanager
def _migrating(database: Database) -> Iterator[sa.Connection]:
    """One transaction that no other migration shares, without the time limits of everyday statements."""
    with _connected(database) as connection:
        if database.is_postgresql:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE_MS}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield connection
            connection.commit()
            return
        # Tables that others refer to may be rebuilt while foreign keys sleep; they are checked before the end.
        # See "Making Other Kinds Of Table Schema Changes", SQLite's manual of ALTER TABLE.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                raise DeskError(Kind.SETUP, "migration_failed", f"The migration would break {len(broken)} references.")
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.rollback()
