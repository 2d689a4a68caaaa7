"""The alarm: it rings at its interval whatever the clock on the wall does, and no ring that fails is the last."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from itsm.platform.errors import DeskError, Kind
from itsm.platform.wakeup import Job, Wakeup

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
QUICK = timedelta(milliseconds=20)
SOON_SECONDS = 10.0


class Rings:
    """Counts how often it was called, and lets a test wait for the next calls."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def more(self, number: int = 3) -> bool:
        """Whether so many further calls come soon."""
        with self._changed:
            wanted = self._count + number
            return self._changed.wait_for(lambda: self._count >= wanted, SOON_SECONDS)


@contextmanager
def running(do: Callable[[], object], every: timedelta = QUICK) -> Iterator[None]:
    wakeup = Wakeup([Job("look", every, do)])
    wakeup.start()
    try:
        yield
    finally:
        wakeup.stop()


def test_it_rings_at_once_and_then_at_its_interval() -> None:
    rings = Rings()
    with running(rings):
        assert rings.more()


def test_it_waits_for_the_call_under_way_when_stopped_and_makes_no_more() -> None:
    begun, ended = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.1)
        ended.append(1)

    with running(slow):
        begun.wait()
    assert ended == [1]
    time.sleep(0.05)
    assert ended == [1]


def test_a_call_that_takes_long_is_never_made_twice_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    rings = Rings()
    busy = threading.Lock()

    def slow() -> None:
        assert busy.acquire(blocking=False)
        time.sleep(0.1)
        busy.release()
        rings()

    with running(slow, every=timedelta(milliseconds=10)):
        assert rings.more()
    assert caplog.text == "", "a backlog is no reason to complain at every turn"


@pytest.mark.parametrize("jump_seconds", [3600, 30 * 86400, -30 * 86400, -3600, -0.5])
def test_no_jump_of_the_clock_keeps_it_from_ringing(jump_seconds: float) -> None:
    rings = Rings()
    with time_machine.travel(NOON, tick=True) as traveller, running(rings):
        assert rings.more()
        traveller.shift(jump_seconds)
        assert rings.more()


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("fault"), DeskError(Kind.UNAVAILABLE, "database_unavailable", "The database is not available.")]
)
def test_a_ring_that_fails_is_told_and_is_not_the_last(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    rings = Rings()

    def fail() -> None:
        rings()
        raise error

    with running(fail):
        assert rings.more()
    expected = logging.WARNING if isinstance(error, DeskError) else logging.ERROR
    assert {record.levelno for record in caplog.records} == {expected}
    assert str(error) in caplog.text
