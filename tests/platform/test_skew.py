"""The database's clock is the reference: processes whose own clocks stand apart agree on the time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import pytest

from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.skew import ALARM, ReferenceClock, refuse_unless_near
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import FrozenClock, SystemClock
from itsm.platform.timers import NewTimer
from tests.platform.effects import arm, effects, left, recording

NEAR = timedelta(milliseconds=500)


class Ticks:
    """A steady clock in the hand of a test."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Apart:
    """The machine's clock, so far from the right time."""

    def __init__(self, by: timedelta) -> None:
        self.by = by

    def now(self) -> datetime:
        return SystemClock().now() + self.by


def a_clock_off_by(database: Database, by: timedelta) -> ReferenceClock:
    clock = ReferenceClock(database, Apart(by))
    clock.compare()
    return clock


@pytest.mark.parametrize("by", [timedelta(seconds=30), timedelta(seconds=-30), timedelta(days=30), timedelta()])
def test_a_machine_whose_clock_is_off_works_by_the_databases(database: Database, by: timedelta) -> None:
    clock = a_clock_off_by(database, by)
    if not database.is_postgresql:
        assert clock.offset == timedelta(), "with SQLite the machine's own clock is all there is"
        return
    assert abs(clock.offset + by) < NEAR
    assert abs(clock.now() - SystemClock().now()) < NEAR


def test_two_machines_half_a_minute_apart_fire_at_the_same_time_and_once(database: Database) -> None:
    if not database.is_postgresql:
        pytest.skip("an SQLite file lies on one machine")
    slow, fast = a_clock_off_by(database, timedelta(seconds=-30)), a_clock_off_by(database, timedelta(seconds=30))
    right = SystemClock().now()
    arm(database, NewTimer(1, "wait", "due", right - timedelta(seconds=2)))
    arm(database, NewTimer(2, "wait", "in twenty seconds", right + timedelta(seconds=20)))
    for clock in (fast, slow):
        Sweeper(database, clock, {"wait": recording(database)}).sweep()
    assert effects(database) == ["due"]
    assert left(database) == 1


def test_a_wall_clock_that_is_put_between_two_comparisons_changes_nothing(database: Database, clock: FrozenClock) -> None:
    if not database.is_postgresql:
        pytest.skip("with SQLite the machine's own clock is all there is")
    ticks = Ticks()
    reference = ReferenceClock(database, clock, ticks)
    reference.compare()
    before = reference.now()
    for jump in (timedelta(hours=1), timedelta(hours=-3), timedelta(days=30)):
        clock.advance(jump)
        assert reference.now() == before
    ticks.seconds += 7
    assert reference.now() == before + timedelta(seconds=7), "time goes on all the same"
    reference.compare()
    assert abs(reference.now() - SystemClock().now()) < NEAR


def test_a_small_change_says_more_about_the_network_than_about_clocks_and_is_not_followed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.is_postgresql:
        pytest.skip("with SQLite there is nothing to compare with")
    monkeypatch.setattr("itsm.platform.skew.JITTER", timedelta(seconds=3))
    machine = Apart(timedelta(seconds=-30))
    reference = ReferenceClock(database, machine)
    first = reference.compare()
    machine.by += timedelta(seconds=1)
    assert reference.compare() == first
    machine.by += timedelta(seconds=30)
    assert abs(reference.compare()) < timedelta(seconds=2)


def test_a_difference_of_more_than_five_seconds_is_told_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    if not database.is_postgresql:
        pytest.skip("with SQLite there is nothing to compare with")
    with caplog.at_level(logging.WARNING):
        clock = a_clock_off_by(database, timedelta(seconds=6))
        clock.compare()
    assert [record.message for record in caplog.records] == [
        "This machine's clock is 6.0 s ahead of the database server's. The desk works by the database's."
    ]


def test_the_doctor_refuses_a_clock_that_is_off_and_no_other(database: Database) -> None:
    refuse_unless_near(ReferenceClock(database, SystemClock()))
    if database.is_postgresql:
        off = ReferenceClock(database, Apart(-ALARM - timedelta(seconds=1)))
        with pytest.raises(DeskError, match=r"6\.0 s behind") as refused:
            refuse_unless_near(off)
        assert refused.value.code == "clock_is_off"


def test_while_the_database_is_away_what_was_found_before_holds() -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", pool_timeout=1)
    clock = ReferenceClock(away, SystemClock())
    with pytest.raises(DeskError):
        clock.compare()
    assert abs(clock.now() - SystemClock().now()) < NEAR
