"""Fixtures that every floor's tests share: a real database of either kind, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from itsm.platform.database import Database
from itsm.platform.time import FrozenClock
from tests import world

if TYPE_CHECKING:
    from itsm.app import Service
    from itsm.tickets.desk import Desk

MONDAY_NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Where the frozen clock stands: an ordinary Monday, 09:00 UTC, four weeks before Europe's clocks change."""

_run = ExitStack()


def pytest_configure() -> None:
    if world.begin_run():
        _run.callback(world.end_run)


def pytest_unconfigure() -> None:
    _run.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database without a row; the test runs once on each kind."""
    bring = world.sqlite_database if request.param == "sqlite" else world.postgresql_database
    with bring() as database:
        yield database


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(MONDAY_NINE)


@pytest.fixture
def service(database: Database, clock: FrozenClock, tmp_path: Path) -> Service:
    """A desk with the shipped practices and the people of `tests/service.py`; its sweeper runs when a test calls it."""
    from tests.service import a_service

    return a_service(database, clock, tmp_path)


@pytest.fixture
def desk(service: Service) -> Desk:
    return service.desk
