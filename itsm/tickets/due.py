"""What the clock brings: a workflow's timers, and the commands that one ticket queued for another.

Each runs as one command of the desk itself. It first takes its own row away under the fence of its claim; if that row is no
longer its to take, somebody else has done the work, and nothing is changed. So it happens exactly once, whatever dies in
between.

Where very many fall due at once, several may share a transaction (`together`). It does to each ticket what a command of its own
would have done; a fault in one undoes them all, and they are then done singly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from itsm.people.access import SYSTEM, Channel
from itsm.platform import timers
from itsm.platform.sweeper import BatchHandler, Done, Handler
from itsm.platform.time import rfc3339
from itsm.platform.timers import NewTimer, TimerRow
from itsm.tickets import alarms, cascades, clockwork, facts, loading, moves, records, saving
from itsm.tickets.desk import Desk, Happened, Tx
from itsm.tickets.records import Record
from itsm.workflow.case import Fact, Refusal
from itsm.workflow.definition import Category, Timer

_MOST_SKIPPED = 100_000

Answer: TypeAlias = Callable[[Tx, Record, TimerRow], None]
"""What is done to a ticket when a timer of a kind is due."""

Prepare: TypeAlias = Callable[[Tx, Iterable[Record]], None]
"""Reads at once what the answers of a batch will ask for one by one."""


def handlers(desk: Desk) -> Mapping[str, Handler]:
    """The handler of each kind of row, for the sweeper."""
    return {
        clockwork.KIND: singly(desk, Channel.TIMER, workflow_timer),
        cascades.EVENT: singly(desk, Channel.CASCADE, event),
        cascades.FIRE: singly(desk, Channel.CASCADE, fire),
        cascades.NOTE: singly(desk, Channel.CASCADE, note),
    }


def singly(desk: Desk, channel: Channel, answer: Answer) -> Handler:
    """A handler that answers one timer in a transaction of its own."""

    def run(row: TimerRow) -> None:
        with desk.transaction(SYSTEM, channel, origin=row.payload.get("origin")) as tx:
            tx.hops = row.payload.get("hops", 0)
            record = loading.load_by_id(tx, row.ticket_id)
            timers.take(tx.session, row)
            if record is not None:
                answer(tx, record, row)
                moves.settle(tx, record)

    return run


def together(desk: Desk, channel: Channel, answer: Answer, prepare: Prepare) -> BatchHandler:
    """A handler that answers several timers, in their order, in one transaction with a statement or two for each table.

    Tickets that somebody else has locked are not waited for: their timers are left to be done singly.
    """

    def run(rows: Sequence[TimerRow]) -> Done:
        with desk.transaction(SYSTEM, channel) as tx:
            found = loading.load_many(tx, {row.ticket_id for row in rows})
            here = [row for row in rows if row.ticket_id in found]
            taken = timers.take_all(tx.session, here)
            prepare(tx, found.values())
            tx.session.hold_back(("tickets", "ticket_events"), partial(saving.catch_up, tx))
            for row in here:
                if row.id in taken:
                    _answer_one(tx, found[row.ticket_id], row, answer)
            saving.catch_up(tx)
        return Done(len(taken), [row for row in rows if row.ticket_id not in found])

    return run


def _answer_one(tx: Tx, record: Record, row: TimerRow, answer: Answer) -> None:
    tx.unwritten.pop(record.id, None)  # what is written on the way is others'; this one is not finished
    own = replace(tx, origin=row.payload.get("origin"), hops=row.payload.get("hops", 0)) if row.payload else tx
    answer(own, record, row)
    moves.come_to_rest(own, record)
    tx.unwritten[record.id] = record


def workflow_timer(tx: Tx, record: Record, row: TimerRow) -> None:
    """A stay has lasted as long as a timer of the workflow allows."""
    timer = record.process.workflow.timers.get(row.name)
    if timer is None:
        return
    case = record.case(**facts.gather(tx, record, record.process.needs_timer(row.name)))
    response = record.process.due(row.name, case, tx.now)
    if response is not None:
        moves.respond(tx, record, response, {"timer": row.name, "due": rfc3339(row.due_at)})
    if timer.every is not None and record.state in timer.states:
        alarms.arm(tx, [_again(tx, record, timer, row)])


def event(tx: Tx, record: Record, row: TimerRow) -> None:
    """Something happened near the ticket; what it means for a parent is worked out from how its children now stand."""
    name = str(row.payload["event"])
    record.happenings.append(name)
    for subscriber in tx.desk.subscribers:
        subscriber(tx, Happened(name, record, row.payload.get("from")))
    if name not in {f"child_{Category.RESOLVED}", f"child_{Category.CLOSED}"}:
        return
    if row.payload.get("type") == facts.TASK:
        counts = facts.gather(tx, record, frozenset({Fact.TASKS}))[Fact.TASKS.value]
        if row.payload.get("state") == facts.FAILED:
            record.happenings.append("task_failed")
        elif counts["open"] == 0 and counts["failed"] == 0 and counts["done"] + counts["refused"] > 0:
            record.happenings.append("tasks_done")
    if facts.open_children(tx, record) == 0:
        record.happenings.append("children_closed")


def fire(tx: Tx, record: Record, row: TimerRow) -> None:
    """A trigger that another ticket's workflow asked for; a refusal is a note in this ticket's log."""
    because = {"cascade": row.payload["from"]}
    verdict = moves.decide(tx, record, str(row.payload["trigger"]), {}, None)
    if isinstance(verdict, Refusal):
        moves.note_refusal(tx, record, verdict, because)
    else:
        moves.apply(tx, record, verdict, because)


def note(tx: Tx, record: Record, row: TimerRow) -> None:
    """Something said elsewhere that belongs into this ticket's log too."""
    payload: dict[str, Any] = {
        name: value for name, value in row.payload.items() if name not in {"event", "origin", "from", "hops"}
    }
    records.append(tx, record, str(row.payload["event"]), payload)


def _again(tx: Tx, record: Record, timer: Timer, row: TimerRow) -> NewTimer:
    """The timer's next round. Rounds that lie in the past already, after a long stop, are folded into the one just done."""
    assert timer.every is not None
    due: datetime = row.due_at
    for _ in range(_MOST_SKIPPED):
        due = clockwork.due(tx, timer, due, timer.every)
        if due > tx.now:
            break
    return NewTimer(record.id, clockwork.KIND, timer.name, due, cycle=row.cycle + 1)
