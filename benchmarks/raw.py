"""The limit: the very statements of a request, with their very parameters, straight through the driver.

Requests (transitions, unless others are given) are run through the web application while the SQL it sends to the driver is
written down; then the driver alone runs the same statements again on a fresh copy of the same database, those of each request
in a transaction of their own, and nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from itsm.app import assemble, create_app
from itsm.platform.database import Database, Session, sqlite_driver
from itsm.platform.time import SystemClock
from tests import service as people
from tests import world

TRANSITIONS = 400
TICKETS = 10
HOLD = {"trigger": "hold", "fields": {"pending_reason": "vendor"}}
RESUME = {"trigger": "resume"}
COPY = "bench_copy"

Transaction = list[tuple[str, list[Any]]]
"""Statements in their order, each with the parameters of every time it is run."""


@dataclass(frozen=True)
class Raw:
    """Transactions per second by the driver, and how many statements each has."""

    rate: float
    statements: float


Ask = Callable[[str, str, dict[str, Any], dict[str, str]], Any]
"""Sends one request to the web application: method, path, body, headers; its answer."""


def raw_rate(database: Database, home: Path, token: str, requests: Callable[[Ask], None] | None = None) -> Raw:
    """How many of these requests a second the driver alone can do on a copy of this database."""
    written = _write_down(_copy(database, home), home, token, requests or _transitions)
    again = _copy(database, home)
    elapsed = _replay_postgresql(again, written) if database.is_postgresql else _replay_sqlite(again, written)
    if again.is_postgresql:
        world.drop_database(COPY)
    return Raw(len(written) / elapsed, sum(map(len, written)) / len(written))


def _copy(database: Database, home: Path) -> Database:
    database.dispose()
    if database.is_postgresql:
        return Database(world.copy_database(database.url, COPY))
    file = home / "copy.db"
    for ending in ("", "-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    shutil.copyfile(database.url.removeprefix("sqlite:///"), file)
    return Database(f"sqlite:///{file}")


def _write_down(database: Database, home: Path, token: str, requests: Callable[[Ask], None]) -> list[Transaction]:
    """The statements of requests that change something, each request's as one transaction."""
    service = assemble(people.settings(database.url, home), people.configuration(), SystemClock(), database, people.processes())
    client = create_app(service).test_client()
    caller = {"Authorization": f"Bearer {token}"}
    written: list[Transaction] = []

    def ask(method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        if method != "GET":
            written.append([])
        with _listening(written if method != "GET" else [[]]):
            answer = client.open(path, method=method, json=body or None, headers={**caller, **headers})
        assert answer.status_code < 300, answer.text
        return answer

    requests(ask)
    database.dispose()
    return written


def _transitions(ask: Ask) -> None:
    """Some tickets, put on hold and taken up again by turns."""
    numbers = [f"INC{number:07d}" for number in range(2, 2 + 10 * TICKETS, 10)]
    versions = {number: ask("GET", f"/api/v1/tickets/{number}", {}, {}).headers["ETag"] for number in numbers}
    for turn in range(TRANSITIONS):
        number = numbers[turn % TICKETS]
        body = RESUME if turn // TICKETS % 2 else HOLD
        headers = {"If-Match": versions[number], "Idempotency-Key": f"raw-{turn}"}
        versions[number] = ask("POST", f"/api/v1/tickets/{number}/transitions", body, headers).headers["ETag"]


class _listening:  # noqa: N801  (reads as a phrase)
    """Write down what sessions send to the driver; the transaction they are in begins with the request."""

    def __init__(self, written: list[Transaction]) -> None:
        self._written = written
        self._execute, self._many = Session._execute, Session.run_many

    def __enter__(self) -> None:
        def execute(session: Session, sql: str, parameters: Any) -> None:
            self._written[-1].append((sql, [parameters]))
            self._execute(session, sql, parameters)

        def many(session: Session, statement: Any, rows: Iterable[Any]) -> int:
            rows = list(rows)
            compiled = statement.compiled(session.dialect)
            if len(rows) > 1:  # a single one comes by `execute`
                self._written[-1].append((compiled.sql, [compiled.bind(row) for row in rows]))
            return self._many(session, statement, rows)

        Session._execute, Session.run_many = execute, many  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        Session._execute, Session.run_many = self._execute, self._many  # type: ignore[method-assign]


def _replay_postgresql(database: Database, written: list[Transaction]) -> float:
    with psycopg.connect(database.url.replace("postgresql+psycopg", "postgresql")) as connection:
        cursor = connection.cursor()
        begun = time.perf_counter()
        for transaction in written:
            for sql, parameters in transaction:
                if len(parameters) > 1:
                    cursor.executemany(sql, parameters)  # type: ignore[arg-type]
                    continue
                cursor.execute(sql, parameters[0])  # type: ignore[call-overload]
                if cursor.description is not None:
                    cursor.fetchall()
            connection.commit()
        return time.perf_counter() - begun


def _replay_sqlite(database: Database, written: list[Transaction]) -> float:
    connection = sqlite_driver().connect(database.url.removeprefix("sqlite:///"), isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    cursor = connection.cursor()
    begun = time.perf_counter()
    for transaction in written:
        cursor.execute("BEGIN IMMEDIATE")
        for sql, parameters in transaction:
            if len(parameters) > 1:
                cursor.executemany(sql, parameters)
            else:
                cursor.execute(sql, parameters[0]).fetchall()
        cursor.execute("COMMIT")
    elapsed = time.perf_counter() - begun
    connection.close()
    return elapsed
