"""The outbox: a message exists once, when and only when the change it tells of was committed."""

from __future__ import annotations

import pytest

from itsm.platform import outbox
from itsm.platform.database import Database
from itsm.platform.outbox import Message
from itsm.platform.time import FrozenClock


def keys(database: Database, limit: int = 10, after: int = 0) -> list[str]:
    with database.session(write=False) as session:
        return [message.key for message in outbox.pending(session, limit, after)]


def put(database: Database, clock: FrozenClock, key: str, payload: object = "") -> bool:
    with database.session() as session:
        return outbox.put(session, key, "notify", 7, payload, clock.now())


def test_a_message_waits_until_it_is_delivered(database: Database, clock: FrozenClock) -> None:
    assert put(database, clock, "INC1:2:resolved", {"to": "ada", "größe": [1, None]})
    with database.session() as session:
        (message,) = outbox.pending(session, 10)
        assert (message.topic, message.ticket_id, message.payload) == ("notify", 7, {"to": "ada", "größe": [1, None]})
        assert message.created_at == clock.now()
        assert outbox.delivered(session, message.id, clock.now())
        assert not outbox.delivered(session, message.id, clock.now())
    assert keys(database) == []


def test_a_key_says_a_thing_once(database: Database, clock: FrozenClock) -> None:
    assert put(database, clock, "k", "first")
    assert not put(database, clock, "k", "second")
    with database.session() as session:
        outbox.put_all(session, [Message("k", "notify", 7, "third"), Message("l", "notify", None, "new")], clock.now())
        assert [message.payload for message in outbox.pending(session, 10)] == ["first", "new"]


def test_a_command_that_is_rolled_back_says_nothing(database: Database, clock: FrozenClock) -> None:
    def fail() -> None:
        with database.session() as session:
            outbox.put(session, "k", "notify", 7, {}, clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert keys(database) == []


def test_messages_come_oldest_first_and_page_by_page(database: Database, clock: FrozenClock) -> None:
    for key in "cab":
        put(database, clock, key)
    assert keys(database) == ["c", "a", "b"]
    assert keys(database, limit=2) == ["c", "a"]
    assert keys(database, limit=2, after=2) == ["b"]
