"""What rests on what: which things a failure touches and by which way, and that weight never runs in a circle."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from itsm.services import impact, rules
from itsm.services.impact import Direction, Neighbours
from itsm.services.rules import Edge, Node, Relation, Sort

ITEMS = [Node(Sort.ITEM, key) for key in "abcdefg"]
A, B, C, D, *_ = ITEMS
ERP = Node(Sort.SERVICE, "erp")

BEARING = (Relation.DEPENDS_ON, Relation.RUNS_ON, Relation.PART_OF)
an_edge = st.builds(
    rules.edge, st.sampled_from(ITEMS), st.sampled_from(list(rules.kinds_from(Sort.ITEM))), st.sampled_from(ITEMS)
).filter(lambda edge: edge.source != edge.target)


def among(edges: Collection[Edge]) -> Neighbours:
    return lambda nodes: [edge for edge in edges if edge.source in nodes or edge.target in nodes]


def path(*steps: tuple[Node, Relation, Node]) -> list[Edge]:
    return [rules.edge(*step) for step in steps]


def reached(edges: Collection[Edge], start: Node, direction: Direction, depth: int = 20) -> dict[Node, int]:
    return {each.node: len(each.path) for each in impact.spread([start], direction, depth, among(edges))}


def rests(edges: Collection[Edge]) -> set[tuple[Node, Node]]:
    """Which rests on which at last, by brute force."""
    pairs = {edge.load for edge in edges if edge.load is not None}
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


def test_a_failure_touches_what_depends_runs_and_contains() -> None:
    edges = path((A, Relation.RUNS_ON, B), (C, Relation.PART_OF, B), (ERP, Relation.MADE_OF, A))
    assert reached(edges, C, Direction.TOUCHES) == {B: 1, A: 2, ERP: 3}
    assert reached(edges, ERP, Direction.RESTS_ON) == {A: 1, B: 2, C: 3}


def test_the_way_reads_from_where_one_stands() -> None:
    edges = path((A, Relation.RUNS_ON, B), (ERP, Relation.MADE_OF, A))
    found = impact.spread([B], Direction.TOUCHES, 5, among(edges))
    assert [step.relation for step in found[-1].path] == ["runs", "makes_up"]
    found = impact.spread([ERP], Direction.RESTS_ON, 5, among(edges))
    assert [step.relation for step in found[-1].path] == ["made_of", "runs_on"]


def test_connections_and_stand_bys_bear_nothing() -> None:
    edges = path((A, Relation.CONNECTED_TO, B), (C, Relation.BACKUP_OF, A))
    assert reached(edges, A, Direction.TOUCHES) == reached(edges, A, Direction.RESTS_ON) == {}


def test_a_connection_is_the_same_from_both_ends() -> None:
    assert rules.edge(A, Relation.CONNECTED_TO, B) == rules.edge(B, Relation.CONNECTED_TO, A)


def test_impact_ends_at_its_depth() -> None:
    edges = path((A, Relation.DEPENDS_ON, B), (B, Relation.DEPENDS_ON, C), (C, Relation.DEPENDS_ON, D))
    assert reached(edges, D, Direction.TOUCHES, 2) == {C: 1, B: 2}


def test_a_circle_is_named_over_relations_of_different_kinds() -> None:
    edges = path((A, Relation.RUNS_ON, B), (C, Relation.PART_OF, B))
    closing = rules.edge(C, Relation.DEPENDS_ON, A)
    assert impact.path_in_words(impact.circle(closing, among(edges))) == "c → a → b → c"


def test_a_long_way_is_told_by_its_ends() -> None:
    way = impact.path_in_words(Node(Sort.ITEM, f"n{number}") for number in range(1000))
    assert way.startswith("n0 → n1 →")
    assert way.endswith("→ n999")
    assert "…" in way
    assert len(way) < 300


@given(st.lists(an_edge, max_size=12, unique=True))
def test_impact_reaches_what_brute_force_reaches_and_by_a_shortest_way(edges: list[Edge]) -> None:
    pairs = rests(edges)
    for start in ITEMS:
        assert set(reached(edges, start, Direction.RESTS_ON)) == {on for who, on in pairs if who == start and on != start}
        assert set(reached(edges, start, Direction.TOUCHES)) == {who for who, on in pairs if on == start and who != start}
    direct = {edge.load for edge in edges if edge.load}
    for each in impact.spread([A], Direction.RESTS_ON, 20, among(edges)):
        nodes = [A, *(step.node for step in each.path)]
        assert all(pair in direct for pair in pairwise(nodes))
        shorter = impact.spread([A], Direction.RESTS_ON, len(each.path) - 1, among(edges))
        assert each.node not in {one.node for one in shorter}


@given(st.lists(an_edge, max_size=12, unique=True))
def test_edges_added_one_by_one_never_make_a_circle(edges: list[Edge]) -> None:
    kept: list[Edge] = []
    for edge in edges:
        circle = impact.circle(edge, among(kept))
        closes = edge.load is not None and (edge.load[1], edge.load[0]) in rests(kept)
        assert bool(circle) == closes
        if circle:
            assert circle[0] == circle[-1]
        else:
            kept.append(edge)
    assert all(who != on for who, on in rests(kept))


@given(st.lists(an_edge, max_size=12, unique=True), st.integers(0, 6))
def test_of_many_edges_just_those_on_a_circle_are_caught(edges: list[Edge], standing: int) -> None:
    there: list[Edge] = []
    for edge in edges[:standing]:
        if not impact.circle(edge, among(there)):
            there.append(edge)
    added = [edge for edge in edges if edge not in there]
    pairs = rests(edges_all := [*there, *added])
    caught = impact.circles(there, added)
    assert set(caught) == {edge for edge in added if edge.load and (edge.load[1], edge.load[0]) in pairs}
    left = [edge for edge in edges_all if edge not in caught]
    assert all(who != on for who, on in rests(left))
