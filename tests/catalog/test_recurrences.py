"""Orders that come again: exactly once for each occurrence, with the rights and the form of that day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from itsm.app import Service
from itsm.catalog import publishing, recurrences
from itsm.catalog.recurrences import KIND, SUSPENDED_TEMPLATE, NewRecurrence
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel
from itsm.platform import timers
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.platform.timers import NO_TICKET
from itsm.platform.work import Timer
from itsm.tickets import queries as tickets
from itsm.tickets import timeline
from itsm.tickets.desk import Desk
from tests.catalog.world import LAPTOP, SHOP, publish, read
from tests.platform.messages import pending
from tests.service import actor

WEEKLY = NewRecurrence("laptop", LAPTOP, "FREQ=WEEKLY;BYDAY=TU", "2026-03-03T09:00", "Europe/Berlin")
"""Each Tuesday at nine in Berlin; the clock of the tests stands on Monday, 2 March 2026."""

FIRST = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
_TIMERS = Prepared(sa.select(Timer.due_at).where(Timer.kind == KIND, Timer.ticket_id == NO_TICKET))


@pytest.fixture
def shop(service: Service) -> Service:
    publish(service.desk)
    return service


def subscribe(desk: Desk, login: str = "ra1", **other: Any) -> int:
    with desk.transaction(actor(desk, login), Channel.API) as tx:
        return int(recurrences.subscribe(tx, replace(WEEKLY, **other)).id)


def does(desk: Desk, deed: Any, recurrence: int, login: str = "ra1") -> Any:
    with desk.transaction(actor(desk, login), Channel.API) as tx:
        return deed(tx, recurrence)


def now(desk: Desk, recurrence: int, login: str = "ra1") -> Any:
    with desk.reading(actor(desk, login)) as tx:
        return recurrences.one(tx, recurrence)


def history(desk: Desk, recurrence: int) -> list[Any]:
    with desk.reading(SYSTEM) as tx:
        return recurrences.last(tx, recurrence, 50)


def due(desk: Desk) -> list[datetime]:
    with desk.database.session(write=False) as session:
        return [row.due_at for row in session.all(_TIMERS)]


def sweep(service: Service, clock: FrozenClock, at: datetime) -> None:
    clock.set(at)
    service.sweeper.sweep()


def refused(desk: Desk, login: str = "ra1", **other: Any) -> dict[str, str]:
    with pytest.raises(DeskError) as refusal:
        subscribe(desk, login, **other)
    return {error.pointer: error.code for error in refusal.value.errors} or {"": refusal.value.code}


def test_each_occurrence_orders_once_and_sets_the_next(shop: Service, clock: FrozenClock) -> None:
    desk = shop.desk
    one = subscribe(desk)
    assert due(desk) == [FIRST]
    sweep(shop, clock, FIRST - timedelta(seconds=1))
    assert history(desk, one) == []
    for number, at in enumerate((FIRST, FIRST + WEEK), 1):
        sweep(shop, clock, at)
        sweep(shop, clock, at)
        (last, *_) = history(desk, one)
        assert (len(history(desk, one)), last.due_at, last.outcome, last.missed) == (number, at, "ordered", 0)
        assert due(desk) == [at + WEEK]
    with desk.reading(actor(desk, "ra1")) as tx:
        ticket = tickets.ticket(tx, last.number)
        (told,) = [each.details for each in timeline.read(tx, last.number, 0, 50).entries if each.kind == "ordered"]
    assert (ticket.values["requester"], ticket.state, told["recurrence"]) == ("ra1", "approved", one)


def test_sweepers_that_look_at_the_same_moment_order_once(shop: Service, clock: FrozenClock) -> None:
    ones = [subscribe(shop.desk) for _ in range(3)]
    clock.set(FIRST)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: shop.sweeper.sweep(), range(4)))
    shop.sweeper.sweep()
    assert [len(history(shop.desk, one)) for one in ones] == [1, 1, 1]


def test_a_timer_that_comes_twice_finds_nothing_to_do(shop: Service, clock: FrozenClock) -> None:
    one = subscribe(shop.desk)
    clock.set(FIRST)
    with shop.desk.database.session() as session:
        (row,) = timers.claim(session, FIRST, 10)
    run = recurrences.handler(shop.desk)
    run(row)
    with pytest.raises(timers.TimerLost):
        run(row)
    assert len(history(shop.desk, one)) == 1


def test_of_occurrences_missed_meanwhile_the_latest_alone_is_made_up(shop: Service, clock: FrozenClock) -> None:
    one = subscribe(shop.desk)
    sweep(shop, clock, FIRST + 3 * WEEK + timedelta(hours=5))
    ((last,)) = history(shop.desk, one)
    assert (last.missed, last.outcome) == (3, "ordered")
    assert last.due_at == datetime(2026, 3, 24, 8, 0, tzinfo=UTC)
    assert due(shop.desk) == [datetime(2026, 3, 31, 7, 0, tzinfo=UTC)]  # nine in Berlin, after the clocks changed


def test_each_order_is_made_under_the_version_that_is_offered_then(shop: Service, clock: FrozenClock) -> None:
    one = subscribe(shop.desk)
    publish(shop.desk, SHOP.replace("1199.00", "999.00"))
    sweep(shop, clock, FIRST)
    number = history(shop.desk, one)[0].number
    with shop.desk.reading(SYSTEM) as tx:
        assert tickets.ticket(tx, number).values["cost"] == {"amount": "1119.00", "currency": "EUR"}


@pytest.mark.parametrize("loss", ["form", "entitlement", "item", "owner"])
def test_what_no_longer_fits_suspends_it_and_tells_the_owner(shop: Service, clock: FrozenClock, loss: str) -> None:
    desk, one = shop.desk, subscribe(shop.desk)
    if loss == "owner":
        with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            people.deactivate(tx.session, "ra1", tx.now, "tests")
    elif loss == "item":
        with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            catalog = read(SHOP)
            publishing.publish(tx, replace(catalog, items={"fault": catalog.items["fault"]}))
    else:
        other = ("    light: ", "    lite: ") if loss == "form" else ("roles: [integration]", "roles: [requester]")
        publish(desk, SHOP.replace(*other))
    sweep(shop, clock, FIRST)
    with desk.reading(SYSTEM) as tx:
        (last,) = recurrences.last(tx, one, 5)
        told = [row.payload for row in pending(tx.session) if row.payload.get("template") == SUSPENDED_TEMPLATE]
    assert (last.outcome, last.number, due(desk)) == ("refused", None, [])
    assert [(each["to"], each["recurrence"], each["comment"]) for each in told] == [("ra1", one, last.reason)]
    if loss != "owner":
        assert (now(desk, one).state, now(desk, one).reason) == ("suspended", last.reason)


def test_what_was_suspended_is_resumed_once_it_fits_again(shop: Service, clock: FrozenClock) -> None:
    desk, one = shop.desk, subscribe(shop.desk)
    publish(desk, SHOP.replace("    light: ", "    lite: "))
    sweep(shop, clock, FIRST)
    with pytest.raises(DeskError):
        does(desk, recurrences.resume, one)
    publish(desk)
    assert does(desk, recurrences.resume, one).state == "active"
    assert due(desk) == [FIRST + WEEK]
    sweep(shop, clock, FIRST + WEEK)
    assert [each.outcome for each in history(desk, one)] == ["ordered", "refused"]


def test_a_pause_leaves_out_what_falls_into_it(shop: Service, clock: FrozenClock) -> None:
    desk, one = shop.desk, subscribe(shop.desk)
    assert does(desk, recurrences.pause, one).state == "paused"
    assert due(desk) == []
    sweep(shop, clock, FIRST + WEEK + timedelta(hours=1))
    assert does(desk, recurrences.resume, one).next_at == FIRST + 2 * WEEK
    sweep(shop, clock, FIRST + 2 * WEEK)
    assert [(each.due_at, each.missed) for each in history(desk, one)] == [(FIRST + 2 * WEEK, 0)]


def test_the_end_is_for_good(shop: Service, clock: FrozenClock) -> None:
    desk, one = shop.desk, subscribe(shop.desk)
    assert does(desk, recurrences.end, one).state == "ended"
    sweep(shop, clock, FIRST)
    assert (history(desk, one), due(desk)) == ([], [])
    for deed in (recurrences.resume, recurrences.pause):
        with pytest.raises(DeskError) as refusal:
            does(desk, deed, one)
        assert refusal.value.code == "not_possible"


def test_a_rule_that_comes_to_its_end_ends_it(shop: Service, clock: FrozenClock) -> None:
    one = subscribe(shop.desk, rule="FREQ=WEEKLY;COUNT=2")
    for at in (FIRST, FIRST + WEEK, FIRST + 2 * WEEK):
        sweep(shop, clock, at)
    assert (now(shop.desk, one).state, len(history(shop.desk, one))) == ("ended", 2)


def test_closed_days_are_those_of_the_calendar(shop: Service, clock: FrozenClock) -> None:
    easter = {"rule": "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=3", "calendar": "office-hours", "on_closed": "next"}
    one = subscribe(shop.desk, starts="2026-04-03T09:00", **easter)  # Good Friday; Easter Monday is the 6th
    assert now(shop.desk, one).next_at == datetime(2026, 4, 7, 7, 0, tzinfo=UTC)


def test_the_next_dates_are_told_beforehand(shop: Service, clock: FrozenClock) -> None:
    one = subscribe(shop.desk)
    with shop.desk.reading(actor(shop.desk, "ra1")) as tx:
        told = recurrences.dates(tx, recurrences.one(tx, one), 3)
    assert told == [FIRST, FIRST + WEEK, FIRST + 2 * WEEK]


def test_what_cannot_be_is_refused_at_once_with_every_fault(shop: Service) -> None:
    desk = shop.desk
    assert refused(desk, rule="FREQ=HOURLY", zone="Mars/Base", calendar="nobodys") == {
        "/rule": "bad_rule",
        "/zone": "unknown_zone",
        "/calendar": "unknown_reference",
    }
    assert refused(desk, starts="tomorrow") == {"/starts": "invalid_value"}
    assert refused(desk, on_closed="next") == {"/calendar": "required"}
    assert refused(desk, rule="FREQ=DAILY;UNTIL=20260201", starts="2026-01-05T09:00") == {"/rule": "never_occurs"}
    assert refused(desk, answers={**LAPTOP, "model": "none"}) == {"/answers/model": "invalid_value"}
    assert refused(desk, item="nothing") == {"": "not_found"}
    assert refused(desk, requested_for="ra2") == {"": "forbidden"}


def test_staff_order_for_others_who_see_it_and_cannot_change_it(shop: Service, clock: FrozenClock) -> None:
    desk, one = shop.desk, subscribe(shop.desk, "g1", requested_for="ra2")
    sweep(shop, clock, FIRST)
    with desk.reading(actor(desk, "ra2")) as tx:
        assert [each.id for each in recurrences.mine(tx, 0, 10)] == [one]
        assert tickets.ticket(tx, history(desk, one)[0].number).values["requester"] == "ra2"
    with pytest.raises(DeskError) as refusal:
        does(desk, recurrences.end, one, "ra2")
    assert refusal.value.code == "forbidden"
    for login in ("ra1", "ad1"):
        with pytest.raises(DeskError) as refusal:
            now(desk, one, login)
        assert refusal.value.code == "not_found"


@pytest.mark.parametrize(
    "deed",
    ["UPDATE catalog_occurrences SET outcome = 'refused'", "DELETE FROM catalog_occurrences", "DELETE FROM catalog_parts"],
)
def test_what_was_done_cannot_be_rewritten(shop: Service, clock: FrozenClock, deed: str) -> None:
    subscribe(shop.desk)
    sweep(shop, clock, FIRST)
    if "parts" in deed and not shop.desk.database.is_postgresql:
        return  # SQLite asks for each row, and there is none
    with pytest.raises(Exception, match=r"append-only|rewrit"), shop.desk.database.session() as session:
        session.script(deed)
