"""Thresholds under trouble: many at once, several sweepers, deaths in the middle, clocks that jump, tickets that pause.

However it goes, each threshold of each cycle is answered once, in due order, and what is kept is what the events say.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from itsm.people.access import SYSTEM, Channel
from itsm.platform import timers
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.sweeper import SHORT_BATCH, Sweeper
from itsm.platform.time import FrozenClock
from itsm.sla import handlers
from itsm.sla.keeping import Keeper
from itsm.tickets import loading, opening
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from tests.service import actor
from tests.sla.sweeping import (
    HOURS,
    MINUTES,
    a_desk,
    a_promise,
    answers,
    armed,
    clocks,
    derived,
    events,
    joint,
    kept,
    messages,
    notify,
    reached,
    single,
)
from tests.tickets.doing import Doing, an_incident_in_progress

WARN = notify("requester")
BROKEN = notify("requester", template="sla-breached")


class Killed(BaseException):
    """What a process does not survive."""


def incidents(desk: Desk, count: int) -> list[Record]:
    with desk.transaction(actor(desk, "ra1"), Channel.API) as tx:
        return [opening.create(tx, NewTicket("incident", f"Screen {number}")) for number in range(count)]


def sweep(sweeper: Sweeper) -> int:
    """Sweep as a process that may be killed."""
    try:
        return sweeper.sweep()
    except Killed:
        return 0


def test_a_batch_does_what_its_timers_would_have_done_one_by_one(database: Database, clock: FrozenClock) -> None:
    outcomes = []
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]))
    for make in (single, joint):
        before = len(answers(service.desk)), len(messages(service.desk)), len(clocks(service.desk))
        first = len(incidents(service.desk, 7))
        for pause in (3 * HOURS, HOURS):
            clock.advance(pause)
            assert make(service.desk).sweep() == first
        told = [{**payload, "due": None} for payload in events(service.desk, "threshold_reached")][before[0] :]
        said = [(row.payload["template"], row.payload["to"], row.payload["breach"]) for row in messages(service.desk)]
        outcomes.append(
            (told, said[before[1] :], [(row.clock, row.cycle, row.status) for row in clocks(service.desk)][before[2] :])
        )
    assert outcomes[0] == outcomes[1]
    assert {ticket: told.standing for ticket, told in derived(service.desk).items()} == kept(service.desk, range(1, 15))


def test_a_batch_is_answered_in_due_order_and_costs_a_few_statements(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    for _ in range(SHORT_BATCH):
        incidents(service.desk, 1)
        clock.advance(timedelta(seconds=1))
    clock.advance(3 * HOURS)
    said: list[str] = []
    database.on_statement = said.append
    assert joint(service.desk).sweep() == SHORT_BATCH
    database.on_statement = None
    due = [payload["due"] for payload in events(service.desk, "threshold_reached")]
    assert due == sorted(due)
    assert len(set(due)) == SHORT_BATCH
    assert len(said) <= 14, "two looks, the claim, one statement for each table"


def test_one_that_fails_undoes_none_of_those_beside_it(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    bad = incidents(service.desk, 9)[4]

    def fail(tx: Tx, record: Record) -> None:
        if record.id == bad.id:
            raise ZeroDivisionError("no such thing")

    service.desk.observers = (*service.desk.observers, fail)
    clock.advance(3 * HOURS)
    assert joint(service.desk).sweep() == 8
    assert bad.id not in {ticket for ticket, *_ in answers(service.desk)}
    assert len(messages(service.desk)) == 8
    service.desk.observers = service.desk.observers[:-1]
    clock.advance(timedelta(minutes=1))
    assert joint(service.desk).sweep() == 1
    assert set(answers(service.desk).values()) == {1}


def test_what_was_lost_since_it_was_claimed_is_left_out_of_the_batch(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    first, *_ = incidents(service.desk, 4)
    clock.advance(3 * HOURS)
    with database.session() as session:
        claimed = timers.claim(session, clock.now(), 50)
        timers.disarm(session, [(row.ticket_id, row.kind, row.name) for row in claimed if row.ticket_id == first.id])
    handle = handlers.together(service.desk, service.desk.part(Keeper))["sla"]
    assert handle(claimed).count == 3
    assert handle(claimed).count == 0, "the work of a claim is done once"
    assert len(answers(service.desk)) == 3


def test_a_ticket_that_somebody_works_on_is_not_waited_for(database: Database, clock: FrozenClock) -> None:
    if not database.is_postgresql:
        pytest.skip("on SQLite one writes at a time, and a batch waits for its turn as a whole")
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    busy, *_ = incidents(service.desk, 3)
    clock.advance(3 * HOURS)
    with database.session() as session:
        claimed = timers.claim(session, clock.now(), 50)
    with service.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        assert loading.load_by_id(tx, busy.id) is not None
        done = handlers.together(service.desk, service.desk.part(Keeper))["sla"](claimed)
    assert (done.count, [timer.ticket_id for timer in done.left]) == (2, [busy.id])
    handlers.handlers(service.desk, service.desk.part(Keeper))["sla"](done.left[0])
    assert set(answers(service.desk).values()) == {1}


def test_sweepers_that_die_between_claim_and_commit_answer_everything_once(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_50=[WARN], at_75=[WARN], at_100=[BROKEN], at_150=[BROKEN]))
    tickets = incidents(service.desk, 30)
    dice, turn = random.Random(11), threading.Lock()

    def die(tx: Tx, record: Record) -> None:
        with turn:
            if dice.random() < 0.02:
                raise Killed

    service.desk.observers = (*service.desk.observers, die)
    sweepers = [joint(service.desk, batch=8), single(service.desk), joint(service.desk, batch=11)]
    for _ in range(60):
        clock.advance(timedelta(minutes=10))
        with ThreadPoolExecutor() as pool:
            list(pool.map(sweep, sweepers))
        if len(answers(service.desk)) == 4 * len(tickets):
            break
    assert len(answers(service.desk)) == 4 * len(tickets)
    assert set(answers(service.desk).values()) == {1}
    assert len({row.key for row in messages(service.desk)}) == len(messages(service.desk))
    assert armed(service.desk) == []


def test_tickets_that_pause_and_go_on_in_a_storm_lose_and_double_nothing(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("1 hour", at_50=[WARN], at_75=[WARN], at_100=[BROKEN]))
    tickets = [an_incident_in_progress(service.desk) for _ in range(6)]
    stop = threading.Event()

    def keep_sweeping(sweeper: Sweeper) -> None:
        while not stop.is_set():
            sweeper.sweep()

    def storm(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(20):
            record = dice.choice(tickets)
            try:
                if dice.random() < 0.5:
                    Doing(service.desk, "g1").fire(record, "hold", pending_reason="vendor")
                else:
                    Doing(service.desk, "g1").fire(record, "resume")
            except DeskError:
                continue  # it waits already, or does not

    with ThreadPoolExecutor() as pool:
        sweeping = [pool.submit(keep_sweeping, sweeper) for sweeper in (joint(service.desk), single(service.desk))]
        storms = [pool.submit(storm, seed) for seed in range(2)]
        while not all(each.done() for each in storms):
            clock.advance(timedelta(seconds=20))
        stop.set()
        for each in (*storms, *sweeping):
            each.result()
    for record in tickets:
        if Doing(service.desk, "g1").read(record).state == "on_hold":
            Doing(service.desk, "g1").fire(record, "resume")
    clock.advance(2 * HOURS)
    joint(service.desk).sweep()
    assert len(answers(service.desk)) == 3 * len(tickets)
    assert set(answers(service.desk).values()) == {1}
    assert {ticket: told.standing for ticket, told in derived(service.desk).items()} == kept(service.desk, range(1, 7))


@pytest.mark.parametrize("jump", [HOURS, timedelta(days=30)])
def test_a_clock_put_forward_answers_what_is_due_by_it_once(database: Database, clock: FrozenClock, jump: timedelta) -> None:
    service = a_desk(database, clock, a_promise("40 minutes", at_75=[WARN], at_100=[BROKEN]))
    incidents(service.desk, 5)
    clock.advance(jump)
    service.sweeper.sweep()
    assert len(answers(service.desk)) == 10
    assert set(answers(service.desk).values()) == {1}


def test_a_clock_put_back_answers_nothing_twice_and_suppresses_nothing(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]))
    incidents(service.desk, 3)
    clock.advance(3 * HOURS)
    service.sweeper.sweep()
    clock.advance(-2 * HOURS)
    service.sweeper.sweep()
    clock.advance(3 * HOURS)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%"] * 3 + ["100%"] * 3
    assert set(answers(service.desk).values()) == {1}


def test_a_clock_put_back_between_claim_and_work_loses_no_threshold(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    incidents(service.desk, 2)
    clock.advance(3 * HOURS)
    with database.session() as session:
        claimed = timers.claim(session, clock.now(), 50)
    clock.advance(-5 * MINUTES)
    keeper = service.desk.part(Keeper)
    handlers.handlers(service.desk, keeper)["sla"](claimed[0])
    handlers.together(service.desk, keeper)["sla"](claimed[1:])
    assert (reached(service.desk), len(armed(service.desk))) == ([], 2)
    clock.advance(5 * MINUTES)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%", "75%"]


def test_after_a_standstill_the_backlog_is_answered_in_due_order(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]))
    for _ in range(12):
        incidents(service.desk, 5)
        clock.advance(5 * MINUTES)
    clock.advance(10 * HOURS)
    assert joint(service.desk, batch=25).sweep() >= 60
    last_warnings: list[Any] = [payload["due"] for payload in events(service.desk, "threshold_reached")]
    assert last_warnings[::2] == sorted(last_warnings[::2])
    assert len(answers(service.desk)) == 120
    assert len(messages(service.desk)) == len({row.key for row in messages(service.desk)}) <= 4
