"""How messages reach their receivers: tried again, never lost, never twice under two names, and nobody waits for another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from itsm.app import Service
from itsm.delivery import commands, relay
from itsm.delivery.endpoints import Endpoints
from itsm.delivery.sending import Outcome
from itsm.platform import outbox
from itsm.platform.errors import DeskError
from itsm.platform.outbox import Message
from itsm.platform.time import FrozenClock
from tests.delivery.desk import Automated
from tests.delivery.receiver import Receiver, listening
from tests.platform import messages


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def desk(service: Service, clock: FrozenClock, receiver: Receiver) -> Automated:
    return Automated(service, clock, directory=receiver.url)


def say(desk: Automated, key: str, name: str = "directory") -> None:
    """Put a message into the outbox that nobody has to answer."""
    told = {"type": "incident", "awaits": False, "ticket": "INC0000001", "webhook": name, "payload": {"key": key}}
    with desk.desk.database.session() as session:
        outbox.put_all(session, [Message(key, "webhook", None, told, name)], desk.clock.now())


def pending(desk: Automated) -> list[str]:
    with desk.desk.database.session(write=False) as session:
        return [row.key for row in messages.pending(session)]


def test_a_receiver_that_was_down_gets_the_message_when_it_is_up_under_the_same_id(desk: Automated, receiver: Receiver) -> None:
    say(desk, "k")
    receiver.status = 503
    assert desk.delivers() == 1
    assert desk.delivers() == 0  # it backs off
    receiver.status = 200
    desk.clock.advance(timedelta(seconds=6.1))
    assert desk.delivers() == 1
    down, up = receiver.seen
    assert (down.id, down.body) == (up.id, up.body)
    assert down.headers["webhook-timestamp"] != up.headers["webhook-timestamp"]
    assert down.is_signed
    assert up.is_signed
    assert pending(desk) == []


def test_nobody_listening_is_a_failure_like_any_other(desk: Automated, service: Service, clock: FrozenClock) -> None:
    with listening() as gone:
        address = gone.url
    desk = Automated(service, clock, directory=address)
    say(desk, "k")
    assert desk.delivers() == 1
    assert pending(desk) == ["k"]


def test_pauses_grow_by_the_schedule_until_the_message_is_parked_for_a_person(desk: Automated, receiver: Receiver) -> None:
    say(desk, "k")
    receiver.status = 500
    for pause in relay.BACK_OFF:
        assert desk.delivers() == 1
        desk.clock.advance(pause * (1 - relay.SPREAD) - timedelta(milliseconds=1))
        assert desk.delivers() == 0
        desk.clock.advance(2 * relay.SPREAD * pause + timedelta(milliseconds=2))
    assert desk.delivers() == 1
    (parked,) = desk.parked()
    assert (parked.key, parked.destination, parked.attempts, parked.error) == ("k", "directory", 6, "answered 500")
    desk.clock.advance(timedelta(days=30))
    assert desk.delivers() == 0
    receiver.status = 200
    with desk.desk.database.session() as session:
        commands.retry(session, parked.id, desk.clock.now())
    assert desk.delivers() == 1
    assert len({seen.id for seen in receiver.seen}) == 1
    assert desk.parked() == []


def test_retry_after_is_honoured_in_seconds_and_as_a_date_but_not_for_ever(desk: Automated, receiver: Receiver) -> None:
    receiver.status = 429
    for header, wait in (
        ("120", timedelta(minutes=2)),
        ("Mon, 02 Mar 2026 10:00:00 GMT", timedelta(hours=1)),
        ("99999999", timedelta(days=1)),
    ):
        desk.clock.set(desk.clock.now().replace(month=3, day=2, hour=9, minute=0, second=0))
        receiver.headers = {"Retry-After": header}
        say(desk, header)
        assert desk.delivers() == 1
        desk.clock.advance(wait - timedelta(seconds=1))
        assert desk.delivers() == 0, header
        receiver.status, receiver.headers = 200, {}
        desk.clock.advance(timedelta(seconds=1))
        assert desk.delivers() == 1, header
        receiver.status = 429


def test_who_answers_410_gets_nothing_more_until_a_person_says_so(desk: Automated, receiver: Receiver) -> None:
    receiver.status = 410
    say(desk, "first")
    say(desk, "second")
    desk.delivers()
    assert len(receiver.seen) == 1
    first, second = desk.parked()
    assert first.error == "answered 410"
    assert second.error == "The receiver has answered 410: it wants no more."
    receiver.status = 200
    with desk.desk.database.session() as session:
        commands.retry(session, second.id, desk.clock.now())
    assert desk.delivers() == 1
    assert receiver.seen[1].json["data"]["payload"] == {"key": "second"}


def test_a_redirect_is_not_followed(desk: Automated, receiver: Receiver) -> None:
    with listening() as elsewhere:
        receiver.status, receiver.headers = 307, {"Location": elsewhere.url}
        say(desk, "k")
        assert desk.delivers() == 1
        assert elsewhere.seen == []
    assert pending(desk) == ["k"]


def test_of_a_refusal_only_the_beginning_is_kept(desk: Automated, receiver: Receiver) -> None:
    receiver.status, receiver.answer = 400, b"n" * 5_000_000
    say(desk, "k")
    for _ in range(relay.MAX_ATTEMPTS):
        desk.delivers()
        desk.clock.advance(timedelta(hours=2))
    (parked,) = desk.parked()
    assert len(parked.error) == 2000


def test_who_is_killed_between_claim_and_call_delays_the_message_by_a_lease(desk: Automated, receiver: Receiver) -> None:
    say(desk, "k")
    killed = desk.another_relay(send=_dies)
    with pytest.raises(KeyboardInterrupt):
        killed.deliver_one("directory")
    assert desk.delivers() == 0  # still in the hands of the dead
    desk.clock.advance(timedelta(seconds=14))
    assert desk.delivers() == 1
    assert len(receiver.seen) == 1
    assert pending(desk) == []


def test_what_kills_every_process_that_takes_it_up_is_parked_in_the_end(desk: Automated, receiver: Receiver) -> None:
    say(desk, "k")
    killed = desk.another_relay(send=_dies)
    for _ in range(relay.MAX_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            killed.deliver_one("directory")
        desk.clock.advance(timedelta(seconds=15))
    desk.delivers()
    assert receiver.seen == []
    assert desk.parked()[0].error == "Taken up 6 times without ever coming to an end."


def test_a_late_word_of_who_lost_its_lease_changes_nothing(desk: Automated, receiver: Receiver) -> None:
    say(desk, "k")

    def slow(*_: object) -> Outcome:
        desk.clock.advance(timedelta(seconds=15))
        assert desk.delivers() == 1  # another has taken it up meanwhile, and it has arrived
        return Outcome(500, "too late")

    assert desk.another_relay(send=slow).deliver_one("directory")
    assert pending(desk) == []
    assert len(receiver.seen) == 1


def test_several_relays_send_each_message_once(desk: Automated, receiver: Receiver) -> None:
    for number in range(12):
        say(desk, f"k{number}")
    relays = [desk.another_relay() for _ in range(3)]
    for each in relays:
        each.look()
    assert all(each.wait(20) for each in relays)
    assert sorted(seen.json["data"]["payload"]["key"] for seen in receiver.seen) == sorted(f"k{number}" for number in range(12))


def test_a_dead_receiver_does_not_delay_another(service: Service, clock: FrozenClock) -> None:
    with listening(Receiver(hold=threading.Event())) as dead, listening() as alive:
        assert dead.hold is not None
        desk = Automated(service, clock, directory=dead.url, other=alive.url)
        say(desk, "to the dead", "directory")
        for number in range(3):
            say(desk, f"k{number}", "other")
        desk.relay.look()
        assert dead.came.wait(5)
        assert alive.came.wait(5)
        deadline = threading.Event()
        while len(alive.seen) < 3 and not deadline.wait(0.01):
            desk.relay.look()
        assert len(dead.seen) == 1
        dead.hold.set()
        assert desk.relay.wait(10)


def test_only_what_has_a_receiver_is_taken_up(desk: Automated, receiver: Receiver) -> None:
    with desk.desk.database.session() as session:
        outbox.put_all(session, [Message("mail", "notify", None, {"to": "ra1", "template": "assigned"})], desk.clock.now())
    desk.relay.look()
    assert desk.relay.wait(5)
    assert receiver.seen == []
    assert pending(desk) == ["mail"]


def test_a_receiver_that_is_configured_no_more_parks_what_was_for_it(desk: Automated) -> None:
    say(desk, "k", "forgotten")
    desk.relay.look()
    assert desk.relay.wait(5)
    assert desk.parked()[0].error == "There is no webhook “forgotten” in the configuration."


def test_without_its_secret_nothing_is_sent_and_the_operator_reads_why(desk: Automated, receiver: Receiver) -> None:
    desk.endpoints = Endpoints(desk.endpoints.named, {})
    desk.relay = desk.another_relay()
    say(desk, "k")
    for _ in range(relay.MAX_ATTEMPTS):
        desk.delivers()
        desk.clock.advance(timedelta(hours=2))
    assert receiver.seen == []
    assert desk.parked()[0].error == "the environment has no ITSM_WEBHOOK_DIRECTORY"


def test_a_call_that_its_ticket_does_not_wait_for_any_more_is_not_let_go_again(desk: Automated, receiver: Receiver) -> None:
    receiver.status = 410
    desk.orders()
    desk.delivers()
    desk.passes(seconds=1)
    (parked,) = desk.parked()
    with pytest.raises(DeskError) as refusal, desk.desk.database.session() as session:
        commands.retry(session, parked.id, desk.clock.now())
    assert refusal.value.code == "no_longer_awaited"
    assert len(desk.parked()) == 1


def _dies(*_: object) -> Outcome:
    raise KeyboardInterrupt
