"""What one transaction knows of clocks, and for how long it holds the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from itsm.app import Service
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.sla import commands, proving, sources
from itsm.sla.agreements import Source
from itsm.sla.keeping import Keeper
from itsm.tickets import loading
from tests import service as world
from tests.sla.sweeping import a_desk, a_promise
from tests.tickets.doing import an_incident_in_progress


def test_what_is_read_ahead_forgets_nothing_that_this_command_did(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours"))
    first, second = (an_incident_in_progress(service.desk) for _ in range(2))
    keeper = service.desk.part(Keeper)
    with service.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        one, other = (loading.load(tx, record.number) for record in (first, second))
        changed = replace(keeper.standing(tx, one), cycles={})
        keeper.put(tx, one.id, changed, [])
        keeper.read_ahead(tx, [one, other])
        assert keeper.standing(tx, one) == changed
        assert keeper.standing(tx, other).cycles


@pytest.fixture
def held(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many connections were in use whenever something was compared or proved."""
    found: list[int] = []
    pool: Any = service.desk.database.engine.pool

    def noting(module: Any, name: str) -> None:
        sane = getattr(module, name)

        def note(*arguments: Any) -> Any:
            found.append(pool.checkedout())
            return sane(*arguments)

        monkeypatch.setattr(module, name, note)

    noting(proving, "compare")
    noting(sources, "prove")
    return found


def test_no_transaction_waits_while_clocks_are_derived_and_compared(service: Service, held: list[int]) -> None:
    an_incident_in_progress(service.desk)
    agreements = service.desk.part(Keeper).agreements
    agreements._known.clear()
    assert proving.verify(service.desk.database, agreements).differences == ()
    assert held == [0]


def test_no_transaction_waits_while_promises_are_proved(service: Service, held: list[int]) -> None:
    shipped = world.promises()
    source = Source({**shipped.files, "sla.yaml": shipped.files["sla.yaml"] + "\n# another\n"}, shipped.workflows)
    proved_for = commands.prove(service.desk, source)
    with service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        assert commands.publish_agreement(tx, source, "a trial", proved_for) is not None
    assert held == [0]


def test_what_was_proved_for_other_workflows_is_proved_again(service: Service, held: list[int]) -> None:
    shipped = world.promises()
    wrong = Source({**shipped.files, "sla.yaml": "- sla: nothing\n"}, shipped.workflows)
    with pytest.raises(DeskError) as refused, service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.publish_agreement(tx, wrong, "a trial", frozenset({0}))
    assert refused.value.code == "agreement_unsound"
