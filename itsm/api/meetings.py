"""Meetings of the change advisory board: called, put in order, held, and put down. Members vote; approvals move changes."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from itsm.api import meeting_shapes as shapes
from itsm.api import paging
from itsm.api.auth import SIGNED_IN, may
from itsm.api.meeting_shapes import MeetingShape, MeetingsShape
from itsm.api.representation import address
from itsm.api.routing import PREFIX, Answer, Media, Resource
from itsm.changes import agenda, ics, meeting_queries, meetings, minutes, voting
from itsm.changes.board import Ballot, Head, Item, Named, Sitting
from itsm.changes.meetings import NewMeeting
from itsm.people.access import Permission
from itsm.tickets.desk import Tx

board = Resource("Change meetings", "Meetings of the change advisory board: agenda, votes, outcomes, minutes.")

CALLS: Final = may(Permission.CALL_MEETINGS)
MARKDOWN: Final = "text/markdown; charset=utf-8"

_ONE: Final = "/changes/meetings/{meeting_id}"
_ITEM: Final = _ONE + "/items/{number}"


@board.get("/changes/meetings", policy=SIGNED_IN, query=shapes.MeetingsForm(), answers={200: MeetingsShape()})
def find(tx: Tx, query: shapes.MeetingsQuery) -> Answer:
    """List the meetings of the change advisory board, the latest first.

    Members see theirs; whoever may call meetings sees all.
    """
    asked = ["meetings", query.status]
    after = None if query.cursor is None else paging.unseal(tx, asked, query.cursor)
    found, place = meeting_queries.find(tx, query.status, query.limit, after)
    cursor = None if place is None else paging.seal(tx, asked, place)
    return Answer({"items": [_head(each) for each in found], "next": cursor}, headers=paging.next_link(request, cursor))


@board.post("/changes/meetings", policy=CALLS, body=shapes.NewMeetingForm(), answers={201: MeetingShape()})
def call(tx: Tx, body: NewMeeting) -> Answer:
    """Call a meeting of the change advisory board."""
    made = meetings.call(tx, body)
    return Answer(_read(tx, made), 201, {"Location": _address(made)})


@board.get(_ONE, policy=SIGNED_IN, answers={200: MeetingShape()})
def read(tx: Tx, meeting_id: int) -> Answer:
    """Read a meeting with its agenda, votes and notes.

    A change that the caller does not see stands there without number, title, votes and outcome.
    """
    return Answer(_read(tx, meeting_id))


@board.patch(_ONE, policy=SIGNED_IN, body=shapes.MeetingEditForm(), answers={200: MeetingShape()})
def revise(tx: Tx, meeting_id: int, body: shapes.Edit) -> Answer:
    """Change a planned meeting: for its chair, and whoever may call meetings.

    409 `meeting_closed` for one that was held or cancelled.
    """
    meetings.revise(tx, meeting_id, body.given)
    return Answer(_read(tx, meeting_id))


@board.post(_ONE + "/cancellation", policy=SIGNED_IN, answers={200: MeetingShape()})
def cancel(tx: Tx, meeting_id: int) -> Answer:
    """Call a planned meeting off."""
    meetings.cancel(tx, meeting_id)
    return Answer(_read(tx, meeting_id))


# The agenda


@board.post(_ONE + "/agenda", policy=SIGNED_IN, body=shapes.AgendaForm(), answers={200: MeetingShape()})
def gather(tx: Tx, meeting_id: int, body: shapes.Asked) -> Answer:
    """Make the agenda from a question, or ask the last one again.

    It adds the changes that wait for authorisation, answer the question and are not there yet, in the order of their windows,
    and marks those that were decided meanwhile. 409 `agenda_full` for more than 100.
    """
    agenda.gather(tx, meeting_id, body.question)
    return Answer(_read(tx, meeting_id))


@board.post(_ONE + "/items", policy=SIGNED_IN, body=shapes.NewAgendaItemForm(), answers={201: MeetingShape()})
def add(tx: Tx, meeting_id: int, body: shapes.NewItem) -> Answer:
    """Put a change at the end of the agenda, by its number."""
    agenda.add(tx, meeting_id, body.number, body.minutes)
    return Answer(_read(tx, meeting_id), 201)


@board.patch(_ITEM, policy=SIGNED_IN, body=shapes.AgendaItemEditForm(), answers={200: MeetingShape()})
def arrange(tx: Tx, meeting_id: int, number: str, body: shapes.ItemEdit) -> Answer:
    """Put a change at another place of the agenda, or give it another time."""
    agenda.arrange(tx, meeting_id, number, body.position, body.minutes)
    return Answer(_read(tx, meeting_id))


@board.delete(_ITEM, policy=SIGNED_IN, answers={204: None})
def take_out(tx: Tx, meeting_id: int, number: str) -> Answer:
    """Take a change off the agenda. 409 `discussed` once somebody voted on it."""
    agenda.take_out(tx, meeting_id, number)
    return Answer(status=204)


# The meeting


@board.post(_ITEM + "/votes", policy=SIGNED_IN, body=shapes.VoteForm(), answers={201: MeetingShape()})
def vote(tx: Tx, meeting_id: int, number: str, body: shapes.NewVote) -> Answer:
    """Vote on a change, as a member of the board.

    The last vote of a person counts; all are kept. If the change's approval asks the caller, his vote is his answer, and final.
    Nobody approves or rejects what he asked for or carries out: 403 `own_ticket`. 409 `item_closed` after the outcome.
    """
    voting.vote(tx, meeting_id, number, body.vote, body.comment)
    return Answer(_read(tx, meeting_id), 201)


@board.put(_ITEM + "/outcome", policy=SIGNED_IN, body=shapes.OutcomeForm(), answers={200: MeetingShape()})
def conclude(tx: Tx, meeting_id: int, number: str, body: shapes.Conclusion) -> Answer:
    """Say what the meeting came to about a change: for its chair, and whoever may call meetings.

    It moves nothing: that is left to the approval of the change, whose end it must not contradict (409 `contradicts_approval`).
    """
    voting.conclude(tx, meeting_id, number, body.outcome, body.words)
    return Answer(_read(tx, meeting_id))


@board.put(_ONE + "/attendance", policy=SIGNED_IN, body=shapes.AttendanceForm(), answers={200: MeetingShape()})
def attend(tx: Tx, meeting_id: int, body: shapes.Attendance) -> Answer:
    """Say who takes part, members and guests."""
    meetings.attend(tx, meeting_id, body.present)
    return Answer(_read(tx, meeting_id))


@board.post(_ONE + "/notes", policy=SIGNED_IN, body=shapes.NoteForm(), answers={201: MeetingShape()})
def note(tx: Tx, meeting_id: int, body: shapes.NewNote) -> Answer:
    """Add a note to the minutes. After the closing it stands beside them."""
    meetings.note(tx, meeting_id, body.body)
    return Answer(_read(tx, meeting_id), 201)


@board.post(_ONE + "/closing", policy=SIGNED_IN, answers={200: MeetingShape()})
def close(tx: Tx, meeting_id: int) -> Answer:
    """Close a meeting: its minutes are put down, and nothing of it changes any more.

    409 `not_begun` before its start, and `undecided` while a change that was voted on has no outcome.
    """
    meetings.close(tx, meeting_id)
    return Answer(_read(tx, meeting_id))


@board.get(_ONE + "/minutes", policy=SIGNED_IN, answers={200: Media("text/markdown")})
def put_down(tx: Tx, meeting_id: int) -> Answer:
    """Read the minutes as Markdown: attendance, agenda, votes, outcomes and notes; a draft until the meeting is closed."""
    return Answer(minutes.text(meeting_queries.read(tx, meeting_id)).encode(), media_type=MARKDOWN)


@board.get(_ONE + "/calendar.ics", policy=SIGNED_IN, answers={200: Media("text/calendar")})
def invitation(tx: Tx, meeting_id: int) -> Answer:
    """Read a meeting as iCalendar (RFC 5545), its agenda in the description."""
    return Answer(ics.invitation(meeting_queries.read(tx, meeting_id), tx.now), media_type=ics.MEDIA_TYPE)


def _read(tx: Tx, meeting_id: int) -> dict[str, Any]:
    return _sitting(meeting_queries.read(tx, meeting_id))


def _address(meeting_id: int) -> str:
    return f"{PREFIX}/changes/meetings/{meeting_id}"


def _head(head: Head) -> dict[str, Any]:
    at = _address(head.id)
    return {
        "id": head.id,
        "title": head.title,
        "starts_at": head.period.start,
        "ends_at": head.period.end,
        "status": head.status.value,
        "chair": _person(head.chair),
        "called_by": head.called_by,
        "called_at": head.called_at,
        "closed_by": head.closed_by,
        "closed_at": head.closed_at,
        "digest": head.digest,
        "links": {"self": at, "minutes": f"{at}/minutes", "calendar": f"{at}/calendar.ics"},
    }


def _sitting(one: Sitting) -> dict[str, Any]:
    return {
        **_head(one.head),
        "members": [_person(each) for each in one.members],
        "groups": [{"key": each.key, "name": each.name} for each in one.groups],
        "present": [{"login": each.key, "name": each.name, "groups": list(each.groups)} for each in one.present],
        "question": shapes.asked_as_shown(agenda.recalled(one.head.question)),
        "items": [_item(each, place) for place, each in enumerate(one.items, 1)],
        "through_at": one.through_at,
        "overruns": one.through_at > one.head.period.end,
        "notes": [{"body": each.body, "author": each.author, "at": each.at} for each in one.notes],
    }


def _item(one: Item, place: int) -> dict[str, Any]:
    tally = one.tally
    return {
        "position": place,
        "number": one.number,
        "title": one.title,
        "state": one.state,
        "starts_at": one.starts_at,
        "minutes": one.minutes,
        "settled": one.settled,
        "outcome": None if one.result is None else one.result.value,
        "words": one.words,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
        "count": {"approve": tally.approve, "reject": tally.reject, "abstain": tally.abstain},
        "votes": [_ballot(each) for each in one.ballots],
        "links": {} if one.number is None else {"ticket": address(one.number)},
    }


def _ballot(one: Ballot) -> dict[str, Any]:
    return {
        "login": one.login,
        "name": one.name,
        "vote": one.vote.value,
        "comment": one.comment,
        "at": one.at,
        "answered": one.answered,
    }


def _person(one: Named) -> dict[str, str]:
    return {"login": one.key, "name": one.name}
