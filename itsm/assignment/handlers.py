"""What assignment answers: the birth of a ticket, the action `route`, and the clock."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from itsm.assignment import commands
from itsm.assignment.book import Strategy
from itsm.assignment.planning import Keep
from itsm.assignment.table import Table
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.timers import TimerRow
from itsm.tickets import records
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from itsm.workflow.case import Effect
from itsm.workflow.definition import Category

ACTION: Final = "route"

_WAITING: Final = frozenset({Category.NEW.value, Category.OPEN.value})
_MOVED_SINCE = Prepared(
    sa.select(TicketEvent.id)
    .where(
        TicketEvent.ticket_id == sa.bindparam("ticket"),
        TicketEvent.seq > sa.bindparam("since", type_=sa.BigInteger),
        TicketEvent.kind == "moved",
        TicketEvent.actor == sa.bindparam("login"),
    )
    .limit(1)
)


def answer(tx: Tx, happened: Happened) -> None:
    """Route a newborn that is with nobody yet. A group that it was given, or has from its service, it keeps."""
    record = happened.record
    if happened.what != "created" or record.values.get("assignee") is not None or record.category not in _WAITING:
        return
    book, group = tx.desk.part(Table).book, record.values.get("group")
    if not book.rules and (not isinstance(group, str) or book.team(group).strategy is Strategy.NONE):
        return
    _attempt(tx, record, Keep.NOTHING if group is None else Keep.GROUP)


def route(tx: Tx, record: Record, effect: Effect) -> None:
    """The action `route`; a ticket that is resolved or closed stays where it is."""
    if record.category in _WAITING | {Category.PENDING.value}:
        _attempt(tx, record, Keep(str(effect.arguments.get("keep") or Keep.NOTHING)))


def _attempt(tx: Tx, record: Record, keep: Keep) -> None:
    """Route; what the workflow refuses is noted, for the ticket goes on without."""
    try:
        commands.routed(tx, record, keep)
    except DeskError as refusal:
        _note(tx, record, refusal)


def _note(tx: Tx, record: Record, refusal: DeskError) -> None:
    if refusal.kind not in (Kind.CONFLICT, Kind.INVALID, Kind.FORBIDDEN):
        raise refusal
    reasons = [error.message for error in refusal.errors] or [refusal.detail]
    payload = {"trigger": None, "assignment": True, "code": refusal.code, "reasons": reasons}
    records.append(tx, record, "refused", payload, internal=True)


def due(tx: Tx, record: Record, row: TimerRow) -> None:
    """An assignee's time to begin is over: unless he has moved the ticket, or it is no longer his, it passes on."""
    login = row.payload["assignee"]
    if record.values.get("assignee") != login or record.category not in _WAITING:
        return
    if tx.session.first(_MOVED_SINCE, ticket=record.id, since=row.payload["since"], login=login) is not None:
        return
    try:
        commands.pass_on(tx, record, {"because": "not_taken_up"})
    except DeskError as refusal:
        _note(tx, record, refusal)
