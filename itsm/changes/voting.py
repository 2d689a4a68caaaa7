"""Voting in a meeting, and what it comes to. A change is moved by its approval alone, never by the board.

A member who is asked for the approval of a change answers by his vote: it goes through the approval engine, under all its
rules, and is as final as any answer. Nobody votes on what he asked for or carries out; he may abstain.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.changes import agenda, meeting_queries, meetings
from itsm.changes.authority import Authority
from itsm.changes.board import CONTRADICTED, DISCUSSED, Result, Vote
from itsm.changes.models import AgendaItem, BoardVote, MeetingSeat
from itsm.people.models import Membership, User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid
from itsm.platform.schema import table
from itsm.platform.words import spoken
from itsm.tickets import loading, moves, records, saving
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record

MOST_VOTES: Final = 20
"""How often one person may vote on one change."""

_VOTES, _ITEMS = table(BoardVote), table(AgendaItem)
_ME: sa.BindParameter[Any] = sa.bindparam("me", type_=sa.BigInteger)
_SAME = aliased(User)
_MY_ROOT = sa.func.coalesce(_SAME.same_as_id, _SAME.id)
_OF_ME = sa.and_(_MY_ROOT == meeting_queries.ROOT, _SAME.id == _ME)
_ACTS_IN = sa.select(Membership.group_id).where(Membership.user_id == _ME, Membership.access == "full")
_SEAT = Prepared(
    sa.select(MeetingSeat.id)
    .where(
        MeetingSeat.meeting_id == sa.bindparam("meeting"),
        sa.or_(MeetingSeat.user_id == _ME, MeetingSeat.group_id.in_(_ACTS_IN)),
    )
    .limit(1)
)
_PARTY = Prepared(
    sa.select(User.id)
    .join(_SAME, _OF_ME)
    .where(
        sa.or_(
            User.id.in_([sa.bindparam("requester"), sa.bindparam("opener"), sa.bindparam("assignee")]),
            User.id.in_(sa.select(Ticket.assignee_id).where(Ticket.parent_id == sa.bindparam("whole"))),
        )
    )
    .limit(1)
)
_MY_VOTES = Prepared(
    sa.select(BoardVote.approval_id)
    .join(User, User.id == BoardVote.user_id)
    .join(_SAME, _OF_ME)
    .where(BoardVote.item_id == sa.bindparam("item"))
)
_GIVE = Prepared(
    sa.insert(_VOTES).values(
        {name: sa.bindparam(name) for name in ("item_id", "user_id", "vote", "comment", "at")}
        | {"approval_id": sa.bindparam("approval_id", type_=sa.BigInteger)}
    )
)
_CONCLUDE = Prepared(
    sa.update(_ITEMS)
    .where(_ITEMS.c.id == sa.bindparam("item"))
    .values({name: sa.bindparam(name) for name in ("outcome", "words", "decided_by", "decided_at")})
)


def vote(tx: Tx, meeting_id: int, number: str, said: Vote, comment: str | None) -> None:
    """Vote on a change as a member of the board; of several votes of one person the last counts, and all are kept.

    Raises `DeskError`: `not_found`, `not_a_member`, `meeting_closed`, `comment_required` for a rejection without words,
    `item_closed` once there is an outcome, `own_ticket`, `already_decided` for whoever has answered the change's approval by an
    earlier vote, `too_many_votes`; and what the approval engine has against the answer.
    """
    meeting = meeting_queries.row(tx, meeting_id, lock=True)
    if meeting.chair_id != tx.actor.id and tx.session.first(_SEAT, meeting=meeting_id, me=tx.actor.id) is None:
        raise _refused("not_a_member", "You are no member of the board in this meeting.", meeting_id, number)
    meetings.refuse_unless_planned(meeting)
    comment = spoken(comment)
    if said is Vote.REJECT and comment is None:
        message = "A rejection needs a comment."
        raise invalid(FieldError("/comment", "comment_required", message), detail=message)
    item = agenda.item(tx, meeting_id, number)
    if item.outcome is not None:
        raise DeskError(Kind.CONFLICT, "item_closed", f"The meeting has come to an outcome about {number}.")
    record = loading.load(tx, number)
    if said is not Vote.ABSTAIN:
        _refuse_party(tx, meeting_id, record)
    _refuse_if_final(tx, item.id)
    tx.session.run(
        _GIVE,
        item_id=item.id,
        user_id=tx.actor.id,
        vote=said.value,
        comment=comment,
        at=tx.now,
        approval_id=_answer(tx, record, said, comment),
    )


def _answer(tx: Tx, record: Record, said: Vote, comment: str | None) -> int | None:
    """Answer the question that the approval of the change puts to the actor, if it does; the id of the question."""
    if said is Vote.ABSTAIN:
        return None
    authority = tx.desk.part(Authority)
    question = authority.question(tx, record)
    if question is not None:
        authority.answer(tx, question, said.value, comment)
    return question


def conclude(tx: Tx, meeting_id: int, number: str, result: Result, words: str | None) -> None:
    """Say what the meeting came to about a change; the change's log tells it. Until the closing it may be said anew.

    Raises `DeskError`: `not_found`, `forbidden`, `meeting_closed`, `comment_required` for anything but `authorised` without
    words, `own_ticket`, and `contradicts_approval` for an outcome other than that with which the change's approval has ended.
    """
    meetings.led(tx, meeting_id)
    words = spoken(words)
    if result is not Result.AUTHORISED and words is None:
        message = "What is rejected or deferred needs words."
        raise invalid(FieldError("/words", "comment_required", message), detail=message)
    item = agenda.item(tx, meeting_id, number)
    record = loading.load(tx, number)
    if result is not Result.DEFERRED:
        _refuse_party(tx, meeting_id, record)
    standing = tx.desk.part(Authority).standing(tx, record)
    if standing is not None and CONTRADICTED.get(result) == standing:
        raise DeskError(Kind.CONFLICT, "contradicts_approval", f"The approval of {number} has ended: it is {standing}.")
    payload: dict[str, Any] = {"meeting": meeting_id, "outcome": result.value}
    if words is not None:
        payload["said"], payload["sha256"] = moves.keep_comment(tx, record, words, "public")
    records.append(tx, record, DISCUSSED, payload)
    saving.save(tx, record)
    tx.session.run(_CONCLUDE, item=item.id, outcome=result.value, words=words, decided_by=tx.actor.login, decided_at=tx.now)


def _refuse_party(tx: Tx, meeting_id: int, record: Record) -> None:
    """Four eyes: whoever asked for a change, opened it or carries out a part of it, by whatever account, does not judge it."""
    parties = {
        "requester": record.ids.get("requester"),
        "opener": record.opened_by_id,
        "assignee": record.ids.get("assignee"),
        "whole": record.id,
    }
    if tx.session.first(_PARTY, me=tx.actor.id, **parties) is not None:
        message = "Nobody decides on what he asked for or carries out himself; you may abstain."
        raise _refused("own_ticket", message, meeting_id, record.number)


def _refuse_if_final(tx: Tx, item_id: int) -> None:
    mine = tx.session.all(_MY_VOTES, item=item_id, me=tx.actor.id)
    if any(each.approval_id is not None for each in mine):
        message = "Your vote was your answer to the approval of this change, too, which is final."
        raise DeskError(Kind.CONFLICT, "already_decided", message)
    if len(mine) >= MOST_VOTES:
        raise DeskError(Kind.CONFLICT, "too_many_votes", f"You have voted {MOST_VOTES} times on this change.")


def _refused(code: str, message: str, meeting_id: int, number: str) -> DeskError:
    return DeskError(Kind.FORBIDDEN, code, message, deed={"deed": "vote", "meeting": meeting_id, "ticket": number})
