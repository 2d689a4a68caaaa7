"""Questions put to approvers, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import fields

from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Fault, Form, Text, within_reach, words
from itsm.api.representation import address
from itsm.api.routing import PREFIX, Answer, Resource
from itsm.api.shapes import Shape, addresses, instant, many, open_object, text, texts, whole
from itsm.approvals import commands, delegations
from itsm.approvals import queries as questions
from itsm.approvals.course import APPROVE, REJECT, Question
from itsm.approvals.delegations import NewDelegation
from itsm.approvals.queries import Branch, RoundView, StageView
from itsm.tickets import queries
from itsm.tickets.desk import Tx
from itsm.workflow.values import MARKDOWN_MAX

approvals = Resource("Approvals", "Who is asked to approve what, and what they said.")


@dataclass(frozen=True, slots=True)
class ApprovalsQuery:
    """Which questions."""

    mine: str
    ticket: str | None


class ApprovalsForm(Form):
    """Which questions: those put to the caller, or those about one ticket."""

    makes = ApprovalsQuery

    mine = Text(
        "The open questions put to the caller, or to those in whose place he may decide.",
        choices=("true", "false"),
        load_default="true",
    )
    ticket = Text("With `mine=false`: every question ever asked about this ticket.", 100, load_default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to a question."""

    decision: str
    comment: str | None


class VerdictForm(Form):
    """An answer to a question."""

    makes = Verdict

    decision = Text("The answer; it is final.", choices=(APPROVE, REJECT), required=True)
    comment = Text("Why; a rejection needs it.", MARKDOWN_MAX, load_default=None)


class ApprovalShape(Shape):
    """A question put to one person."""

    id = whole("Which question.")
    ticket = text("The number of the ticket it is about.")
    title = text("The ticket's title.")
    type = text("The ticket's type.")
    approver = text("The login of who was asked.")
    round = whole("Which request for approval of this ticket it belongs to.")
    stage = whole("Which stage of it, the first being 1.")
    needed = whole("How many of his group must approve.")
    decision = text("`approve`, `reject`, or `void` where it is no longer asked; null while it is open.", optional=True)
    decided_by = text("The login of who answered in the approver's place.", optional=True)
    comment = text("What was said with it.", optional=True)
    requested_at = instant("When it was asked.")
    decided_at = instant("When it was answered or withdrawn.", optional=True)
    links = addresses()


class ApprovalsShape(Shape):
    """Questions, the oldest first."""

    items = many(ApprovalShape)


class Moment(fields.AwareDateTime):
    """An instant as RFC 3339 writes it, with its offset."""

    def __init__(self, about: str) -> None:
        naive = [Fault("invalid_value", "This must say its offset from UTC.")]
        told = {**words("a moment"), "invalid_awareness": naive}
        metadata = {"description": about}
        super().__init__(format="iso", required=True, validate=within_reach, error_messages=told, metadata=metadata)


class DelegationForm(Form):
    """Who is to decide in the caller's place, and when."""

    makes = NewDelegation

    delegate = Text("His login.", 100, required=True)
    starts_at = Moment("From when on.")
    ends_at = Moment("Until when.")
    note = Text("Why, for the record.", 500, least=0, load_default="")


class DelegationShape(Shape):
    """Somebody who decides in somebody's place for a period."""

    id = whole("Which delegation.")
    principal = text("In whose place, by login.")
    delegate = text("Who decides, by login.")
    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    note = text("Why.")


class DelegationsShape(Shape):
    """Delegations, the earliest first."""

    items = many(DelegationShape)


class StageShape(Shape):
    """A stage of a round."""

    name = text("Its name.")
    standing = text("`approved`, `rejected`, `open`, or `waiting` for stages before it.")
    asks = texts("Whom the policy names.")
    tree = open_object(
        "Its groups: `rule`, `needed` of `size`, `standing`, `members` (who was asked and said what) and `groups`.",
        allow_none=True,
    )


class RoundShape(Shape):
    """A request for approval of a ticket."""

    round = whole("Its number, counted per ticket.")
    policy = text("The policy it follows; null where the workflow says itself whom to ask.", optional=True)
    title = text("The policy's title.")
    outcome = text("`open`, `approved`, `rejected`, `void` (it no longer counts) or `withdrawn` (the ticket went elsewhere).")
    ruling = text("What decided it where nobody did: a row of the decision table, or `timeout`.", optional=True)
    stage = text("The stage it is in, or ended in.")
    awaited = texts("The logins of those whose answer is awaited.")
    why = text("In one sentence, what keeps it open or has ended it.")
    material = texts("The fields whose change makes it void.")
    opened_at = instant("When it was asked for.")
    closed_at = instant("When it ended.", optional=True)
    stages = many(StageShape)


class RoundsShape(Shape):
    """The requests for approval of a ticket, the oldest first."""

    items = many(RoundShape)


