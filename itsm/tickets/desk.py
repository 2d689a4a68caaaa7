"""The desk at run time: what a command needs around it, and the transaction it runs in.

`Desk` is wired once by `app.py`. A door opens `desk.transaction(actor, channel)`, calls one command, and leaves the block:
that is the commit. Nothing else in the product commits a change of a ticket.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from itsm.people.access import SYSTEM, Actor, Channel, Roles
from itsm.platform.database import Database, Session
from itsm.platform.settings import Settings
from itsm.platform.time import Clock
from itsm.workflow.engine import Process
from itsm.workflow.language import load
from itsm.workflow.vocabulary import Vocabulary
from itsm.worktime.calendar import Calendar

if TYPE_CHECKING:
    from itsm.tickets.records import Record
    from itsm.workflow.case import Effect, Fact

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something a capability may want to answer, inside the same transaction: a ticket was created, moved, or edited."""

    what: str
    record: Record
    source: str | None = None


EffectHandler = Callable[["Tx", "Record", "Effect"], None]
FactProvider = Callable[["Tx", "Record"], object]
RecipientProvider = Callable[["Tx", "Record"], Sequence[str]]
Subscriber = Callable[["Tx", Happened], None]


@dataclass
class Tx:
    """One command's transaction: the session, who acts, through which channel, at what moment.

    `now` is when it happens; `recorded_at` when it is written down. They differ only for imported history. `followups` are the
    tickets for which commands were queued; `hops` counts how often the deed was passed on from ticket to ticket.
    """

    session: Session
    desk: Desk
    actor: Actor
    channel: Channel
    now: datetime
    recorded_at: datetime
    origin: str | None = None
    followups: list[int] = field(default_factory=list)
    hops: int = 0

    def as_system(self, channel: Channel) -> Tx:
        """The same transaction, carried on by the desk itself on behalf of whoever acted."""
        origin = self.origin or (None if self.actor.is_system else self.actor.login)
        return replace(self, actor=SYSTEM, channel=channel, origin=origin)


@dataclass
class Desk:
    """Everything commands rely on. Handlers run in the order in which `app.py` lists them."""

    database: Database
    clock: Clock
    settings: Settings
    roles: Roles
    vocabulary: Vocabulary
    calendars: Mapping[str, Calendar]
    processes: Processes
    facts: Mapping[Fact, FactProvider] = field(default_factory=dict)
    effects: Mapping[str, EffectHandler] = field(default_factory=dict)
    recipients: Mapping[str, RecipientProvider] = field(default_factory=dict)
    subscribers: Sequence[Subscriber] = ()
    run_followup: Callable[[int], object] = lambda ticket_id: None
    audit_key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.audit_key = self.settings.key("audit")

    @contextmanager
    def transaction(self, actor: Actor, channel: Channel, *, origin: str | None = None) -> Iterator[Tx]:
        """One command, all or nothing. What it queued for other tickets runs right after the commit."""
        with self.database.session() as session:
            now = self.clock.now()
            tx = Tx(session, self, actor, channel, now, now, origin)
            yield tx
        for ticket_id in dict.fromkeys(tx.followups):
            self._follow_up(ticket_id)

    def _follow_up(self, ticket_id: int) -> None:
        """Run what was queued for a ticket. The command is committed already, so a failure here is not its failure."""
        try:
            self.run_followup(ticket_id)
        except Exception:  # noqa: BLE001  (whatever it was, the rows are there and the clock tries again)
            _log.exception("the follow-up of ticket %s is left to the clock", ticket_id)

    @contextmanager
    def reading(self, actor: Actor, channel: Channel = Channel.API) -> Iterator[Tx]:
        """A transaction that changes nothing."""
        with self.database.session(write=False) as session:
            now = self.clock.now()
            yield Tx(session, self, actor, channel, now, now)


class Processes:
    """Compiled workflow versions, kept by their row id: a version never changes, so neither does what was compiled."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._compiled: dict[int, Process] = {}
        self._lock = threading.Lock()

    def get(self, version_id: int, source: Callable[[], str]) -> Process:
        """The process of a version; `source` is asked for its text the first time only."""
        process = self._compiled.get(version_id)
        if process is None:
            with self._lock:
                process = self._compiled.get(version_id) or self._compile(source())
                self._compiled[version_id] = process
        return process

    def _compile(self, text: str) -> Process:
        workflow, findings = load(text, "published", self._vocabulary)
        if workflow is None:
            raise RuntimeError(f"a published workflow no longer loads: {findings[0].message}")
        return Process(workflow, self._vocabulary)
