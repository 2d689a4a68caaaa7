"""What must be true of every threshold, whatever befell the clocks: worked out from the event log, and compared with it.

Which thresholds each cycle has reached follows from the story of its ticket alone (`itsm.sla.replay`, with what was answered
left out of the reckoning). Each must be answered by one event, and say one thing: a message of its own, or, when it comes too
late to be worth one, the message about the standstill. Nothing else may be said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeAlias

import orjson
import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.time import from_micros, rfc3339, to_micros
from itsm.platform.work import OutboxMessage, Timer
from itsm.sla import measure, proving
from itsm.sla.handlers import STALE
from itsm.sla.keeping import Keeper
from itsm.sla.moments import THRESHOLD_REACHED
from itsm.sla.replay import Find, LoggedEvent, derive
from itsm.tickets import audit, projection
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent

Threshold: TypeAlias = tuple[int, str, str, int, str]
"""A threshold of a cycle: ticket, clock, part, number of the cycle, label."""

STANDSTILL = "stale:"
"""What the keys of messages about a standstill begin with."""

MOST_TOLD = 5
"""How many examples of each fault are named."""

_EVENTS = Prepared(
    sa.select(
        TicketEvent.id,
        TicketEvent.ticket_id,
        TicketEvent.kind,
        sa.type_coerce(TicketEvent.at, sa.BigInteger).label("at"),
        TicketEvent.actor,
        TicketEvent.payload,
    ).order_by(TicketEvent.ticket_id, TicketEvent.seq)
)
_MESSAGES = Prepared(sa.select(OutboxMessage.key, OutboxMessage.payload))
_LEFT = Prepared(sa.select(Timer.ticket_id, Timer.name, Timer.due_at, Timer.error).where(Timer.kind == "sla"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A threshold that was answered: when it was reached, and when it was answered, by the clock of whoever did."""

    event: int
    threshold: Threshold
    due: datetime
    at: datetime

    @property
    def late(self) -> float:
        """By how many seconds."""
        return (self.at - self.due).total_seconds()


@dataclass
class Verdict:
    """What was found: the thresholds that were reached, the answers in the order of their writing, and all that is wrong."""

    expected: Counter[Threshold] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    messages: int = 0
    standstill: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def fault(self, what: str, examples: Iterable[object]) -> None:
        """Note what is wrong, with a few examples."""
        every = list(examples)
        self.counts[what] = len(every)
        self.violations += [f"{what}: {each}" for each in every[:MOST_TOLD]]


def judge(desk: Desk) -> Verdict:
    """Judge a desk whose clocks have come to rest."""
    verdict = Verdict()
    now = to_micros(desk.clock.now())
    with desk.database.session(write=False) as session:
        session.as_of_now()
        find = desk.part(Keeper).agreements.finder(session)
        for ticket, rows in groupby(session.all(_EVENTS), attrgetter("ticket_id")):
            _judge_ticket(verdict, find, ticket, list(rows), now)
        messages = [row.key for row in session.all(_MESSAGES) if row.payload.get("template", "").startswith("sla-")]
        left = [str(tuple(row)) for row in session.all(_LEFT) if row.error is not None or to_micros(row.due_at) <= now]
        differing = projection.differences(session)
    found = Counter(answer.threshold for answer in verdict.answers)
    verdict.answers.sort(key=attrgetter("event"))
    verdict.messages = len(messages)
    verdict.standstill = sum(key.startswith(STANDSTILL) for key in messages)
    verdict.fault("doubled", (each for each, count in found.items() if count > 1))
    verdict.fault("missing", verdict.expected - found)
    verdict.fault("extra", found.keys() - verdict.expected.keys())
    verdict.fault("not said", verdict.said - set(messages))
    verdict.fault("said, and not owed", set(messages) - verdict.said)
    verdict.fault("left undone", left)
    verdict.fault("clock not as its events say", proving.verify(desk.database, desk.part(Keeper).agreements).differences)
    verdict.fault("row not as its events say", differing)
    verdict.fault("log not proved", audit.verify(desk.database, desk.audit_key).findings)
    return verdict


def _judge_ticket(verdict: Verdict, find: Find, ticket: int, rows: Sequence[Any], now: int) -> None:
    """What one ticket's story calls for, and what its log says was done."""
    told = [(row.id, (row.at, row.kind, row.actor, orjson.loads(row.payload))) for row in rows]
    story = [each for _, each in told]
    derived = derive(find, story)
    for cycle in derived.cycles.values():
        quiet_until = derived.standing.quiet_until
        owed = measure.outstanding(find(cycle.version)[0], replace(cycle, reached=()), quiet_until, quiet_until)
        verdict.expected.update((ticket, *cycle.key, threshold.label) for at, threshold in owed if at <= now)
    answers = [
        Answer(event, _threshold(ticket, payload), datetime.fromisoformat(payload["due"]), from_micros(at))
        for event, (at, kind, _, payload) in told
        if kind == THRESHOLD_REACHED
    ]
    verdict.answers += answers
    verdict.said.update(_said(find, story, derived.facts.number))


def _threshold(ticket: int, payload: Mapping[str, Any]) -> Threshold:
    return ticket, payload["clock"], payload["part"], payload["cycle"], payload["threshold"]


def _said(find: Find, story: Sequence[LoggedEvent], number: str) -> Iterator[str]:
    """The keys of the messages that the answers in a story call for."""
    for place, (at, kind, _, payload) in enumerate(story):
        if kind != THRESHOLD_REACHED or "left_alone" in payload:
            continue
        due = to_micros(datetime.fromisoformat(payload["due"]))
        is_stale = _micros(STALE) < at - due and _micros(STALE) < at - max(due, _known_since(find, story, place))
        for told in payload.get("effects", ()):
            template = told["template"]
            for login in TOLD[payload["threshold"]]:
                if is_stale:
                    yield f"{STANDSTILL}{template}:{login}:{rfc3339(from_micros(due))[:13]}:00:00Z"
                else:
                    cycle = ":".join(str(payload[name]) for name in ("clock", "part", "cycle", "threshold"))
                    yield f"{number}:{cycle}:notify:{template}:{login}"


TOLD = {"25%": ("ra1",), "50%": ("l1",), "75%": ("au1",), "due": ("po1",)}
"""Who is told of each threshold in `promises.yaml`."""


def _known_since(find: Find, story: Sequence[LoggedEvent], place: int) -> int:
    """When the clocks of a ticket had last changed before the command that wrote this event of its story."""
    while place > 0 and story[place - 1][0] == story[place][0]:
        place -= 1
    return derive(find, story[:place]).standing.last_at


def _micros(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def by_row(answers: Iterable[Answer]) -> Mapping[tuple[int, str, int, int], Answer]:
    """Answers by what a timer's row says of them: ticket, clock, cycle, and the instant at which it was due."""
    found: defaultdict[tuple[int, str, int, int], Any] = defaultdict()
    for answer in answers:
        ticket, clock, part, cycle, _ = answer.threshold
        found[ticket, f"{clock}/{part}" if part else clock, cycle, to_micros(answer.due)] = answer
    return found
