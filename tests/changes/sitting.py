"""A board that meets: cm1 calls it on Tuesday at nine and takes the chair; cm2, l1 and the group security are members."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.changes import agenda, meeting_queries, meetings, voting
from itsm.changes.agenda import Question
from itsm.changes.board import Item, Result, Sitting, Vote
from itsm.changes.meetings import NewMeeting
from itsm.people.access import Channel
from itsm.people.models import PeopleEvent
from itsm.platform.database import Prepared
from itsm.platform.time import FrozenClock
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from tests.changes.desk import at, stamp
from tests.service import actor
from tests.tickets.doing import Doing

PLAN = {"implementation_plan": "Swap.", "test_plan": "Ping.", "backout_plan": "Swap back."}
NINE = at(3, 9)

_STORY = Prepared(
    sa.select(TicketEvent.kind, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"))
    .order_by(TicketEvent.seq)
)
_TOLD = Prepared(sa.select(PeopleEvent.kind, PeopleEvent.actor, PeopleEvent.payload).order_by(PeopleEvent.id))


@dataclass
class Meeting:
    """A meeting, and what people do to it: `by` is who."""

    desk: Desk
    clock: FrozenClock
    id: int

    def read(self, by: str = "cm1") -> Sitting:
        with self.desk.reading(actor(self.desk, by)) as tx:
            return meeting_queries.read(tx, self.id)

    def does(self, by: str, deed: Any, *arguments: Any) -> None:
        """Carry out a command on this meeting."""
        with self.desk.transaction(actor(self.desk, by), Channel.API) as tx:
            deed(tx, self.id, *arguments)

    def gathers(self, question: Question | None = None, by: str = "cm1") -> list[str | None]:
        self.does(by, agenda.gather, question)
        return self.numbers()

    def adds(self, record: Record, minutes: int = 10, by: str = "cm1") -> None:
        self.does(by, agenda.add, record.number, minutes)

    def arranges(self, record: Record, position: int | None = None, minutes: int | None = None, by: str = "cm1") -> None:
        self.does(by, agenda.arrange, record.number, position, minutes)

    def votes(self, by: str, record: Record, vote: Vote, comment: str | None = None) -> None:
        self.does(by, voting.vote, record.number, vote, comment)

    def concludes(self, record: Record, result: Result, words: str | None = "So be it.", by: str = "cm1") -> None:
        self.does(by, voting.conclude, record.number, result, words)

    def closes(self, by: str = "cm1") -> None:
        """Close it once it has begun."""
        self.clock.set(max(self.clock.now(), NINE + timedelta(minutes=50)))
        self.does(by, meetings.close)

    def numbers(self, by: str = "cm1") -> list[str | None]:
        return [each.number for each in self.read(by).items]

    def item(self, record: Record, by: str = "cm1") -> Item:
        return next(each for each in self.read(by).items if each.number == record.number)


def a_meeting(desk: Desk, clock: FrozenClock, **more: Any) -> Meeting:
    """A meeting that cm1 calls."""
    terms = {"title": "Board", "starts_at": NINE, "ends_at": at(3, 10), "members": ("cm2", "l1"), "groups": ("security",)}
    with desk.transaction(actor(desk, "cm1"), Channel.API) as tx:
        return Meeting(desk, clock, meetings.call(tx, NewMeeting(**{**terms, **more})))


def waiting(desk: Desk, by: str = "g1", start: datetime | None = None, group: str = "network", **more: Any) -> Record:
    """A change that waits for authorisation: of low risk by any change manager, unless something else is said."""
    service = more.pop("service", None)
    window = {} if start is None else {"planned_start": stamp(start), "planned_end": stamp(start + timedelta(hours=2))}
    record = Doing(desk, by).create("change", more.pop("title", "Swap the switch"), service=service)
    Doing(desk, by).edit(record, **window)
    Doing(desk, by).fire(record, "assign", group=group, assignee=more.pop("assignee", None))
    Doing(desk, by).fire(record, "submit", justification="It is old.")
    return Doing(desk, by).fire(record, "request_authorisation", **{"risk": "low", **PLAN, **more})


def story(desk: Desk, record: Record) -> list[tuple[str, dict[str, Any]]]:
    """What the log of a ticket tells."""
    with desk.database.session(write=False) as session:
        return [(row.kind, orjson.loads(row.payload)) for row in session.all(_STORY, ticket=record.id)]


def audited(desk: Desk, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """What the auditor was told of one kind: by whom, and what."""
    with desk.database.session(write=False) as session:
        return [(row.actor, row.payload) for row in session.all(_TOLD) if row.kind == kind]
