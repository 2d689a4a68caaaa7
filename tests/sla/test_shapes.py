"""Stories told by their shape come out as if each had been told in full, and the shape is worked out once."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.sla import measure
from itsm.sla.judging import Judge
from itsm.sla.moments import moments
from itsm.sla.policy import Agreement
from itsm.sla.replay import Begun, LoggedEvent, retold
from itsm.sla.shapes import Retelling
from itsm.sla.standing import Cycle
from itsm.sla.threads import Retold
from itsm.sla.threads import in_full as threads_in_full

from .builders import HOUR, MINUTE, Story, a_goal, a_policy, an_agreement, at, on
from .scenes import Scene, scenes

NINE = at("2026-03-02 09:00")


def in_full(agreement: Agreement, story: Sequence[LoggedEvent]) -> dict[object, object]:
    _, told = retold((agreement, Judge()), agreement.id, list(moments(story)))
    return essence(Retold(agreement, threads_in_full(told)))


def essence(told: Retold) -> dict[object, object]:
    """What a comparison rests on: the cycles of each clock with where they begin and end, what counts, and their results."""
    return {clock: [_of(told.agreement, one) for one in told.of(clock)] for clock in told}


def _of(agreement: Agreement, one: Begun) -> tuple[object, ...]:
    cycle: Cycle = one.cycle
    spans = [(span.start, span.end, span.calendar) for span in cycle.counted if span.start != span.end]
    due = measure.due(agreement, cycle) if cycle.is_open else None
    return one.began_at, cycle.key, cycle.status, cycle.started_at, cycle.target, spans, cycle.credit, cycle.stopped_at, due


def stretched(events: Sequence[LoggedEvent], by: int) -> list[LoggedEvent]:
    """The same story, `by` times as long, later by so many hours."""
    first = events[0][0]
    return [(first + by * (instant - first) + by * HOUR, kind, actor, payload) for instant, kind, actor, payload in events]


@settings(max_examples=120, deadline=None)
@given(scenes(), st.integers(1, 3))
def test_told_by_their_shape_stories_come_out_as_if_told_in_full(scene: Scene, by: int) -> None:
    agreement = scene.agreement()
    retelling = Retelling(agreement, Judge())
    events = scene.story().events
    for story in (events, stretched(events, by), events):
        assert essence(retelling.tell(story)) == in_full(agreement, story)


@settings(max_examples=120, deadline=None)
@given(scenes(), st.integers(1, 3))
def test_told_in_short_an_open_cycle_is_due_when_it_is_due(scene: Scene, by: int) -> None:
    agreement = scene.agreement()
    retelling = Retelling(agreement, Judge())
    for story in (scene.story().events, stretched(scene.story().events, by)):
        told = retelling.tell(story)
        for clock in told:
            short, open_ones = told.thread(clock).open, [one for one in told.of(clock) if one.cycle.is_open]
            assert told.thread(clock).is_open is bool(open_ones)
            if short is not None:
                (one,) = open_ones
                assert (told.instants[short.began_at], short.target) == (one.began_at, one.cycle.target)
                assert short.due(told.instants) == measure.due(agreement, one.cycle)


def a_story(start: int, wait: int, priority: str = "p3") -> list[LoggedEvent]:
    story = Story.opened(start, priority=priority).moved(start + HOUR, "waiting").moved(start + HOUR + wait, "work")
    return story.moved(start + 3 * HOUR + wait, "resolved").events


def test_of_stories_of_one_shape_the_first_alone_is_worked_out() -> None:
    retelling = Retelling(an_agreement(a_policy("4 hours")), Judge())
    for place in range(20):
        retelling.tell(a_story(NINE + place * 17 * MINUTE, (place + 1) * MINUTE))
    assert (retelling.told, retelling.in_full, len(retelling._shapes)) == (20, 0, 1)


def test_a_promise_kept_in_one_is_broken_in_another_of_the_same_shape() -> None:
    retelling = Retelling(an_agreement(a_policy("4 hours", pause=None)), Judge())
    results = [retelling.tell(a_story(NINE, wait)).of(("resolution", ""))[0].cycle.status.value for wait in (HOUR, HOUR + 1)]
    assert results == ["met", "missed"]


def test_what_no_condition_asks_for_makes_no_shape_of_its_own_and_what_one_asks_for_does() -> None:
    by_priority = an_agreement(a_policy(a_goal("1 hours", "ticket.priority == 'p1'"), a_goal("4 hours")))
    retelling = Retelling(by_priority, Judge())
    for priority in ("p2", "p3", "p4", "p1"):
        retelling.tell(a_story(NINE, HOUR, priority))
    assert len(retelling._shapes) == 2


def test_time_that_was_taken_out_and_a_clock_put_back_are_told_in_full() -> None:
    agreement = an_agreement(a_policy("4 hours", reset=on("reopened")))
    retelling = Retelling(agreement, Judge())
    corrected = Story.opened(NINE).corrected(NINE + 2 * HOUR, NINE, NINE + HOUR).events
    put_back = Story.opened(NINE).moved(NINE - HOUR, "waiting").moved(NINE + HOUR, "work").events
    for story in (corrected, put_back):
        assert essence(retelling.tell(story)) == in_full(agreement, story)
    assert retelling.in_full == 2
