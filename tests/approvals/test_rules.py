"""What answers mean: held against a model that completes the missing answers in every way there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.approvals.policy import Quorum, Rule
from itsm.approvals.rules import (
    Handing,
    Node,
    Outcome,
    attainable,
    closes_a_circle,
    deputies,
    nodes_of,
    principals,
    seated,
    seats_of,
    standing,
)

YES, NO, OPEN = Outcome.APPROVED, Outcome.REJECTED, Outcome.OPEN
MOST_SEATS = 7


@st.composite
def quorums(draw: st.DrawFn, everybody: bool | None = None) -> Quorum:
    rule = draw(st.sampled_from(Rule))
    number = draw(st.integers(1, 4 if rule is Rule.AT_LEAST else 100))
    return Quorum(rule, number, draw(st.booleans()) if everybody is None else everybody)


@st.composite
def trees(draw: st.DrawFn, everybody: bool | None = None) -> Node[int]:
    """A tree of up to three levels and seven seats."""
    seats = count()
    left = [MOST_SEATS]

    def node(depth: int) -> Node[int]:
        own = draw(st.integers(0 if depth else 1, min(3, left[0]))) if left[0] else 0
        left[0] -= own
        below = draw(st.integers(0, 2)) if depth else 0
        mine = tuple(next(seats) for _ in range(own))
        groups = tuple(each for each in (node(depth - 1) for _ in range(below)) if each.size)
        return Node(draw(quorums(everybody)), mine, groups)

    return node(2)


@st.composite
def trees_and_answers(draw: st.DrawFn, everybody: bool | None = None) -> tuple[Node[int], dict[int, Outcome]]:
    tree = draw(trees(everybody))
    said = {seat: draw(st.sampled_from([YES, NO, OPEN])) for seat in seats_of(tree)}
    return tree, {seat: answer for seat, answer in said.items() if answer is not OPEN}


def completions(tree: Node[int], answers: Mapping[int, Outcome]) -> Iterator[dict[int, Outcome]]:
    missing = [seat for seat in seats_of(tree) if seat not in answers]
    for choice in product((YES, NO), repeat=len(missing)):
        yield {**answers, **dict(zip(missing, choice, strict=True))}


def agrees(node: Node[int], answers: Mapping[int, Outcome]) -> bool:
    """Whether a group approves once everybody has answered: counted out, with no thought of what is missing."""
    yes = [answers[seat] is YES for seat in node.seats] + [agrees(group, answers) for group in node.groups]
    members = len(yes)
    wanted = {
        Rule.ANY: 1,
        Rule.ALL: max(members, 1),
        Rule.MAJORITY: next(n for n in range(members + 2) if 2 * n > members),
        Rule.AT_LEAST: node.quorum.number,
        Rule.PERCENT: next(n for n in range(1, members + 2) if 100 * n >= node.quorum.number * members),
    }
    return sum(yes) >= wanted[node.quorum.rule]


@given(trees_and_answers(everybody=False))
def test_a_tree_is_decided_exactly_when_no_further_answer_could_change_it(case: tuple[Node[int], dict[int, Outcome]]) -> None:
    tree, answers = case
    verdicts = {agrees(tree, complete) for complete in completions(tree, answers)}
    assert standing(tree, answers) is (OPEN if len(verdicts) == 2 else YES if verdicts == {True} else NO)


@given(trees_and_answers())
def test_what_is_decided_is_what_every_completion_says(case: tuple[Node[int], dict[int, Outcome]]) -> None:
    tree, answers = case
    found = standing(tree, answers)
    if found is not OPEN:
        assert {agrees(tree, complete) for complete in completions(tree, answers)} == {found is YES}


@given(trees())
def test_once_everybody_has_answered_it_is_decided(tree: Node[int]) -> None:
    for complete in completions(tree, {}):
        assert standing(tree, complete) is not OPEN


@given(trees_and_answers(), st.data())
def test_more_answers_undo_nothing(case: tuple[Node[int], dict[int, Outcome]], data: st.DataObject) -> None:
    tree, answers = case
    before = standing(tree, answers)
    missing = [seat for seat in seats_of(tree) if seat not in answers]
    if before is not OPEN and missing:
        one = data.draw(st.sampled_from(missing))
        assert standing(tree, {**answers, one: data.draw(st.sampled_from([YES, NO]))}) is before


@given(trees_and_answers(everybody=True))
def test_where_everybody_must_answer_nothing_is_decided_before(case: tuple[Node[int], dict[int, Outcome]]) -> None:
    tree, answers = case
    everybody = all(seat in answers for seat in seats_of(tree))
    assert (standing(tree, answers) is OPEN) == (not everybody)


@given(trees())
def test_a_tree_is_attainable_exactly_when_it_approves_if_everybody_does(tree: Node[int]) -> None:
    agreed = standing(tree, dict.fromkeys(seats_of(tree), YES)) is YES
    if attainable(tree):
        assert agreed
    if not any(node.quorum.everybody for _, node in nodes_of(tree)):
        assert attainable(tree) == agreed


@pytest.mark.parametrize(
    ("percent", "members", "needed"), [(50, 3, 2), (50, 4, 2), (51, 4, 3), (1, 3, 1), (100, 3, 3), (67, 3, 3), (66, 3, 2)]
)
def test_a_percentage_is_rounded_up_to_whole_members(percent: int, members: int, needed: int) -> None:
    assert Quorum(Rule.PERCENT, percent).needed(members) == needed


@pytest.mark.parametrize(
    ("rule", "asked", "approved", "rejected", "outcome"),
    [
        (Quorum(Rule.ANY), 3, 1, 0, YES),
        (Quorum(Rule.ANY), 3, 0, 2, OPEN),
        (Quorum(Rule.ANY), 3, 0, 3, NO),
        (Quorum(Rule.ALL), 3, 2, 0, OPEN),
        (Quorum(Rule.ALL), 3, 3, 0, YES),
        (Quorum(Rule.ALL), 3, 2, 1, NO),
        (Quorum(Rule.AT_LEAST, 2), 3, 1, 1, OPEN),
        (Quorum(Rule.AT_LEAST, 2), 3, 1, 2, NO),
        (Quorum(Rule.MAJORITY), 4, 2, 1, OPEN),
        (Quorum(Rule.MAJORITY), 4, 2, 2, NO),
        (Quorum(Rule.MAJORITY, everybody=True), 3, 2, 0, OPEN),
        (Quorum(Rule.MAJORITY, everybody=True), 3, 2, 1, YES),
    ],
)
def test_a_group_is_decided_as_soon_as_its_rule_allows(
    rule: Quorum, asked: int, approved: int, rejected: int, outcome: Outcome
) -> None:
    said = [YES] * approved + [NO] * rejected
    assert standing(Node(rule, tuple(range(asked))), dict(enumerate(said))) is outcome


# Seats


@st.composite
def crowded(draw: st.DrawFn) -> Node[int]:
    """A tree whose groups name the same few people."""

    def node(depth: int) -> Node[int]:
        people = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
        groups = tuple(node(depth - 1) for _ in range(draw(st.integers(0, 2)))) if depth else ()
        return Node(draw(quorums()), people, groups)

    return node(2)


@given(crowded())
def test_everybody_who_is_named_has_one_seat_in_a_group_that_names_him(wanted: Node[int]) -> None:
    tree = seated(wanted)
    assert sorted(seats_of(tree)) == sorted(set(seats_of(wanted)))
    for (path, node), (same, named) in zip(nodes_of(tree), nodes_of(wanted), strict=True):
        assert path == same
        assert node.quorum == named.quorum
        assert set(node.seats) <= set(named.seats)


def test_who_is_named_twice_sits_where_he_is_missed_most() -> None:
    one = Quorum(Rule.ANY)
    wanted = Node(Quorum(Rule.ALL), (), (Node(one, (1, 2)), Node(one, (1,))))
    assert seated(wanted).groups == (Node(one, (2,)), Node(one, (1,)))


def test_one_person_is_not_two_signatures() -> None:
    one = Quorum(Rule.ANY)
    wanted = Node(Quorum(Rule.ALL), (), (Node(one, (1,)), Node(one, (1,))))
    assert not attainable(seated(wanted))


# Delegation


def test_a_delegation_reaches_as_far_as_is_declared_and_no_further() -> None:
    chain = [Handing(one, one + 1) for one in range(1, 6)]
    assert deputies(1, chain, 1) == [2]
    assert deputies(1, chain, 3) == [2, 3, 4]
    assert principals(4, chain, 1) == [3]
    assert principals(4, chain, 2) == [3, 2]


@given(st.lists(st.builds(Handing, st.integers(1, 6), st.integers(1, 6))), st.integers(1, 6), st.integers(0, 5))
def test_a_delegation_never_comes_back_and_both_ends_agree_on_it(handings: list[Handing], who: int, depth: int) -> None:
    assert who not in deputies(who, handings, depth)
    for other in range(1, 7):
        assert (other in deputies(who, handings, depth)) == (who in principals(other, handings, depth))


def test_a_circle_is_seen_however_far_round() -> None:
    chain = [Handing(1, 2), Handing(2, 3), Handing(3, 4)]
    assert closes_a_circle(Handing(4, 1), chain)
    assert closes_a_circle(Handing(2, 2), [])
    assert not closes_a_circle(Handing(4, 5), chain)
