"""What one ticket's command asks of other tickets: each a command of its own, queued in the same transaction, run right after
it.

No transaction ever locks two tickets, so no two can wait for each other; a queued command is a timer row that is due at once,
and so is done exactly once, by the process that queued it or, if that dies, by the next sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.timers import NewTimer
from itsm.tickets import alarms
from itsm.tickets.desk import Tx
from itsm.tickets.facts import INVERSE_KINDS
from itsm.tickets.loading import process_of
from itsm.tickets.models import Link, Ticket
from itsm.tickets.records import Neighbour, Record, append

EVENT = "event"
"""Timer kind: something happened near a ticket; its reactions answer."""
FIRE = "fire"
"""Timer kind: a trigger to fire on a ticket."""
NOTE = "note"
"""Timer kind: an event to write into a ticket's log."""

MOST_HOPS = 8
"""How many times one deed may be passed on from ticket to ticket."""

_ID: sa.BindParameter[Any] = sa.bindparam("id")
_NEIGHBOURS = Prepared(
    sa.select(Ticket.id, Link.kind, sa.literal_column("0").label("inverse"), Ticket.workflow_version_id)
    .join_from(Link, Ticket, Ticket.id == Link.target_id)
    .where(Link.source_id == _ID)
    .union_all(
        sa.select(Ticket.id, Link.kind, sa.literal_column("1"), Ticket.workflow_version_id)
        .join_from(Link, Ticket, Ticket.id == Link.source_id)
        .where(Link.target_id == _ID),
        sa.select(Ticket.id, sa.literal("child"), sa.literal_column("0"), Ticket.workflow_version_id).where(
            Ticket.parent_id == _ID
        ),
    )
)


def queue(tx: Tx, kind: str, record: Record, targets: Iterable[int], name: str, payload: dict[str, Any]) -> None:
    """Queue one command for each target; `name` and the record's version make it unique.

    Tickets that set each other off without end are cut after `MOST_HOPS`, and the log says so.
    """
    targets = list(dict.fromkeys(targets))
    if not targets:
        return
    if tx.hops >= MOST_HOPS:
        append(tx, record, "cascade_cut", {"name": name, "after": tx.hops}, internal=True)
        return
    told = {**payload, "from": record.number, "origin": tx.origin or tx.actor.login, "hops": tx.hops + 1}
    name = f"{name} from {record.number}"
    alarms.arm(tx, [NewTimer(target, kind, name, tx.recorded_at, told, record.version) for target in targets])
    tx.followups.extend(targets)


def neighbours(tx: Tx, record: Record) -> list[Neighbour]:
    """The tickets near this one."""
    if record.neighbours is None:
        record.neighbours = [
            Neighbour(row.id, INVERSE_KINDS[row.kind] if row.inverse else row.kind, row.workflow_version_id)
            for row in tx.session.all(_NEIGHBOURS, id=record.id)
        ]
        if (parent := record.ids.get("parent")) is not None:
            record.neighbours.append(Neighbour(parent, "parent", None))
    return record.neighbours


def announce(tx: Tx, record: Record) -> None:
    """Tell the neighbours that the ticket is now in another category, as an event their workflows may react to.

    A linked ticket hears `linked_<type>_<category>`, a child `parent_<category>`, a parent `child_<category>` (and what follows
    from it: `tasks_done`, `task_failed`, `children_closed`). Children and linked tickets are only told what their workflow, in
    the version that they follow, reacts to: what nobody hears would cost each of them a command of its own.
    """
    for near in neighbours(tx, record):
        side = {"parent": "child", "child": "parent"}.get(near.kind, f"linked_{record.type}")
        event = f"{side}_{record.category}"
        if near.version_id is None or process_of(tx, near.version_id).hears(event):
            queue(tx, EVENT, record, [near.id], event, {"event": event, "type": record.type, "state": record.state})
