"""Reading meetings of the change advisory board: which there are, and one with all that belongs to it.

Members and those who call meetings see one; nobody else learns that there is one. A change that the reader does not see stands
on the agenda without number, title, votes and outcome: that something is discussed, and when, is all he is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import board
from itsm.changes.board import Ballot, Head, Item, Named, Note, Present, Result, Sitting, Status, Vote
from itsm.changes.models import AgendaItem, BoardVote, ChangeMeeting, MeetingNote, MeetingPresence, MeetingSeat
from itsm.changes.rules import Period
from itsm.people.access import Actor, Permission
from itsm.people.models import Group, Membership, User
from itsm.platform.database import Prepared
from itsm.platform.errors import not_found
from itsm.platform.schema import Instant
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

_ALL, _MINE = "all", "mine"
_ME: sa.BindParameter[Any] = sa.bindparam("me", type_=sa.BigInteger)
_MEETING: sa.BindParameter[Any] = sa.bindparam("meeting", type_=sa.BigInteger)
ROOT: Final = sa.func.coalesce(User.same_as_id, User.id)
_MY_GROUPS = sa.select(Membership.group_id).where(Membership.user_id == _ME)
_MEMBER = sa.or_(
    ChangeMeeting.chair_id == _ME,
    ChangeMeeting.id.in_(sa.select(MeetingSeat.meeting_id).where(MeetingSeat.user_id == _ME)),
    ChangeMeeting.id.in_(sa.select(MeetingSeat.meeting_id).where(MeetingSeat.group_id.in_(_MY_GROUPS))),
)
_SEES = {_ALL: sa.true(), _MINE: _MEMBER}
_HEAD = sa.select(
    ChangeMeeting.id,
    ChangeMeeting.title,
    ChangeMeeting.starts_at,
    ChangeMeeting.ends_at,
    ChangeMeeting.chair_id,
    ChangeMeeting.status,
    ChangeMeeting.question,
    ChangeMeeting.called_by,
    ChangeMeeting.called_at,
    ChangeMeeting.changed_at,
    ChangeMeeting.minutes,
    ChangeMeeting.digest,
    ChangeMeeting.closed_by,
    ChangeMeeting.closed_at,
    User.login.label("chair"),
    User.name.label("chair_name"),
).join(User, User.id == ChangeMeeting.chair_id)
_ONE = {kind: Prepared(_HEAD.where(ChangeMeeting.id == _MEETING, seen)) for kind, seen in _SEES.items()}
_ONE_LOCKED = {
    kind: Prepared(_HEAD.where(ChangeMeeting.id == _MEETING, seen).with_for_update(of=ChangeMeeting))
    for kind, seen in _SEES.items()
}


def _list(kind: str, *, of_status: bool, onwards: bool) -> Prepared:
    found = _HEAD.where(_SEES[kind])
    if of_status:
        found = found.where(ChangeMeeting.status == sa.bindparam("status", type_=sa.Text))
    if onwards:
        place = sa.tuple_(sa.bindparam("after_start", type_=Instant), sa.bindparam("after_id", type_=sa.BigInteger))
        found = found.where(sa.tuple_(ChangeMeeting.starts_at, ChangeMeeting.id) < place)
    newest_first = (ChangeMeeting.starts_at.desc(), ChangeMeeting.id.desc())
    return Prepared(found.order_by(*newest_first).limit(sa.bindparam("most", type_=sa.Integer)))


_LISTS = {
    (kind, of_status, onwards): _list(kind, of_status=of_status, onwards=onwards)
    for kind in _SEES
    for of_status in (True, False)
    for onwards in (True, False)
}
_BETWEEN = {
    kind: Prepared(
        _HEAD.where(
            seen,
            ChangeMeeting.status != Status.CANCELLED.value,
            ChangeMeeting.starts_at >= sa.bindparam("begin", type_=Instant),
            ChangeMeeting.starts_at < sa.bindparam("finish", type_=Instant),
        )
        .order_by(ChangeMeeting.starts_at, ChangeMeeting.id)
        .limit(1_000)
    )
    for kind, seen in _SEES.items()
}
_SEATS = Prepared(
    sa.select(MeetingSeat.user_id, User.login, User.name, Group.key.label("group"), Group.name.label("group_name"))
    .outerjoin(User, User.id == MeetingSeat.user_id)
    .outerjoin(Group, Group.id == MeetingSeat.group_id)
    .where(MeetingSeat.meeting_id == _MEETING)
    .order_by(User.login, Group.key)
)
_PRESENT = Prepared(
    sa.select(User.login, User.name, Group.key.label("group"))
    .join(MeetingPresence, MeetingPresence.user_id == User.id)
    .outerjoin(Membership, Membership.user_id == User.id)
    .outerjoin(
        Group,
        sa.and_(
            Group.id == Membership.group_id,
            Group.id.in_(sa.select(MeetingSeat.group_id).where(MeetingSeat.meeting_id == _MEETING)),
        ),
    )
    .where(MeetingPresence.meeting_id == _MEETING)
    .order_by(User.login, Group.key)
)
_ITEMS = {
    kind: Prepared(
        sa.select(
            AgendaItem.id,
            AgendaItem.ticket_id,
            AgendaItem.minutes,
            AgendaItem.settled,
            AgendaItem.outcome,
            AgendaItem.words,
            AgendaItem.decided_by,
            AgendaItem.decided_at,
            Ticket.number,
            Ticket.title,
            Ticket.state,
        )
        .outerjoin(Ticket, sa.and_(Ticket.id == AgendaItem.ticket_id, visible_to(kind)))
        .where(AgendaItem.meeting_id == _MEETING)
        .order_by(AgendaItem.position, AgendaItem.id)
    )
    for kind in SIGHTS
}
_VOTES = Prepared(
    sa.select(
        BoardVote.item_id,
        ROOT.label("root"),
        User.login,
        User.name,
        BoardVote.vote,
        BoardVote.comment,
        BoardVote.at,
        BoardVote.approval_id,
    )
    .join(AgendaItem, AgendaItem.id == BoardVote.item_id)
    .join(User, User.id == BoardVote.user_id)
    .where(AgendaItem.meeting_id == _MEETING)
    .order_by(BoardVote.id)
)
_NOTES = Prepared(
    sa.select(MeetingNote.body, MeetingNote.author, MeetingNote.at)
    .where(MeetingNote.meeting_id == _MEETING)
    .order_by(MeetingNote.id)
)


def row(tx: Tx, meeting_id: int, *, lock: bool = False) -> Any:
    """The row of a meeting that the actor may see, locked if asked for. Raises `not_found`."""
    kind = _kind(tx.actor)
    found = tx.session.first((_ONE_LOCKED if lock else _ONE)[kind], meeting=meeting_id, **_who(tx.actor))
    if found is None:
        raise not_found("meeting", str(meeting_id))
    return found


def find(tx: Tx, status: Status | None, limit: int, after: tuple[Any, ...] | None) -> tuple[list[Head], tuple[Any, ...] | None]:
    """The meetings that the actor sees, the latest first, and where the next page goes on; None on the last."""
    given: dict[str, Any] = {} if status is None else {"status": status.value}
    if after is not None:
        given["after_start"], given["after_id"] = after
    statement = _LISTS[_kind(tx.actor), status is not None, after is not None]
    rows = tx.session.all(statement, most=limit + 1, **given, **_who(tx.actor))
    more, rows = len(rows) > limit, rows[:limit]
    return [_head(each) for each in rows], (rows[-1].starts_at, rows[-1].id) if more else None


def between(tx: Tx, period: Period) -> list[Head]:
    """The meetings that the actor sees and that begin in a period, the earliest first; not those that were cancelled."""
    rows = tx.session.all(_BETWEEN[_kind(tx.actor)], begin=period.start, finish=period.end, **_who(tx.actor))
    return [_head(each) for each in rows]


def read(tx: Tx, meeting_id: int) -> Sitting:
    """A meeting that the actor sees, with all that belongs to it. Raises `not_found`."""
    found = row(tx, meeting_id)
    seats = tx.session.all(_SEATS, meeting=meeting_id)
    items, through_at = _items(tx, found)
    return Sitting(
        head=_head(found),
        members=tuple(Named(each.login, each.name) for each in seats if each.login is not None),
        groups=tuple(Named(each.group, each.group_name) for each in seats if each.group is not None),
        present=tuple(_present(tx.session.all(_PRESENT, meeting=meeting_id))),
        items=tuple(items),
        through_at=through_at,
        notes=tuple(Note(each.body, each.author, each.at) for each in tx.session.all(_NOTES, meeting=meeting_id)),
        kept=found.minutes,
    )


def _items(tx: Tx, meeting: Any) -> tuple[list[Item], datetime]:
    rows = tx.session.all(_ITEMS[sight(tx.actor)], meeting=meeting.id, **parameters(tx.actor))
    ballots: dict[int, list[Ballot]] = defaultdict(list)
    for each in tx.session.all(_VOTES, meeting=meeting.id) if rows else ():
        ballots[each.item_id].append(_ballot(each))
    # What was decided before the meeting needs no time in it.
    starts = board.times(meeting.starts_at, (0 if each.settled and not each.outcome else each.minutes for each in rows))
    return [_item(each, start, ballots[each.id]) for each, start in zip(rows, starts, strict=False)], starts[-1]


def _item(found: Any, starts_at: datetime, ballots: Iterable[Ballot]) -> Item:
    if found.number is None:
        return Item(found.ticket_id, None, None, None, starts_at, found.minutes, None, None, None, None, None, ())
    result = None if found.outcome is None else Result(found.outcome)
    about = (found.settled, result, found.words, found.decided_by, found.decided_at)
    return Item(found.ticket_id, found.number, found.title, found.state, starts_at, found.minutes, *about, tuple(ballots))


def _ballot(found: Any) -> Ballot:
    vote, answered = Vote(found.vote), found.approval_id is not None
    return Ballot(found.root, found.login, found.name, vote, found.comment, found.at, answered)


def _present(rows: Iterable[Any]) -> Iterable[Present]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in rows:
        groups[each.login, each.name] += [] if each.group is None else [each.group]
    return (Present(login, name, tuple(keys)) for (login, name), keys in groups.items())


def _head(found: Any) -> Head:
    return Head(
        id=found.id,
        title=found.title,
        period=Period(found.starts_at, found.ends_at),
        chair=Named(found.chair, found.chair_name),
        status=Status(found.status),
        question=found.question,
        called_by=found.called_by,
        called_at=found.called_at,
        changed_at=found.changed_at,
        digest=found.digest,
        closed_by=found.closed_by,
        closed_at=found.closed_at,
    )


def _kind(actor: Actor) -> str:
    return _ALL if actor.is_system or actor.may(Permission.CALL_MEETINGS) else _MINE


def _who(actor: Actor) -> dict[str, Any]:
    return {} if _kind(actor) == _ALL else {"me": actor.id}
