"""Time spent on tickets."""

from __future__ import annotations

from dataclasses import dataclass

from itsm.api import representation
from itsm.api.auth import may
from itsm.api.forms import Form, Text, WholeNumber
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.people.access import Permission
from itsm.tickets import commands
from itsm.tickets.desk import Tx

work = Resource("Work", "Time spent on tickets.")

MOST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class NewWork:
    """Time to be booked."""

    minutes: int
    note: str


class WorkForm(Form):
    """Time to be booked."""

    makes = NewWork

    minutes = WholeNumber("How long.", 1, MOST_MINUTES, required=True)
    note = Text("On what.", 2_000, least=0, load_default="")


@work.post("/tickets/{number}/work", policy=may(Permission.WORK), body=WorkForm(), answers={201: TicketShape()}, etag=True)
def book(tx: Tx, number: str, body: NewWork) -> Answer:
    """Book time spent on a ticket, in minutes."""
    record = commands.log_work(tx, number, body.minutes, body.note)
    return representation.answer(tx, record, 201, {"Location": f"{representation.address(number)}/timeline"})
