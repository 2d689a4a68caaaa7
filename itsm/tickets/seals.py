"""The marks on the event log: two with each change of a ticket, one each minute over everything. `audit.py` proves them.

All are HMAC-SHA256 (RFC 2104) under one key, derived from the installation's secret and never kept in the database:

- each event's `link` covers all its columns but the id, and the link before it in its ticket: the ticket's chain;
- the ticket row's `seal` covers its id, the length of its chain and the last link;
- a checkpoint's `mark` covers ids and links of all events between its horizon and the one before, and the mark before.

Writers pay for two digests a ticket and event; no writer waits for another's chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Database, Prepared, Session
from itsm.platform.schema import Instant, table
from itsm.platform.time import EPOCH, Clock, to_micros
from itsm.tickets.models import AuditCheckpoint, TicketEvent

GENESIS = b""
"""The chain of a ticket to which nothing has happened yet."""

LOCK_PATIENCE_MS = 200
"""How long a checkpoint waits for writers to finish, and so the longest that it may keep new ones waiting (PostgreSQL)."""

LINKS_AT_A_TIME = 10_000
_BLOCK = 64  # bytes that SHA-256 works on at a time

_EVENTS, _CHECKPOINTS = table(TicketEvent), table(AuditCheckpoint)
_HORIZON = Prepared(sa.select(sa.func.max(_EVENTS.c.id).label("last")))
_QUIET_MOMENT = "; ".join(
    [
        f"SET LOCAL lock_timeout = {LOCK_PATIENCE_MS}",
        "LOCK TABLE ticket_events IN SHARE MODE",
        "SELECT coalesce(max(id), 0) FROM ticket_events",
        "COMMIT",
    ]
)
_LINKS = Prepared(
    sa.select(_EVENTS.c.id, sa.cast(_EVENTS.c.link, sa.LargeBinary).label("link"))
    .where(_EVENTS.c.id > sa.bindparam("after"), _EVENTS.c.id <= sa.bindparam("until"))
    .order_by(_EVENTS.c.id)
    .limit(LINKS_AT_A_TIME)
)
_LATEST = Prepared(sa.select(_CHECKPOINTS).order_by(_CHECKPOINTS.c.id.desc()).limit(1))
# ON CONFLICT is the same in both databases; SQLite compiles PostgreSQL's construct.
_ADD = Prepared(
    postgresql.insert(_CHECKPOINTS)
    .values(
        **{name: sa.bindparam(name) for name in ("id", "last_event_id", "events", "mark")},
        at=sa.bindparam("at", type_=Instant),
    )
    .on_conflict_do_nothing(index_elements=["id"])
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All events with ids in (the last checkpoint's `last_event_id`, this one's], as they were `at` an instant."""

    id: int
    at: datetime
    last_event_id: int
    events: int
    mark: bytes


BEFORE_THE_FIRST = Checkpoint(0, EPOCH, 0, 0, b"")


class Digest:
    """SHA-256 over the ids and links of events, as they are added."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0

    def add(self, event_id: int, its_link: bytes) -> None:
        """Add the event that follows by id."""
        self._hash.update(event_id.to_bytes(8, signed=True) + its_link)
        self.events += 1

    def value(self) -> bytes:
        """32 bytes over all that was added."""
        return self._hash.digest()


def link(
    key: bytes,
    previous: bytes,
    *,
    ticket_id: int,
    seq: int,
    kind: str,
    at: int,
    recorded_at: int,
    actor: str,
    on_behalf_of: str | None,
    channel: str,
    internal: bool,
    payload: str,
) -> bytes:
    """The link of an event: 32 bytes over the `previous` link and every column but the id. Instants are in microseconds."""
    columns = (ticket_id, seq, kind, at, recorded_at, actor, on_behalf_of, channel, int(internal), payload)
    return link_columns(key, previous, columns)


def link_columns(key: bytes, previous: bytes, columns: tuple[Any, ...]) -> bytes:
    """`link` of columns in its order, `internal` as 0 or 1. A JSON array says where a column ends and of which type it is."""
    return _hmac(key, b"link" + len(previous).to_bytes(4) + previous + orjson.dumps(columns))


def seal(key: bytes, ticket_id: int, count: int, chain: bytes) -> bytes:
    """The seal of a ticket whose chain has `count` events and ends with the link `chain`."""
    return _hmac(key, b"seal" + ticket_id.to_bytes(8) + count.to_bytes(8) + chain)


def mark(key: bytes, previous: bytes, numbers: tuple[int, int, int, int], digest: bytes) -> bytes:
    """The mark of a checkpoint: over the `previous` mark, its id, instant, last event and number of events, and a digest."""
    return _hmac(key, b"mark" + len(previous).to_bytes(4) + previous + orjson.dumps(numbers) + digest)


def checkpoint(database: Database, key: bytes, clock: Clock) -> Checkpoint | None:
    """Mark all events since the last checkpoint; None when there are none, or another process was quicker.

    Raises `DeskError` `busy` when writers do not pause for it in time; the next checkpoint then covers the same events.
    """
    until = database.retrying(lambda: _horizon(database))
    with database.session(write=False) as session:
        previous = latest(session) or BEFORE_THE_FIRST
    if until <= previous.last_event_id:
        return None
    digest = Digest()
    for row in links(database, previous.last_event_id, until):
        digest.add(row.id, row.link)
    now = clock.now()
    numbers = (previous.id + 1, to_micros(now), until, digest.events)
    made = Checkpoint(numbers[0], now, until, digest.events, mark(key, previous.mark, numbers, digest.value()))
    with database.session() as session:
        # SQLite lets one writer in at a time, so this answers there; its trigger against REPLACE refuses before ON CONFLICT.
        if (latest(session) or BEFORE_THE_FIRST).id != previous.id:
            return None
        added = session.run(_ADD, id=made.id, at=made.at, last_event_id=made.last_event_id, events=made.events, mark=made.mark)
    return made if added == 1 else None


def latest(session: Session) -> Checkpoint | None:
    """The newest checkpoint. Its mark is worth noting outside the database."""
    row = session.first(_LATEST)
    return None if row is None else Checkpoint(row.id, row.at, row.last_event_id, row.events, bytes(row.mark))


def links(database: Database, after: int, until: int) -> Iterator[Any]:
    """Ids and links of the events in (`after`, `until`], in order, in short transactions: below a horizon nothing changes."""
    rows: list[Any] = []
    while not rows or len(rows) == LINKS_AT_A_TIME:
        with database.session(write=False) as session:
            rows = session.all(_LINKS, after=after, until=until)
        if not rows:
            return
        yield from rows
        after = rows[-1].id


def horizon(session: Session) -> int:
    """The id of the last event; below it nothing will be written any more.

    PostgreSQL gives out ids before it commits: a higher one may be seen before a lower one is. So for a moment no writer may be
    under way there. That moment is the server's own: however long we stand still, it lets the writers go on. SQLite never has
    more than one.
    """
    if not session.is_postgresql:
        return session.one(_HORIZON).last or 0
    ((last,),) = session.at_once(_QUIET_MOMENT)
    return int(last)


def _horizon(database: Database) -> int:
    with database.session() as session:
        return horizon(session)


def _hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256, its key worked in once: a fifth of the time that `hmac.digest` takes. See RFC 2104, section 4."""
    inner, outer = _keyed(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(message)
    outer.update(inner.digest())
    digest: bytes = outer.digest()
    return digest


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> tuple[Any, Any]:
    if len(key) > _BLOCK:
        raise ValueError("a longer key would have to be hashed first; derived keys have 32 bytes")
    block = key.ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
