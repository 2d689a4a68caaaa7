"""A command sent twice under one key is carried out once, and answered twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from itsm.people.models import Organisation
from itsm.platform import idempotency
from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.idempotency import Replay
from itsm.platform.schema import table
from itsm.platform.time import FrozenClock

ORGANISATIONS = table(Organisation)
CREATE = Prepared(
    sa.insert(ORGANISATIONS).values(key=sa.bindparam("key"), name=sa.bindparam("name")).returning(ORGANISATIONS.c.id)
)
COUNT = Prepared(sa.select(sa.func.count().label("number")).select_from(ORGANISATIONS))
ADA, BEN = 1, 2


def post(database: Database, clock: FrozenClock, key: str, name: str, user: int = ADA) -> Replay:
    """What a door does with a POST that creates an organisation; the answer it gives."""
    with database.session() as session:
        kept = idempotency.begin(session, user, key, name.encode(), clock.now())
        if kept is not None:
            return kept
        row = session.one(CREATE, key=f"{name} of {user}", name=name)
        answer = Replay(201, {"Location": f"/organisations/{row.id}"}, f'{{"id": {row.id}, "name": "{name}"}}')
        idempotency.finish(session, user, key, answer.status, answer.headers, answer.body)
        return answer


def made(database: Database) -> int:
    with database.session(write=False) as session:
        number: int = session.one(COUNT).number
        return number


def test_the_same_key_and_request_are_answered_with_the_first_answer(database: Database, clock: FrozenClock) -> None:
    first = post(database, clock, "k", "Größe ✓")
    clock.advance(timedelta(hours=24))
    assert post(database, clock, "k", "Größe ✓") == first
    assert made(database) == 1


def test_the_same_key_with_another_request_is_refused(database: Database, clock: FrozenClock) -> None:
    post(database, clock, "k", "Acme")
    with pytest.raises(DeskError) as refusal:
        post(database, clock, "k", "Beta")
    assert (refusal.value.kind, refusal.value.code) == (Kind.INVALID, "idempotency_key_reused")
    assert made(database) == 1


def test_keys_are_each_users_own(database: Database, clock: FrozenClock) -> None:
    assert post(database, clock, "k", "Acme", ADA) != post(database, clock, "k", "Beta", BEN)
    assert made(database) == 2


def test_another_key_does_it_again(database: Database, clock: FrozenClock) -> None:
    post(database, clock, "k", "Acme")
    post(database, clock, "l", "Beta")
    assert made(database) == 2


def test_sixteen_at_once_with_one_key_do_it_once_and_all_get_the_same_answer(database: Database, clock: FrozenClock) -> None:
    together = threading.Barrier(16)

    def client(_number: int) -> Replay:
        together.wait()
        return post(database, clock, "k", "Acme")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(client, range(16)))
    assert made(database) == 1
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].status == 201


def test_a_command_that_is_refused_leaves_its_key_free(database: Database, clock: FrozenClock) -> None:
    def refused() -> None:
        with database.session() as session:
            assert idempotency.begin(session, ADA, "k", b"Acme", clock.now()) is None
            raise DeskError(Kind.CONFLICT, "not_now", "The shop is closed.")

    with pytest.raises(DeskError, match="closed"):
        refused()
    assert post(database, clock, "k", "Acme").status == 201


def test_who_comes_while_the_first_takes_too_long_is_told_so(database: Database, clock: FrozenClock) -> None:
    if not database.is_postgresql:
        pytest.skip("SQLite lets one write at a time: the second waits to begin, and is told that the database is busy")
    hasty = Database(database.url, statement_timeout=0.3)
    with database.session() as session:
        idempotency.begin(session, ADA, "k", b"Acme", clock.now())
        with pytest.raises(DeskError) as refusal:
            post(hasty, clock, "k", "Acme")
    hasty.dispose()
    assert (refusal.value.kind, refusal.value.code) == (Kind.CONFLICT, "in_progress")
    assert refusal.value.retry_after


def test_a_record_without_an_answer_is_not_mistaken_for_one(database: Database, clock: FrozenClock) -> None:
    with database.session() as session:
        idempotency.begin(session, ADA, "k", b"Acme", clock.now())
    with pytest.raises(DeskError) as refusal:
        post(database, clock, "k", "Acme")
    assert refusal.value.code == "in_progress"


def test_answers_are_kept_for_a_day_at_least_and_forgotten_in_the_end(database: Database, clock: FrozenClock) -> None:
    post(database, clock, "k", "Acme")
    clock.advance(timedelta(hours=24))
    with database.session() as session:
        assert idempotency.purge(session, clock.now()) == 0
    clock.advance(idempotency.KEEP)
    with database.session() as session:
        assert idempotency.purge(session, clock.now()) == 1
        assert idempotency.begin(session, ADA, "k", b"Other", clock.now()) is None
