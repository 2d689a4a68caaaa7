"""The API over the desk of the test."""

from __future__ import annotations

import pytest

from itsm.tickets.desk import Desk
from tests.api.world import Api


@pytest.fixture
def api(desk: Desk) -> Api:
    return Api(desk)
