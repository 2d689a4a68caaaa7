"""What is done when a clock reaches a threshold: once, whatever dies in between, and never to a clock that was stopped in time.

A timer says only "look at this clock". What is owed follows from where the clock stands by the ticket's events; each threshold
that is answered is an event of the ticket, and the keeper, which reads it, sets the timer to the next. A clock that stopped
late owes what it had reached by then: the miss did happen, and whoever is to hear of it is told; the warnings before it are
only noted. Nothing else is done any more, above all no transition: what was to make somebody hurry comes too late.

Nobody is told the same twice over. When several thresholds of a clock are answered at once, each recipient gets the last one's
message only. What is answered more than `STALE` after it could have been (the clock process stood still) is not worth a message
of its own any more: there is one for each recipient, template and hour of the standstill, which names the list to look at.
So it is with what had passed already when another agreement was applied: a great many tickets may be overdue by it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, TypeAlias

from itsm.people.access import Channel
from itsm.platform.outbox import Message
from itsm.platform.sweeper import BatchHandler, Handler
from itsm.platform.time import from_micros, rfc3339, to_micros
from itsm.platform.timers import TimerRow
from itsm.sla import escalation, measure
from itsm.sla.judging import Judge, Subject
from itsm.sla.keeping import KIND, Keeper
from itsm.sla.moments import THRESHOLD_REACHED, Facts
from itsm.sla.policy import Agreement, Threshold
from itsm.sla.standing import Cycle, Standing, Status
from itsm.tickets import due, effects, facts, moves, records
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.records import Record
from itsm.workflow.case import Effect, Response
from itsm.workflow.definition import Action

STALE: Final = timedelta(minutes=10)
"""How late a threshold may be answered and still be told by a message of its own."""

_STALE: Final = STALE // timedelta(microseconds=1)

CONDITION_FAILED: Final = "its condition does not hold"
ENDED_IN_TIME: Final = "the clock stopped in time"
TOO_LATE: Final = "the clock has stopped"


def handlers(desk: Desk, keeper: Keeper) -> Mapping[str, Handler]:
    """The handler of a clock's timer, for the sweeper."""
    return {KIND: due.singly(desk, Channel.TIMER, _Answers(keeper))}


def together(desk: Desk, keeper: Keeper) -> Mapping[str, BatchHandler]:
    """The handler of many clocks' timers at once."""

    def read_ahead(tx: Tx, tickets: Iterable[Record]) -> None:
        keeper.read_ahead(tx, tickets)
        escalation.read_ahead(tx, tickets)

    return {KIND: due.together(desk, Channel.TIMER, _Answers(keeper), read_ahead)}


@dataclass(frozen=True)
class _Owed:
    """A threshold of a cycle that is to be answered now; `at` is the instant at which it was reached."""

    agreement: Agreement
    judge: Judge
    standing: Standing
    cycle: Cycle
    at: int
    threshold: Threshold

    @cached_property
    def is_breach(self) -> bool:
        """Whether the promise is broken by now: the target is used up, and the clock runs on or stopped too late."""
        ends = measure.due(self.agreement, self.cycle)
        return ends is not None and self.at >= ends and (self.cycle.is_open or self.cycle.status is Status.MISSED)

    def reason_not_to(self, record: Record) -> str | None:
        """Why nothing is done about it but to note it; None if what it calls for is to be done."""
        if not self.cycle.is_open and not self.is_breach:
            return ENDED_IN_TIME if self.cycle.status is Status.MET else TOO_LATE
        told = Facts(record.type, record.number, record.state, record.category, record.values)
        if not self.judge.holds(self.threshold.condition, Subject(told, self.standing.places)):
            return CONDITION_FAILED
        return None

    @property
    def deeds(self) -> tuple[Action, ...]:
        """What it does to the ticket but for telling people: nothing any more once the clock has ended."""
        return self.threshold.deeds if self.cycle.is_open else ()

    @property
    def fires(self) -> str | None:
        """The transition that it makes: none any more once the clock has ended."""
        return self.threshold.fire if self.cycle.is_open else None

    @property
    def is_cut_short(self) -> bool:
        """Whether it would have done more, had the clock not ended."""
        return not self.cycle.is_open and (self.threshold.fire is not None or bool(self.threshold.deeds))

    @cached_property
    def told(self) -> dict[str, Any]:
        """What the ticket's log says of it."""
        cycle = self.cycle
        return {
            "clock": cycle.clock,
            "part": cycle.part,
            "cycle": cycle.number,
            "threshold": self.threshold.label,
            "due": rfc3339(from_micros(self.at)),
            "title": self.agreement.policies[cycle.clock].title,
            "breach": self.is_breach,
        }


Tell: TypeAlias = Callable[[_Owed, str, str], None]
"""Has a login told of a threshold by a template."""


