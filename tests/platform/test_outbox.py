"""The outbox: a message exists once, when and only when the change it tells of was committed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itsm.platform import outbox
from itsm.platform.database import Database
from itsm.platform.outbox import Message
from itsm.platform.time import FrozenClock
from tests.platform.messages import pending

LEASE = timedelta(seconds=30)


def keys(database: Database) -> list[str]:
    with database.session(write=False) as session:
        return [message.key for message in pending(session)]


def put(database: Database, clock: FrozenClock, key: str, payload: object = "") -> bool:
    with database.session() as session:
        return outbox.put(session, key, "notify", 7, payload, clock.now())


def has(database: Database, key: str) -> bool:
    with database.session(write=False) as session:
        return outbox.has(session, key)


def test_a_message_says_what_it_was_put_with(database: Database, clock: FrozenClock) -> None:
    assert put(database, clock, "INC1:2:resolved", {"to": "ada", "größe": [1, None]})
    with database.session(write=False) as session:
        (message,) = pending(session)
    assert (message.topic, message.ticket_id, message.payload) == ("notify", 7, {"to": "ada", "größe": [1, None]})
    assert message.created_at == clock.now()


def test_a_key_says_a_thing_once(database: Database, clock: FrozenClock) -> None:
    assert put(database, clock, "k", "first")
    assert not put(database, clock, "k", "second")
    with database.session() as session:
        outbox.put_all(session, [Message("k", "notify", 7, "third"), Message("l", "notify", None, "new")], clock.now())
        assert [message.payload for message in pending(session)] == ["first", "new"]


def test_a_command_that_is_rolled_back_says_nothing(database: Database, clock: FrozenClock) -> None:
    def fail() -> None:
        with database.session() as session:
            outbox.put(session, "k", "notify", 7, {}, clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert keys(database) == []
    assert not has(database, "k")


def test_messages_come_oldest_first(database: Database, clock: FrozenClock) -> None:
    for key in "cab":
        put(database, clock, key)
    assert keys(database) == ["c", "a", "b"]


def test_whether_a_thing_was_said_is_known_by_its_whole_key_delivered_or_not(database: Database, clock: FrozenClock) -> None:
    with database.session() as session:
        outbox.put_all(session, [Message("INC1:2", "webhook", 7, {}, "crm")], clock.now())
        assert outbox.has(session, "INC1:2"), "also in the transaction that says it"
        message = outbox.claim(session, "crm", clock.now(), LEASE)
        assert message is not None
        assert outbox.arrived(session, message, clock.now())
        assert not outbox.arrived(session, message, clock.now()), "it arrives once"
    assert keys(database) == []
    assert has(database, "INC1:2")
    assert not has(database, "INC1:")
    assert not has(database, "inc1:2")
