"""A desk with ladders of a test's own, and short words for what happens on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from itsm.app import Service
from itsm.people.access import SYSTEM, Channel
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.schema import Json, table
from itsm.platform.work import OutboxMessage
from itsm.services.models import Service as Catalogued
from itsm.sla import escalation
from itsm.sla.escalation import Ladders
from itsm.sla.escalation_reading import load_ladders
from itsm.sla.ladders import KINDS, Ladder
from itsm.tickets import loading, moves
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from itsm.workflow.case import Effect

QUICK = """
quick:
  template: escalation
  steps:
    - {to: assignee, wait: 10 minutes}
    - {to: group.lead, wait: 20 minutes}
    - {to: service.owner}
"""

_OUTBOX = Prepared(sa.select(OutboxMessage.key, OutboxMessage.payload).order_by(OutboxMessage.id))
_STORY = Prepared(
    sa.select(TicketEvent.kind, sa.type_coerce(TicketEvent.payload, Json).label("payload"))
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"), sa.or_(*(TicketEvent.kind == kind for kind in KINDS[:4])))
    .order_by(TicketEvent.seq)
)
_OWN = Prepared(
    sa.update(table(Catalogued))
    .where(table(Catalogued).c.key == sa.bindparam("of"))
    .values(owner_id=sa.select(User.id).where(User.login == sa.bindparam("who")).scalar_subquery())
)


@dataclass
class Climb:
    """A desk with ladders, and its sweeper."""

    service: Service

    @property
    def desk(self) -> Desk:
        return self.service.desk

    def escalate(self, record: Record, ladder: str = "quick") -> None:
        """Do what a threshold with `escalate: LADDER` does."""
        with self.desk.transaction(SYSTEM, Channel.TIMER) as tx:
            held = loading.load(tx, record.number)
            escalation.start(tx, held, Effect("escalate", {"ladder": ladder}))
            moves.settle(tx, held)

    def sweep(self) -> int:
        return self.service.sweeper.sweep()

    def owns(self, login: str, service: str) -> None:
        """Let somebody answer for a service."""
        with self.desk.database.session() as session:
            session.run(_OWN, of=service, who=login)

    def messages(self) -> list[dict[str, Any]]:
        """What was put into the outbox by ladders, the first first."""
        with self.desk.database.session(write=False) as session:
            return [row.payload for row in session.all(_OUTBOX) if "ladder" in row.payload]

    def told(self) -> list[tuple[str, int]]:
        """Who was told, at which step."""
        return [(each["to"], each["step"]) for each in self.messages()]

    def story(self, record: Record) -> list[tuple[str, Mapping[str, Any]]]:
        with self.desk.database.session(write=False) as session:
            return [(row.kind, row.payload) for row in session.all(_STORY, ticket=record.id)]


def ladders(desk: Desk, text: str) -> Mapping[str, Ladder]:
    """The ladders of a text, against the shipped configuration."""
    found, findings = load_ladders(text, "escalation.yaml", desk.vocabulary, desk.calendars)
    assert not findings, findings
    return found


def climb(service: Service, text: str = QUICK) -> Climb:
    """The service, with these ladders in the place of its own."""
    service.desk.parts = {**service.desk.parts, Ladders: Ladders(ladders(service.desk, text))}
    return Climb(service)
