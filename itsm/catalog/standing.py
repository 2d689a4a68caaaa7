"""How the plan of a request stands: its rows, and how far each task and item of it is by the ticket that it became."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from itsm.catalog.definition import Refused
from itsm.catalog.models import CatalogPart, CatalogTask
from itsm.catalog.plan import Planned, Stage
from itsm.platform.database import Prepared
from itsm.tickets import facts
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.workflow.definition import Category

REFUSED_STATES: Final = frozenset({"rejected", facts.CANCELLED})
"""The states in which a request ends without having been fulfilled."""

_OVER: Final = frozenset({Category.RESOLVED.value, Category.CLOSED.value})
_PLAN = Prepared(
    sa.select(
        CatalogTask.key,
        CatalogTask.after,
        CatalogTask.stage,
        CatalogTask.task_id,
        Ticket.number,
        Ticket.state,
        Ticket.category,
        CatalogPart.if_refused,
    )
    .select_from(CatalogTask)
    .outerjoin(Ticket, Ticket.id == CatalogTask.task_id)
    .outerjoin(CatalogPart, sa.and_(CatalogPart.ticket_id == CatalogTask.ticket_id, CatalogPart.key == CatalogTask.key))
    .where(CatalogTask.ticket_id == sa.bindparam("ticket"))
    .order_by(CatalogTask.id)
)


def planned(tx: Tx, record: Record) -> list[Any]:
    """The tasks and items of a ticket's plan: key, after, stage, the ticket of each that has begun, `if_refused`."""
    return tx.session.all(_PLAN, ticket=record.id)


def stage_of(row: Any) -> Stage:
    """How far a planned task or item is, by its row and its ticket's."""
    if row.number is None:
        return Stage(row.stage)
    if row.if_refused is not None and row.state in REFUSED_STATES:
        return Stage.FORGONE if row.if_refused == Refused.GO_ON else Stage.REFUSED
    if row.if_refused is None and row.state == facts.FAILED:
        return Stage.FAILED
    return Stage.OVER if row.category in _OVER else Stage.OPEN


def as_plan(rows: Iterable[Any]) -> list[Planned]:
    """The plan that rows are."""
    return [Planned(row.key, tuple(row.after), stage_of(row)) for row in rows]


def add_items(counts: dict[str, int], rows: Iterable[Any]) -> None:
    """Count the items of a bundle that have been ordered among its tasks; work tasks are counted already."""
    names = {Stage.OPEN: "open", Stage.OVER: "done", Stage.REFUSED: "refused", Stage.FORGONE: "refused"}
    for row in rows:
        if row.if_refused is not None and row.number is not None:
            counts["total"] += 1
            counts[names[stage_of(row)]] += 1