@approvals.get("/approvals", policy=SIGNED_IN, query=ApprovalsForm(), answers={200: ApprovalsShape()})
def find(tx: Tx, query: ApprovalsQuery) -> Answer:
    """List the open questions put to the caller, or every question about a ticket he sees."""
    if query.mine == "true" or query.ticket is None:
        return Answer({"items": [_item(row) for row in questions.mine(tx)]})
    return Answer({"items": [_item(row) for row in questions.of_ticket(tx, query.ticket)]})


@approvals.get("/approvals/{approval_id}", policy=SIGNED_IN, answers={200: ApprovalShape()})
def read(tx: Tx, approval_id: int) -> Answer:
    """Read a question about a ticket that the caller sees."""
    return Answer(_item(questions.one(tx, approval_id)))


@approvals.post("/approvals/{approval_id}/decision", policy=SIGNED_IN, body=VerdictForm(), answers={200: ApprovalShape()})
def decide(tx: Tx, approval_id: int, body: Verdict) -> Answer:
    """Answer a question that was put to the caller.

    Or to somebody who has let the caller decide in his place. The answer is final. Nobody decides on what he asked for or is to
    carry out himself, whatever his roles, and nobody answers twice in one stage.
    """
    commands.decide(tx, approval_id, body.decision, body.comment)
    return Answer(_item(questions.one(tx, approval_id)))


@approvals.get("/approvals/delegations", policy=SIGNED_IN, answers={200: DelegationsShape()})
def find_delegations(tx: Tx) -> Answer:
    """List who decides in the caller's place, and in whose place the caller decides, now and to come."""
    return Answer({"items": [_delegation(row) for row in delegations.mine(tx)]})


@approvals.post("/approvals/delegations", policy=SIGNED_IN, body=DelegationForm(), answers={201: DelegationShape()})
def delegate(tx: Tx, body: NewDelegation) -> Answer:
    """Let somebody decide in the caller's place for a period.

    For those who may decide, and to somebody who may. That he is no party to the ticket is looked at when he decides.
    """
    made = delegations.delegate(tx, body)
    row = next(row for row in delegations.mine(tx) if row.id == made)
    return Answer(_delegation(row), 201, {"Location": f"{PREFIX}/approvals/delegations"})


@approvals.delete("/approvals/delegations/{delegation_id}", policy=SIGNED_IN, answers={204: None})
def revoke(tx: Tx, delegation_id: int) -> Answer:
    """Take back a delegation that the caller has given."""
    delegations.revoke(tx, delegation_id)
    return Answer(None, 204)


@approvals.get("/tickets/{number}/approvals", policy=SIGNED_IN, answers={200: RoundsShape()})
def course(tx: Tx, number: str) -> Answer:
    """Read how the approvals of a ticket stand: stages, who was asked and said what, what is awaited and why."""
    record = queries.ticket(tx, number)
    return Answer({"items": [_round(each) for each in questions.course(tx, record)]})


def _item(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "ticket": row.number,
        "title": row.title,
        "type": row.type,
        "approver": row.approver,
        "round": row.round,
        "stage": row.stage + 1,
        "needed": row.needed,
        "decision": row.decision,
        "decided_by": row.decided_by,
        "comment": row.comment,
        "requested_at": row.requested_at,
        "decided_at": row.decided_at,
        "links": {"ticket": address(row.number)},
    }


def _delegation(row: Any) -> dict[str, Any]:
    moments: dict[str, datetime] = {"starts_at": row.starts_at, "ends_at": row.ends_at}
    return {"id": row.id, "principal": row.principal, "delegate": row.delegate, "note": row.note, **moments}


def _round(view: RoundView) -> dict[str, Any]:
    return {
        "round": view.round,
        "policy": view.policy,
        "title": view.title,
        "outcome": view.outcome,
        "ruling": view.ruling,
        "stage": view.stage,
        "awaited": list(view.awaited),
        "why": view.why,
        "material": list(view.material),
        "opened_at": view.opened_at,
        "closed_at": view.closed_at,
        "stages": [_stage(stage) for stage in view.stages],
    }


def _stage(view: StageView) -> dict[str, Any]:
    tree = None if view.branch is None else _branch(view.branch)
    return {"name": view.name, "standing": view.standing, "asks": list(view.names), "tree": tree}


def _branch(branch: Branch) -> dict[str, Any]:
    return {
        "title": branch.title,
        "rule": branch.rule,
        "needed": branch.needed,
        "size": branch.size,
        "standing": branch.standing,
        "members": [_member(member.question) for member in branch.members],
        "groups": [_branch(group) for group in branch.groups],
    }


def _member(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "approver": question.approver,
        "decision": question.decision,
        "decided_by": question.decided_by,
        "decided_at": question.decided_at,
        "comment": question.comment,
        "instead_of": question.instead_of,
        "because": question.because,
    }
