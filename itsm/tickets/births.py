"""New tickets: how one begins, and how many are written at once, with numbers in one go and rows in one statement for each
table, for imports, where each trip counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets.desk import Tx
from itsm.tickets.models import NumberCounter, Ticket
from itsm.tickets.records import INSERT_EVENT, INSERT_TICKET, Record, observe, unwritten
from itsm.workflow.engine import Process

_COUNTERS, _TICKETS = table(NumberCounter), table(Ticket)
_COUNT: sa.BindParameter[int] = sa.bindparam("n", type_=sa.Integer)
_LAST = Prepared(
    sa.update(_COUNTERS)
    .where(_COUNTERS.c.type == sa.bindparam("t"))
    .values(last=_COUNTERS.c.last + _COUNT)
    .returning(_COUNTERS.c.last)
)
_LARGEST_ID = Prepared(sa.select(sa.func.coalesce(sa.func.max(_TICKETS.c.id), 0).label("id")))
_NEXT_IDS = Prepared(
    sa.select(sa.func.nextval(sa.func.pg_get_serial_sequence("tickets", "id")).label("id")).select_from(
        sa.func.generate_series(1, _COUNT)
    )
)


def newborn(tx: Tx, type_: str, version_id: int, process: Process) -> Record:
    """A ticket without a number, opened now by the transaction's actor, in its workflow's initial state and not yet written."""
    initial = process.workflow.initial
    return Record(
        id=0,
        number="",
        type=type_,
        process=process,
        workflow_version_id=version_id,
        state=initial,
        category=process.workflow.category(initial).value,
        values={"created_at": tx.now, "updated_at": tx.now},
        ids={},
        entered_state_at=tx.now,
        resolved_at=None,
        closed_at=None,
        work_minutes=0,
        event_count=0,
        chain=b"",
        opened_by_id=tx.actor.id,
        is_new=True,
    )


def told(tx: Tx, record: Record) -> dict[str, Any]:
    """The event of a ticket's creation: all that it begins with."""
    return {
        "type": record.type,
        "number": record.number,
        "workflow": record.process.workflow.digest,
        "to": record.state,
        "category": record.category,
        "opened_by": tx.actor.login,
        "changes": {name: [None, value] for name, value in record.values.items() if value is not None},
    }


def allot(tx: Tx, wanted: Mapping[str, tuple[str, int]]) -> dict[str, list[tuple[int, str]]]:
    """Row ids and numbers for so many tickets of each type (pattern of its numbers, how many), in ascending order.

    All of them must be used in this transaction: numbers have no gaps, and SQLite gives an id again that has no row.
    """
    ids = iter(_ids(tx, sum(count for _, count in wanted.values())))
    found = {}
    for type_, (pattern, count) in wanted.items():
        last = tx.session.one(_LAST, t=type_, n=count).last
        found[type_] = [(next(ids), pattern.format(number)) for number in range(last - count + 1, last + 1)]
    return found


def _ids(tx: Tx, count: int) -> Iterable[int]:
    if tx.session.is_postgresql:
        return [int(row.id) for row in tx.session.all(_NEXT_IDS, n=count)]
    largest = int(tx.session.one(_LARGEST_ID).id)
    return range(largest + 1, largest + 1 + count)


def save(tx: Tx, newborns: Iterable[Record]) -> None:
    """Write new tickets and their events."""
    newborns = list(newborns)
    for record in newborns:
        observe(tx, record)
    written = [unwritten(tx, record) for record in newborns]
    tx.session.run_many(INSERT_TICKET, [row for row, _ in written])
    tx.session.run_many(INSERT_EVENT, [event for _, events in written for event in events])
