"""The API over the desk of the test, as the attacker meets it."""

from __future__ import annotations

import pytest

from itsm.tickets.desk import Desk
from tests.api.world import Api
from tests.attacks.prey import Prey


@pytest.fixture
def api(desk: Desk) -> Api:
    return Api(desk)


@pytest.fixture
def prey(api: Api) -> Prey:
    return Prey(api)
