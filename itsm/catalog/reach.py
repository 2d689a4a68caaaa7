"""What a request's state does to the work under it, and what the end of an item does to its bundle.

Other tickets are told by an event, queued like every command for another ticket; what they do about it stands in their own
workflow. Whether they are told at all, the item declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from itsm.catalog import plan, queries, shelf
from itsm.catalog.definition import Item, OnCancel, OnHold, Refused
from itsm.catalog.models import CatalogOrder, CatalogVersion
from itsm.catalog.plan import Stage
from itsm.catalog.standing import REFUSED_STATES, add_items, as_plan, planned, stage_of
from itsm.platform.database import Prepared
from itsm.tickets import cascades, facts, records
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.workflow.definition import Category

HELD, RESUMED, CALLED_OFF = "order_held", "order_resumed", "called_off"
"""What the work below a request hears: it waits, goes on, has ended. The last is also told a bundle by an item that is refused
and without which there is to be nothing.
"""

_ABOVE = Prepared(
    sa.select(Ticket.category, CatalogOrder.version_id, CatalogVersion.digest)
    .select_from(Ticket)
    .join(CatalogOrder, CatalogOrder.ticket_id == Ticket.id)
    .join(CatalogVersion, CatalogVersion.id == CatalogOrder.version_id)
    .where(Ticket.id == sa.bindparam("above"))
)


def held(tx: Tx, record: Record) -> None:
    """A request is on hold, or waits for an approval anew: what is under way below it waits too, if its item says so."""
    below = [row for row in planned(tx, record) if stage_of(row) is Stage.OPEN and row.category != Category.PENDING]
    if below and _pauses(_item(tx, record)):
        _tell(tx, record, HELD, below)


def resumed(tx: Tx, record: Record, rows: Iterable[Any]) -> None:
    """A request goes on, and so does what waited because of it; what waits for something else does not."""
    below = [row for row in rows if stage_of(row) is Stage.OPEN and row.category == Category.PENDING]
    if below and _pauses(_item(tx, record)):
        _tell(tx, record, RESUMED, below)


def follow_above(tx: Tx, record: Record) -> None:
    """An item of a bundle may begin (it was approved, say) while the bundle is on hold: then it waits as well."""
    above = record.ids.get("parent")
    row = None if above is None else tx.session.first(_ABOVE, above=above)
    if row is not None and row.category == Category.PENDING and _pauses(shelf.version(tx, row.version_id, row.digest).item):
        cascades.queue(tx, cascades.EVENT, record, [record.id], HELD, {"event": HELD})


def ended(tx: Tx, record: Record) -> None:
    """A bundle was cancelled or rejected: those of its items that are not fulfilled are called off, unless it says otherwise.

    Its tasks hear of their parent's end by themselves.
    """
    if record.state not in REFUSED_STATES:
        return
    below = [row for row in planned(tx, record) if row.if_refused is not None and stage_of(row) is Stage.OPEN]
    item = _item(tx, record) if below else None
    if item is not None and item.on_cancel is OnCancel.CANCEL:
        _tell(tx, record, CALLED_OFF, below)


def item_ended(tx: Tx, record: Record, rows: Sequence[Any], number: str | None) -> None:
    """A ticket below a bundle came to its end; if it was one of its items, the bundle's own state follows from that.

    `rows` are the plan as it was before this let others begin.
    """
    row = next((row for row in rows if row.number == number and row.if_refused is not None), None)
    if row is None:
        return
    if row.state in REFUSED_STATES:
        told = {"item": row.key, "number": row.number, "state": row.state, "if_refused": row.if_refused}
        records.append(tx, record, "item_refused", told)
        if row.if_refused == Refused.CANCEL_ALL:
            record.happenings.append(CALLED_OFF)
            return
    if _nothing_open(tx, record, planned(tx, record)):
        record.happenings.append("tasks_done")


def _nothing_open(tx: Tx, record: Record, rows: Sequence[Any]) -> bool:
    """Whether nothing of the plan is under way or to come, and nothing waits for somebody to take it up again."""
    counts = facts.tasks(tx, record)
    add_items(counts, rows)
    return counts["open"] == counts["failed"] == len(plan.waiting(as_plan(rows))) == 0


def _item(tx: Tx, record: Record) -> Item | None:
    order = queries.order_of(tx, record)
    return None if order is None else order.version.item


def _pauses(item: Item | None) -> bool:
    return item is not None and item.on_hold is OnHold.PAUSE


def _tell(tx: Tx, record: Record, event: str, rows: Iterable[Any]) -> None:
    cascades.queue(tx, cascades.EVENT, record, [row.task_id for row in rows], event, {"event": event})
