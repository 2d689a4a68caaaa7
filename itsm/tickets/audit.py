"""Proving the event log: every link, seal and mark of `seals.py`, and what the log witnesses about comments and files.

Who can write to the database, but does not have the key, is found out when he changes, inserts, swaps or moves an event, or
takes one out of the middle of a chain or off its end (he cannot make the seal of a shorter chain); and when he puts back an
older copy of a ticket, or removes one with all its events (a checkpoint counted them).

He is not found out when he removes a whole ticket, or puts back an older copy of one, before a checkpoint covers what he takes
away: within the minute, that is. Nor when he puts back an older copy of the entire database, unless marks that were noted
elsewhere (a log file, a mailbox) are given to `verify`. Who has the key as well can forge everything. `people_events` are kept
from changes by triggers alone. The columns of a ticket row are a projection of its events: `projection.py` compares the two.

Tickets are read some hundreds at a time, each time in one snapshot: this runs beside writers for as long as it takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session
from itsm.platform.schema import table
from itsm.tickets.models import Attachment, AuditCheckpoint, Comment, Ticket, TicketEvent
from itsm.tickets.seals import GENESIS, Checkpoint, Digest, checkpoint, latest, link, link_columns, links, mark, seal

__all__ = ["GENESIS", "Checkpoint", "Fault", "Report", "checkpoint", "latest", "link", "seal", "verify"]

TICKETS_AT_A_TIME = 200
MOST_FAULTS = 1000
"""After so many there is no more to learn: the key is another one, or the log is another's."""

_BEYOND = 2**63 - 1
_T, _E, _C, _A = (table(model).c for model in (Ticket, TicketEvent, Comment, Attachment))


