"""A desk with a routing table of the test's own, groups of people who can take tickets, and short words for what they do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.app import Service, assemble
from itsm.assignment import check, commands, reading
from itsm.assignment.book import Book
from itsm.assignment.planning import Keep, Plan
from itsm.assignment.table import Table
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.time import FrozenClock
from itsm.tickets import loading
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from tests.api.world import Api
from tests.service import actor, configuration, populate, processes, read_agreement, settings
from tests.tickets.doing import Doing

_EVENTS = Prepared(
    sa.select(TicketEvent.kind, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"))
    .order_by(TicketEvent.seq)
)

TEAM = ("n1", "n2", "n3")
"""Agents of the group network, besides g1 and its lead l1."""


TURNS_AND_ROTA = """
groups: {network: {strategy: round_robin}, security: {strategy: round_robin}}
on_call: {network: [{name: primary, people: [l1, g1], from: 2026-03-02, zone: UTC}]}
"""


def book(text: str) -> Book:
    """What a text says, which must be sound."""
    found, findings = reading.load_book(text, "assignment.yaml", configuration().vocabulary, configuration().calendars)
    findings += check.examine(found)
    assert not [finding for finding in findings if finding.severity == "error"], findings
    return found


def use(desk: Desk, text: str) -> None:
    """Let a desk go by another table from now on."""
    desk.parts = {**desk.parts, Table: Table(book(text))}


def take_turns(api: Api) -> None:
    """Let the groups network and security take turns, and network be on call, l1 first."""
    use(api.desk, TURNS_AND_ROTA)


@dataclass
class Assigning:
    """A desk that routes by a table of the test's own. The group network has n1, n2, n3; l1 leads it and is no member."""

    service: Service
    clock: FrozenClock

    @property
    def desk(self) -> Desk:
        return self.service.desk

    def opens(self, by: str = "ra1", **more: Any) -> Record:
        return self.read(Doing(self.desk, by).create(**more))

    def read(self, record: Record) -> Record:
        with self.desk.reading(SYSTEM) as tx:
            return loading.load(tx, record.number, lock=False)

    def assignee(self, record: Record) -> Any:
        return self.read(record).values["assignee"]

    def explain(self, record: Record, keep: Keep = Keep.NOTHING) -> Plan:
        with self.desk.reading(SYSTEM) as tx:
            return commands.explain(tx, loading.load(tx, record.number, lock=False), keep)

    def route(self, record: Record, by: str = "g1", keep: Keep = Keep.NOTHING) -> Record:
        with self.desk.transaction(actor(self.desk, by), Channel.API) as tx:
            return commands.route(tx, record.number, keep)

    def reject(self, record: Record, by: str, reason: str = "No time.") -> Record:
        with self.desk.transaction(actor(self.desk, by), Channel.API) as tx:
            return commands.reject(tx, record.number, reason)

    def pass_time(self, **length: float) -> None:
        """Let time go by, and do what is due."""
        self.clock.advance(timedelta(**length))
        self.service.sweeper.sweep()

    def told(self, record: Record, kind: str) -> list[dict[str, Any]]:
        """What the ticket's events of a kind say, in order."""
        with self.desk.reading(SYSTEM) as tx:
            rows = tx.session.all(_EVENTS, ticket=record.id)
        return [orjson.loads(row.payload) for row in rows if row.kind == kind]

    def kinds(self, record: Record) -> list[str]:
        with self.desk.reading(SYSTEM) as tx:
            return [row.kind for row in tx.session.all(_EVENTS, ticket=record.id)]


def a_desk(database: Database, clock: FrozenClock, home: Any, table: str) -> Assigning:
    """A desk with this table over a fresh database."""
    parts = replace(configuration(), assignment=book(table))
    service = assemble(settings(database.url, home), parts, clock, database, processes(), read_agreement())
    populate(service.desk)
    with service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for login in TEAM:
            people.add_user(tx.session, service.desk.roles, login, login.upper(), frozenset({"agent"}), tx.now, "tests")
            people.join(tx.session, login, "network", tx.now, "tests")
        for login in ("g1", "l1"):
            people.leave(tx.session, login, "network", tx.now, "tests")
    return Assigning(service, clock)
