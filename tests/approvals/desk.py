"""A desk with policies of the test's own, and short words for what approvers do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.app import Service, assemble
from itsm.approvals import check, commands, delegations, queries, reading
from itsm.approvals.delegations import NewDelegation
from itsm.approvals.policy import Book
from itsm.approvals.queries import RoundView
from itsm.people import commands as people
from itsm.people import ties
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.time import FrozenClock
from itsm.tickets import loading
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from tests.platform.messages import pending
from tests.service import actor, configuration, populate, processes, settings
from tests.tickets.doing import Doing

_EVENTS = Prepared(
    sa.select(TicketEvent.kind, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"))
    .order_by(TicketEvent.seq)
)

STAFF = {"ap1": "approver", "ap2": "approver", "ap3": "approver", "boss": "approver", "chief": "approver"}
"""Approvers of acme; ap1 is there already. boss manages ra1 and ap1, chief manages boss."""


def book(policies: str, centres: dict[str, str] | None = None) -> Book:
    """The policies of a text, which must be sound."""
    found, findings = reading.load_policies(policies, "approvals.yaml", configuration().vocabulary)
    findings += check.check(found, {}, configuration().vocabulary)
    assert not [finding for finding in findings if finding.severity == "error"], findings
    return replace(found, cost_centres=centres or {})


@dataclass
class Approving:
    """A desk whose requests follow policies of the test's own."""

    service: Service
    clock: FrozenClock

    @property
    def desk(self) -> Desk:
        return self.service.desk

    def request(self, policy: str, *, by: str = "ra1", requester: str | None = None, **fields: Any) -> Record:
        """A request that asks for approval by a policy."""
        return Doing(self.desk, by).create(
            "request", "A notebook", requester=requester, laid={"approval_policy": policy, **fields}
        )

    def read(self, record: Record) -> Record:
        with self.desk.reading(SYSTEM) as tx:
            return loading.load(tx, record.number, lock=False)

    def state(self, record: Record) -> str:
        return self.read(record).state

    def course(self, record: Record) -> RoundView:
        """How the latest round of a ticket stands."""
        with self.desk.reading(SYSTEM) as tx:
            return queries.course(tx, loading.load(tx, record.number, lock=False))[-1]

    def awaited(self, record: Record) -> list[str]:
        return sorted(self.course(record).awaited)

    def question(self, record: Record, login: str) -> int:
        """The latest question that was put to somebody about a ticket."""
        with self.desk.reading(SYSTEM) as tx:
            return int([row.id for row in queries.of_ticket(tx, record.number) if row.approver == login][-1])

    def decide(self, record: Record, login: str, decision: str, comment: str | None = None, of: str | None = None) -> Record:
        """Answer the latest question put to somebody (`of`: to whom else) about a ticket."""
        question = self.question(record, of or login)
        with self.desk.transaction(actor(self.desk, login), Channel.API) as tx:
            return commands.decide(tx, question, decision, comment)

    def approve(self, record: Record, login: str, of: str | None = None) -> Record:
        return self.decide(record, login, "approve", of=of)

    def reject(self, record: Record, login: str) -> Record:
        return self.decide(record, login, "reject", "Not this year.")

    def delegate(self, principal: str, delegate: str, days: int = 7, begins: timedelta = timedelta()) -> int:
        start = self.clock.now() + begins
        with self.desk.transaction(actor(self.desk, principal), Channel.API) as tx:
            return delegations.delegate(tx, NewDelegation(delegate, start, start + timedelta(days=days)))

    def revoke(self, principal: str, delegation: int) -> None:
        with self.desk.transaction(actor(self.desk, principal), Channel.API) as tx:
            delegations.revoke(tx, delegation)

    def people(self, deed: Any, *arguments: Any) -> None:
        """Do something to people: `people(commands.deactivate, "ap1")`."""
        with self.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            deed(tx.session, *arguments, tx.now, "tests")

    def pass_time(self, **length: float) -> None:
        """Let time go by, and do what is due."""
        self.clock.advance(timedelta(**length))
        self.service.sweeper.sweep()

    def story(self, record: Record) -> list[str]:
        """The kinds of the ticket's events that have to do with approval, in order."""
        return [kind for kind, _ in self.told(record)]

    def told(self, record: Record) -> list[tuple[str, dict[str, Any]]]:
        """The same with what they tell."""
        with self.desk.reading(SYSTEM) as tx:
            rows = tx.session.all(_EVENTS, ticket=record.id)
        return [(row.kind, orjson.loads(row.payload)) for row in rows if row.kind.startswith(("approval", "too_few"))]

    def messages(self, record: Record) -> list[tuple[str, str]]:
        """(template, login) of each message about a ticket, in order."""
        with self.desk.database.session(write=False) as session:
            waiting = pending(session)
        return [(one.payload["template"], one.payload["to"]) for one in waiting if one.ticket_id == record.id]


def approving(database: Database, clock: FrozenClock, home: Path, book_: Book) -> Approving:
    """A desk with these policies, and the people of `STAFF`."""
    configured = replace(configuration(), approvals=book_)
    service = assemble(settings(database.url, home), configured, clock, database, processes())
    populate(service.desk)
    with service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for login, role in STAFF.items():
            if login != "ap1":
                people.add_user(
                    tx.session, service.desk.roles, login, login, frozenset({role}), tx.now, "tests", organisation="acme"
                )
        for below, above in (("ra1", "boss"), ("ap1", "boss"), ("boss", "chief")):
            ties.set_manager(tx.session, below, above, tx.now, "tests")
    return Approving(service, clock)
