"""Moving open tickets to the agreement that is current: one command for each, told in its log, its clocks made anew from that.

Results that are there stay as they are. Whoever is interrupted runs it again: tickets that have been moved are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from itsm.people.access import Actor, Channel, Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.time import to_micros
from itsm.sla import log, measure
from itsm.sla.keeping import Keeper
from itsm.sla.models import SlaStanding
from itsm.sla.moments import APPLIED, LATE
from itsm.sla.replay import Find, derive
from itsm.sla.standing import Standing
from itsm.tickets import loading, moves, records
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.models import Ticket
from itsm.workflow.definition import Category

TICKETS_AT_A_TIME: Final = 500

_BEHIND = Prepared(
    sa.select(Ticket.id)
    .outerjoin(SlaStanding, SlaStanding.ticket_id == Ticket.id)
    .where(
        Ticket.id > sa.bindparam("after", type_=sa.BigInteger),
        Ticket.category != Category.CLOSED.value,
        sa.or_(SlaStanding.version_id.is_(None), SlaStanding.version_id != sa.bindparam("version")),
    )
    .order_by(Ticket.id)
    .limit(TICKETS_AT_A_TIME)
)


@dataclass(slots=True)
class Applied:
    """How many tickets were moved, and what kept others from it, by their row id."""

    moved: int = 0
    failed: dict[int, str] = field(default_factory=dict)


def apply_to_open(
    desk: Desk, actor: Actor, version: int, reason: str, told: Callable[[int], object] = lambda moved: None
) -> Applied:
    """Move every ticket that is not closed to an agreement; `told` hears how many have been moved so far.

    Raises `DeskError` (`forbidden`). A ticket that cannot be moved stays where it is, and is reported.
    """
    if not actor.is_system:
        require(actor, Permission.PUBLISH_WORKFLOWS)
    done, after = Applied(), 0
    while ids := _behind(desk, after, version):
        for ticket_id in ids:
            try:
                done.moved += desk.database.retrying(partial(_in_one, desk, actor, ticket_id, version, reason))
            except DeskError as error:
                done.failed[ticket_id] = error.detail
        after = ids[-1]
        told(done.moved)
    return done


def move(tx: Tx, keeper: Keeper, ticket_id: int, version: int, reason: str) -> bool:
    """Move one ticket to an agreement; whether it was open and under another.

    Raises `DeskError` (`thresholds_owed`) while the clock process still owes an answer under the old one: a breach that has
    happened must not get lost between the two.
    """
    record = loading.load_by_id(tx, ticket_id)
    if record is None or record.category == Category.CLOSED.value:
        return False
    standing = keeper.standing(tx, record)
    was = standing.version
    if was == version:
        return False
    find = keeper.agreements.finder(tx.session)
    if _owes(find, standing, to_micros(tx.now)):
        detail = f"{record.number} has reached a threshold that is not answered yet; let the clock do so first."
        raise DeskError(Kind.CONFLICT, "thresholds_owed", detail)
    story = log.story(tx.session, ticket_id)
    payload: dict[str, Any] = {"version": version, "from": was, "reason": reason, LATE: True}
    records.append(tx, record, APPLIED, payload, internal=True)
    said = record.pending[-1]
    derived = derive(find, [*story, (to_micros(said.at), said.kind, said.actor, said.payload)])
    moves.settle(tx, record)
    had = {key: cycle for key, cycle in derive(find, story).cycles.items() if not cycle.is_open}
    touched = [cycle for key, cycle in derived.cycles.items() if key not in had]
    keeper.put(tx, ticket_id, derived.standing, [(find(cycle.version)[0], cycle) for cycle in touched])
    return True


def _owes(find: Find, standing: Standing, now: int) -> bool:
    """Whether a threshold has been reached and not been answered."""
    return any(
        at <= now
        for cycle in standing.cycles.values()
        for at, _ in measure.outstanding(find(cycle.version)[0], cycle, *standing.past)
    )


def _in_one(desk: Desk, actor: Actor, ticket_id: int, version: int, reason: str) -> bool:
    with desk.transaction(actor, Channel.COMMAND_LINE) as tx:
        return move(tx, desk.part(Keeper), ticket_id, version, reason)


def _behind(desk: Desk, after: int, version: int) -> list[int]:
    with desk.database.session(write=False) as session:
        return [int(row.id) for row in session.all(_BEHIND, after=after, version=version)]