class _Notices:
    """What is to be said of one clock: to each login, of the last threshold only that tells him."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._of_threshold: dict[str, tuple[str, list[Message]]] = {}

    def tell(self, owed: _Owed, login: str, template: str) -> None:
        """Tell somebody of a threshold, instead of what he would have been told of earlier ones."""
        told = {name: owed.told[name] for name in ("clock", "title", "threshold", "due", "breach")}
        payload = {"ticket": self._record.number, "to": login, "template": template, **told}
        message = Message(f"{_key(self._record, owed)}:notify:{template}:{login}", "notify", self._record.id, payload)
        known = self._of_threshold.get(login)
        if known is not None and known[0] == owed.threshold.label:
            known[1].append(message)
        else:
            self._of_threshold[login] = (owed.threshold.label, [message])

    def all(self) -> Iterable[Message]:
        """What is left to be said."""
        return (message for _, messages in self._of_threshold.values() for message in messages)


class _Standstill:
    """What was said in this transaction of thresholds that nobody could answer in time: once to each login, by the hour."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def teller(self, record: Record) -> Tell:
        """Has people told of a ticket's late thresholds."""

        def tell(owed: _Owed, login: str, template: str) -> None:
            hour = f"{rfc3339(from_micros(owed.at))[:13]}:00:00Z"
            key = f"stale:{template}:{login}:{hour}"
            if key not in self._said:
                self._said.add(key)
                payload = {"to": login, "template": template, "reached_in_the_hour_of": hour, "list": escalation.AT_RISK}
                record.messages.append(Message(key, "notify", None, payload))

        return tell


class _Answers:
    """Answers what one clock owes by now."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def __call__(self, tx: Tx, record: Record, row: TimerRow) -> None:
        clock, _, part = row.name.partition("/")
        standing = self._keeper.foreseen(tx, record)  # in a batch, another clock of the ticket may have acted just now
        cycle = standing.cycles.get((clock, part, row.cycle))
        if cycle is None:
            return
        agreement, judge = self._keeper.agreements.get(tx.session, cycle.version)
        owed = measure.outstanding(agreement, cycle, *standing.past)
        known_since, now = standing.last_at, to_micros(tx.now)
        if owed and owed[0][0] > now:  # the machine's clock was put back since the row was claimed; the row is gone
            self._keeper.put(tx, record.id, self._keeper.standing(tx, record), [(agreement, cycle)])
        notices = _Notices(record)
        while owed and owed[0][0] <= now:
            at, threshold = owed[0]
            is_old = at <= standing.applied_at or now - max(at, known_since) > _STALE
            tell = tx.known(_Standstill).teller(record) if is_old else notices.tell
            _answer(tx, record, _Owed(agreement, judge, standing, cycle, at, threshold), tell)
            if len(owed) == 1 or owed[1][0] > now:
                break  # should this have changed the target so that more is owed already, the keeper sets a timer for it
            standing = self._keeper.foreseen(tx, record)
            cycle = standing.cycles.get(cycle.key)
            if cycle is None:
                break  # what was done has ended it, another has followed, and nothing about it is owed any more
            owed = measure.outstanding(agreement, cycle, *standing.past)
        record.messages.extend(notices.all())


def _answer(tx: Tx, record: Record, owed: _Owed, tell: Tell) -> None:
    """Note that a threshold was reached, and do what it calls for; what is refused is noted too."""
    told = dict(owed.told)
    if (why := owed.reason_not_to(record)) is not None:
        records.append(tx, record, THRESHOLD_REACHED, {**told, "left_alone": why}, internal=True)
        return
    if owed.is_cut_short:
        told["left_out"] = TOO_LATE
    news, deeds = _carried_out(tx, record, owed.threshold.news), _carried_out(tx, record, owed.deeds)
    if news.effects:
        told["effects"] = moves.told_effects(news.effects)
    records.append(tx, record, THRESHOLD_REACHED, told, internal=True)
    because = {name: told[name] for name in ("clock", "threshold", "due")}
    moves.respond(replace(tx, posting=_key(record, owed)) if deeds.effects else tx, record, deeds, because)
    moves.respond(tx, record, Response(None, changes=news.changes, refusal=news.refusal), because)
    for effect in news.effects:
        _notify(tx, record, owed, effect, tell)
    if owed.fires is not None and deeds.refusal is None:
        moves.respond(tx, record, Response(owed.fires), because)


def _carried_out(tx: Tx, record: Record, actions: tuple[Action, ...]) -> Response:
    """What actions call for. Messages are asked for by themselves: what else is refused does not keep the news from anybody."""
    if not actions:
        return Response(None)
    case = record.case(**facts.gather(tx, record, record.process.needs_actions(actions)))
    return record.process.carry_out(actions, case, tx.now)


def _notify(tx: Tx, record: Record, owed: _Owed, effect: Effect, tell: Tell) -> None:
    for login in effects.told_by(tx, record, effect):
        tell(owed, login, str(effect.arguments["template"]))


def _key(record: Record, owed: _Owed) -> str:
    """What the keys of a threshold's messages begin with: the same however often it is tried to answer it."""
    cycle = owed.cycle
    return f"{record.number}:{cycle.clock}:{cycle.part}:{cycle.number}:{owed.threshold.label}"
