"""An event log written by hand, as the commands write it, and an intruder who rewrites it by SQL."""

from __future__ import annotations

import hashlib
import random
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session, sqlite_driver
from itsm.platform.schema import table
from itsm.platform.time import Clock, to_micros
from itsm.tickets import audit
from itsm.tickets.models import Attachment, AuditCheckpoint, Comment, Ticket, TicketEvent, WorkflowVersion

KEY = b"k" * 32
COVERED = ("ticket_id", "seq", "kind", "at", "recorded_at", "actor", "on_behalf_of", "channel", "internal", "payload")


def _insert(model: Any, *without: str) -> Prepared:
    columns = [column for column in table(model).columns if column.name not in without]
    return Prepared(sa.insert(table(model)).values({c.name: sa.bindparam(c.name, type_=c.type) for c in columns}).inline())


_WORKFLOW, _TICKET, _EVENT = _insert(WorkflowVersion), _insert(Ticket), _insert(TicketEvent, "id")
_COMMENT, _FILE = _insert(Comment), _insert(Attachment)
_GROW = Prepared(
    sa.update(table(Ticket))
    .where(table(Ticket).c.id == sa.bindparam("ticket"))
    .values(event_count=sa.bindparam("count"), chain=sa.bindparam("end"), seal=sa.bindparam("its_seal"))
)
_REVISE = Prepared(
    sa.update(table(Comment)).where(table(Comment).c.id == sa.bindparam("comment")).values(body=sa.bindparam("text"))
)


@dataclass
class Chain:
    """A ticket's chain as its last writer knows it."""

    ticket: int
    count: int = 0
    end: bytes = audit.GENESIS

    @property
    def number(self) -> str:
        return f"INC{self.ticket:07}"


class Log:
    """Writes tickets and events, each with its link and seal."""

    def __init__(self, database: Database, clock: Clock, seed: int = 0) -> None:
        self.database, self._clock, self._random = database, clock, random.Random(seed)
        self.chains: dict[int, Chain] = {}
        self._comments = self._files = 0
        with database.session() as session:
            session.run(
                _WORKFLOW,
                id=1,
                name="incident",
                digest="d",
                title="Incident",
                source="…",
                published_at=clock.now(),
                published_by="ada",
                is_current=True,
            )

    def open(self, events: int = 1) -> Chain:
        """A new ticket with so many events."""
        chain = Chain(len(self.chains) + 1)
        self.chains[chain.ticket] = chain
        now = self._clock.now()
        absent = dict.fromkeys(column.name for column in table(Ticket).columns)
        row: dict[str, Any] = {
            **absent,
            "id": chain.ticket,
            "number": chain.number,
            "type": "incident",
            "workflow_version_id": 1,
            "state": "new",
            "category": "open",
            "title": "Printer",
            "description": "",
            "priority_rank": 99,
            "fields": {},
            "work_minutes": 0,
            "created_at": now,
            "updated_at": now,
            "entered_state_at": now,
            "event_count": 0,
            "chain": b"",
            "seal": b"",
        }
        with self.database.session() as session:
            session.run(_TICKET, **row)
            self.append(session, chain, events)
        return chain

    def grow(self, chain: Chain, events: int = 1) -> None:
        with self.database.session() as session:
            self.append(session, chain, events)

    def append(self, session: Session, chain: Chain, events: int) -> None:
        session.run_many(_EVENT, [self._event(chain, f"said {self._random.random()}") for _ in range(events)])
        self._seal(session, chain)

    def comment(self, chain: Chain, body: str, visibility: str = "public") -> int:
        self._comments += 1
        row = {
            "id": self._comments,
            "ticket_id": chain.ticket,
            "seq": chain.count + 1,
            "author": "ada",
            "visibility": visibility,
        }
        payload = {"comment": self._comments, "sha256": hashlib.sha256(body.encode()).hexdigest()}
        with self.database.session() as session:
            session.run(_COMMENT, **row, body=body, at=self._clock.now())
            session.run(_EVENT, **self._event(chain, payload, internal=visibility == "internal"))
            self._seal(session, chain)
        return self._comments

    def revise_comment(self, chain: Chain, body: str) -> None:
        """Change the latest comment in the open: the event about it has the new digest."""
        payload = {"comment": self._comments, "sha256": hashlib.sha256(body.encode()).hexdigest()}
        with self.database.session() as session:
            session.run(_REVISE, comment=self._comments, text=body)
            session.run(_EVENT, **self._event(chain, payload))
            self._seal(session, chain)

    def attach(self, chain: Chain, digest: str) -> int:
        self._files += 1
        row = {"id": self._files, "ticket_id": chain.ticket, "digest": digest, "size": 1, "media_type": "text/plain"}
        payload = {"attachment": self._files, "sha256": digest}
        with self.database.session() as session:
            session.run(_FILE, **row, filename="a.txt", visibility="public", uploaded_by="ada", at=self._clock.now())
            session.run(_EVENT, **self._event(chain, payload))
            self._seal(session, chain)
        return self._files

    def _event(self, chain: Chain, payload: Any, *, internal: bool = False) -> dict[str, Any]:
        chain.count += 1
        now = self._clock.now()
        row: dict[str, Any] = {
            "ticket_id": chain.ticket,
            "seq": chain.count,
            "kind": "edited",
            "at": now,
            "recorded_at": now,
            "actor": "ada",
            "on_behalf_of": None,
            "channel": "api",
            "internal": internal,
            "payload": orjson.dumps(payload).decode(),
        }
        chain.end = row["link"] = audit.link(KEY, chain.end, **{**row, "at": to_micros(now), "recorded_at": to_micros(now)})
        return row

    def _seal(self, session: Session, chain: Chain) -> None:
        its_seal = audit.seal(KEY, chain.ticket, chain.count, chain.end)
        session.run(_GROW, ticket=chain.ticket, count=chain.count, end=chain.end, its_seal=its_seal)


