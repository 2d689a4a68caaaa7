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
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from itsm.people import commands as people
from itsm.people.access import SYSTEM, Actor, Channel, Roles
from itsm.platform.database import Database, Session
from itsm.platform.errors import DeskError
from itsm.platform.settings import Settings
from itsm.platform.time import Clock
from itsm.workflow.definition import Workflow
from itsm.workflow.engine import Process
from itsm.workflow.language import load
from itsm.workflow.locations import Location
from itsm.workflow.vocabulary import Vocabulary
from itsm.worktime.calendar import Calendar

if TYPE_CHECKING:
    from itsm.tickets.records import Record
    from itsm.workflow.case import Effect, Fact, Reason, Value

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something a capability may want to answer, inside the same transaction: a ticket was created, moved, or edited,
    or a timer or reaction has `acted` on its fields.

    Other words of `what` are events near the ticket, as its workflow may react to them: `child_closed`. Those of its children
    are always told, the others only where the workflow reacts to them.
    """

    what: str
    record: Record
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be done to a ticket, and may still be refused: it would be in state `target`, with these `values`.

    `changed` are the fields that would be other than now; `given` is what the actor said with it, as he said it. `target` is
    None where the workflow has refused already, and a guard can only add what is wrong with the values.
    """

    target: str | None
    values: Mapping[str, Value]
    changed: frozenset[str] = frozenset()
    given: Mapping[str, Value] = field(default_factory=dict)


EffectHandler = Callable[["Tx", "Record", "Effect"], None]
FactProvider = Callable[["Tx", "Record"], object]
RecipientProvider = Callable[["Tx", "Record"], Sequence[str]]
Part = TypeVar("Part")
Subscriber = Callable[["Tx", Happened], None]
Guard = Callable[["Tx", "Record", Intent], "Sequence[Reason]"]
"""Says what speaks against something that the workflow itself would allow (see `guarding.py`)."""
Preparer = Callable[["Tx", "Sequence[Record]"], None]
"""Reads at once what the observers will ask about several new tickets one by one."""
Listener = Callable[["Tx", str, "Mapping[str, Any]"], None]
"""Hears what a transaction has said about people, before its commit: the kind of the event, and what it tells."""
Observer = Callable[["Tx", "Record"], None]
"""Reads the events of a ticket that are about to be written (`Record.pending`), and may add to what they tell."""


@dataclass
class Tx:
    """One command's transaction: the session, who acts, through which channel, at what moment.

    `now` is when it happens; `recorded_at` when it is written down. They differ only for imported history. `followups` are the
    tickets for which commands were queued; `hops` counts how often the deed was passed on from ticket to ticket. A capability
    keeps in `cache` what it has read, under a type of its own, and writes by `at_end` what it has gathered, before the commit.
    `posting` begins the keys of messages, where what is posted has an identity of its own (else: the ticket and its version).
    `unwritten` are the tickets that a batch has finished and not written; whoever asks about several tickets writes them first.
    `born` are the row ids of tickets that it opened: what this transaction has not written about them is not there.
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
    cache: dict[type, object] = field(default_factory=dict)
    at_end: list[Callable[[Tx], None]] = field(default_factory=list)
    posting: str | None = None
    unwritten: dict[int, Record] = field(default_factory=dict)
    born: set[int] = field(default_factory=set)

    def known(self, kind: type[Part], *, at_end: Callable[[Tx], None] | None = None) -> Part:
        """What a capability knows in this transaction, by its type; made, empty, when it is first asked for.

        `at_end` is called once before the commit if there is anything to know by then.
        """
        found = self.cache.get(kind)
        if found is None:
            found = self.cache[kind] = kind()
            if at_end is not None:
                self.at_end.append(at_end)
        assert isinstance(found, kind)
        return found

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
    locations: Mapping[str, Location]
    processes: Processes
    facts: Mapping[Fact, FactProvider] = field(default_factory=dict)
    effects: Mapping[str, EffectHandler] = field(default_factory=dict)
    recipients: Mapping[str, RecipientProvider] = field(default_factory=dict)
    subscribers: Sequence[Subscriber] = ()
    guards: Sequence[Guard] = ()
    observers: Sequence[Observer] = ()
    preparers: Sequence[Preparer] = ()
    listeners: Sequence[Listener] = ()
    parts: Mapping[type, object] = field(default_factory=dict)
    run_followup: Callable[[int], object] = lambda ticket_id: None
    audit_key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.audit_key = self.settings.key("audit")

    def part(self, kind: type[Part]) -> Part:
        """What a capability keeps for the life of the desk, by its type; `app.py` put it there. Raises `KeyError`."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found

    @contextmanager
    def transaction(self, actor: Actor, channel: Channel, *, origin: str | None = None) -> Iterator[Tx]:
        """One command, all or nothing. What it queued for other tickets runs right after the commit.

        A refusal that says what was tried is told to the auditor, once nothing else is left of the command.
        """
        begun: list[Tx] = []
        with self._noting(begun), self.database.session() as session:
            now = self.clock.now()
            tx = Tx(session, self, actor, channel, now, now, origin)
            begun.append(tx)
            yield tx
            for listener, (kind, told) in product(self.listeners, session.said):
                listener(tx, kind, told)
            for finish in tx.at_end:
                finish(tx)
        for ticket_id in dict.fromkeys(tx.followups):
            self._follow_up(ticket_id)

    @contextmanager
    def _noting(self, begun: list[Tx]) -> Iterator[None]:
        try:
            yield
        except DeskError as refusal:
            if begun and refusal.deed is not None:
                self._note(begun[0], refusal.code, refusal.deed)
            raise

    def _note(self, tx: Tx, code: str, deed: Mapping[str, Any]) -> None:
        """Tell the auditor of a refusal. That it cannot be told is no reason to answer otherwise."""
        try:
            with self.database.session() as session:
                people.tell(session, tx.now, tx.actor.login, "refused", {"code": code, **deed})
        except DeskError:
            _log.exception("a refusal could not be told to the auditor")

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
        self._read: dict[str, Workflow] = {}
        self._lock = threading.Lock()

    def get(self, version_id: int, source: Callable[[], str]) -> Process:
        """The process of a version; `source` is asked for its text the first time only."""
        process = self._compiled.get(version_id)
        if process is None:
            with self._lock:
                process = self._compiled.get(version_id) or self._compile(source())
                self._compiled[version_id] = process
        return process

    def know(self, workflow: Workflow) -> None:
        """Take as read a definition that is being published: by its text, for until the commit its row id means nothing."""
        self._read[workflow.source] = workflow

    def definition(self, text: str) -> Workflow:
        """The definition of a published text."""
        known = self._read.get(text)
        if known is not None:
            return known
        workflow, findings = load(text, "published", self._vocabulary)
        if workflow is None:
            raise RuntimeError(f"a published workflow no longer loads: {findings[0].message}")
        return workflow

    def _compile(self, text: str) -> Process:
        definition = self.definition(text)
        self._read.pop(text, None)
        return Process(definition, self._vocabulary)
