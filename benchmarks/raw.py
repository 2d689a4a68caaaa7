"""The limit: the very statements of a transition, with their very parameters, straight through the driver.

Transitions are run in process while their SQL is written down; the database is put back to how it was before; then the driver
alone runs the same statements again, each transition in its own transaction, and nothing else.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from itsm.app import assemble, create_app
from itsm.platform.database import Database, Session, sqlite_driver
from itsm.platform.time import SystemClock
from tests import service as people
from tests import world

TRANSITIONS = 600
HOLD = {"trigger": "hold", "fields": {"pending_reason": "vendor"}}
RESUME = {"trigger": "resume"}


@dataclass(frozen=True)
class Raw:
    """Transactions per second by the driver, and how many statements each has."""

    rate: float
    statements: float


def raw_rate(database: Database, home: Path, token: str) -> Raw:
    """How many transitions a second the driver alone can do on a copy of this database."""
    copy = _copy(database, home)
    written = _write_down(copy, home, token)
    again = _copy(database, home)
    elapsed = _replay_postgresql(again, written) if database.is_postgresql else _replay_sqlite(again, written)
    return Raw(len(written) / elapsed, sum(map(len, written)) / len(written))


def _copy(database: Database, home: Path) -> Database:
    if database.is_postgresql:
        database.dispose()
        return Database(world.copy_database(database.url, "bench_copy"))
    database.dispose()
    file = home / "copy.db"
    for ending in ("", "-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    shutil.copyfile(home / "bench.db", file)
    return Database(f"sqlite:///{file}")


def _write_down(database: Database, home: Path, token: str) -> list[list[tuple[str, Any]]]:
    """The statements of many HTTP transitions, by transaction."""
    service = assemble(people.settings(database.url, home), people.configuration(), SystemClock(), database, people.processes())
    client = create_app(service).test_client()
    numbers = [f"INC{number:07d}" for number in range(2, 101, 10)]
    written: list[list[tuple[str, Any]]] = []
    execute, many = Session._execute, Session.run_many

    def listening(session: Session, sql: str, parameters: Any) -> None:
        written[-1].append((sql, parameters))
        execute(session, sql, parameters)

    versions = {}
    for number in numbers:
        answer = client.get(f"/api/v1/tickets/{number}", headers={"Authorization": f"Bearer {token}"})
        versions[number] = answer.headers["ETag"]
    Session._execute = listening  # type: ignore[method-assign]
    try:
        for turn in range(TRANSITIONS):
            number = numbers[turn % len(numbers)]
            written.append([])
            answer = client.post(
                f"/api/v1/tickets/{number}/transitions",
                json=HOLD if turn // len(numbers) % 2 == 0 else RESUME,
                headers={"Authorization": f"Bearer {token}", "If-Match": versions[number], "Idempotency-Key": f"raw-{turn}"},
            )
            assert answer.status_code == 200, answer.text
            versions[number] = answer.headers["ETag"]
    finally:
        Session._execute, Session.run_many = execute, many  # type: ignore[method-assign]
    database.dispose()
    return written


def _replay_postgresql(database: Database, written: list[list[tuple[str, Any]]]) -> float:
    with psycopg.connect(database.url.replace("postgresql+psycopg", "postgresql")) as connection:
        cursor = connection.cursor()
        begun = time.perf_counter()
        for transaction in written:
            for sql, parameters in transaction:
                cursor.execute(sql, parameters)  # type: ignore[call-overload]
                if cursor.description is not None:
                    cursor.fetchall()
            connection.commit()
        return time.perf_counter() - begun


def _replay_sqlite(database: Database, written: list[list[tuple[str, Any]]]) -> float:
    connection = sqlite_driver().connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    begun = time.perf_counter()
    for transaction in written:
        connection.execute("BEGIN IMMEDIATE")
        for sql, parameters in transaction:
            if sql != "BEGIN IMMEDIATE":
                connection.execute(sql, parameters).fetchall()
        connection.execute("COMMIT")
    elapsed = time.perf_counter() - begun
    connection.close()
    return elapsed
