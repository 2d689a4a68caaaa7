"""Keeps the clocks beside the tickets: each command's events are folded into them before they are written.

One statement reads where a ticket's clocks stand. Whatever changed is written at the end of the transaction, in one statement
for each table however many tickets it touched; each clock that runs has one timer, set to its next threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.people.access import Channel
from itsm.platform.database import Prepared
from itsm.platform.lists import PreparedForMany
from itsm.platform.schema import table
from itsm.platform.time import from_micros, to_micros
from itsm.platform.timers import NewTimer
from itsm.sla import measure, places
from itsm.sla.agreements import Agreements
from itsm.sla.judging import Judge
from itsm.sla.models import SlaClock, SlaStanding
from itsm.sla.moments import NOTHING, STAMP, Facts, moments
from itsm.sla.policy import Agreement, Threshold
from itsm.sla.rules import advance
from itsm.sla.standing import Cycle, Key, Standing, cycle_data, cycle_of, decode, encode, text_of, with_cycle
from itsm.tickets import alarms
from itsm.tickets.desk import Tx
from itsm.tickets.records import PendingEvent, Record

KIND: Final = "sla"
"""The kind of timer rows that wake a clock at its next threshold."""

_STANDINGS, _CLOCKS = table(SlaStanding), table(SlaClock)
_STANDING = Prepared(sa.select(SlaStanding.state).where(SlaStanding.ticket_id == sa.bindparam("ticket")))
_STANDINGS_OF = PreparedForMany(
    lambda many: sa.select(SlaStanding.ticket_id, SlaStanding.state).where(SlaStanding.ticket_id.in_(sa.select(many.c.value)))
)
_RESULT = Prepared(
    sa.select(SlaClock.detail).where(
        SlaClock.ticket_id == sa.bindparam("ticket"),
        SlaClock.clock == sa.bindparam("of"),
        SlaClock.part == sa.bindparam("part"),
        SlaClock.cycle == sa.bindparam("run"),
    )
)
_KEEP_INSERT = postgresql.insert(_STANDINGS).values({name: sa.bindparam(name) for name in ("ticket_id", "version_id", "state")})
_KEEP = Prepared(
    _KEEP_INSERT.on_conflict_do_update(
        index_elements=["ticket_id"],
        set_={"version_id": _KEEP_INSERT.excluded.version_id, "state": _KEEP_INSERT.excluded.state},
    )
)
_IDENTITY = ("ticket_id", "clock", "part", "cycle")
_RESULTS = ("kind", "status", "started_at", "due_at", "stopped_at", "excused", "detail")
_CLOCK_INSERT = postgresql.insert(_CLOCKS).values({name: sa.bindparam(name) for name in (*_IDENTITY, *_RESULTS)})
_CLOCK = Prepared(
    _CLOCK_INSERT.on_conflict_do_update(
        index_elements=list(_IDENTITY), set_={name: _CLOCK_INSERT.excluded[name] for name in _RESULTS}
    )
)


@dataclass(slots=True)
class Ahead:
    """How far a ticket's pending events are folded into its clocks: so many of them, from the `first` on, and what came of it.

    Of use as long as these events wait to be written, and the agreement and what the clocks stood at `before` are the same.
    """

    first: PendingEvent
    version: int
    before: Standing
    facts: Facts
    standing: Standing
    events: int = 0
    touched: dict[Key, Cycle] = field(default_factory=dict)

    def is_of(self, record: Record, standing: Standing, version: int) -> bool:
        """Whether it is about the events that are pending now."""
        return self.first is record.pending[0] and self.before is standing and self.version == version


@dataclass(slots=True)
class Kept:
    """What one transaction knows of clocks: standings by ticket, and what is to be written at its end."""

    standings: dict[int, Standing] = field(default_factory=dict)
    ahead: dict[int, Ahead] = field(default_factory=dict)
    changed: dict[int, Standing] = field(default_factory=dict)
    cycles: dict[tuple[int, Key], tuple[Agreement, Cycle]] = field(default_factory=dict)
    current: tuple[Agreement, Judge] | None = None


class Keeper:
    """The observer that `app.py` gives to the desk; see `Desk.observers`."""

    def __init__(self, agreements: Agreements) -> None:
        self.agreements = agreements

    def __call__(self, tx: Tx, record: Record) -> None:
        """Fold the events that are about to be written into the ticket's clocks."""
        events = record.pending
        if not any(_may_matter(event) for event in events):
            return
        standing = self.standing(tx, record)
        if record.is_new and standing.version is None:
            self._stamp_birth(tx, record)
        version = next((v for event in events if (v := event.payload.get(STAMP, {}).get("version"))), standing.version)
        if version is None:
            return
        ahead = self._fold(tx, record, standing, version)
        if ahead.standing is not standing:
            found = [(self.agreements.get(tx.session, cycle.version)[0], cycle) for cycle in ahead.touched.values()]
            self.put(tx, record.id, ahead.standing, found)

    def standing(self, tx: Tx, record: Record) -> Standing:
        """Where the clocks of a ticket stand, by the events that were written."""
        kept = tx.known(Kept, at_end=self.write)
        found = kept.standings.get(record.id)
        if found is None:
            row = None if record.is_new else tx.session.first(_STANDING, ticket=record.id)
            found = kept.standings[record.id] = Standing() if row is None else decode(row.state)
        return found

    def cycle(self, tx: Tx, record: Record, key: Key) -> Cycle | None:
        """One cycle of a ticket, however long ago it ended; None if there was none.

        An earlier release kept no misses in the standing; such a one is found among the results, and taken in again.
        """
        standing = self.standing(tx, record)
        if key in standing.cycles:
            return standing.cycles[key]
        clock, part, number = key
        row = tx.session.first(_RESULT, ticket=record.id, of=clock, part=part, run=number)
        if row is None:
            return None
        found = cycle_of(orjson.loads(row.detail))
        tx.known(Kept, at_end=self.write).standings[record.id] = with_cycle(standing, found)
        return found

    def read_ahead(self, tx: Tx, tickets: Iterable[Record]) -> None:
        """Read where the clocks of several tickets stand, in one statement; what this transaction knows already stays."""
        known = tx.known(Kept, at_end=self.write).standings
        found = {ticket.id: Standing() for ticket in tickets if ticket.id not in known}
        if found:
            found.update({row.ticket_id: decode(row.state) for row in _STANDINGS_OF.all(tx.session, list(found))})
            known.update(found)

    def prepare(self, tx: Tx, newborns: Sequence[Record]) -> None:
        """Read at once what clocks will ask about several new tickets: the agreement, and what the directory says."""
        current = self._current(tx)
        if current is not None and current[0].needs_places:
            places.read_ahead(tx, newborns)
            for record in newborns:
                places.look_up(tx, record)

    def foreseen(self, tx: Tx, record: Record) -> Standing:
        """Where the clocks of a ticket will stand once the events are written that are pending."""
        standing = self.standing(tx, record)
        if standing.version is None or not record.pending:
            return standing
        return self._fold(tx, record, standing, standing.version).standing

    def put(self, tx: Tx, ticket_id: int, standing: Standing, cycles: Iterable[tuple[Agreement, Cycle]]) -> None:
        """Have a ticket's standing and these of its cycles written, with their timers, at the end of the transaction."""
        kept = tx.known(Kept, at_end=self.write)
        kept.standings[ticket_id] = kept.changed[ticket_id] = standing
        for agreement, cycle in cycles:
            kept.cycles[ticket_id, cycle.key] = (agreement, cycle)
            _set_timer(tx, ticket_id, cycle, measure.outstanding(agreement, cycle, *standing.past))

    def _fold(self, tx: Tx, record: Record, standing: Standing, version: int) -> Ahead:
        """Fold the ticket's pending events into its clocks, but for those that were folded before."""
        kept = tx.known(Kept, at_end=self.write)
        agreement, judge = self.agreements.get(tx.session, version)
        ahead = kept.ahead.get(record.id)
        if self._note_places(tx, record, agreement) or ahead is None or not ahead.is_of(record, standing, version):
            ahead = kept.ahead[record.id] = Ahead(record.pending[0], version, standing, _facts(record), standing)
        told = [(to_micros(event.at), event.kind, event.actor, event.payload) for event in record.pending[ahead.events :]]
        for moment in moments(told, ahead.facts):
            ahead.facts = moment.after
            ahead.standing, cycles = advance(agreement, judge, ahead.standing, moment)
            ahead.touched.update({cycle.key: cycle for cycle in cycles})
        ahead.events = len(record.pending)
        return ahead

    def _stamp_birth(self, tx: Tx, record: Record) -> None:
        """Say in the event of its creation which agreement the ticket is born with."""
        created = next((event for event in record.pending if event.kind == "created"), None)
        current = self._current(tx) if created is not None else None
        if created is None or current is None:
            return
        stamp: dict[str, Any] = {"version": current[0].id}
        if tx.channel is Channel.IMPORT:  # what has passed is told, not lived: no threshold of those years is answered
            stamp["quiet_until"] = to_micros(tx.recorded_at)
        created.payload[STAMP] = stamp

    def _current(self, tx: Tx) -> tuple[Agreement, Judge] | None:
        kept = tx.known(Kept, at_end=self.write)
        if kept.current is None:
            kept.current = self.agreements.current(tx.session)
        return kept.current

    def _note_places(self, tx: Tx, record: Record, agreement: Agreement) -> bool:
        """Say in the events that set requester, service, group or item what the directory says of these now; if any do."""
        if not agreement.needs_places:
            return False
        concerned = [event for event in record.pending if not places.CONCERNED.isdisjoint(event.payload.get("changes") or ())]
        if concerned:
            noted = places.look_up(tx, record)
            for event in concerned:
                event.payload[STAMP] = {**event.payload.get(STAMP, {}), "places": noted}
        return bool(concerned)

    def write(self, tx: Tx) -> None:
        """Write what changed; called once, at the end of a transaction."""
        kept = tx.known(Kept, at_end=self.write)
        tx.session.run_many(
            _KEEP,
            [
                {"ticket_id": ticket_id, "version_id": standing.version, "state": encode(standing)}
                for ticket_id, standing in kept.changed.items()
            ],
        )
        tx.session.run_many(
            _CLOCK, [_row(ticket_id, agreement, cycle) for (ticket_id, _), (agreement, cycle) in kept.cycles.items()]
        )


