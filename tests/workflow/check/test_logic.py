"""What is said of a condition without a ticket is true of every ticket."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.workflow import expression
from itsm.workflow.check.domains import Answer, can_hold, implies
from itsm.workflow.check.logic import ERROR, FAILS, FILLED, HOLDS, Condition, Value
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Expression, Position
from itsm.workflow.expression import Compiled
from itsm.workflow.scope import Scope
from tests.workflow.check.bench import WORDS, subject

FIELDS = "fields: {big: {type: boolean}, count: {type: integer}, owner: {type: user}, due: {type: datetime}}"
ATOMS = (
    "ticket.reason == 'user'",
    "ticket.reason != 'vendor'",
    "ticket.reason in ['user', 'vendor']",
    "ticket.reason == null",
    "ticket.big",
    "ticket.big == true",
    "ticket.count < 3",
    "ticket.count >= 2",
    "ticket.count + 1 > 2",
    "ticket.owner == actor.id",
    "ticket.owner != null",
    "ticket.title.contains('x')",
    "ticket.due <= now",
    "tasks.open == 0",
    "tasks.open > tasks.total",
    "ticket.state == 'open'",
    "(ticket.big ? ticket.reason : 'user') == 'user'",
)
VALUES = {
    "ticket.reason": st.sampled_from(["user", "vendor", None]),
    "ticket.big": st.sampled_from([True, False, None]),
    "ticket.count": st.sampled_from([0, 1, 2, 3, None]),
    "ticket.owner": st.sampled_from(["ann", "bob", None]),
    "ticket.title": st.sampled_from(["axe", "bow"]),
    "ticket.due": st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), None]),
    "ticket.state": st.sampled_from(["new", "open"]),
    "actor.id": st.sampled_from(["ann", "cat"]),
    "now": st.just(datetime(2026, 6, 1, tzinfo=UTC)),
    "tasks.open": st.integers(0, 2),
    "tasks.total": st.integers(0, 2),
}
CONDITIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda parts: st.one_of(
        st.builds("({}) && ({})".format, parts, parts),
        st.builds("({}) || ({})".format, parts, parts),
        st.builds("!({})".format, parts),
        st.builds("({}) ? ({}) : ({})".format, parts, parts, parts),
    ),
    max_leaves=5,
)


@cache
def practice() -> Subject:
    return subject(FIELDS)


@cache
def compiled(text: str) -> Compiled:
    result = expression.compile(Expression(text, Position("x.yaml", 1, 1)), scope())
    assert isinstance(result, Compiled), result
    return result


@cache
def scope() -> Scope:
    return Scope(Scope.of(practice().workflow, WORDS).variables)


def condition(text: str) -> Condition:
    return Condition(compiled(text).tree)


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, st.fixed_dictionaries(VALUES), st.fixed_dictionaries({name: st.integers(0, 2) for name in VALUES}))
def test_what_comes_out_is_among_what_was_said_may_come_out(text: str, values: dict[str, object], veil: dict[str, int]) -> None:
    """However little is known of the values: all of one, that it is filled, or nothing."""
    outcome = compiled(text).evaluate(values)
    came_out = HOLDS if outcome is True else FAILS if outcome is False else ERROR
    known: dict[str, Value] = {}
    for name, value in values.items():
        if veil[name] == 0 and not isinstance(value, datetime):
            known[name] = value  # type: ignore[assignment]
        elif veil[name] <= 1 and value is not None:
            known[name] = FILLED
    assert condition(text).judge(known) & came_out, (text, known)


@settings(max_examples=100, deadline=None)
@given(CONDITIONS, st.fixed_dictionaries(VALUES))
def test_what_never_holds_holds_on_no_ticket(text: str, values: dict[str, object]) -> None:
    holds = compiled(text).evaluate(values) is True
    answer = can_hold([condition(text)], practice().frame("new", "open"))
    assert not (holds and answer is Answer.NO), text


@settings(max_examples=100, deadline=None)
@given(CONDITIONS, CONDITIONS, st.fixed_dictionaries(VALUES))
def test_what_follows_from_a_condition_holds_wherever_that_holds(
    premise: str, conclusion: str, values: dict[str, object]
) -> None:
    if implies([condition(premise)], condition(conclusion), practice().frame("new", "open")):
        assert not (compiled(premise).evaluate(values) is True and compiled(conclusion).evaluate(values) is not True)


def test_the_same_thing_said_in_two_ways_is_one_thing() -> None:
    both = ("ticket.due > now", "now < ticket.due"), ("ticket.owner != actor.id", "!(actor.id == ticket.owner)")
    for one, other in both:
        assert implies([condition(one)], condition(other), practice().frame("new"))
        assert implies([condition(other)], condition(one), practice().frame("new"))
