"""A database and a home to measure in, for as long as a measurement takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from itsm.platform import migrate
from itsm.platform.database import Database
from tests import world

WORKERS = {"sqlite": 1, "postgresql": 2}
"""Processes of the web server: SQLite writes one at a time, and threads of one process queue for that better than processes."""


@contextmanager
def installation(kind: str) -> Iterator[tuple[Database, Path]]:
    """A migrated database on the disk that commits in earnest, and a home beside it."""
    with tempfile.TemporaryDirectory(prefix="itsm-bench-") as folder:
        home = Path(folder)
        if kind == "sqlite":
            database = Database(f"sqlite:///{home / 'bench.db'}", statement_timeout=3600)
        else:
            database = Database(world.create_database("bench"), statement_timeout=3600)
            world.commit_in_earnest()
        migrate.upgrade(database)
        try:
            yield database, home
        finally:
            database.dispose()
            if kind == "postgresql":
                world.drop_database("bench")
