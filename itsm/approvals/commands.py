"""Asking for approval and giving it. Nobody decides on what he asked for or is to carry out, whatever his roles.

A round is asked for by a workflow and decided by people; one row of the ticket is locked for each step, so of any number of
simultaneous answers to one question one counts, and of one person's answers in a stage one counts.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itsm.approvals import reading, rounds, stages, table
from itsm.approvals.asking import Directory
from itsm.approvals.course import APPROVE, REJECT, End, Question, Round
from itsm.approvals.models import Approval
from itsm.approvals.policy import Book, Policy, Verdict
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.words import spoken
from itsm.tickets import loading, moves, records
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.workflow.case import Effect
from itsm.workflow.definition import Category

ACTION = "request_approval"

_WHERE = Prepared(
    sa.select(Approval.round, Ticket.number)
    .join(Ticket, Ticket.id == Approval.ticket_id)
    .where(Approval.id == sa.bindparam("approval"))
)


def request(tx: Tx, record: Record, effect: Effect) -> None:
    """The action `request_approval`: open a round, and let those who are asked see the ticket.

    Those the action excludes never count, nor do requester, opener and assignee as far as the policy keeps them apart, nor
    anybody whose roles do not let him decide. Where too few are left to ask, the log says so, nobody is asked, and nothing is
    approved. A row of the policy's decision table may decide at once; the log names it.
    """
    policy = _policy(tx, record, effect)
    if policy is None:
        return
    last = rounds.latest(tx, record)
    if last is not None and last.is_open:
        rounds.end(tx, record, last, End.VOID)
        stages.disarm(tx, record)
    round_ = rounds.begin(tx, record, policy, last.round + 1 if last else 1)
    row = table.first(tx, record, policy)
    if row is None or row.verdict is Verdict.ASK:
        stages.open_stage(tx, record, round_)
        return
    payload = {"round": round_.round, "policy": policy.name, "rule": row.name, "decision": row.verdict.value}
    records.append(tx, record, "approval_ruled", payload)
    stages.close(tx, record, round_, End.APPROVED if row.verdict is Verdict.APPROVE else End.REJECTED, row.name)


def _policy(tx: Tx, record: Record, effect: Effect) -> Policy | None:
    """The policy that an action follows; None if it names one that is gone, which the log tells."""
    name = effect.arguments.get("policy")
    excluded = _listed(effect.arguments.get("exclude"))
    if name is None:
        return reading.excluding(reading.inline(effect.arguments), excluded)
    policy = tx.desk.part(Book).policies.get(str(name))
    if policy is not None:
        return reading.excluding(policy, excluded)
    records.append(tx, record, stages.TOO_FEW, {"policy": str(name), "needed": 1, "found": []}, internal=True)
    record.happenings.append(stages.TOO_FEW)
    return None


def decide(tx: Tx, approval_id: int, decision: str, comment: str | None) -> Record:
    """Answer a question one was asked, or one that was put to somebody who has let one decide in his place.

    The answer is final, and the last one needed decides the round. Raises `DeskError`: `not_found` for a question on a ticket
    one may not see, `not_asked`, `forbidden` for whoever has lost the role that let him decide, `own_ticket`,
    `already_decided`, `already_voted` for a second answer of one person in a stage, `comment_required` for a rejection
    without words.
    """
    found = tx.session.first(_WHERE, approval=approval_id)
    if found is None:
        raise not_found("approval", str(approval_id))
    record = _sighted(tx, found.number, approval_id)
    round_ = rounds.latest(tx, record)
    if round_ is None or round_.round != found.round:
        round_ = next(each for each in rounds.every(tx, record.id) if each.round == found.round)
    question = next(each for each in round_.questions if each.id == approval_id)
    voter = _voter(tx, record, round_, question)
    if decision == REJECT and spoken(comment) is None:
        message = "A rejection needs a comment."
        raise invalid(FieldError("/comment", "comment_required", message), detail=message)
    closed = record.category == Category.CLOSED or not round_.is_open or question.stage != round_.stage
    if closed or not rounds.answer(tx, approval_id, decision, comment, voter):
        raise DeskError(Kind.CONFLICT, "already_decided", "This approval is no longer open.")
    question.decision = decision
    _tell(tx, record, question, decision, comment, round_)
    stages.conclude(tx, record, round_)
    moves.settle(tx, record)
    return record


def _tell(tx: Tx, record: Record, question: Question, decision: str, comment: str | None, round_: Round) -> None:
    payload: dict[str, Any] = {"approval": question.id, "round": round_.round, "decision": decision}
    if question.approver_id != tx.actor.id:
        payload["for"] = question.approver
    if comment:
        payload["said"], payload["sha256"] = moves.keep_comment(tx, record, comment, "public")
    records.append(tx, record, "approval_decided", payload)


def _voter(tx: Tx, record: Record, round_: Round, question: Question) -> int | None:
    """The row id of the actor if he answers in another's place, None if he answers for himself. Raises what speaks against it.

    Whoever is asked, and whoever answers for him, must be somebody else than the ticket's parties, whatever account he uses.
    """
    actor, directory = tx.actor, Directory.of(tx, record)
    own = question.approver_id == actor.id
    principal = None if own else directory.by_id(question.approver_id)
    group = round_.group_of(question)
    if not own and not (
        principal is not None and directory.may_hold(group, principal) and actor.id in directory.deputies(principal.id)
    ):
        raise _refused("not_asked", "You were not asked for this approval.", record, question)
    me = directory.by_id(actor.id)
    assert me is not None
    if not (own and directory.may_hold(group, me)):
        require(actor, Permission.DECIDE)
    involved = directory.parties(round_.policy)
    if me.root in involved or (principal is not None and principal.root in involved):
        raise _refused("own_ticket", "Nobody decides on what he asked for or carries out himself.", record, question)
    if question.is_open and me.root in _answered(round_, question.stage):
        raise DeskError(Kind.CONFLICT, "already_voted", "You have answered in this stage already; everybody has one vote.")
    return None if own else actor.id


def _refused(code: str, message: str, record: Record, question: Question) -> DeskError:
    """The refusal of an answer that is not the actor's to give; the auditor is told."""
    deed = {"deed": "decide", "approval": question.id, "ticket": record.number}
    return DeskError(Kind.FORBIDDEN, code, message, deed=deed)


def _answered(round_: Round, stage: int) -> set[int | None]:
    """The roots of those who have answered in a stage, for themselves or for others."""
    said = [question for question in round_.of_stage(stage) if question.decision in (APPROVE, REJECT)]
    return {question.decided_by_root or question.root for question in said}


def _sighted(tx: Tx, number: str, approval_id: int) -> Record:
    try:
        return loading.load(tx, number)
    except DeskError as unseen:  # must not tell the number of a ticket that the actor may not see
        raise not_found("approval", str(approval_id)) from unseen


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]
