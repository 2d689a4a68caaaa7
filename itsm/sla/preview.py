"""What if these promises held: which due instants would move, which clocks would come and go, which results would be others.

Each ticket's story is told anew under the other agreement and compared with its kept clocks (that these are what its events
give, `itsm sla verify` proves). It is what applying would do to open tickets; what has ended is compared on request, and told
only. Nothing is written. Portions of tickets are read one after the other and shared out to processes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session
from itsm.sla import log, sources
from itsm.sla.agreements import Agreements, Source
from itsm.sla.comparing import Compared, compare
from itsm.sla.differences import Outcome, Weightiest, changes
from itsm.sla.judging import Judge
from itsm.sla.models import SlaClock, SlaStanding, SlaVersion
from itsm.sla.moments import CORRECTED
from itsm.sla.policy import Agreement
from itsm.sla.shapes import Retelling
from itsm.tickets.models import Ticket, TicketEvent
from itsm.workflow.definition import Category
from itsm.workflow.vocabulary import load_vocabulary

IDS_AT_A_TIME: Final = 1000
WORTH_PROCESSES: Final = 5000
"""So many tickets, and further processes are worth what it takes to start them."""

_FIRST, _LAST = sa.bindparam("first", type_=sa.BigInteger), sa.bindparam("last", type_=sa.BigInteger)
_RANGE = Prepared(sa.select(sa.func.min(Ticket.id).label("first"), sa.func.max(Ticket.id).label("last")))
_IN_USE = Prepared(
    sa.select(SlaVersion.id).where(sa.exists().where(SlaStanding.version_id == SlaVersion.id)).order_by(SlaVersion.id)
)
_WANTED = {
    with_closed: sa.and_(
        Ticket.id.between(_FIRST, _LAST), sa.true() if with_closed else Ticket.category != Category.CLOSED.value
    )
    for with_closed in (False, True)
}
_HAS_CHANGES = sa.type_coerce(TicketEvent.payload, sa.Text).like('%"changes":%')
"""Internal events are read only if they tell of fields: of the others, no clock hears but of corrections."""

_TICKETS = {
    with_closed: Prepared(
        sa.select(Ticket.id, Ticket.number, Ticket.category, SlaStanding.version_id)
        .outerjoin(SlaStanding, SlaStanding.ticket_id == Ticket.id)
        .where(wanted)
        .order_by(Ticket.id)
    )
    for with_closed, wanted in _WANTED.items()
}
_EVENTS = {
    with_closed: Prepared(
        sa.select(*log.COLUMNS)
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .where(wanted, sa.or_(sa.not_(TicketEvent.internal), TicketEvent.kind == CORRECTED, _HAS_CHANGES))
        .order_by(Ticket.id, TicketEvent.seq)  # as they are found: SQLite would sort by the event's own number of the ticket
    )
    for with_closed, wanted in _WANTED.items()
}
_CLOCKS = {
    with_closed: Prepared(
        sa.select(
            SlaClock.ticket_id,
            SlaClock.clock,
            SlaClock.part,
            SlaClock.cycle,
            SlaClock.status,
            sa.type_coerce(SlaClock.started_at, sa.BigInteger).label("started_at"),
            sa.type_coerce(SlaClock.due_at, sa.BigInteger).label("due_at"),
            sa.type_coerce(SlaClock.stopped_at, sa.BigInteger).label("stopped_at"),
            sa.case((SlaClock.due_at.is_(None), SlaClock.detail)).label("detail"),  # asked for of paused clocks only
        )
        .join(Ticket, Ticket.id == SlaClock.ticket_id)
        .where(wanted)
        .order_by(Ticket.id, SlaClock.clock, SlaClock.part, SlaClock.cycle)
    )
    for with_closed, wanted in _WANTED.items()
}


@dataclass(frozen=True, slots=True)
class Job:
    """All that a process needs to do its part: where the tickets are, what is to be held against them, as of when.

    `changed` has for each version in use the policies that are others now; None stands for tickets without any.
    """

    url: str
    source: str
    config: Path
    workflows: Path
    changed: Mapping[int | None, frozenset[str]]
    with_closed: bool
    now: int
    shown: int


@dataclass(slots=True)
class _Bench:
    """A job in hand in this process."""

    job: Job
    database: Database
    agreement: Agreement
    judge: Judge = field(default_factory=Judge)
    tellers: dict[frozenset[str], Retelling] = field(default_factory=dict)

    def teller(self, policies: frozenset[str]) -> Retelling:
        found = self.tellers.get(policies)
        if found is None:
            chosen = {name: policy for name, policy in self.agreement.policies.items() if name in policies}
            part = Agreement(chosen, self.agreement.calendars, self.agreement.zones, self.agreement.openings)
            found = self.tellers[policies] = Retelling(part, self.judge)
        return found


def changed_since(session: Session, agreements: Agreements, new: Agreement) -> dict[int | None, frozenset[str]]:
    """For each version in use, the policies whose clocks could be others under the new agreement."""
    found: dict[int | None, frozenset[str]] = {None: frozenset(new.policies)}
    for row in session.all(_IN_USE):
        told = changes(agreements.get(session, row.id)[0], new)
        found[row.id] = frozenset((*told.new, *told.gone, *told.changed))
    return found


def preview(job: Job, agreement: Agreement, database: Database, processes: int | None = None) -> Outcome:
    """Compare all tickets, with as many processes as there are processors, or as are given. Raises `DeskError`.

    `agreement` is what the job's source says; further processes read it themselves.
    """
    with database.session(write=False) as session:
        row = session.one(_RANGE)
    if row.first is None or not any(job.changed.values()):
        return Outcome()
    portions = [(first, min(first + IDS_AT_A_TIME - 1, row.last)) for first in range(row.first, row.last + 1, IDS_AT_A_TIME)]
    count = processes or ((os.cpu_count() or 1) if row.last - row.first >= WORTH_PROCESSES else 1)
    outcome = Outcome()
    bench = _Bench(job, database, agreement)
    for found in (_portion(bench, *each) for each in portions) if count == 1 else _together(job, portions, count):
        outcome.add(found, job.shown)
    return outcome


def _together(job: Job, portions: Sequence[tuple[int, int]], processes: int) -> Iterator[Outcome]:
    spawning = multiprocessing.get_context("spawn")  # a fork would share connections
    with ProcessPoolExecutor(processes, spawning, _begin, (job,)) as pool:
        yield from pool.map(_do, portions, chunksize=4)


_bench: _Bench | None = None


def _begin(job: Job) -> None:
    global _bench
    vocabulary, _ = load_vocabulary(job.config, job.workflows)
    _bench = _Bench(job, Database(job.url, pool_size=1), sources.read(Source.of(job.source), vocabulary))


def _do(portion: tuple[int, int]) -> Outcome:
    assert _bench is not None
    return _portion(_bench, *portion)


def _portion(bench: _Bench, first: int, last: int) -> Outcome:
    """Compare the tickets with these row ids."""
    collects = gc.isenabled()
    gc.disable()  # a portion is a great many values and no circle among them, and looking for one takes a sixth of the time
    try:
        return _compared(bench, first, last)
    finally:
        if collects:
            gc.enable()


def _compared(bench: _Bench, first: int, last: int) -> Outcome:
    with_closed = bench.job.with_closed
    with bench.database.session(write=False) as session:
        session.as_of_now()
        session.keep_much()
        tickets = session.all(_TICKETS[with_closed], first=first, last=last)
        events = session.all(_EVENTS[with_closed], first=first, last=last)
        clocks = session.all(_CLOCKS[with_closed], first=first, last=last)
    told, kept = log.by_ticket(events), log.by_ticket(clocks)
    outcome, weightiest = Outcome(tickets=len(tickets)), Weightiest(bench.job.shown)
    for ticket in tickets:
        policies = bench.job.changed.get(ticket.version_id) or frozenset()
        if policies:
            retold = bench.teller(policies).tell(log.decoded(told.get(ticket.id, ())))
            compared = Compared(ticket, retold, outcome, weightiest, bench.job.now, with_closed)
            compare(compared, policies, kept.get(ticket.id, ()))
    outcome.shown = weightiest.told()
    return outcome
