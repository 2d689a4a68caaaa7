"""Questions put to approvers, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text
from itsm.api.representation import address
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, addresses, instant, many, text, whole
from itsm.approvals import commands
from itsm.approvals import queries as questions
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

    mine = Text("The open questions put to the caller.", choices=("true", "false"), load_default="true")
    ticket = Text("With `mine=false`: every question ever asked about this ticket.", 100, load_default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to a question."""

    decision: str
    comment: str | None


class VerdictForm(Form):
    """An answer to a question."""

    makes = Verdict

    decision = Text("The answer; it is final.", choices=(commands.APPROVE, commands.REJECT), required=True)
    comment = Text("Why; a rejection needs it.", MARKDOWN_MAX, load_default=None)


class ApprovalShape(Shape):
    """A question put to one person."""

    id = whole("Which question.")
    ticket = text("The number of the ticket it is about.")
    title = text("The ticket's title.")
    type = text("The ticket's type.")
    approver = text("The login of who was asked.")
    round = whole("Which request for approval of this ticket it belongs to.")
    needed = whole("How many must approve.")
    decision = text("`approve`, `reject`, or `void` where it is no longer asked; null while it is open.", optional=True)
    comment = text("What was said with it.", optional=True)
    requested_at = instant("When it was asked.")
    decided_at = instant("When it was answered or withdrawn.", optional=True)
    links = addresses()


class ApprovalsShape(Shape):
    """Questions, the oldest first."""

    items = many(ApprovalShape)


@approvals.get("/approvals", policy=SIGNED_IN, query=ApprovalsForm(), answers={200: ApprovalsShape()})
def find(tx: Tx, query: ApprovalsQuery) -> Answer:
    """List the open questions put to the caller, or every question about a ticket he sees."""
    if query.mine == "true" or query.ticket is None:
        return Answer({"items": [_item(row) for row in questions.mine(tx)]})
    return Answer({"items": [_item(row) for row in questions.of_ticket(tx, query.ticket)]})


@approvals.post("/approvals/{approval_id}/decision", policy=SIGNED_IN, body=VerdictForm(), answers={200: ApprovalShape()})
def decide(tx: Tx, approval_id: int, body: Verdict) -> Answer:
    """Answer a question that was put to the caller.

    The answer is final. Nobody decides on what he asked for or is to carry out himself, whatever his roles.
    """
    record = commands.decide(tx, approval_id, body.decision, body.comment)
    return Answer(_item(next(row for row in questions.of_ticket(tx, record.number) if row.id == approval_id)))


def _item(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "ticket": row.number,
        "title": row.title,
        "type": row.type,
        "approver": row.approver,
        "round": row.round,
        "needed": row.needed,
        "decision": row.decision,
        "comment": row.comment,
        "requested_at": row.requested_at,
        "decided_at": row.decided_at,
        "links": {"ticket": address(row.number)},
    }
