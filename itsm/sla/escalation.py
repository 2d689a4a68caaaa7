"""Climbing the ladders: setting a ticket on one, taking the steps when they are due, stopping when somebody takes it on.

A run is a timer row for the next step and events for those that were taken. What was told follows from the ticket's log; that
a step is taken once follows from its row, which the transaction that takes it deletes under the fence of its claim. Steps that
an interruption has delayed are not made up for: the one that is due is taken, and the next waits from then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Final

import orjson
import sqlalchemy as sa

from itsm.people.access import Permission
from itsm.platform import outbox, timers
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.time import rfc3339
from itsm.platform.timers import NewTimer, TimerRow
from itsm.sla.escalation_reading import tickets_only
from itsm.sla.judging import Subject
from itsm.sla.ladders import ABANDONED, ACKNOWLEDGED, KINDS, OVER, STARTED, TOLD, Ladder, Run, runs
from itsm.sla.moments import Facts
from itsm.sla.policy import Agreement
from itsm.tickets import alarms, effects, loading, moves, records, rights
from itsm.tickets.desk import Tx
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from itsm.workflow import expression
from itsm.workflow.builtin_actions import Visibility
from itsm.workflow.case import Effect
from itsm.workflow.check.subject import Subject as Practice
from itsm.workflow.definition import Workflow
from itsm.workflow.engine import Process
from itsm.workflow.expression import Compiled
from itsm.workflow.scope import Scope

ACTION: Final = "escalate"
KIND: Final = "escalation"
"""The kind of timer rows that hold the next step of a run; their name is the ladder, their cycle the run."""

TOPIC: Final = "notify"
AT_RISK: Final = "/api/v1/sla/at-risk"
"""The list that a message about many tickets points to."""

NO_LADDER: Final = "there is no ladder of this name"
NO_STEP: Final = "the ladder has no further step"

_TICKET: sa.BindParameter[Any] = sa.bindparam("ticket")
_STORY = Prepared(
    sa.select(TicketEvent.at, TicketEvent.kind, TicketEvent.actor, TicketEvent.payload)
    .where(TicketEvent.ticket_id == _TICKET, sa.or_(*(TicketEvent.kind == kind for kind in KINDS)))
    .order_by(TicketEvent.seq)
)


class Ladders:
    """The ladders of this desk, with their conditions compiled against each version of a workflow once. Safe to share."""

    def __init__(self, ladders: Mapping[str, Ladder]) -> None:
        self._ladders = ladders
        self._conditions: dict[tuple[str, str], Compiled | None] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Ladder | None:
        """The ladder of this name; None if there is none (any more)."""
        return self._ladders.get(name)

    def is_exempt(self, ladder: Ladder, record: Record) -> bool:
        """Whether the ticket is told of in quiet hours too. A condition that its workflow cannot answer does not hold."""
        if ladder.quiet is None or ladder.quiet.unless is None:
            return False
        condition = self._condition(ladder, record.process)
        facts = Facts(record.type, record.number, record.state, record.category, record.values)
        return condition is not None and condition.evaluate(Subject(facts, {})) is True

    def _condition(self, ladder: Ladder, process: Process) -> Compiled | None:
        key = ladder.name, process.workflow.digest
        if key not in self._conditions:
            assert ladder.quiet is not None
            assert ladder.quiet.unless is not None
            with self._lock:
                scope = tickets_only(Scope.of(process.workflow, process.vocabulary))
                found = expression.compile(ladder.quiet.unless, scope)
                self._conditions[key] = None if isinstance(found, tuple) else found
        return self._conditions[key]


def unknown(ladders: Ladders, workflows: Iterable[Workflow], agreement: Agreement | None) -> list[str]:
    """The ladders that published workflows and promises name, and that are not there (any more): by these, nobody is told."""
    policies = () if agreement is None else agreement.policies.values()
    promised = (threshold.do for policy in policies for threshold in policy.thresholds)
    actions = chain(chain.from_iterable(map(Practice.actions_of, workflows)), chain.from_iterable(promised))
    named = {str(action.arguments["ladder"]) for action in actions if action.name == ACTION}
    return sorted(name for name in named if ladders.get(name) is None)


def start(tx: Tx, record: Record, effect: Effect) -> None:
    """The action `escalate`: begin a run, unless one of that ladder is under way or the ticket is resolved.

    A workflow that was published once may name a ladder that has been taken away since: that nobody is told is in the log.
    """
    name = str(effect.arguments["ladder"])
    ladder = tx.desk.part(Ladders).get(name)
    if record.category in OVER:
        return
    if ladder is None:
        _abandon(tx, record, name, None, NO_LADDER)
        return
    if any(name == ladder.name and _goes_on(tx, record, run) for name, run in _waiting(tx, record)):
        return
    run = record.version + 1
    records.append(tx, record, STARTED, {"ladder": ladder.name, "run": run}, internal=True)
    _step(tx, record, ladder, run, 0)


def read_ahead(tx: Tx, tickets: Iterable[Record]) -> None:
    """Read which runs of several tickets wait for a next step, in one statement; what this transaction knows already stays."""
    known = tx.known(_Known)
    found: dict[int, set[tuple[str, int]]] = {ticket.id: set() for ticket in tickets if ticket.id not in known}
    if found:
        for row in timers.waiting(tx.session, list(found), KIND):
            found[row.ticket_id].add((row.name, row.cycle))
        known.update(found)


def due(tx: Tx, record: Record, row: TimerRow) -> None:
    """A step's time has come; nothing comes of it where the run is over because the ticket was resolved in the meantime.

    A ladder that has been taken away or shortened in the meantime leaves nobody to tell: that ends the run.
    """
    if not _goes_on(tx, record, row.cycle):
        return
    ladder = tx.desk.part(Ladders).get(row.name)
    place = int(row.payload["step"])
    if ladder is not None and place < len(ladder.steps):
        _step(tx, record, ladder, row.cycle, place)
    else:
        _abandon(tx, record, row.name, row.cycle, NO_LADDER if ladder is None else NO_STEP)


def acknowledge(tx: Tx, number: str, comment: str | None) -> Record:
    """Take on what was escalated: every run of the ticket ends.

    Raises `DeskError`: `not_found`, `read_only`, `forbidden` for whoever neither works on tickets nor was told, and
    `not_escalated` where nothing waits for an answer.
    """
    record = loading.load(tx, number)
    rights.may_touch(tx, record)
    waiting = [run for run in story(tx, record) if run.is_open]
    was_told = any(tx.actor.login in run.told for run in waiting)
    if not (was_told or tx.actor.may(Permission.WORK)):
        raise DeskError(Kind.FORBIDDEN, "forbidden", "Only those who work on the ticket, or were told, can take it on.")
    if not waiting:
        raise DeskError(Kind.CONFLICT, "not_escalated", f"No escalation of {number} waits for an answer.")
    alarms.disarm_kind(tx, record.id, KIND)
    tx.known(_Known)[record.id] = set()
    payload: dict[str, Any] = {"runs": [run.number for run in waiting], "ladders": sorted({run.ladder for run in waiting})}
    if comment:
        payload["said"], payload["sha256"] = moves.keep_comment(tx, record, comment, Visibility.INTERNAL)
    records.append(tx, record, ACKNOWLEDGED, payload, internal=True)
    moves.settle(tx, record)
    return record


def story(tx: Tx, record: Record) -> list[Run]:
    """Every run of a ticket, as its events tell it, those included that are not written yet."""
    written = ((row.at, row.kind, row.actor, orjson.loads(row.payload)) for row in tx.session.all(_STORY, ticket=record.id))
    return runs(chain(written, ((event.at, event.kind, event.actor, event.payload) for event in record.pending)))


def _abandon(tx: Tx, record: Record, ladder: str, run: int | None, why: str) -> None:
    """Say in the log that nobody is told (any more); `run` is None where none has begun."""
    records.append(tx, record, ABANDONED, {"ladder": ladder, "run": run, "why": why}, internal=True)


def _goes_on(tx: Tx, record: Record, run: int) -> bool:
    """Whether a run with a timer has not come to an end: resolving a ticket ends it by the log, and leaves the timer to us."""
    return any(one.number == run and one.is_open for one in story(tx, record))


@dataclass(frozen=True, slots=True)
class Next:
    """The step that comes next: which (from 1), when, and to whom, as the ladder writes it."""

    step: int
    at: datetime
    to: tuple[object, ...]


def following(tx: Tx, record: Record, known: Iterable[Run]) -> Mapping[int, Next]:
    """The next step of each of a ticket's runs that is under way, by the run's number."""
    found = {}
    under_way = {run.number for run in known if run.is_open}
    for row in timers.waiting(tx.session, [record.id], KIND):
        ladder, place = tx.desk.part(Ladders).get(row.name), int(row.payload["step"])
        if ladder is not None and place < len(ladder.steps) and row.cycle in under_way:
            found[int(row.cycle)] = Next(place + 1, row.due_at, ladder.steps[place].to)
    return found


@dataclass(slots=True)
class _Spent:
    """The digests that this transaction has found to be sent: who got one is told no more in that window."""

    digests: set[str] = field(default_factory=set)


def _step(tx: Tx, record: Record, ladder: Ladder, run: int, place: int) -> None:
    """Take the step at `place`, or the first after it that reaches somebody; in quiet hours, wait for their end."""
    opening = _opening(tx, record, ladder)
    if opening is not None:
        _arm(tx, record, ladder, run, place, opening)
        return
    passed: list[int] = []
    logins = _reached(tx, record, ladder, place)
    while not logins and place + 1 < len(ladder.steps):
        passed.append(place + 1)
        place += 1
        logins = _reached(tx, record, ladder, place)
    folded = [login for login in logins if not _tell(tx, record, ladder, run, place, login)]
    then = ladder.after(place, tx.now, tx.desk.calendars)
    payload = {
        "ladder": ladder.name,
        "run": run,
        "step": place + 1,
        "told": logins,
        "folded": folded,
        "passed": passed,
        "next": None if then is None else rfc3339(then),
    }
    records.append(tx, record, TOLD, payload, internal=True)
    if then is not None:
        _arm(tx, record, ladder, run, place + 1, then)


def _opening(tx: Tx, record: Record, ladder: Ladder) -> datetime | None:
    """When the quiet hours that we are in are over; None when we are in none."""
    if ladder.quiet is None:
        return None
    ends = ladder.quiet.ends(tx.now, tx.desk.calendars)
    return None if ends is None or tx.desk.part(Ladders).is_exempt(ladder, record) else ends


def _arm(tx: Tx, record: Record, ladder: Ladder, run: int, place: int, at: datetime) -> None:
    alarms.arm(tx, [NewTimer(record.id, KIND, ladder.name, at, {"step": place}, run)])
    _waiting(tx, record).add((ladder.name, run))


class _Known(dict[int, set[tuple[str, int]]]):
    """The runs that wait for a next step, ladder and number by ticket, as one transaction knows them."""


def _waiting(tx: Tx, record: Record) -> set[tuple[str, int]]:
    """Of one ticket; those that this transaction has set itself are among them."""
    if record.id not in tx.known(_Known):
        read_ahead(tx, [record])
    return tx.known(_Known)[record.id]


def _reached(tx: Tx, record: Record, ladder: Ladder, place: int) -> list[str]:
    """Whom a step reaches now, in the order of their names: two who tell many at once do it in the same order."""
    found = {login for recipient in ladder.steps[place].to for login in effects.recipients(tx, record, recipient)}
    return sorted(found)


def _tell(tx: Tx, record: Record, ladder: Ladder, run: int, place: int, login: str) -> bool:
    """Put a message into the outbox; whether it is one of its own, and not covered by a digest.

    Where there is a cap, a window has so many keys for a person as he may get messages, and one more for the digest: the outbox
    takes each key once, whoever writes at the same time, so there can be no more of them.
    """
    payload = {"ticket": record.number, "to": login, "template": ladder.template, "ladder": ladder.name, "step": place + 1}
    if ladder.cap is None:
        key = f"{record.number}:{run}:{KIND}:{ladder.name}:{place + 1}:{login}"
        return outbox.put(tx.session, key, TOPIC, record.id, payload, tx.recorded_at)
    window = rfc3339(ladder.cap.window(tx.now))
    slots = f"{KIND}:{ladder.name}:{login}:{window}"
    digest = f"{slots}:more"
    spent = tx.known(_Spent)
    if digest in spent.digests or outbox.has(tx.session, digest):
        spent.digests.add(digest)
        return False
    for slot in range(1, ladder.cap.per_person + 1):
        if outbox.put(tx.session, f"{slots}:{slot}", TOPIC, record.id, payload, tx.recorded_at):
            return True
    more = {**payload, "template": ladder.cap.digest, "since": window, "list": AT_RISK}
    outbox.put(tx.session, digest, TOPIC, record.id, more, tx.recorded_at)
    return False
