"""Calling meetings of the change advisory board, and what is done to one from the invitation to the closing.

Its chair leads a meeting, and whoever may call meetings; members vote. One that is closed or cancelled is not changed any more:
notes may be added to it, and stand beside what was put down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import board, meeting_queries, minutes, seats
from itsm.changes.board import Status
from itsm.changes.models import AgendaItem, BoardVote, ChangeMeeting, MeetingNote
from itsm.changes.seats import Invited
from itsm.people import commands as people
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid
from itsm.platform.schema import table
from itsm.tickets.desk import Tx

MOST_NOTES: Final = 200
"""How many notes a meeting may have."""

_MEETINGS, _NOTES = table(ChangeMeeting), table(MeetingNote)
_MEETING: sa.BindParameter[Any] = sa.bindparam("meeting", type_=sa.BigInteger)
_OPENED = ("title", "starts_at", "ends_at", "chair_id", "status", "called_by", "called_at", "changed_at")
_CALL = Prepared(sa.insert(_MEETINGS).values({name: sa.bindparam(name) for name in _OPENED}).returning(_MEETINGS.c.id))
_REVISED = ("title", "starts_at", "ends_at", "chair_id", "changed_at")
_REVISE = Prepared(
    sa.update(_MEETINGS).where(_MEETINGS.c.id == _MEETING).values({name: sa.bindparam(f"new_{name}") for name in _REVISED})
)
_CANCEL = Prepared(
    sa.update(_MEETINGS)
    .where(_MEETINGS.c.id == _MEETING)
    .values(status=Status.CANCELLED.value, closed_by=sa.bindparam("actor"), closed_at=sa.bindparam("now"))
)
_CLOSE = Prepared(
    sa.update(_MEETINGS)
    .where(_MEETINGS.c.id == _MEETING)
    .values(
        status=Status.HELD.value,
        minutes=sa.bindparam("content"),
        digest=sa.bindparam("sum"),
        closed_by=sa.bindparam("actor"),
        closed_at=sa.bindparam("now"),
    )
)
_NOTE = Prepared(
    sa.insert(_NOTES).values({name: sa.bindparam(name) for name in ("body", "author", "at")} | {"meeting_id": _MEETING})
)
_COUNT = Prepared(sa.select(sa.func.count().label("n")).where(MeetingNote.meeting_id == _MEETING))
_UNDECIDED = Prepared(
    sa.select(AgendaItem.id).where(
        AgendaItem.meeting_id == _MEETING,
        AgendaItem.outcome.is_(None),
        AgendaItem.id.in_(sa.select(BoardVote.item_id)),
    )
)


@dataclass(frozen=True, slots=True)
class NewMeeting:
    """A meeting to be called. Without a `chair`, whoever calls it takes the chair."""

    title: str
    starts_at: datetime
    ends_at: datetime
    chair: str | None = None
    members: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def call(tx: Tx, new: NewMeeting) -> int:
    """Call a meeting; its row id.

    Raises `forbidden`, and `invalid_input` for a meeting that ends before it starts or lasts too long, and for a chair, members
    and groups that there are not.
    """
    require(tx.actor, Permission.CALL_MEETINGS)
    invited = Invited(tx, list(_wrong_period(new.starts_at, new.ends_at)))
    chair = tx.actor.id if new.chair is None else invited.person(new.chair, "chair")
    members, groups = invited.people(new.members, "members"), invited.groups(new.groups, "groups")
    _refuse(invited.errors)
    row = tx.session.one(
        _CALL,
        title=new.title,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        chair_id=chair,
        status=Status.PLANNED.value,
        called_by=tx.actor.login,
        called_at=tx.now,
        changed_at=tx.now,
    )
    seats.take(tx, row.id, people=members, groups=groups)
    return int(row.id)


def revise(tx: Tx, meeting_id: int, given: Mapping[str, Any]) -> None:
    """Change a planned meeting: any of `title`, `starts_at`, `ends_at`, `chair`, `members` and `groups`.

    Raises what `call` raises, `not_found`, and `meeting_closed`.
    """
    meeting = led(tx, meeting_id)
    new = {name: given.get(name, getattr(meeting, name)) for name in ("title", "starts_at", "ends_at", "chair_id")}
    invited = Invited(tx, list(_wrong_period(new["starts_at"], new["ends_at"])))
    if "chair" in given:
        new["chair_id"] = invited.person(given["chair"], "chair")
    members = invited.people(given["members"], "members") if "members" in given else None
    groups = invited.groups(given["groups"], "groups") if "groups" in given else None
    _refuse(invited.errors)
    new["changed_at"] = tx.now
    tx.session.run(_REVISE, meeting=meeting_id, **{f"new_{name}": value for name, value in new.items()})
    seats.take(tx, meeting_id, people=members, groups=groups)


def cancel(tx: Tx, meeting_id: int) -> None:
    """Call a planned meeting off. Raises `not_found`, `forbidden`, `meeting_closed`."""
    led(tx, meeting_id)
    tx.session.run(_CANCEL, meeting=meeting_id, actor=tx.actor.login, now=tx.now)


def attend(tx: Tx, meeting_id: int, logins: Iterable[str]) -> None:
    """Say who takes part, members and guests; whoever was said to before and is not named did not.

    Raises `not_found`, `forbidden`, `meeting_closed`, and `invalid_input` for people that there are not.
    """
    led(tx, meeting_id)
    invited = Invited(tx)
    present = invited.people(logins, "present")
    _refuse(invited.errors)
    seats.be_present(tx, meeting_id, present)


def note(tx: Tx, meeting_id: int, body: str) -> None:
    """Add a note to the minutes; after the closing it stands beside them. Raises `not_found`, `forbidden`, `too_many_notes`."""
    lead(tx, meeting_queries.row(tx, meeting_id, lock=True))
    if tx.session.one(_COUNT, meeting=meeting_id).n >= MOST_NOTES:
        raise DeskError(Kind.CONFLICT, "too_many_notes", f"A meeting has {MOST_NOTES} notes at most.")
    tx.session.run(_NOTE, meeting=meeting_id, body=body, author=tx.actor.login, at=tx.now)


def close(tx: Tx, meeting_id: int) -> None:
    """Close a meeting that has begun: its minutes are put down as it stands, and nothing of it changes from now on.

    Raises `not_found`, `forbidden`, `meeting_closed`, `not_begun`, and `undecided` while a change that was voted on has no
    outcome. What nobody voted on was not reached.
    """
    meeting = led(tx, meeting_id)
    if tx.now < meeting.starts_at:
        raise DeskError(Kind.CONFLICT, "not_begun", "This meeting has not begun; one that is not to be is cancelled.")
    if tx.session.first(_UNDECIDED, meeting=meeting_id) is not None:
        message = "There are changes that were voted on and have no outcome; the chair says one, or defers them."
        raise DeskError(Kind.CONFLICT, "undecided", message)
    content = minutes.put_down(meeting_queries.read(tx.as_system(tx.channel), meeting_id)) | {"status": Status.HELD.value}
    digest = minutes.digest(content)
    tx.session.run(_CLOSE, meeting=meeting_id, content=content, sum=digest, actor=tx.actor.login, now=tx.now)
    people.tell(tx.session, tx.now, tx.actor.login, "meeting_closed", {"meeting": meeting_id, "sha256": digest})


def led(tx: Tx, meeting_id: int) -> Any:
    """The row of a planned meeting that the actor may lead, locked. Raises `not_found`, `forbidden`, `meeting_closed`."""
    meeting = meeting_queries.row(tx, meeting_id, lock=True)
    lead(tx, meeting)
    refuse_unless_planned(meeting)
    return meeting


def lead(tx: Tx, meeting: Any) -> None:
    """Raise `forbidden` unless the actor may lead a meeting."""
    if meeting.chair_id != tx.actor.id:
        require(tx.actor, Permission.CALL_MEETINGS)


def refuse_unless_planned(meeting: Any) -> None:
    """Raise `meeting_closed` if a meeting is closed or cancelled."""
    if meeting.status != Status.PLANNED.value:
        what = "closed" if meeting.status == Status.HELD.value else "cancelled"
        raise DeskError(Kind.CONFLICT, "meeting_closed", f"This meeting is {what}; nothing of it changes any more.")


def _wrong_period(start: datetime, end: datetime) -> Iterator[FieldError]:
    if end <= start:
        yield FieldError("/ends_at", "reversed_period", "This meeting ends before it starts.")
    elif end - start > board.LONGEST:
        yield FieldError("/ends_at", "too_long", f"A meeting lasts {board.LONGEST.days} days at most.")


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise invalid(*errors, detail=" ".join(error.message for error in errors))