def _raw(column: sa.ColumnElement[Any], as_type: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """The column as the driver gives it: what was altered need not make sense as an instant or a truth value."""
    return sa.type_coerce(column, as_type).label(column.name)


def _of_tickets(columns: tuple[sa.ColumnElement[Any], ...], order: tuple[sa.ColumnElement[Any], ...]) -> Prepared:
    of = order[0]
    return Prepared(sa.select(*columns).where(of > sa.bindparam("after"), of <= sa.bindparam("until")).order_by(*order))


_TICKETS = Prepared(
    sa.select(_T.id, _T.number, _T.event_count, _T.chain, _T.seal)
    .where(_T.id > sa.bindparam("after"))
    .order_by(_T.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_NEXT = Prepared(sa.select(_T.id).where(_T.id > sa.bindparam("after")).order_by(_T.id).limit(1))


def _events(internal: sa.ColumnElement[Any]) -> Prepared:
    """What a link covers, in the order of `seals.link`, and the link."""
    instants = (_raw(_E.at, sa.BigInteger()), _raw(_E.recorded_at, sa.BigInteger()))
    covered = (_E.ticket_id, _E.seq, _E.kind, *instants, _E.actor, _E.on_behalf_of, _E.channel, internal, _E.payload)
    return _of_tickets((*covered, _E.link), (_E.ticket_id, _E.seq))


_COVERED = 10
_EVENTS = {
    "sqlite": _events(_raw(_E.internal, sa.Integer())),  # which may be any number, once it was altered
    "postgresql": _events(sa.cast(_E.internal, sa.Integer).label("internal")),
}
_COMMENTS = _of_tickets((_C.ticket_id, _C.id, _C.body, _C.visibility, _C.author.label("by")), (_C.ticket_id, _C.id))
_FILES = _of_tickets((_A.ticket_id, _A.id, _A.digest, _A.visibility, _A.uploaded_by.label("by")), (_A.ticket_id, _A.id))
_K = table(AuditCheckpoint).c
_CHECKPOINTS = Prepared(sa.select(_K.id, _raw(_K.at, sa.BigInteger()), _K.last_event_id, _K.events, _K.mark).order_by(_K.id))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written. `ticket` is its number; `seq` the first event of it that is wrong or missing."""

    code: str
    ticket: str | None
    seq: int | None
    message: str

    def __str__(self) -> str:
        where = f"{self.ticket}, event {self.seq}" if self.seq else self.ticket
        return f"{where}: {self.message}" if where else self.message


@dataclass(frozen=True, slots=True)
class Report:
    """What was proved: how many events (`rows`) and checkpoints, and the faults found, `MOST_FAULTS` at most."""

    rows: int
    checkpoints: int
    findings: tuple[Fault, ...]

    @property
    def first_bad(self) -> Fault | None:
        """The first fault, by ticket and sequence."""
        return self.findings[0] if self.findings else None


@dataclass(slots=True)
class _Story:
    """All that belongs to one ticket id, in one snapshot. Without `ticket`: what has lost its ticket."""

    id: int
    ticket: Any = None
    events: list[Any] = field(default_factory=list)
    comments: list[Any] = field(default_factory=list)
    files: list[Any] = field(default_factory=list)
    readable: bool = True

    @property
    def name(self) -> str:
        return str(self.ticket.number) if self.ticket else f"ticket #{self.id}"


def verify(database: Database, key: bytes, noted: Collection[bytes] = ()) -> Report:
    """Prove the whole log. `noted` are marks of checkpoints, kept elsewhere, that must be there still."""
    rows = 0

    def chains() -> Iterator[Fault]:
        nonlocal rows
        for story in _stories(database):
            rows += len(story.events)
            if not story.readable:
                yield Fault("unreadable", story.name, None, "what is kept of it is not even text")
            yield from _chain(key, story)
            yield from _witnessed(story)

    with database.session(write=False) as session:
        checkpoints = session.all(_CHECKPOINTS)
    faults = chain(chains(), _marks(database, key, checkpoints), _lost(checkpoints, noted))
    return Report(findings=tuple(islice(faults, MOST_FAULTS)), rows=rows, checkpoints=len(checkpoints))


def _chain(key: bytes, story: _Story) -> Iterator[Fault]:
    """The links of one ticket, one after the other, and the seal on their end."""
    previous, last = GENESIS, 0
    for event in story.events:
        if event.seq != last + 1:
            yield Fault("missing", story.name, last + 1, f"missing; the next one there is {event.seq}")
        if not _holds(key, previous, event):
            yield Fault("altered", story.name, event.seq, "not as it was written, or not in its place")
        previous, last = _bytes(event.link), event.seq if isinstance(event.seq, int) else last + 1
    if story.ticket is not None:
        yield from _end(key, story, last, previous)
    elif story.events:
        yield Fault("orphaned", story.name, 1, "events without their ticket")


def _end(key: bytes, story: _Story, last: int, end: bytes) -> Iterator[Fault]:
    """What the ticket row says about its chain: how long it is, and where it ends."""
    count = story.ticket.event_count
    if count != last or story.ticket.chain != end:
        first = last + 1 if not isinstance(count, int) or count > last else max(count + (count < last), 1)
        yield Fault("cut", story.name, first, f"the ticket has {count} events, its log {last}, or they do not end alike")
    elif story.ticket.seal != seal(key, story.id, last, end):
        yield Fault("seal", story.name, last, "the seal on the end of the log is broken")


def _holds(key: bytes, previous: bytes, event: Any) -> bool:
    try:
        return bool(event.link == link_columns(key, previous, event[:_COVERED]))
    except TypeError:  # SQLite keeps anything in any column: a blob for a text, say
        return False


def _witnessed(story: _Story) -> Iterator[Fault]:
    """Comments and files are not in the log, but what they were is: digest, visibility, author."""
    telling = (event for event in story.events if isinstance(event.payload, str) and '"sha256"' in event.payload)
    said = {about: (event, digest) for event in telling for about, digest in _about(event)}
    there = [("comment", row, _sha256(row.body)) for row in story.comments]
    there += [("attachment", row, row.digest) for row in story.files]
    for what, row, digest in there:
        event, witnessed = said.pop((what, row.id), (None, ""))
        if event is None:
            yield Fault(what, story.name, None, f"{what} {row.id} is not in the log")
        elif (digest, row.visibility == "internal", row.by) != (witnessed, bool(event.internal), event.actor):
            yield Fault(what, story.name, event.seq, f"{what} {row.id} is not as it was written")
    for (what, row_id), (event, _) in said.items():
        yield Fault(what, story.name, event.seq, f"{what} {row_id} is gone")


def _about(event: Any) -> Iterator[tuple[tuple[str, int], str]]:
    """The comment or file that an event tells of, and its digest then."""
    try:
        payload = dict(orjson.loads(event.payload))
    except (ValueError, TypeError):
        return  # its link is broken anyway
    for name, what in (("comment", "comment"), ("said", "comment"), ("attachment", "attachment")):
        if isinstance(payload.get(name), int):
            yield (what, payload[name]), str(payload["sha256"])


def _marks(database: Database, key: bytes, checkpoints: list[Any]) -> Iterator[Fault]:
    """Each checkpoint over the events that are there now."""
    events = links(database, 0, max((each.last_event_id for each in checkpoints), default=0))
    event = next(events, None)
    after, previous = 0, b""
    for each in checkpoints:
        digest = Digest()
        while event is not None and event.id <= each.last_event_id:
            digest.add(event.id, event.link)
            event = next(events, None)
        if each.mark != mark(key, previous, (each.id, each.at, each.last_event_id, each.events), digest.value()):
            told = f"saw {each.events} events with ids {after + 1} to {each.last_event_id}; there are {digest.events} now"
            yield Fault("checkpoint", None, None, f"checkpoint {each.id} {told}, or others, or it was altered itself")
        after, previous = each.last_event_id, _bytes(each.mark)


def _lost(checkpoints: list[Any], noted: Collection[bytes]) -> Iterator[Fault]:
    known = {_bytes(each.mark) for each in checkpoints}
    for each in noted:
        if each not in known:
            yield Fault("rolled_back", None, None, f"the mark {each.hex()[:16]}…, noted elsewhere, is not there any more")


def _stories(database: Database) -> Iterator[_Story]:
    """Every ticket with all that belongs to it, in the order of ids, and whatever belongs to none."""
    after, limit = 0, TICKETS_AT_A_TIME
    while after < _BEYOND:
        try:
            with database.session(write=False) as session:
                session.as_of_now()
                stories, after = _read(session, after, limit)
        except database.driver_error as error:
            if "decode" not in str(error):
                raise
            # SQLite takes any bytes for text. Read one by one until the ticket that has such bytes is passed.
            stories, after, limit = ([], after, 1) if limit > 1 else (*_pass(database, after), TICKETS_AT_A_TIME)
        yield from stories


def _pass(database: Database, after: int) -> tuple[list[_Story], int]:
    with database.session(write=False) as session:
        row = session.first(_NEXT, after=after)
    name = _BEYOND if row is None else row.id
    return [_Story(name, readable=False)], name


def _read(session: Session, after: int, limit: int) -> tuple[list[_Story], int]:
    tickets = session.all(_TICKETS, after=after, limit=limit)
    until = tickets[-1].id if len(tickets) == limit else _BEYOND
    stories = {ticket.id: _Story(ticket.id, ticket) for ticket in tickets}
    for name, statement in (("events", _EVENTS[session.dialect.name]), ("comments", _COMMENTS), ("files", _FILES)):
        for ticket_id, rows in groupby(session.all(statement, after=after, until=until), attrgetter("ticket_id")):
            setattr(stories.setdefault(ticket_id, _Story(ticket_id)), name, list(rows))
    return [stories[each] for each in sorted(stories)], until


def _bytes(stored: object) -> bytes:
    """A digest as it is kept, or none where something else is kept in its place."""
    return stored if isinstance(stored, bytes) else GENESIS


def _sha256(body: object) -> str:
    return hashlib.sha256(str(body).encode(errors="replace")).hexdigest()
