"""A desk with a table of the test's own, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from itsm.platform.database import Database
from itsm.platform.time import FrozenClock
from tests.assignment.desk import Assigning, a_desk

Make = Callable[[str], Assigning]


@pytest.fixture
def make(database: Database, clock: FrozenClock, tmp_path: Path) -> Make:
    return lambda table: a_desk(database, clock, tmp_path, table)
