"""A desk whose catalogue has an automated item, and a receiver that it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from werkzeug.test import TestResponse

from itsm.api import create_api
from itsm.app import Service
from itsm.catalog import publishing, reading
from itsm.delivery.endpoints import Endpoint, Endpoints
from itsm.delivery.relay import Relay
from itsm.people.access import SYSTEM, Channel
from itsm.platform import outbox
from itsm.platform.database import Prepared
from itsm.platform.time import FrozenClock
from itsm.tickets import queries
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from itsm.workflow.reading.form import NOWHERE
from tests.catalog.world import order
from tests.delivery.receiver import KEY, SECRET, sign

ITEM = """\
services: {workplace: {title: Workplace}}
items:
  account:
    title: An account
    category: access
    service: workplace
    approval: none
    form:
      login: {type: text, require: true}
    tasks:
      make:  {title: Make the account, webhook: directory, group: network, input: {login: = answers.login, kind: person}}
      greet: {title: Greet the newcomer, group: network, after: make}
  badge:
    title: A badge
    category: access
    service: workplace
    approval: none
    tasks:
      print: {title: Print the badge, webhook: directory}
"""

ENVIRONMENT = {"ITSM_WEBHOOK_DIRECTORY": SECRET, "ITSM_WEBHOOK_OTHER": SECRET}


_EVENTS = Prepared(
    sa.select(TicketEvent.kind, TicketEvent.channel, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"))
    .order_by(TicketEvent.seq)
)


class Automated:
    """The desk of the tests, whose webhooks go to these addresses, and the short words for what happens there."""

    def __init__(self, service: Service, clock: FrozenClock, **urls: str) -> None:
        named = {name: endpoint(name, url) for name, url in urls.items()}
        self.endpoints = Endpoints(named, ENVIRONMENT)
        self.service, self.clock = service, clock
        self.desk: Desk = service.desk
        self.desk.parts = {**self.desk.parts, Endpoints: self.endpoints}
        self.relay = self.another_relay()
        self.api = create_api(self.desk).test_client()
        publish(self.desk)

    def another_relay(self, **more: Any) -> Relay:
        """One more of those that deliver, as another process would have."""
        settings = self.desk.settings
        return Relay(self.desk.database, self.clock, self.endpoints, settings.key("webhooks"), settings.base_url, **more)

    def orders(self, item: str = "account", **answers: object) -> str:
        """The number of the task that the automation is to do."""
        (request,) = order(self.desk, "ra1", item, answers or ({"login": "newbie"} if item == "account" else {}))
        with self.desk.reading(SYSTEM) as tx:
            return queries.tasks(tx, queries.ticket(tx, request.number), after=0, most=1)[0].number

    def delivers(self, name: str = "directory") -> int:
        """Try what is due for a receiver; how many attempts that took."""
        attempts = 0
        while self.relay.deliver_one(name):
            attempts += 1
        return attempts

    def passes(self, **time: float) -> None:
        """Time goes by, and what is due is done."""
        self.clock.advance(timedelta(**time))
        self.service.sweeper.sweep()

    def ticket(self, number: str) -> Record:
        with self.desk.reading(SYSTEM) as tx:
            return queries.ticket(tx, number)

    def request_of(self, number: str) -> Record:
        return self.ticket(str(self.ticket(number).values["parent"]))

    def events(self, number: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        """The ticket's log: kind, channel, and what is told."""
        with self.desk.reading(SYSTEM) as tx:
            found = queries.ticket(tx, number)
            rows = tx.session.all(_EVENTS, ticket=found.id)
        return [(row.kind, row.channel, orjson.loads(row.payload)) for row in rows]

    def told(self, number: str, kind: str) -> list[Mapping[str, Any]]:
        return [payload for each, _, payload in self.events(number) if each == kind]

    def parked(self) -> list[Any]:
        with self.desk.database.session(write=False) as session:
            return outbox.parked(session)

    def calls_back(
        self,
        call: str,
        status: str = "succeeded",
        *,
        key: bytes = KEY,
        late: int = 0,
        signed_as: str | None = None,
        **more: Any,
    ) -> TestResponse:
        """A signed answer, by default with the right secret, now."""
        body = orjson.dumps({"status": status, **more})
        seconds = int(self.clock.now().timestamp()) - late
        message = signed_as or call
        signature = sign(message, seconds, body, key)
        headers = {"webhook-id": message, "webhook-timestamp": str(seconds), "webhook-signature": signature}
        return self.api.post(f"/api/v1/callbacks/{call}", data=body, headers=headers, content_type="application/json")


def endpoint(name: str, url: str, **more: Any) -> Endpoint:
    told = {"timeout": 2, "answer_within": timedelta(minutes=30), "tries": 2, **more}
    return Endpoint(name, url, f"ITSM_WEBHOOK_{name.upper()}", NOWHERE, **told)


def publish(desk: Desk) -> None:
    """Make the item with the automated task the desk's catalogue."""
    catalog, findings = reading.load_text(ITEM, replace(desk.vocabulary, webhooks=frozenset({"directory", "other"})))
    assert not findings, [f"{finding.at}: {finding.message}" for finding in findings]
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, catalog)
