"""What people write on tickets. What was written stays as it was, for a note is evidence."""

from __future__ import annotations

from dataclasses import dataclass

from itsm.api.auth import SIGNED_IN
from itsm.api.forms import Form, Text
from itsm.api.representation import address
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, instant, text, whole
from itsm.tickets import commands
from itsm.tickets.desk import Tx
from itsm.workflow.builtin_actions import Visibility
from itsm.workflow.values import MARKDOWN_MAX

comments = Resource("Comments", "What people write on tickets, for everyone or for staff.")

VISIBILITIES = (Visibility.PUBLIC, Visibility.INTERNAL)


@dataclass(frozen=True, slots=True)
class NewComment:
    """What is to be written."""

    body: str
    visibility: str


class CommentForm(Form):
    """What is to be written."""

    makes = NewComment

    body = Text("The words, in Markdown.", MARKDOWN_MAX, required=True, pattern=r"\s*\S")
    visibility = Text(
        "`public` for everyone who sees the ticket, `internal` for staff. Never taken for granted.",
        choices=VISIBILITIES,
        required=True,
    )


class CommentShape(Shape):
    """What was written."""

    id = whole("Which comment.")
    ticket = text("The number of the ticket.")
    author = text("The login of who wrote it.")
    body = text("The words, in Markdown.")
    visibility = text("`public` or `internal`.")
    at = instant("When it was written.")


@comments.post("/tickets/{number}/comments", policy=SIGNED_IN, body=CommentForm(), answers={201: CommentShape()})
def write(tx: Tx, number: str, body: NewComment) -> Answer:
    """Write on a ticket.

    A public word may set off what the workflow says about replies: one from its requester brings back a ticket that waits for
    him. Needs no `If-Match`, for it only adds.
    """
    _, comment_id = commands.comment(tx, number, body.body, body.visibility)
    told = {
        "id": comment_id,
        "ticket": number,
        "author": tx.actor.login,
        "body": body.body,
        "visibility": body.visibility,
        "at": tx.now,
    }
    return Answer(told, 201, {"Location": f"{address(number)}/timeline"})
