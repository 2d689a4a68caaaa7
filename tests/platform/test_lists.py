"""Many numbers, or keys, as one parameter: the statement is one text, and finds what each by itself would find."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itsm.people.models import Organisation
from itsm.platform.database import Database, Prepared
from itsm.platform.lists import PreparedForMany
from itsm.platform.schema import table

_C = table(Organisation).c
ADD = Prepared(sa.insert(table(Organisation)).values(key=sa.bindparam("key"), name=sa.bindparam("key")))
BY_IDS = PreparedForMany(lambda many: sa.select(_C.id).where(_C.id.in_(sa.select(many.c.value))).order_by(_C.id))
BY_KEYS = PreparedForMany(lambda many: sa.select(_C.key).where(_C.key.in_(sa.select(many.c.value))).order_by(_C.id), sa.Text)
GIVEN_NUMBERS = PreparedForMany(lambda many: sa.select(many.c.value))
GIVEN_TEXTS = PreparedForMany(lambda many: sa.select(many.c.value), sa.Text)

numbers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
many_examples = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(database: Database, statement: PreparedForMany, values: Any) -> list[Any]:
    with database.session(write=False) as session:
        return [row[0] for row in statement.all(session, values)]


@pytest.fixture
def alphabet(database: Database) -> Database:
    with database.session() as session:
        session.run_many(ADD, [{"key": key} for key in "abcdefghij"])
    return database


@many_examples
@given(st.lists(numbers, max_size=20))
def test_every_number_arrives_as_it_is(database: Database, given: list[int]) -> None:
    assert sorted(rows(database, GIVEN_NUMBERS, given)) == sorted(given)


@many_examples
@given(st.lists(texts, max_size=20))
def test_every_text_arrives_as_it_is(database: Database, given: list[str]) -> None:
    assert sorted(rows(database, GIVEN_TEXTS, given)) == sorted(given)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([], []),
        ([3], [3]),
        ([5, 2, 9], [2, 5, 9]),
        ([2, 2, 2], [2]),
        ([4, 0, -1, 2**62], [4]),
        (range(1, 5001), [*range(1, 11)]),
    ],
)
def test_rows_are_found_by_their_ids_each_once(alphabet: Database, asked: Any, found: list[int]) -> None:
    assert rows(alphabet, BY_IDS, asked) == found


def test_rows_are_found_by_their_keys(alphabet: Database) -> None:
    assert rows(alphabet, BY_KEYS, ["c", "nobody", "a", "'; DROP TABLE organisations; --"]) == ["a", "c"]


def test_an_iterator_will_do(alphabet: Database) -> None:
    assert rows(alphabet, BY_IDS, iter({1, 2})) == [1, 2]


def test_the_text_is_one_however_many_are_asked_for(alphabet: Database) -> None:
    said: list[str] = []
    alphabet.on_statement = said.append
    for many in (0, 1, 500):
        rows(alphabet, BY_IDS, range(many))
    alphabet.on_statement = None
    assert len(said) == 3
    assert len(set(said)) == 1
