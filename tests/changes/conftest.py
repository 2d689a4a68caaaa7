"""A desk that plans changes, on both databases."""

from __future__ import annotations

import pytest

from itsm.platform.database import Database
from itsm.platform.time import FrozenClock
from tests.changes.desk import Planning, planning


@pytest.fixture
def plan(database: Database, clock: FrozenClock) -> Planning:
    return planning(database, clock)
