"""Do the kept clocks agree with the event log? Each ticket's clocks are made anew and compared, to the microsecond.

A difference is told and never mended here: whoever reads it has to find out which of the two is wrong. Tickets are read some
hundreds at a time, each time in one snapshot, so it runs beside writers for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa

from itsm.platform.database import Database, Prepared
from itsm.platform.time import from_micros, to_micros
from itsm.sla import log, measure
from itsm.sla.agreements import Agreements
from itsm.sla.models import SlaClock, SlaStanding
from itsm.sla.replay import Find, LoggedEvent, derive
from itsm.sla.standing import Cycle, Key, Standing, cycle_data, decode, encode, text_of
from itsm.tickets.models import Ticket, TicketEvent

TICKETS_AT_A_TIME = 200

_AFTER, _UNTIL = sa.bindparam("after", type_=sa.BigInteger), sa.bindparam("until", type_=sa.BigInteger)
_TICKETS = Prepared(
    sa.select(Ticket.id, Ticket.number, SlaStanding.state)
    .outerjoin(SlaStanding, SlaStanding.ticket_id == Ticket.id)
    .where(Ticket.id > _AFTER)
    .order_by(Ticket.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_EVENTS = Prepared(
    sa.select(*log.COLUMNS)
    .where(TicketEvent.ticket_id > _AFTER, TicketEvent.ticket_id <= _UNTIL)
    .order_by(TicketEvent.ticket_id, TicketEvent.seq)
)
KEPT_COLUMNS = (
    SlaClock.ticket_id,
    SlaClock.clock,
    SlaClock.part,
    SlaClock.cycle,
    SlaClock.kind,
    SlaClock.status,
    SlaClock.started_at,
    SlaClock.due_at,
    SlaClock.stopped_at,
    SlaClock.excused,
    SlaClock.detail,
)
_CLOCKS = Prepared(
    sa.select(*KEPT_COLUMNS)
    .where(SlaClock.ticket_id > _AFTER, SlaClock.ticket_id <= _UNTIL)
    .order_by(SlaClock.ticket_id, SlaClock.clock, SlaClock.part, SlaClock.cycle)
)


@dataclass(slots=True)
class Proof:
    """What was compared, and every difference in words; none is what there should be."""

    tickets: int = 0
    clocks: int = 0
    differences: tuple[str, ...] = ()


def verify(database: Database, agreements: Agreements) -> Proof:
    """Compare the clocks of every ticket."""
    proof = Proof()
    last: int | None = 0
    find = agreements.finder_in(database)
    while last is not None:
        last = _portion(database, find, proof, last)
    return proof


def _portion(database: Database, find: Find, proof: Proof, after: int) -> int | None:
    """Compare the tickets that follow one; the last of these, or None when there are no more.

    The transaction is over before the comparing begins, which takes much longer than the reading.
    """
    with database.session(write=False) as session:
        session.as_of_now()
        rows = session.all(_TICKETS, after=after, limit=TICKETS_AT_A_TIME)
        until = int(rows[-1].id) if rows else after
        told = session.all(_EVENTS, after=after, until=until)
        clocks = session.all(_CLOCKS, after=after, until=until)
    if not rows:
        return None
    events, kept = log.by_ticket(told), log.by_ticket(clocks)
    for row in rows:
        story = log.decoded(events.get(row.id, ()))
        proof.differences += tuple(f"{row.number}: {each}" for each in compare(find, story, row.state, kept.get(row.id, ())))
    proof.tickets += len(rows)
    proof.clocks += len(clocks)
    return until


def compare(find: Find, events: Sequence[LoggedEvent], state: str | None, clocks: Iterable[Any]) -> list[str]:
    """What of a ticket's kept standing and clocks differs from what its events give, in words."""
    derived = derive(find, events)
    return [*standing_differs(derived.standing, state), *clocks_differ(find, derived.cycles, clocks)]


def standing_differs(said: Standing, state: str | None) -> Iterator[str]:
    """What differs between the standing that the events give and the text that was kept; None if there is none."""
    if state is None:
        if said.version is not None:
            yield "its standing is not kept"
        return
    text = encode(said)
    if text == state:
        return
    kept, said = decode(state), decode(text)
    missing = {key for key in said.cycles.keys() - kept.cycles.keys() if said.is_past_miss(said.cycles[key])}
    said = replace(
        said, cycles={key: cycle for key, cycle in said.cycles.items() if key not in missing}
    )  # of an earlier release
    for each in fields(Standing):
        is_, says = getattr(kept, each.name), getattr(said, each.name)
        if is_ != says:
            yield f"the {each.name} of its standing is {is_!r}, its events say {says!r}"


def clocks_differ(find: Find, said: Mapping[Key, Cycle], kept: Iterable[Any]) -> Iterator[str]:
    """What differs between the cycles that the events give and the rows that were kept."""
    rows = {(row.clock, row.part, row.cycle): row for row in kept}
    for key in sorted(rows.keys() | said.keys()):
        name = f"clock {'/'.join(filter(None, key[:2]))}, cycle {key[2]}"
        if key not in said:
            yield f"{name} is kept, its events know of none"
        elif key not in rows:
            yield f"{name} is not kept"
        else:
            for column, is_, says in _columns(find, rows[key], said[key]):
                if is_ != says:
                    yield f"{name}: {column} is {is_!r}, its events say {says!r}"


def _columns(find: Find, row: Any, cycle: Cycle) -> Iterator[tuple[str, object, object]]:
    agreement, _ = find(cycle.version)
    yield "kind", row.kind, agreement.policies[cycle.clock].kind.value
    yield "status", row.status, cycle.status.value
    yield "started_at", to_micros(row.started_at), cycle.started_at
    yield "due_at", row.due_at, _instant(measure.due(agreement, cycle))
    yield "stopped_at", row.stopped_at, _instant(cycle.stopped_at)
    yield "excused", row.excused, cycle.excused is not None
    yield "detail", row.detail, text_of(cycle_data(cycle))


def _instant(micros: int | None) -> Any:
    return None if micros is None else from_micros(micros)
