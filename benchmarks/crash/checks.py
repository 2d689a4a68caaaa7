"""What must be true after every kill, read from the database itself and compared with the clients' journals.

I1 what was acknowledged is there, byte by byte; I2 what was not is there wholly or not at all; I3 nothing was done twice; I4
the log proves itself; I5 what must leave the house is said once; I6 each timer fired once; I7 every story is a path of its
workflow; I8 nothing is stuck; I10 a row is what its events say.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from benchmarks.crash import clients
from itsm.platform.database import Database, Prepared
from itsm.platform.work import IdempotencyRecord, OutboxMessage, Timer
from itsm.tickets import audit, projection
from itsm.tickets.models import Comment, Link, Ticket, TicketEvent

Line = Mapping[str, Any]

PATH = {"ready": "armed", "armed": "ringing", "ringing": "ready"}
"""The way of a drill, besides the echoes that leave it where it is."""

_TICKETS = Prepared(sa.select(Ticket.id, Ticket.number, Ticket.title, Ticket.state, Ticket.fields).order_by(Ticket.id))
_EVENTS = Prepared(
    sa.select(TicketEvent.ticket_id, TicketEvent.kind, TicketEvent.at, TicketEvent.payload, TicketEvent.seq).order_by(
        TicketEvent.ticket_id, TicketEvent.seq
    )
)
_COMMENTS = Prepared(sa.select(Comment.id, Comment.body))
_TITLES = Prepared(sa.select(Ticket.number, Ticket.title))
_KEPT = Prepared(sa.select(IdempotencyRecord.key, IdempotencyRecord.status, IdempotencyRecord.body))
_LINKS = Prepared(sa.select(Link.source_id, Link.target_id))
_MESSAGES = Prepared(sa.select(OutboxMessage.key, OutboxMessage.ticket_id))
_TIMERS = Prepared(sa.select(Timer.ticket_id, Timer.kind, Timer.name, Timer.parked_at, Timer.error))


@dataclass(frozen=True, slots=True)
class Drill:
    """One ticket and its story."""

    id: int
    number: str
    fields: Mapping[str, Any]
    events: list[tuple[str, datetime, dict[str, Any]]]

    def moves(self, trigger: str) -> list[tuple[datetime, dict[str, Any]]]:
        """The moves by one trigger, with their instants."""
        return [(at, told) for kind, at, told in self.events if kind == "moved" and told["trigger"] == trigger]


def acknowledged(database: Database, journals: Path) -> list[str]:
    """I1 and I3: what a client was told is done is there as it was told, once; what was refused is not there."""
    lines = list(clients.read(journals))  # before the database: what is acknowledged later is checked later
    with database.session(write=False) as session:
        numbers = {row.title: row.number for row in session.all(_TITLES)}
        titles = Counter(row.title for row in session.all(_TITLES))
        rows = session.all(_COMMENTS)
        kept = {row.key: row for row in session.all(_KEPT)}
    ids, bodies = {row.body: row.id for row in rows}, Counter(row.body for row in rows)
    found: list[str] = []
    for line in lines:
        key, what = line["key"], line["what"]
        times = titles[key] if line["kind"] == "create" else bodies[key]
        if what == "intent" and times > 1:
            found.append(f"I3: {key} was done {times} times")
        elif what == "refused" and times:
            found.append(f"I2: {key} was refused, and done")
        elif what in {"fault", "unanswered"}:
            found.append(f"{key} was not answered as it should be: {line}")
        elif what == "ack":
            told = numbers.get(key) == line["number"] if line["kind"] == "create" else times == 1
            if not told or (line["kind"] == "comment" and ids.get(key) != line["id"]):
                found.append(f"I1: {key} was acknowledged, and is not there as told")
            record = kept.get(key)
            if record is None or (record.status, hashlib.sha256(record.body.encode()).hexdigest()) != (
                line["status"],
                line["sha256"],
            ):
                found.append(f"I1: the answer to {key} is not kept as it was given")
    return found


def everything(database: Database, audit_key: bytes, journals: Path) -> tuple[dict[str, object], list[str]]:
    """Every invariant, on a service that has come to rest: figures to print, and what is violated."""
    with database.session(write=False) as session:
        drills = _drills(session.all(_TICKETS), session.all(_EVENTS))
        ties = [(row.source_id, row.target_id) for row in session.all(_LINKS)]
        messages, timers = session.all(_MESSAGES), session.all(_TIMERS)
        differing = projection.differences(session)
    proved = audit.verify(database, audit_key)
    found = acknowledged(database, journals)
    found += [f"I4: {fault}" for fault in proved.findings]
    found += [f"I10: {difference}" for difference in differing]
    found += [f"I8: left of ticket {row.ticket_id}: {row.kind} {row.name}, {row.error or 'not parked'}" for row in timers]
    for drill in drills:
        found += [f"{problem} ({drill.number})" for problem in (*_fired_once(drill), *_legal(drill))]
    found += _echoed_once(drills, ties)
    found += _told_once(drills, Counter(row.ticket_id for row in messages))
    lines = Counter((line["what"], line["kind"]) for line in clients.read(journals))
    again = sum(line.get("asked", 1) > 1 for line in clients.read(journals))
    replayed = sum(bool(line.get("replayed")) for line in clients.read(journals))
    lateness = sorted(late for drill in drills for late in _lateness(drill))
    facts: dict[str, object] = {
        "acknowledged": sum(count for (what, _), count in lines.items() if what == "ack"),
        "refused": sum(count for (what, _), count in lines.items() if what == "refused"),
        "asked again after a kill": again,
        "answered from the record": replayed,
        "timers fired": len(lateness),
        "latest timer, s": round(lateness[-1], 1) if lateness else None,
        "cascades": sum(len(drill.moves("echo")) for drill in drills),
        "messages": len(messages),
        "events proved": proved.rows,
    }
    return facts, found


def _drills(tickets: list[Any], events: list[Any]) -> list[Drill]:
    stories: defaultdict[int, list[tuple[str, datetime, dict[str, Any]]]] = defaultdict(list)
    for event in events:
        stories[event.ticket_id].append((event.kind, event.at, orjson.loads(event.payload)))
    return [Drill(row.id, row.number, row.fields, stories[row.id]) for row in tickets]


def _fired_once(drill: Drill) -> Iterator[str]:
    """I6: each arming rings once and settles once, at its own due instant, and the counter saw each ring."""
    armed, rings, settles = (drill.moves(trigger) for trigger in ("arm", "ring", "settle"))
    if not len(armed) == len(rings) == len(settles):
        yield f"I6: armed {len(armed)} times, rang {len(rings)} and settled {len(settles)} times"
    dues = [told["due"] for _, told in (*rings, *settles)]
    if len(set(dues)) != len(dues):
        yield "I6: one timer fired twice"
    if (drill.fields.get("rings") or 0) != len(rings):
        yield f"I6: counted {drill.fields.get('rings')} rings of {len(rings)}"


def _legal(drill: Drill) -> Iterator[str]:
    """I7: a path of the workflow, and nothing was refused to the clock or to a neighbour."""
    state = "ready"
    for kind, _, told in drill.events:
        if kind == "moved":
            wanted = state if told["trigger"] == "echo" else PATH[state]
            if (told["from"], told["to"]) != (state, wanted):
                yield f"I7: from {told['from']} to {told['to']}, when it was {state}"
            state = told["to"]
        elif kind in {"refused", "cascade_cut", "reactions_cut"}:
            yield f"I7: {kind}: {told}"


def _echoed_once(drills: list[Drill], ties: list[tuple[int, int]]) -> Iterator[str]:
    """I6 for cascades: each ring is heard once by each ticket that is tied to it."""
    by_id = {drill.id: drill for drill in drills}
    for one, other in (pair for tie in ties for pair in (tie, tie[::-1])):
        rings = len(by_id[one].moves("ring"))
        heard = sum(told["cascade"] == by_id[one].number for _, told in by_id[other].moves("echo"))
        if rings != heard:
            yield f"I6: {by_id[one].number} rang {rings} times, {by_id[other].number} heard it {heard} times"


def _told_once(drills: list[Drill], messages: Mapping[int, int]) -> Iterator[str]:
    """I5: a message for each ring, no more and no fewer."""
    for drill in drills:
        if messages.get(drill.id, 0) != len(drill.moves("ring")):
            yield f"I5: {drill.number} rang {len(drill.moves('ring'))} times, and {messages.get(drill.id, 0)} messages say so"


def _lateness(drill: Drill) -> list[float]:
    fired = (*drill.moves("ring"), *drill.moves("settle"))
    return [(at - datetime.fromisoformat(told["due"])).total_seconds() for at, told in fired]
