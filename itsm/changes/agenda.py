"""The agenda of a meeting: made from a question about changes, put in order, added to and taken from by hand.

Asking again adds what is new, and marks what has been decided meanwhile: it stays on the agenda, and takes no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import board, meetings, queries
from itsm.changes.models import AgendaItem, BoardVote, ChangeMeeting, ChangeSchedule
from itsm.changes.rules import AUTHORISATION, CHANGE, RISK, TYPE
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import Instant, table
from itsm.platform.time import rfc3339
from itsm.services.models import Service
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

AHEAD: Final = timedelta(days=28)
"""Changes planned until how long after the meeting it discusses, unless its question says otherwise."""

MINUTES: Final = 10
"""How long an item gets, unless somebody says otherwise."""

MOST_MINUTES: Final = 480

_CANDIDATES: Final = 1_000
_ITEMS, _MEETINGS = table(AgendaItem), table(ChangeMeeting)
_MEETING: sa.BindParameter[Any] = sa.bindparam("meeting", type_=sa.BigInteger)
_ITEM: sa.BindParameter[Any] = sa.bindparam("item", type_=sa.BigInteger)
_BEGIN: sa.BindParameter[Any] = sa.bindparam("begin", type_=Instant)
_FINISH: sa.BindParameter[Any] = sa.bindparam("finish", type_=Instant)
_WAITING = {
    kind: Prepared(
        sa.select(Ticket.id, Ticket.state, Ticket.fields, Service.key.label("service"))
        .outerjoin(ChangeSchedule, ChangeSchedule.ticket_id == Ticket.id)
        .outerjoin(Service, Service.id == Ticket.service_id)
        .where(
            Ticket.type == CHANGE,
            Ticket.state == AUTHORISATION,
            visible_to(kind),
            sa.or_(
                sa.and_(ChangeSchedule.start_at >= _BEGIN, ChangeSchedule.start_at < _FINISH),
                sa.and_(ChangeSchedule.start_at.is_(None), sa.bindparam("unplanned", type_=sa.Boolean)),
            ),
        )
        .order_by(
            sa.case((ChangeSchedule.start_at.is_(None), 1), else_=0),
            ChangeSchedule.start_at,
            Ticket.priority_rank,
            Ticket.id,
        )
        .limit(_CANDIDATES)
    )
    for kind in SIGHTS
}
_ON_IT = Prepared(
    sa.select(
        AgendaItem.id,
        AgendaItem.ticket_id,
        AgendaItem.position,
        AgendaItem.state,
        AgendaItem.settled,
        AgendaItem.outcome,
        Ticket.state.label("present"),
    )
    .join(Ticket, Ticket.id == AgendaItem.ticket_id)
    .where(AgendaItem.meeting_id == _MEETING)
    .order_by(AgendaItem.position, AgendaItem.id)
)
_SEEN = {
    kind: Prepared(
        sa.select(AgendaItem.id, AgendaItem.outcome)
        .join(Ticket, Ticket.id == AgendaItem.ticket_id)
        .where(AgendaItem.meeting_id == _MEETING, Ticket.number == sa.bindparam("number"), visible_to(kind))
    )
    for kind in SIGHTS
}
_ASK = Prepared(sa.update(_MEETINGS).where(_MEETINGS.c.id == _MEETING).values(question=sa.bindparam("asked")))
_PUT = Prepared(
    sa.insert(_ITEMS).values(
        {name: sa.bindparam(name) for name in ("ticket_id", "position", "minutes", "state")} | {"meeting_id": _MEETING}
    )
)
_SETTLE = Prepared(sa.update(_ITEMS).where(_ITEMS.c.id == _ITEM).values(settled=sa.bindparam("found", type_=sa.Text)))
_PLACE = Prepared(sa.update(_ITEMS).where(_ITEMS.c.id == _ITEM).values(position=sa.bindparam("place")))
_ALLOT = Prepared(sa.update(_ITEMS).where(_ITEMS.c.id == _ITEM).values(minutes=sa.bindparam("length")))
_TAKE_OUT = Prepared(sa.delete(_ITEMS).where(_ITEMS.c.id == _ITEM))
_VOTED = Prepared(sa.select(BoardVote.id).where(BoardVote.item_id == _ITEM).limit(1))


@dataclass(frozen=True, slots=True)
class Question:
    """Which of the changes that wait for authorisation are discussed.

    Those planned to start in a period (without one: from the meeting on, 28 days), and unless `unplanned` is False those that
    have no window yet; of some types, risks and services, if any are named. `minutes` is what each gets.
    """

    planned_from: datetime | None = None
    planned_to: datetime | None = None
    unplanned: bool = True
    types: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    minutes: int = MINUTES


def kept(question: Question) -> dict[str, Any]:
    """A question as values of JSON."""
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in asdict(question).items()}


def recalled(said: Mapping[str, Any] | None) -> Question:
    """The question that `kept` made this of; without any, the one that is asked unless somebody says otherwise."""
    if said is None:
        return Question()
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    for name in ("planned_from", "planned_to"):
        given[name] = None if given[name] is None else datetime.fromisoformat(given[name])
    return Question(**given)


def gather(tx: Tx, meeting_id: int, question: Question | None) -> None:
    """Add the changes that answer a question and are not there yet, and mark what has been decided meanwhile.

    Without a question the last one is asked again. Only changes that the actor sees are added. Raises `not_found`, `forbidden`,
    `meeting_closed`, `agenda_full`, and `invalid_input` for a period that is reversed.
    """
    meeting = meetings.led(tx, meeting_id)
    question = question or recalled(meeting.question)
    start = question.planned_from or meeting.starts_at
    end = question.planned_to or start + AHEAD
    if end <= start:
        message = "This period ends before it begins."
        raise invalid(FieldError("/planned_to", "reversed_period", message), detail=message)
    items = tx.session.all(_ON_IT, meeting=meeting_id)
    known = {item.ticket_id for item in items}
    rows = tx.session.all(
        _WAITING[sight(tx.actor)], begin=start, finish=end, unplanned=question.unplanned, **parameters(tx.actor)
    )
    _put(tx, meeting_id, items, [row for row in rows if row.id not in known and _answers(row, question)], question.minutes)
    changed = ((item, _settled(item)) for item in items if item.outcome is None)
    tx.session.run_many(_SETTLE, [{"item": item.id, "found": now} for item, now in changed if now != item.settled])
    tx.session.run(_ASK, meeting=meeting_id, asked=kept(question))


def _answers(row: Any, question: Question) -> bool:
    asked = (
        (question.types, row.fields.get(TYPE)),
        (question.risks, row.fields.get(RISK)),
        (question.services, row.service),
    )
    return all(not wanted or has in wanted for wanted, has in asked)


def _settled(item: Any) -> str | None:
    """The state in which a change awaits no decision any more; None while it does, or stands where it stood."""
    return None if item.present in (AUTHORISATION, item.state) else item.present


def add(tx: Tx, meeting_id: int, number: str, minutes: int) -> None:
    """Put a change that the actor sees at the end of the agenda, whatever state it is in.

    Raises `not_found`, `forbidden`, `meeting_closed`, `agenda_full`, `already_on_agenda`, and `invalid_input` for a change that
    the actor does not see.
    """
    meetings.led(tx, meeting_id)
    try:
        record = queries.change(tx, number)
    except DeskError as unseen:
        message = f"There is no change “{number}”."
        raise invalid(FieldError("/number", "unknown_reference", message), detail=message) from unseen
    items = tx.session.all(_ON_IT, meeting=meeting_id)
    if any(item.ticket_id == record.id for item in items):
        raise DeskError(Kind.CONFLICT, "already_on_agenda", f"{number} is on the agenda already.")
    _put(tx, meeting_id, items, [record], minutes)


def _put(tx: Tx, meeting_id: int, items: list[Any], new: Iterable[Any], minutes: int) -> None:
    new = list(new)
    if len(items) + len(new) > board.MOST_ITEMS:
        message = f"An agenda has {board.MOST_ITEMS} changes at most; ask for fewer."
        raise DeskError(Kind.CONFLICT, "agenda_full", message)
    last = max((item.position for item in items), default=0)
    rows = [
        {"meeting": meeting_id, "ticket_id": each.id, "position": place, "minutes": minutes, "state": each.state}
        for place, each in enumerate(new, last + 1)
    ]
    tx.session.run_many(_PUT, rows)


def arrange(tx: Tx, meeting_id: int, number: str, position: int | None, minutes: int | None) -> None:
    """Put an item at another position, the first being 1, or give it another time.

    Raises `not_found`, `forbidden`, `meeting_closed`.
    """
    meetings.led(tx, meeting_id)
    this = item(tx, meeting_id, number).id
    if minutes is not None:
        tx.session.run(_ALLOT, item=this, length=minutes)
    if position is not None:
        before = {each.id: each.position for each in tx.session.all(_ON_IT, meeting=meeting_id)}
        order = enumerate(board.moved(list(before), this, position), 1)
        tx.session.run_many(_PLACE, [{"item": each, "place": place} for place, each in order if before[each] != place])


def take_out(tx: Tx, meeting_id: int, number: str) -> None:
    """Take a change off the agenda. Raises `not_found`, `forbidden`, `meeting_closed`, and `discussed` once it was voted on."""
    meetings.led(tx, meeting_id)
    this = item(tx, meeting_id, number)
    if this.outcome is not None or tx.session.first(_VOTED, item=this.id) is not None:
        message = f"{number} was discussed already; it can be deferred, but not taken off the agenda."
        raise DeskError(Kind.CONFLICT, "discussed", message)
    tx.session.run(_TAKE_OUT, item=this.id)


def item(tx: Tx, meeting_id: int, number: str) -> Any:
    """The row of the item about a change that the actor sees: its id and outcome. Raises `not_found`."""
    found = tx.session.first(_SEEN[sight(tx.actor)], meeting=meeting_id, number=number, **parameters(tx.actor))
    if found is None:
        raise not_found("agenda item", number)
    return found