def _set_timer(tx: Tx, ticket_id: int, cycle: Cycle, owed: Sequence[tuple[int, Threshold]]) -> None:
    """Have a clock woken at its next threshold, if it still has one."""
    if owed:
        alarms.arm(tx, [NewTimer(ticket_id, KIND, timer_name(cycle), from_micros(owed[0][0]), cycle=cycle.number)])
    else:
        alarms.disarm_cycle(tx, ticket_id, KIND, timer_name(cycle), cycle.number)


def timer_name(cycle: Cycle) -> str:
    """The name of a clock's timer: the policy, and the part where there is one."""
    return f"{cycle.clock}/{cycle.part}" if cycle.part else cycle.clock


def _may_matter(event: PendingEvent) -> bool:
    """Whether a clock could care, as far as the event alone tells; `Moment.matters` is exact."""
    return not event.internal or bool(event.payload.get("changes")) or "to" in event.payload or "clock" in event.payload


def _facts(record: Record) -> Facts:
    """The ticket as the events tell it that were written before."""
    written = record.written
    return NOTHING if written is None else Facts(record.type, record.number, written.state, written.category, written.values)


def _row(ticket_id: int, agreement: Agreement, cycle: Cycle) -> Mapping[str, Any]:
    due = measure.due(agreement, cycle)
    policy = agreement.policies[cycle.clock]
    return {
        "ticket_id": ticket_id,
        "clock": cycle.clock,
        "part": cycle.part,
        "cycle": cycle.number,
        "kind": policy.kind.value,
        "status": cycle.status.value,
        "started_at": from_micros(cycle.started_at),
        "due_at": None if due is None else from_micros(due),
        "stopped_at": None if cycle.stopped_at is None else from_micros(cycle.stopped_at),
        "excused": cycle.excused is not None,
        "detail": text_of(cycle_data(cycle)),
    }
