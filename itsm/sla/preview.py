"""What if these promises held: which due instants would move, which clocks would come and go, which results would be others.

Each ticket's story is told anew under the other agreement and compared with its kept clocks (that these are what its events
give, `itsm sla verify` proves). It is what applying would do to open tickets; what has ended is compared on request, and told
only. Nothing is written. Portions of tickets are read one after the other and shared out to processes.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session
from itsm.sla import measure, sources
from itsm.sla.agreements import Agreements, Source
from itsm.sla.differences import Difference, Flip, Outcome, Tally, What, changes
from itsm.sla.models import SlaClock, SlaStanding, SlaVersion
from itsm.sla.moments import CORRECTED, moments
from itsm.sla.policy import Agreement
from itsm.sla.replay import Begun, following
from itsm.sla.rules import Judge
from itsm.sla.shapes import Retelling, Retold
from itsm.sla.standing import OPEN, Cycle, Status, Target
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
        sa.select(
            TicketEvent.ticket_id,
            sa.type_coerce(TicketEvent.at, sa.BigInteger).label("at"),
            TicketEvent.kind,
            TicketEvent.actor,
            TicketEvent.payload,
        )
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .where(wanted, sa.or_(sa.not_(TicketEvent.internal), TicketEvent.kind == CORRECTED, _HAS_CHANGES))
        .order_by(TicketEvent.ticket_id, TicketEvent.seq)
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
        .order_by(SlaClock.ticket_id, SlaClock.clock, SlaClock.part, SlaClock.cycle)
    )
    for with_closed, wanted in _WANTED.items()
}

Key: TypeAlias = tuple[str, str]


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
    with_closed = bench.job.with_closed
    with bench.database.session(write=False) as session:
        session.as_of_now()
        tickets = session.all(_TICKETS[with_closed], first=first, last=last)
        events = session.all(_EVENTS[with_closed], first=first, last=last)
        clocks = session.all(_CLOCKS[with_closed], first=first, last=last)
    told = {ticket: list(its) for ticket, its in groupby(events, attrgetter("ticket_id"))}
    kept = {ticket: list(its) for ticket, its in groupby(clocks, attrgetter("ticket_id"))}
    outcome = Outcome()
    for ticket in tickets:
        policies = bench.job.changed.get(ticket.version_id) or frozenset()
        if policies:
            _ticket(bench, outcome, ticket, policies, told.get(ticket.id, ()), kept.get(ticket.id, ()))
    outcome.shown = heapq.nlargest(bench.job.shown, outcome.shown, key=lambda each: each.weight)
    outcome.tickets = len(tickets)
    return outcome


def _ticket(
    bench: _Bench, outcome: Outcome, ticket: Any, policies: frozenset[str], events: Iterable[Any], rows: Iterable[Any]
) -> None:
    story = list(moments((row.at, row.kind, row.actor, orjson.loads(row.payload)) for row in events))
    told = bench.teller(policies).tell(story)
    kept: dict[Key, list[Any]] = defaultdict(list)
    for row in rows:
        if row.clock in policies:
            kept[row.clock, row.part].append(row)
    for key in dict.fromkeys((*kept, *told)):
        tally = outcome.of(key[0])
        found: list[Difference] = []
        if ticket.category != Category.CLOSED.value and (told.is_open(key) or any(row.status in OPEN for row in kept[key])):
            found += _compare_open(bench, tally, ticket.number, key, kept[key], told)
        if bench.job.with_closed:
            found += _compare_results(tally, ticket.number, key, kept[key], told)
        for difference in found:
            tally.note(difference)
        outcome.shown += found


def _compare_open(
    bench: _Bench, tally: Tally, number: str, key: Key, rows: Sequence[Any], told: Retold
) -> Iterator[Difference]:
    """What applying would do to the open cycle of a clock, or how there would be one."""
    was = next((row for row in rows if row.status in OPEN), None)
    ensuing = _ensuing(told.of(key), rows, was)
    then = next((cycle for cycle in ensuing if cycle.is_open), None)
    tally.clocks += was is not None or then is not None
    before = None if was is None else was.due_at
    after = None if then is None else measure.due(bench.agreement, then)
    flip = _flip(before, after, bench.job.now)
    if was is not None and then is not None:
        if before != after:
            what = What.RUNS if before is None else What.PAUSES if after is None else What.MOVES
            yield Difference(number, *key, was.cycle, what, before, after, flip)
        elif before is None and _target_of(was) != (then.target.text, then.target.calendar, then.target.length):
            yield Difference(number, *key, was.cycle, What.RETARGETED)
    elif then is not None:
        yield Difference(number, *key, then.number, What.APPEARS, None, after, flip)
    elif was is not None:
        yield Difference(number, *key, was.cycle, What.ENDS if ensuing else What.DISAPPEARS, before, None, flip)


def _ensuing(told: Sequence[Begun], rows: Sequence[Any], was: Any) -> list[Cycle]:
    """The cycles that would follow those with a result; most often there are none, and one is told."""
    if len(told) == 1 and len(rows) == (was is not None):
        cycle = told[0].cycle
        return [cycle] if cycle.is_open or was is not None else []
    results = [_stub(row) for row in rows if row is not was]
    return following(told, results, None if was is None else _stub(was))


def _compare_results(tally: Tally, number: str, key: Key, rows: Sequence[Any], told: Retold) -> Iterator[Difference]:
    """Which results would have been others; runs of a clock are held against each other in their order."""
    given = [row for row in rows if row.status in _RESULTS]
    would = [one.cycle for one in told.of(key) if one.cycle.status in _RESULTS]
    tally.results += max(len(given), len(would))
    for row, cycle in zip(given, would, strict=False):
        if row.status != cycle.status.value:
            what = What.WOULD_MEET if cycle.status is Status.MET else What.WOULD_MISS
            yield Difference(number, *key, row.cycle, what, row.due_at, cycle.due_at)
    for row in given[len(would) :]:
        yield Difference(number, *key, row.cycle, What.NO_RESULT, row.due_at)
    for cycle in would[len(given) :]:
        yield Difference(number, *key, cycle.number, What.NEW_RESULT, None, cycle.due_at)


_RESULTS: Final = frozenset({Status.MET, Status.MISSED})
_NO_TARGET: Final = Target(0, "", "", 0)


def _stub(row: Any) -> Cycle:
    """As much of a kept cycle as it takes to say which cycles follow it."""
    return Cycle(
        row.clock, row.part, row.cycle, 0, Status(row.status), row.started_at, _NO_TARGET, (), stopped_at=row.stopped_at
    )


def _target_of(row: Any) -> tuple[str, str, int]:
    _, text, calendar, length = orjson.loads(row.detail)[6]
    return text, calendar, length


def _flip(before: int | None, after: int | None, now: int) -> Flip | None:
    was, is_ = before is not None and before < now, after is not None and after < now
    return None if was == is_ else Flip.OVERDUE if is_ else Flip.IN_TIME
