"""Membership of groups, and what it lets somebody do there."""

from __future__ import annotations

from itsm.people import commands
from itsm.tickets.desk import Desk
from tests.service import actor


def test_joining_again_with_another_access_changes_it_and_with_the_same_does_nothing(desk: Desk) -> None:
    for access in ("full", "read", "read"):
        with desk.database.session() as session:
            commands.join(session, "l1", "network", desk.clock.now(), "tests", access)
        assert actor(desk, "l1").groups == {"network": access}
