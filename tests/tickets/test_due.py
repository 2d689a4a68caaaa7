"""What the clock brings to tickets: once, when it is due, and never to one that has moved on."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from itsm.app import Service
from itsm.platform.database import Prepared
from itsm.platform.time import FrozenClock
from itsm.platform.work import OutboxMessage, Timer
from itsm.tickets import clockwork
from itsm.tickets.models import TicketEvent
from tests.tickets.doing import Doing, an_incident_in_progress

TIMERS = Prepared(sa.select(Timer.kind, Timer.name, Timer.due_at).where(Timer.kind == clockwork.KIND).order_by(Timer.name))
REMINDERS = Prepared(sa.select(OutboxMessage.payload).order_by(OutboxMessage.id))
MOVES = Prepared(sa.select(TicketEvent.kind, TicketEvent.channel, TicketEvent.payload).order_by(TicketEvent.id))


def armed(service: Service) -> list[str]:
    with service.desk.database.session(write=False) as session:
        return [row.name for row in session.all(TIMERS)]


def reminders(service: Service) -> int:
    with service.desk.database.session(write=False) as session:
        return sum(row.payload.get("template") == "reminder" for row in session.all(REMINDERS))


def test_a_resolved_incident_closes_by_itself_after_five_business_days(service: Service, clock: FrozenClock) -> None:
    record = an_incident_in_progress(service.desk)
    Doing(service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")
    assert armed(service) == ["auto_close"]
    clock.advance(timedelta(days=6))
    service.sweeper.sweep()
    assert Doing(service.desk, "g1").read(record).state == "resolved"
    clock.advance(timedelta(days=2))
    service.sweeper.sweep()
    assert Doing(service.desk, "g1").read(record).state == "closed"
    assert armed(service) == []


def test_leaving_the_state_disarms_its_timers(service: Service, clock: FrozenClock) -> None:
    record = an_incident_in_progress(service.desk)
    Doing(service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")
    Doing(service.desk, "ra1").fire(record, "reopen")
    assert armed(service) == []
    clock.advance(timedelta(days=30))
    service.sweeper.sweep()
    assert Doing(service.desk, "g1").read(record).category == "open"


def test_a_chase_repeats_and_a_long_stop_folds_the_missed_rounds_into_one(service: Service, clock: FrozenClock) -> None:
    record = an_incident_in_progress(service.desk)
    Doing(service.desk, "g1").fire(record, "hold", pending_reason="user")
    before = reminders(service)
    clock.advance(timedelta(days=2, hours=12))
    service.sweeper.sweep()
    assert reminders(service) == before + 1
    clock.advance(timedelta(days=6))
    service.sweeper.sweep()
    assert reminders(service) == before + 2


def test_a_clock_put_back_repeats_nothing(service: Service, clock: FrozenClock) -> None:
    record = an_incident_in_progress(service.desk)
    Doing(service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")
    clock.advance(timedelta(days=10))
    service.sweeper.sweep()
    version = Doing(service.desk, "g1").read(record).version
    clock.advance(timedelta(days=-9))
    service.sweeper.sweep()
    clock.advance(timedelta(days=20))
    service.sweeper.sweep()
    assert Doing(service.desk, "g1").read(record).version == version
