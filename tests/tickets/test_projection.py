"""The row is what its events say: any number of deeds later, and for every ticket of a lively desk."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta

import pytest

from itsm.app import Service
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.tickets import audit, projection
from itsm.tickets.desk import Desk
from tests.tickets.doing import Doing


def live_a_while(desk: Desk, clock: FrozenClock, deeds: int, seed: int = 7) -> None:
    """People do what the workflow offers them, at random; what is refused is no matter."""
    chance = random.Random(seed)
    numbers = [Doing(desk, "ra1").create(kind, "Something", requester=None).number for kind in ("incident", "request")]
    numbers += [Doing(desk, "g1").create(kind, "Something").number for kind in ("problem", "change", "incident")]
    fill = {
        "group": "network",
        "pending_reason": "vendor",
        "resolution_code": "fixed",
        "resolution": "So",
        "outcome": "fulfilled",
    }
    for _ in range(deeds):
        clock.advance(timedelta(minutes=chance.randint(1, 600)))
        number, login = chance.choice(numbers), chance.choice(("ra1", "g1", "l1", "cm1"))
        person = Doing(desk, login)
        try:
            known = person.read(number).process
            trigger = chance.choice(sorted(known.triggers))
            fields = {name: value for name, value in fill.items() if name in known.fields and chance.random() < 0.7}
            person.fire(number, trigger, chance.choice((None, "Because")), None, **fields)
        except DeskError:
            pass
        with contextlib.suppress(DeskError):
            chance.choice(
                (
                    lambda: person.say(number),
                    lambda: person.log_work(number, 5),
                    lambda: person.edit(number, title=f"T{chance.random()}"),
                )
            )()


def test_rebuilding_every_row_from_its_events_finds_no_difference(service: Service, clock: FrozenClock) -> None:
    live_a_while(service.desk, clock, 80)
    service.sweeper.sweep()
    with service.desk.database.session(write=False) as session:
        assert projection.differences(session) == []
    assert projection.verify(service.desk.database) == []


def test_tickets_are_compared_in_portions_and_each_difference_is_told(
    service: Service, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "TICKETS_AT_A_TIME", 2)
    numbers = [Doing(service.desk, "ra1").create().number for _ in range(5)]
    with service.desk.database.session() as session:
        session.script(f"UPDATE tickets SET title = 'Altered' WHERE number = '{numbers[3]}'")
    assert projection.verify(service.desk.database) == [
        f"{numbers[3]}: title is 'Altered', its events say 'Screen stays black'"
    ]


def test_a_lively_desks_log_verifies(service: Service, clock: FrozenClock) -> None:
    live_a_while(service.desk, clock, 40)
    audit.checkpoint(service.desk.database, service.desk.audit_key, clock)
    report = audit.verify(service.desk.database, service.desk.audit_key)
    assert not report.findings
    assert report.rows > 40