class Intruder(AbstractContextManager["Intruder"]):
    """Somebody with the database's password and without the key: no trigger, foreign key or privilege stops him."""

    def __init__(self, database: Database) -> None:
        self._postgresql = database.is_postgresql
        if self._postgresql:
            self._connection: Any = psycopg.connect(database.url, autocommit=True)
            self.run("SET session_replication_role = replica")
            return
        self._connection = sqlite_driver().connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
        for row in self.run("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_no_%'"):
            self.run(f"DROP TRIGGER {row[0]}")

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()

    def run(self, sql: str, *parameters: Any) -> list[Any]:
        cursor = self._connection.cursor()
        cursor.execute(sql.replace("?", "%s") if self._postgresql else sql, parameters or None or ())
        return list(cursor.fetchall()) if cursor.description else []

    def event(self, ticket: int, seq: int) -> dict[str, Any]:
        names = ("id", *COVERED, "link")
        (row,) = self.run(f"SELECT {', '.join(names)} FROM ticket_events WHERE ticket_id = ? AND seq = ?", ticket, seq)
        return dict(zip(names, row, strict=True))

    def insert_event(self, event: dict[str, Any]) -> None:
        marks = ", ".join("?" for _ in event)
        self.run(f"INSERT INTO ticket_events ({', '.join(event)}) VALUES ({marks})", *event.values())

    def copy(self) -> dict[str, list[Any]]:
        """Everything that he may touch, to put it back."""
        return {name: self.run(f"SELECT {columns} FROM {name}") for name, columns in _TOUCHED.items()}

    def put_back(self, copy: dict[str, list[Any]], *names: str) -> None:
        """The rows of a copy in the place of those that are there now, in all tables or in some."""
        for name in names or _TOUCHED:
            self.run(f"DELETE FROM {name}")
            marks = ", ".join("%s" if self._postgresql else "?" for _ in _TOUCHED[name].split(","))
            self._connection.cursor().executemany(f"INSERT INTO {name} ({_TOUCHED[name]}) VALUES ({marks})", copy[name])


_TOUCHED = {
    model.__tablename__: ", ".join(column.name for column in table(model).columns)
    for model in (Ticket, TicketEvent, Comment, Attachment, AuditCheckpoint)
}
