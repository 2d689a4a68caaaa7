"""The laws of turns: nobody is passed over twice, and nobody gets what he cannot take."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from itsm.assignment.book import Book, Staff, Strategy
from itsm.assignment.rules import Candidate, Terms, choose

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PEOPLE = tuple(Candidate(number, f"p{number}") for number in (3, 5, 8, 11))
subsets = st.sets(st.sampled_from(PEOPLE)).map(lambda some: sorted(some, key=lambda one: one.id))
loads = st.lists(st.integers(0, 6), min_size=len(PEOPLE), max_size=len(PEOPLE))


def terms(**more: object) -> Terms:
    book = Book()
    return Terms(book, book.team("network"), NOW, **more)  # type: ignore[arg-type]


@given(st.integers(0, 60))
def test_after_any_number_of_turns_nobody_has_had_two_more_than_another(turns: int) -> None:
    had: Counter[str] = Counter({one.login: 0 for one in PEOPLE})
    last = None
    for _ in range(turns):
        chosen = choose(PEOPLE, Strategy.ROUND_ROBIN, last, terms()).chosen
        assert chosen is not None
        had[chosen.login] += 1
        last = chosen.id
    assert max(had.values()) - min(had.values()) <= 1


@given(st.lists(subsets, max_size=60))
def test_between_two_turns_of_one_who_is_always_there_nobody_else_has_two(present: list[list[Candidate]]) -> None:
    steady, last = PEOPLE[1], None
    since: Counter[str] = Counter()
    for some in present:
        here = [one for one in PEOPLE if one in some or one is steady]
        chosen = choose(here, Strategy.ROUND_ROBIN, last, terms()).chosen
        assert chosen is not None
        last = chosen.id
        if chosen is steady:
            since.clear()
        else:
            since[chosen.login] += 1
            assert since[chosen.login] <= 1


@given(loads, st.sampled_from([None, 3, 5, 8, 11]), st.integers(0, 6))
def test_whoever_gets_it_by_load_has_the_fewest_and_room(load: list[int], last: int | None, capacity: int) -> None:
    people = [Candidate(one.id, one.login, count) for one, count in zip(PEOPLE, load, strict=True)]
    book = Book(staff={one.login: Staff(one.login, capacity=capacity) for one in people})
    choice = choose(people, Strategy.LEAST_LOADED, last, Terms(book, book.team("network"), NOW))
    assert (choice.chosen is None) == all(count >= capacity for count in load)
    if choice.chosen is not None:
        assert choice.chosen.load == min(load) < capacity
    assert set(choice.passed) == {one.login for one in people if one.load >= capacity}


def test_without_a_strategy_nobody_is_chosen() -> None:
    assert choose(PEOPLE, Strategy.NONE, None, terms()).chosen is None


def test_who_is_barred_or_lacks_a_skill_is_told_why() -> None:
    choice = choose(PEOPLE[:2], Strategy.ROUND_ROBIN, None, terms(barred={"p3": "approved it"}, needs={"linux": 2}))
    assert choice.passed == {"p3": "approved it", "p5": "has level 0 of 2 in linux"}
