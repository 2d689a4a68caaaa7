"""Which tasks may begin: laws over every plan without a circle, and the order of things that come after others."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from itsm.catalog import plan
from itsm.catalog.graph import ordered
from itsm.catalog.plan import Planned, Stage

PASSED = {Stage.OVER, Stage.SKIPPED, Stage.FORGONE}
HOLDING = {Stage.FAILED, Stage.DROPPED, Stage.REFUSED}


@st.composite
def plans(draw: st.DrawFn) -> list[Planned]:
    """Tasks each of which comes after some of those before it, in any stage."""
    count = draw(st.integers(1, 7))
    return [
        Planned(
            f"t{number}",
            tuple(f"t{other}" for other in draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else (),
            draw(st.sampled_from(Stage)),
        )
        for number in range(count)
    ]


@given(plans())
def test_a_task_begins_when_all_before_it_are_over_and_only_then(tasks: list[Planned]) -> None:
    stages = {each.key: each.stage for each in tasks}
    for each in tasks:
        free = each.stage is Stage.PLANNED and all(stages[other] in PASSED for other in each.after)
        assert (each.key in plan.ready(tasks)) is free


@given(plans())
def test_a_plan_comes_to_its_end_when_every_task_is_done(tasks: list[Planned]) -> None:
    tasks = [Planned(each.key, each.after, Stage.PLANNED) for each in tasks]
    begun: list[str] = []
    while ready := plan.ready(tasks):
        assert plan.waiting(tasks)
        begun += ready
        tasks = [Planned(each.key, each.after, Stage.OVER if each.key in ready else each.stage) for each in tasks]
    assert sorted(begun) == sorted(each.key for each in tasks)
    assert plan.waiting(tasks) == []


@given(plans(), st.lists(st.sampled_from([Stage.OVER, Stage.REFUSED, Stage.FORGONE]), min_size=7, max_size=7))
def test_a_plan_comes_to_its_end_whatever_is_refused_and_nothing_begins_too_early(
    tasks: list[Planned], fates: list[Stage]
) -> None:
    fate = {each.key: end for each, end in zip(tasks, fates, strict=False)}
    tasks = [Planned(each.key, each.after, Stage.PLANNED) for each in tasks]
    for _ in tasks:  # each round begins at least one, or it is the end
        ready = plan.ready(tasks)
        stages = {each.key: each.stage for each in tasks}
        assert all(stages[other] in PASSED for each in tasks if each.key in ready for other in each.after)
        tasks = [Planned(each.key, each.after, fate[each.key] if each.key in ready else each.stage) for each in tasks]
    assert plan.ready(tasks) == plan.waiting(tasks) == []
    for each in tasks:
        assert (each.stage is Stage.PLANNED) == any(
            other.stage in {Stage.REFUSED, Stage.PLANNED} for other in tasks if other.key in each.after
        )


@given(plans())
def test_what_waits_is_exactly_what_no_failure_holds_back(tasks: list[Planned]) -> None:
    held: set[str] = set()
    for each in tasks:  # in this order, all that a task comes after stand before it
        stages = {other.key: other.stage for other in tasks}
        if any(stages[other] in HOLDING or other in held for other in each.after):
            held.add(each.key)
    assert set(plan.waiting(tasks)) == {each.key for each in tasks if each.stage is Stage.PLANNED} - held


@given(st.dictionaries(st.sampled_from("abcdef"), st.frozensets(st.sampled_from("abcdef"), max_size=2)))
def test_an_order_keeps_what_comes_after_what_or_names_the_circle(after: dict[str, frozenset[str]]) -> None:
    order, circle = ordered(after)
    assert sorted(order) == sorted(after)
    if not circle:
        assert all(order.index(other) < order.index(name) for name in after for other in after[name] if other in after)
        return
    assert circle[0] == circle[-1]
    assert all(before in after[name] for before, name in pairwise(circle))
