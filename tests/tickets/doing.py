"""Short words for deeds in tests: who does what, through the real commands, each in its own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from itsm.people.access import Channel
from itsm.tickets import commands, links, loading, opening
from itsm.tickets.desk import Desk
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from tests.service import actor


@dataclass
class Doing:
    """A person of the world at the desk."""

    desk: Desk
    login: str

    def create(self, type_: str = "incident", title: str = "Screen stays black", **more: Any) -> Record:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return opening.create(tx, NewTicket(type_, title, **more))

    def fire(
        self, record: Record | str, trigger: str, comment: str | None = None, version: int | None = None, **fields: Any
    ) -> Record:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return commands.transition(tx, _number(record), trigger, fields, comment, version)

    def edit(self, record: Record | str, version: int | None = None, **fields: Any) -> Record:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return commands.edit(tx, _number(record), fields, version)

    def say(self, record: Record | str, body: str = "A word.", visibility: str = "public") -> Record:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return commands.comment(tx, _number(record), body, visibility)[0]

    def link(self, record: Record | str, kind: str, other: Record | str) -> int:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return links.link(tx, _number(record), kind, _number(other))[1]

    def watch(self, record: Record | str, login: str) -> Record:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return commands.watch(tx, _number(record), login)

    def log_work(self, record: Record | str, minutes: int) -> Record:
        with self.desk.transaction(actor(self.desk, self.login), Channel.API) as tx:
            return commands.log_work(tx, _number(record), minutes, "")

    def read(self, record: Record | str) -> Record:
        with self.desk.reading(actor(self.desk, self.login)) as tx:
            return loading.load(tx, _number(record), lock=False)


def an_incident_in_progress(desk: Desk) -> Record:
    """An incident of ra1 that g1 of the group network works on."""
    record = Doing(desk, "ra1").create()
    Doing(desk, "g1").fire(record, "assign", group="network")
    return Doing(desk, "g1").fire(record, "start")


def _number(record: Record | str) -> str:
    return record if isinstance(record, str) else record.number
