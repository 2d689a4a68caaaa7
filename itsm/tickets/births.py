"""New tickets: how one begins, and how many are written at once, with numbers in one go and rows in one statement for each
table, for imports, where each trip counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets.desk import Tx
from itsm.tickets.models import NumberCounter, Ticket
from itsm.tickets.records import Record
from itsm.tickets.saving import INSERT_EVENT, INSERT_TICKET, observe, unwritten
from itsm.workflow.engine import Process

_COUNTERS, _TICKETS = table(NumberCounter), table(Ticket)
_COUNT: sa.BindParameter[int] = sa.bindparam("n", type_=sa.Integer)
_ADVANCE = sa.update(_COUNTERS).where(_COUNTERS.c.type == sa.bindparam("t")).values(last=_COUNTERS.c.last + _COUNT)
_LAST_SQLITE = Prepared(
    _ADVANCE.returning(
        _COUNTERS.c.last, sa.select(sa.func.coalesce(sa.func.max(_TICKETS.c.id), 0)).scalar_subquery().label("id")
    )
)
_ADVANCED = _ADVANCE.returning(_COUNTERS.c.last).cte("advanced")
_LAST_POSTGRESQL = Prepared(
    sa.select(_ADVANCED.c.last, sa.func.nextval(sa.func.pg_get_serial_sequence("tickets", "id")).label("id"))
    .select_from(_ADVANCED)
    .join(sa.func.generate_series(1, _COUNT).table_valued("value"), sa.true())
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


def number(tx: Tx, newborns: Sequence[Record]) -> None:
    """Give new tickets their row ids and numbers, in their order.

    Others who want a number of the same type wait from here on, until the commit; so what can be read before is read before.
    """
    for prepare in tx.desk.preparers:
        prepare(tx, newborns)
    counted = Counter((record.type, record.process.workflow.number) for record in newborns)
    found = allot(tx, {type_: (pattern, count) for (type_, pattern), count in counted.items()})
    pool = {type_: iter(allotted) for type_, allotted in found.items()}
    for record in newborns:
        record.id, record.number = next(pool[record.type])
        record.values["number"] = record.number


def allot(tx: Tx, wanted: Mapping[str, tuple[str, int]]) -> dict[str, list[tuple[int, str]]]:
    """Row ids and numbers for so many tickets of each type (pattern of its numbers, how many), in ascending order.

    All of them must be used in this transaction: numbers have no gaps, and SQLite gives an id again that has no row.
    """
    found, taken = {}, 0
    for type_, (pattern, count) in wanted.items():
        last, ids = _advance(tx, type_, count, taken)
        taken += count
        numbers = range(last - count + 1, last + 1)
        found[type_] = [(row_id, pattern.format(number)) for row_id, number in zip(ids, numbers, strict=True)]
    return found


def _advance(tx: Tx, type_: str, count: int, taken: int) -> tuple[int, Sequence[int]]:
    """The last of so many new numbers, and as many row ids; `taken` are those that were given out and have no row yet."""
    if tx.session.is_postgresql:
        rows = tx.session.all(_LAST_POSTGRESQL, t=type_, n=count)
        return rows[0].last, sorted(row.id for row in rows)
    row = tx.session.one(_LAST_SQLITE, t=type_, n=count)
    return row.last, range(row.id + taken + 1, row.id + taken + 1 + count)


def save(tx: Tx, newborns: Iterable[Record]) -> None:
    """Write new tickets and their events."""
    newborns = list(newborns)
    for record in newborns:
        observe(tx, record)
    tx.born.update(record.id for record in newborns)
    written = [unwritten(tx, record) for record in newborns]
    tx.session.run_many(INSERT_TICKET, [row for row, _ in written])
    tx.session.run_many(INSERT_EVENT, [event for _, events in written for event in events])
