"""Asking for approval and giving it. Nobody decides on what he asked for or is to carry out, whatever his roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from itsm.approvals import rules
from itsm.approvals.models import Approval
from itsm.people.access import Permission, require
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import table
from itsm.tickets import effects, moves, records
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.models import Reader, Ticket
from itsm.tickets.records import Record
from itsm.workflow.case import Effect
from itsm.workflow.definition import Category

ACTION = "request_approval"
APPROVE, REJECT, VOID = "approve", "reject", "void"

_APPROVALS, _READERS = table(Approval), table(Reader)
_TICKET: sa.BindParameter[Any] = sa.bindparam("ticket")
_LAST_ROUND = sa.select(sa.func.coalesce(sa.func.max(Approval.round), 0)).where(Approval.ticket_id == _TICKET).scalar_subquery()
_ROUND = Prepared(sa.select(_LAST_ROUND.label("round")))
_ANSWERS = Prepared(
    sa.select(Approval.id, Approval.decision, Approval.needed, User.login)
    .join(User, User.id == Approval.approver_id)
    .where(Approval.ticket_id == _TICKET, Approval.round == _LAST_ROUND)
)
_PEOPLE = Prepared(sa.select(User.id, User.login, User.roles).where(User.login == sa.bindparam("login"), User.active))
_ASK = Prepared(
    sa.insert(_APPROVALS).values(
        {name: sa.bindparam(name) for name in ("ticket_id", "round", "approver_id", "needed", "state", "requested_at")}
    )
)
_SEES = Prepared(sa.select(Reader.user_id).where(Reader.ticket_id == _TICKET, Reader.user_id == sa.bindparam("user")))
_LET_SEE = Prepared(sa.insert(_READERS).values(ticket_id=_TICKET, user_id=sa.bindparam("user")))
_ONE = Prepared(
    sa.select(Approval.id, Approval.approver_id, Approval.decision, Approval.round, Approval.state, Ticket.number)
    .join(Ticket, Ticket.id == Approval.ticket_id)
    .where(Approval.id == sa.bindparam("approval"))
)
_ANSWER = Prepared(
    sa.update(_APPROVALS)
    .where(_APPROVALS.c.id == sa.bindparam("approval"), _APPROVALS.c.decision.is_(None))
    .values(decision=sa.bindparam("answer"), decided_at=sa.bindparam("now"), comment=sa.bindparam("words"))
)
_WITHDRAW = Prepared(
    sa.update(_APPROVALS)
    .where(_APPROVALS.c.ticket_id == _TICKET, _APPROVALS.c.decision.is_(None), _APPROVALS.c.state != sa.bindparam("left_for"))
    .values(decision=VOID, decided_at=sa.bindparam("now"))
)
_WITHDRAW_ALL = Prepared(
    sa.update(_APPROVALS)
    .where(_APPROVALS.c.ticket_id == _TICKET, _APPROVALS.c.decision.is_(None))
    .values(decision=VOID, decided_at=sa.bindparam("now"))
)


def request(tx: Tx, record: Record, effect: Effect) -> None:
    """The action `request_approval`: open a round, and let those who are asked see the ticket.

    Those the action excludes never count, nor does whoever opened the ticket, in whosesoever name, nor anybody whose roles do
    not let him decide. Where too few are left to ask, the log says so, nobody is asked, and nothing is approved.
    """
    excluded = {record.values.get(str(relation)) for relation in _listed(effect.arguments.get("exclude"))}
    asked: dict[str, None] = {}
    for recipient in _listed(effect.arguments["from"]):
        asked.update(dict.fromkeys(login for login in effects.recipients(tx, record, recipient) if login not in excluded))
    found = [row for login in asked if (row := tx.session.first(_PEOPLE, login=login)) is not None]
    people = [row for row in found if row.id != record.opened_by_id and _may_decide(tx, row.roles)]
    needed = rules.needed(effect.arguments.get("rule"), len(people))
    if len(people) < max(needed, 1):
        told = {"from": effect.arguments["from"], "needed": needed, "found": [person.login for person in people]}
        records.append(tx, record, "too_few_approvers", told, internal=True)
        return
    tx.session.run(_WITHDRAW_ALL, ticket=record.id, now=tx.now)
    round_ = int(tx.session.one(_ROUND, ticket=record.id).round) + 1
    tx.session.run_many(
        _ASK,
        [
            {
                "ticket_id": record.id,
                "round": round_,
                "approver_id": person.id,
                "needed": needed,
                "state": record.state,
                "requested_at": tx.now,
            }
            for person in people
        ],
    )
    for person in people:
        if tx.session.first(_SEES, ticket=record.id, user=person.id) is None:
            tx.session.run(_LET_SEE, ticket=record.id, user=person.id)
    records.append(
        tx, record, "approval_requested", {"round": round_, "of": [person.login for person in people], "needed": needed}
    )


def decide(tx: Tx, approval_id: int, decision: str, comment: str | None) -> Record:
    """Answer a question one was asked; the answer is final, and the last one needed decides the round.

    Raises `DeskError`: `not_found` for a question on a ticket one may not see, `not_asked`, `forbidden` for whoever has lost
    the role that let him decide, `own_ticket`, `already_decided`, `comment_required` for a rejection without words.
    """
    question = tx.session.first(_ONE, approval=approval_id)
    if question is None:
        raise not_found("approval", str(approval_id))
    record = _sighted(tx, question.number, approval_id)
    if question.approver_id != tx.actor.id:
        raise DeskError(Kind.FORBIDDEN, "not_asked", "You were not asked for this approval.")
    require(tx.actor, Permission.DECIDE)
    if tx.actor.id in (record.ids.get("requester"), record.ids.get("assignee"), record.opened_by_id):
        raise DeskError(Kind.FORBIDDEN, "own_ticket", "Nobody decides on what he asked for or carries out himself.")
    if decision == REJECT and not (comment and comment.strip()):
        message = "A rejection needs a comment."
        raise invalid(FieldError("/comment", "comment_required", message), detail=message)
    closed = record.category == Category.CLOSED
    if closed or tx.session.run(_ANSWER, approval=approval_id, answer=decision, now=tx.now, words=comment) != 1:
        raise DeskError(Kind.CONFLICT, "already_decided", "This approval is no longer open.")
    payload: dict[str, Any] = {"approval": approval_id, "round": question.round, "decision": decision}
    if comment:
        payload["said"], payload["sha256"] = moves.keep_comment(tx, record, comment, "public")
    records.append(tx, record, "approval_decided", payload)
    outcome = rules.outcome(_tally(tx.session.all(_ANSWERS, ticket=record.id)))
    if outcome is not rules.Outcome.OPEN:
        tx.session.run(_WITHDRAW_ALL, ticket=record.id, now=tx.now)
        records.append(tx, record, "approval_closed", {"round": question.round, "outcome": outcome.value})
        record.happenings.append(outcome.value)
    moves.settle(tx, record)
    return record


def withdraw(tx: Tx, happened: Happened) -> None:
    """What is still open when a ticket leaves the state in which it was asked is void."""
    record = happened.record
    if happened.source is not None and happened.source != record.state and _asks(record):
        tx.session.run(_WITHDRAW, ticket=record.id, left_for=record.state, now=tx.now)


def counts(tx: Tx, record: Record) -> Mapping[str, int]:
    """How the latest round stands, for guards: pending, approved, rejected, total."""
    tally = _tally(tx.session.all(_ANSWERS, ticket=record.id)) if _asks(record) else rules.Tally(0, 0, 0, 0)
    total = tally.approved + tally.rejected + tally.pending
    return {"pending": tally.pending, "approved": tally.approved, "rejected": tally.rejected, "total": total}


def approvers(tx: Tx, record: Record) -> frozenset[str]:
    """The logins of those asked in the latest round, unless their question is void."""
    if not _asks(record):
        return frozenset()
    return frozenset(row.login for row in tx.session.all(_ANSWERS, ticket=record.id) if row.decision != VOID)


def awaited(tx: Tx, record: Record) -> list[str]:
    """The logins of those asked in the latest round who have not answered yet: whom a message to `approvers` reaches."""
    if not _asks(record):
        return []
    return sorted(row.login for row in tx.session.all(_ANSWERS, ticket=record.id) if row.decision is None)


def _sighted(tx: Tx, number: str, approval_id: int) -> Record:
    try:
        return records.load(tx, number)
    except DeskError as unseen:  # must not tell the number of a ticket that the actor may not see
        raise not_found("approval", str(approval_id)) from unseen


def _tally(rows: list[Any]) -> rules.Tally:
    said = [row.decision for row in rows]
    return rules.Tally(rows[0].needed if rows else 0, said.count(APPROVE), said.count(REJECT), said.count(None))


def _may_decide(tx: Tx, roles: list[str]) -> bool:
    return Permission.DECIDE in tx.desk.roles.expand(tx.desk.roles.held(frozenset(roles)))


def _asks(record: Record) -> bool:
    """Whether the ticket's workflow ever asks for approval; spares those that do not every statement about it."""
    return ACTION in record.process.actions


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]
