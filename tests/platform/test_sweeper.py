"""Timers: each due one is done once, in order, whatever dies, sleeps or jumps in between."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import IO, cast

import pytest

from itsm.platform import timers
from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import FrozenClock, SystemClock, to_micros
from itsm.platform.timers import LEASE, MAX_ATTEMPTS, NewTimer, TimerLost, TimerRow
from tests.platform.effects import arm, authors, effects, left, record, recording

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def due(clock: FrozenClock | SystemClock, name: str, after: timedelta = timedelta(), ticket: int = 1) -> NewTimer:
    return NewTimer(ticket, "wait", name, clock.now() + after)


def sweeper_of(database: Database, clock: FrozenClock, by: str = "sweeper", batch: int = 50) -> Sweeper:
    return Sweeper(database, clock, {"wait": recording(database, by)}, batch=batch)


def claim(database: Database, clock: FrozenClock, batch: int = 50) -> list[TimerRow]:
    with database.session() as session:
        return timers.claim(session, clock.now(), batch)


def test_nothing_is_done_before_it_is_due(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "later", HOUR))
    sweeper = sweeper_of(database, clock)
    assert sweeper.sweep() == 0
    clock.advance(HOUR - timedelta(microseconds=1))
    assert sweeper.sweep() == 0
    clock.advance(timedelta(microseconds=1))
    assert sweeper.sweep() == 1
    assert effects(database) == ["later"]
    assert left(database) == 0


def test_a_backlog_is_worked_off_in_one_sweep_in_due_order(database: Database, clock: FrozenClock) -> None:
    instants = list(range(120))
    random.Random(7).shuffle(instants)
    arm(database, *(due(clock, str(number), -SECOND * number, ticket=number) for number in instants))
    assert sweeper_of(database, clock, batch=25).sweep() == 120
    assert effects(database) == [str(number) for number in reversed(range(120))]


def test_what_is_due_at_the_same_instant_is_done_in_the_order_it_was_armed(database: Database, clock: FrozenClock) -> None:
    arm(database, *(due(clock, name) for name in "dbca"))
    sweeper_of(database, clock).sweep()
    assert effects(database) == ["d", "b", "c", "a"]


def test_arming_again_moves_the_one_timer_and_takes_it_from_whoever_holds_it(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "reminder"))
    (held,) = claim(database, clock)
    arm(database, due(clock, "reminder", HOUR))
    with pytest.raises(TimerLost):
        recording(database)(held)
    assert sweeper_of(database, clock).sweep() == 0
    clock.advance(HOUR)
    assert sweeper_of(database, clock).sweep() == 1
    assert effects(database) == ["reminder"]


def test_what_is_disarmed_is_not_done_even_if_it_was_claimed_already(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "reminder"), due(clock, "escalation"), due(clock, "other", ticket=2))
    held = claim(database, clock)
    with database.session() as session:
        timers.disarm(session, [(1, "wait", "reminder"), (1, "wait", "never armed")])
    assert left(database) == 2
    with database.session() as session:
        timers.disarm(session, [(1, "wait", "escalation")])
    for timer in held[:2]:
        with pytest.raises(TimerLost):
            recording(database)(timer)
    clock.advance(LEASE)
    sweeper_of(database, clock).sweep()
    assert effects(database) == ["other"]


def test_what_is_disarmed_in_one_cycle_stays_set_in_the_others(database: Database, clock: FrozenClock) -> None:
    arm(database, *(replace(due(clock, "reminder"), cycle=cycle) for cycle in (1, 2, 3)))
    with database.session() as session:
        timers.disarm_cycles(session, [(1, "wait", "reminder", 2), (1, "wait", "reminder", 9), (2, "wait", "reminder", 1)])
    assert [timer.cycle for timer in claim(database, clock)] == [1, 3]
    with database.session() as session:
        timers.disarm(session, [(1, "wait", "reminder")])
    assert left(database) == 0


def test_the_timers_of_several_tickets_are_found_by_their_kind(database: Database, clock: FrozenClock) -> None:
    first = NewTimer(1, "wait", "a", clock.now() + HOUR, {"step": 2}, cycle=4)
    arm(
        database,
        replace(first, name="b", payload={}),
        first,
        replace(first, cycle=3),
        replace(first, kind="other"),
        replace(first, ticket_id=2),
        replace(first, ticket_id=3),
    )
    with database.session(write=False) as session:
        rows = timers.waiting(session, [2, 1, 7], "wait")
        assert timers.waiting(session, [], "wait") == timers.waiting(session, [7], "wait") == []
        (other,) = timers.waiting(session, [1], "other")
    assert [(row.ticket_id, row.name, row.cycle) for row in rows] == [(1, "a", 3), (1, "a", 4), (1, "b", 4), (2, "a", 4)]
    assert (rows[1].due_at, rows[1].payload) == (clock.now() + HOUR, {"step": 2})
    assert (other.ticket_id, other.name) == (1, "a")


def test_several_claims_are_taken_at_once_and_those_that_are_lost_are_passed_over(
    database: Database, clock: FrozenClock
) -> None:
    arm(database, due(clock, "kept"), due(clock, "armed anew"), due(clock, "disarmed"), due(clock, "kept too"))
    held = claim(database, clock)
    with database.session() as session:
        timers.arm(session, [due(clock, "armed anew", HOUR)])
        timers.disarm(session, [(1, "wait", "disarmed")])
    with database.session() as session:
        assert timers.take_all(session, held) == {held[0].id, held[3].id}
        assert timers.take_all(session, held) == timers.take_all(session, []) == frozenset()
    with database.session(write=False) as session:
        assert [row.name for row in timers.waiting(session, [1], "wait")] == ["armed anew"]


def test_a_timer_carries_what_it_was_armed_with(database: Database, clock: FrozenClock) -> None:
    new = NewTimer(7, "wait", "Überfällig", clock.now(), payload={"level": 2, "to": ["lead"]}, cycle=3)
    arm(database, new)
    (row,) = claim(database, clock)
    assert (row.ticket_id, row.kind, row.name, row.cycle, row.due_at, row.payload) == (
        *(new.ticket_id, new.kind, new.name, new.cycle, new.due_at),
        {"level": 2, "to": ["lead"]},
    )


def test_a_claimed_timer_is_nobody_elses_until_its_lease_ends(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "reminder"))
    claim(database, clock)
    assert sweeper_of(database, clock, "other").sweep() == 0
    clock.advance(LEASE)
    assert sweeper_of(database, clock, "other").sweep() == 1


def test_a_zombie_that_wakes_after_its_lease_leaves_no_trace(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "reminder"))
    (held,) = claim(database, clock)
    clock.advance(LEASE)
    assert sweeper_of(database, clock, "heir").sweep() == 1

    def zombie() -> None:
        with database.session() as session:
            record(session, held, "zombie")  # even what it does before it looks at the timer
            timers.take(session, held)

    with pytest.raises(TimerLost):
        zombie()
    assert authors(database) == {"heir"}
    assert effects(database) == ["reminder"]


def test_a_zombie_does_not_match_a_later_timer_in_the_place_of_its_own(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "first"))
    (held,) = claim(database, clock)
    clock.advance(LEASE)
    sweeper_of(database, clock).sweep()
    arm(database, due(clock, "second"))
    claim(database, clock)
    with pytest.raises(TimerLost):
        recording(database, "zombie")(held)
    assert effects(database) == ["first"]


def test_sweepers_in_several_threads_do_each_timer_once(database: Database, clock: FrozenClock) -> None:
    arm(database, *(due(clock, str(number), ticket=number) for number in range(200)))
    sweepers = [sweeper_of(database, clock, f"sweeper {number}", batch=7) for number in range(4)]
    with ThreadPoolExecutor() as pool:
        done = sum(pool.map(Sweeper.sweep, sweepers))
    assert done == 200
    assert sorted(map(int, effects(database))) == list(range(200))
    assert left(database) == 0


def test_two_sweepers_with_the_same_claim_do_the_work_once(database: Database, clock: FrozenClock) -> None:
    arm(database, *(due(clock, str(number), ticket=number) for number in range(20)))
    claimed = claim(database, clock)
    lost = []

    def work(by: str) -> None:
        for timer in claimed:
            try:
                database.retrying(partial(recording(database, by), timer))
            except TimerLost:
                lost.append(timer)

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, ["one", "two"]))
    assert sorted(map(int, effects(database))) == list(range(20))
    assert len(lost) == 20


def test_sweepers_in_several_processes_do_each_timer_once(database: Database) -> None:
    arm(database, *(due(SystemClock(), str(number), ticket=number) for number in range(100)))
    with another_process(database, "one") as one, another_process(database, "two") as two:
        for process in (one, two):
            go(process)
        assert (one.wait(30), two.wait(30)) == (0, 0)
    assert sorted(map(int, effects(database))) == list(range(100))


def test_what_a_killed_process_had_claimed_is_done_once_by_another_after_the_lease(database: Database) -> None:
    arm(database, *(due(SystemClock(), str(number), ticket=number) for number in range(3)))
    with another_process(database, "victim", "stall") as victim:
        go(victim)
        assert lines(victim).readline() == "stalled\n"
        victim.kill()
        victim.wait()
    when_it_ended = FrozenClock(SystemClock().now() + LEASE)
    assert sweeper_of(database, when_it_ended, "heir").sweep() == 3
    assert sorted(effects(database)) == ["0", "1", "2"]  # the server may still hold the first for the dead one
    assert authors(database) == {"heir"}


@pytest.mark.parametrize("jump", [HOUR, timedelta(days=30)])
def test_a_clock_put_forward_makes_due_what_is_due_by_it(database: Database, clock: FrozenClock, jump: timedelta) -> None:
    arm(database, *(due(clock, str(minutes), timedelta(minutes=minutes)) for minutes in (1, 59, 60 * 24 * 29, 60 * 24 * 31)))
    clock.advance(jump)
    done = sweeper_of(database, clock).sweep()
    assert effects(database) == ["1", "59", "41760"][:done]
    assert done == (2 if jump == HOUR else 3)


def test_a_clock_put_back_does_nothing_twice_and_holds_nothing_up(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "done"), due(clock, "claimed"), due(clock, "waiting", -HOUR * 2))
    sweeper = sweeper_of(database, clock)
    with database.session() as session:
        (first, *_) = timers.claim(session, clock.now(), batch=1)
    recording(database)(first)
    claim(database, clock, batch=1)
    clock.advance(-HOUR)
    assert sweeper.sweep() == 0, "not due by this clock"
    assert effects(database) == ["waiting"]
    arm(database, due(clock, "early"))
    assert sweeper.sweep() == 1
    clock.advance(HOUR)
    assert sweeper.sweep() == 1
    clock.advance(LEASE)
    assert sweeper.sweep() == 1
    assert sorted(effects(database)) == ["claimed", "done", "early", "waiting"]


def test_a_lease_from_a_clock_that_was_put_back_since_is_void(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "overdue", -HOUR * 2))
    claim(database, clock)
    clock.advance(-HOUR)
    assert sweeper_of(database, clock).sweep() == 1


def test_sweepers_whose_clocks_differ_by_a_minute_do_each_timer_once(database: Database, clock: FrozenClock) -> None:
    fast = FrozenClock(clock.now() + timedelta(seconds=60))
    arm(database, *(due(clock, str(number), ticket=number) for number in range(60)))
    slow_one, fast_one = sweeper_of(database, clock, "slow", batch=5), sweeper_of(database, fast, "fast", batch=5)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Sweeper.sweep, [slow_one, fast_one]))
    assert sorted(map(int, effects(database))) == list(range(60))


def test_a_handler_that_fails_is_tried_again_after_longer_and_longer_pauses_and_parked_in_the_end(
    database: Database, clock: FrozenClock
) -> None:
    tries: list[timedelta] = []
    started = clock.now()

    def handle(timer: TimerRow) -> None:
        with database.session() as session:
            timers.take(session, timer)
            record(session, timer, "failing")
            tries.append(clock.now() - started)
            assert timer.due_at == started, "the instant it was due does not move"
            raise ZeroDivisionError("no such thing")

    arm(database, due(clock, "broken"))
    sweeper = Sweeper(database, clock, {"wait": handle})
    for _ in range(400):
        assert sweeper.sweep() == 0
        clock.advance(SECOND)
    assert [pause.total_seconds() for pause in tries] == [0, 1, 6, 36, 336]
    assert effects(database) == []
    with database.session() as session:
        (row,) = timers.parked(session)
        assert (row.ticket_id, row.name, row.attempts) == (1, "broken", MAX_ATTEMPTS)
        assert row.error == "ZeroDivisionError: no such thing"
        assert timers.next_due(session) is None, "what is parked costs the idle sweep nothing"


def test_a_parked_timer_is_done_once_somebody_lets_it(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "broken"))
    for _ in range(MAX_ATTEMPTS):
        (held,) = claim(database, clock)
        with database.session() as session:
            timers.fail(session, held, clock.now(), "out of paper")
        clock.advance(HOUR)
    assert sweeper_of(database, clock).sweep() == 0
    with database.session() as session:
        assert timers.unpark(session, held.id)
        assert not timers.unpark(session, held.id)
    assert sweeper_of(database, clock).sweep() == 1


def test_a_failing_timer_does_not_hold_up_the_others(database: Database, clock: FrozenClock) -> None:
    def break_down(timer: TimerRow) -> None:
        raise DeskError(Kind.CONFLICT, "no_such_transition", "It cannot be escalated.")

    arm(database, NewTimer(1, "broken", "first", clock.now()), due(clock, "second"))
    sweeper = Sweeper(database, clock, {"broken": break_down, "wait": recording(database)})
    assert sweeper.sweep() == 1
    assert effects(database) == ["second"]


def test_a_kind_without_a_handler_is_kept_and_told(database: Database, clock: FrozenClock) -> None:
    arm(database, NewTimer(1, "unheard of", "x", clock.now()))
    assert sweeper_of(database, clock).sweep() == 0
    for _ in range(MAX_ATTEMPTS):
        clock.advance(HOUR)
        sweeper_of(database, clock).sweep()
    with database.session() as session:
        assert [row.error for row in timers.parked(session)] == ["KeyError: 'unheard of'"]


def test_what_kills_its_process_each_time_is_parked_and_takes_nobody_with_it(database: Database, clock: FrozenClock) -> None:
    class Killed(BaseException):
        pass

    def die(timer: TimerRow) -> None:
        raise Killed

    arm(database, *(due(clock, str(number), ticket=number) for number in range(5)))
    arm(database, NewTimer(9, "deadly", "poison", clock.now() - SECOND))
    deaths = 0
    for _ in range(20):
        # a killed process gives nothing back: claim as it did, and leave the rest of the batch to its lease
        claimed = claim(database, clock, batch=4)
        if claimed and claimed[0].kind == "deadly" and claimed[0].attempts <= MAX_ATTEMPTS:
            deaths += 1
        else:
            with database.session() as session:
                timers.release(session, claimed)
            sweeper = Sweeper(database, clock, {"wait": recording(database), "deadly": die})
            sweeper.sweep()
        clock.advance(LEASE)
    assert deaths == MAX_ATTEMPTS
    assert sorted(effects(database)) == ["0", "1", "2", "3", "4"]
    with database.session() as session:
        assert [row.name for row in timers.parked(session)] == ["poison"]


def test_a_sweeper_that_is_stopped_finishes_the_one_at_hand_and_gives_the_others_back(
    database: Database, clock: FrozenClock
) -> None:
    arm(database, *(due(clock, str(number), ticket=number) for number in range(5)))

    def handle(timer: TimerRow) -> None:
        recording(database)(timer)
        sweeper.stop()

    sweeper = Sweeper(database, clock, {"wait": handle})
    assert sweeper.sweep() == 1
    with database.session() as session:
        again = timers.claim(session, clock.now(), batch=50)
    assert [timer.attempts for timer in again] == [1, 1, 1, 1], "what was not begun does not count"
    assert sweeper.sweep() == 0


def test_work_that_outlasts_its_lease_is_given_back(database: Database, clock: FrozenClock) -> None:
    arm(database, *(due(clock, str(number), ticket=number) for number in range(3)))
    claimed: list[int] = []

    def handle(timer: TimerRow) -> None:
        claimed.append(timer.attempts)
        recording(database)(timer)

    assert Sweeper(database, clock, {"wait": handle}, lease=timedelta(0)).sweep() == 3
    assert claimed == [1, 1, 1]


def test_one_ticket_can_be_swept_at_once_without_the_others(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "mine", ticket=1), due(clock, "mine later", HOUR, ticket=1), due(clock, "theirs", ticket=2))
    assert sweeper_of(database, clock).sweep_ticket(1) == 1
    assert effects(database) == ["mine"]


def test_a_command_that_arms_while_the_sweeper_fires_never_deadlocks_with_it(database: Database, clock: FrozenClock) -> None:
    """Both lock the ticket first, here the row of an organisation in its stead, and the timer then."""
    with database.session() as session:
        session.script("INSERT INTO organisations (id, key, name) VALUES (1, 'ticket', 'its row')")
    tries: list[str] = []

    def handle(timer: TimerRow) -> None:
        tries.append("fire")
        with database.session() as session:
            session.script(LOCK_THE_TICKET)
            timers.take(session, timer)
            record(session, timer, "sweeper")

    def command() -> None:
        tries.append("arm")
        with database.session() as session:
            session.script(LOCK_THE_TICKET)
            timers.arm(session, [due(clock, "a"), due(clock, "b")])

    sweeper = Sweeper(database, clock, {"wait": handle})
    stop = threading.Event()

    def keep_sweeping() -> None:
        while not stop.is_set():
            sweeper.sweep()

    with ThreadPoolExecutor() as pool:
        sweeping = pool.submit(keep_sweeping)
        for _ in range(60):
            command()
        stop.set()
        sweeping.result()
    assert tries.count("arm") == 60


LOCK_THE_TICKET = "UPDATE organisations SET name = 'locked' WHERE id = 1"


def test_an_idle_sweep_is_one_statement(database: Database, clock: FrozenClock) -> None:
    arm(database, due(clock, "later", HOUR))
    said: list[str] = []
    database.on_statement = said.append
    sweeper_of(database, clock).sweep()
    assert len(said) == 1


@pytest.mark.parametrize("statement", [timers.NEXT_DUE, timers.CLAIM])
def test_its_statements_walk_the_index_of_what_is_due(database: Database, clock: FrozenClock, statement: Prepared) -> None:
    arm(database, *(NewTimer(ticket, "wait", "far", clock.now() + HOUR, cycle=0) for ticket in range(2_000)))
    compiled = statement.compiled(database.dialect)
    instants = dict.fromkeys(("now", "until", "horizon"), clock.now())
    arguments = compiled.bind({**instants, "batch": 50} if statement is timers.CLAIM else {})
    with database.engine.connect() as connection:
        driver = connection.connection.cursor()
        driver.execute("ANALYZE timers")
        driver.execute(f"EXPLAIN {'' if database.is_postgresql else 'QUERY PLAN '}{compiled.sql}", arguments)
        plan = "\n".join(str(column) for row in driver.fetchall() for column in row)
    assert "ix_timers_due" in plan
    sorts = plan.count("Sort  (") + plan.count("TEMP B-TREE")
    assert sorts <= (1 if statement is timers.CLAIM else 0), f"the batch may be ranked; what is due is never sorted: {plan}"


def test_instants_far_beyond_32_bits_are_kept(database: Database, clock: FrozenClock) -> None:
    far = clock.now() + timedelta(days=365 * 500)
    arm(database, NewTimer(2**62, "wait", "far", far, cycle=2**62))
    with database.session() as session:
        assert timers.next_due(session) == far
    assert to_micros(far) > 2**53


@contextmanager
def another_process(database: Database, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.platform.sweeping", database.url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    """Wait until it is ready, and let it run."""
    assert lines(process).readline() == "ready\n"
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def lines(process: subprocess.Popen[str]) -> IO[str]:
    return cast("IO[str]", process.stdout)
