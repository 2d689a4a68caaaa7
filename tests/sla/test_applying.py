"""Another agreement is applied to a ticket that lives already: results are the past, open clocks are told anew."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.sla import measure
from itsm.sla.moments import APPLIED
from itsm.sla.policy import Policy
from itsm.sla.replay import NO_SUCH_CLOCK, Derivation, LoggedEvent, derive
from itsm.sla.standing import Status
from tests.worktime.build import seeded

from .builders import HOUR, MINUTE, Story, a_goal, a_policy, an_agreement, at, finder, on, the_clock
from .scenes import Scene, scenes

NINE, NOON, TUESDAY = at("2026-03-02 09:00"), at("2026-03-02 12:00"), at("2026-03-03 09:00")


def applied(story: Story, before: Policy, after: Policy | None, when: int = TUESDAY, *more: int) -> Derivation:
    """The clocks of a ticket born with one promise, when an agreement with another (None: with none) is applied to it."""
    both = finder(an_agreement(before), an_agreement(*[after] if after else [], version=2))
    for instant_ in (when, *more):
        story.applied(instant_, 2)
    return derive(both, story.events)


def test_an_open_clock_is_what_the_whole_story_gives_under_the_new_agreement() -> None:
    story = Story.opened(NINE).moved(NOON, "waiting").moved(NOON + HOUR, "work")
    derived = applied(story, a_policy("4 hours"), a_policy("30 hours", pause=None))
    (cycle,) = derived.cycles.values()
    assert (cycle.key, cycle.version, cycle.started_at) == (("resolution", "", 1), 2, NINE)
    assert measure.due(an_agreement(a_policy("30 hours", pause=None)), cycle) == NINE + 30 * HOUR
    assert derived.standing.version == 2
    assert derived.standing.cycles == derived.cycles


def test_a_closed_result_is_never_touched() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved")
    before = the_clock(story, a_policy("4 hours")).cycle
    derived = applied(story, a_policy("4 hours"), a_policy("1 hours"))
    assert derived.cycles == {before.key: before}
    assert before.status is Status.MET


def test_a_promise_that_was_kept_is_done_with_though_the_new_agreement_would_still_have_it_open() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved")
    derived = applied(story, a_policy("4 hours"), a_policy("4 hours", stop=on("closed")))
    assert [(one.number, one.status.value) for one in derived.cycles.values()] == [(1, "met")]


def test_the_agreement_that_a_ticket_has_already_changes_nothing() -> None:
    story = Story.opened(NINE).edited(NOON, service="mail")
    before = derive(finder(an_agreement(a_policy("4 hours"))), story.events)
    assert derive(finder(an_agreement(a_policy("4 hours"))), story.applied(TUESDAY, 1).events) == before


def test_a_reopened_ticket_keeps_its_first_result_and_takes_its_second_cycle_over() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved").moved(NOON + HOUR, "work")
    derived = applied(story, a_policy("2 hours", reset=on("reopened")), a_policy("90 minutes", reset=on("reopened")))
    first, second = derived.cycles.values()
    assert (first.number, first.status.value, first.version) == (1, "missed", 1)
    assert (second.number, second.status.value, second.version) == (2, "running", 2)
    assert derived.cycles["resolution", "", 1].due_at == NINE + 2 * HOUR


def test_the_next_cycle_is_numbered_after_all_that_had_a_result() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved")
    both = finder(an_agreement(a_policy("2 hours")), an_agreement(a_policy("3 hours", reset=on("reopened")), version=2))
    story.applied(TUESDAY, 2).moved(TUESDAY + HOUR, "work")
    cycles = derive(both, story.events).cycles
    assert [(one.number, one.status.value) for one in cycles.values()] == [(1, "missed"), (2, "running")]


def test_a_result_under_the_old_agreement_is_not_asked_about_calendars_that_the_new_one_lacks() -> None:
    old = a_policy(a_goal("2 business hours", hours="nights"), reset=on("reopened"), thresholds=["50%"])
    new = a_policy("3 business hours", reset=on("reopened"), thresholds=["50%"])
    fewer = {name: one for name, one in an_agreement().calendars.items() if name == "office"}
    both = finder(an_agreement(old), an_agreement(new, version=2, calendars=fewer))
    story = Story.opened(NINE).moved(NOON, "resolved").applied(TUESDAY, 2).moved(TUESDAY + HOUR, "work")
    assert [one.status.value for one in derive(both, story.events).cycles.values()] == ["met", "running"]


def test_a_clock_that_the_new_agreement_has_ended_long_ago_ends_then() -> None:
    story = Story.opened(NINE).moved(NOON, "work", assignee="ines")
    derived = applied(story, a_policy("4 hours"), a_policy("2 hours", stop=on("assigned")))
    (cycle,) = derived.cycles.values()
    assert (cycle.number, cycle.status, cycle.stopped_at, cycle.version) == (1, Status.MISSED, NOON, 2)


def test_a_clock_that_the_new_agreement_does_not_have_is_cancelled() -> None:
    derived = applied(Story.opened(NINE), a_policy("4 hours"), None)
    (cycle,) = derived.cycles.values()
    assert (cycle.status, cycle.stopped_at, cycle.ended_by, cycle.due_at, cycle.version) == (
        Status.CANCELLED,
        TUESDAY,
        NO_SUCH_CLOCK,
        NINE + 4 * HOUR,
        1,
    )


def test_a_promise_that_nobody_had_made_is_given_no_result() -> None:
    more = a_policy("1 hours", name="response", stop=on("assigned"))
    story = Story.opened(NINE).moved(NOON, "work", assignee="ines").applied(TUESDAY, 2)
    both = finder(an_agreement(a_policy("4 hours")), an_agreement(a_policy("4 hours"), more, version=2))
    assert list(derive(both, story.events).cycles) == [("resolution", "", 1)]


def test_a_clock_that_only_the_new_agreement_has_counts_from_its_beginning() -> None:
    more = a_policy("100 hours", name="total", pause=None)
    both = finder(an_agreement(a_policy("4 hours")), an_agreement(a_policy("4 hours"), more, version=2))
    story = Story.opened(NINE).moved(NOON, "waiting").applied(TUESDAY, 2)
    assert derive(both, story.events).cycles["total", "", 1].started_at == NINE


def test_what_a_cancelled_cycle_left_undone_the_new_agreement_may_take_up() -> None:
    story = Story.opened(NINE, service="mail").edited(NOON, service="print")
    derived = applied(story, a_policy("4 hours", applies="ticket.service == 'mail'"), a_policy("4 hours"))
    assert [(one.number, one.status.value) for one in derived.cycles.values()] == [(1, "cancelled"), (2, "running")]


LONG = a_policy("400 hours", thresholds=["50%"])
BREACHED = a_policy("3 hours", thresholds=["50%", "100%", "due + 200 hours"])


def owed_after(story: Story, before: Policy = LONG, after: Policy = BREACHED) -> dict[str, int]:
    """What the only clock of a ticket owes when the other agreement has been applied to it."""
    derived = derive(finder(an_agreement(before), an_agreement(after, version=2)), story.events)
    (cycle,) = derived.cycles.values()
    owed = measure.outstanding(an_agreement(after), cycle, *derived.standing.past)
    return {one.label: when for when, one in owed}


def test_what_has_passed_by_a_shorter_target_is_owed_at_the_instant_at_which_it_passed() -> None:
    story = Story.opened(NINE).applied(TUESDAY, 2)
    assert owed_after(story) == {"50%": NINE + 90 * MINUTE, "100%": NINE + 3 * HOUR, "due + 200 hours": NINE + 203 * HOUR}


def test_what_was_answered_under_the_old_agreement_is_not_answered_again() -> None:
    story = Story.opened(NINE).reached(NINE + 2 * HOUR, "50%").applied(TUESDAY, 2)
    assert list(owed_after(story, a_policy("4 hours", thresholds=["50%"]))) == ["100%", "due + 200 hours"]


def test_what_an_import_told_of_past_years_stays_untold_under_the_new_agreement() -> None:
    story = Story.opened(NINE, quiet_until=NINE + 2 * HOUR).applied(TUESDAY, 2)
    assert list(owed_after(story)) == ["100%", "due + 200 hours"]


def test_a_run_that_the_new_agreement_had_ended_by_then_owes_nothing() -> None:
    story = Story.opened(NINE).moved(NINE + 5 * HOUR, "work", assignee="ines").applied(TUESDAY, 2)
    assert owed_after(story, after=replace(BREACHED, stop=on("assigned"))) == {}


def test_what_an_earlier_release_left_alone_stays_so() -> None:
    assert list(owed_after(Story.opened(NINE).applied(TUESDAY, 2, late=False))) == ["due + 200 hours"]


def test_a_clock_does_not_run_back_behind_the_applying() -> None:
    policies = a_policy("4 hours"), a_policy("40 hours")
    both = finder(an_agreement(policies[0]), an_agreement(policies[1], version=2))
    story = Story.opened(NINE).applied(TUESDAY, 2).moved(NOON, "resolved")
    assert derive(both, story.events).cycles["resolution", "", 1].stopped_at == TUESDAY


@settings(seeded, max_examples=60)
@given(scenes(), scenes(), st.integers(1, 13), st.integers(1, 13))
def test_applying_an_agreement_never_touches_a_result_and_twice_is_as_good_as_once(
    scene: Scene, other: Scene, place: int, later: int
) -> None:
    after = replace(other.agreement(), id=2)
    find, events = finder(scene.agreement(), after), scene.story().events
    place = min(place, len(events))
    head, tail = events[:place], events[place:]
    once: LoggedEvent = (head[-1][0], APPLIED, "lena", {"version": 2})
    before, applied_ = derive(find, head), derive(find, [*head, once])
    results = {key: one for key, one in before.cycles.items() if not one.is_open}
    assert results.items() <= applied_.cycles.items()
    assert {one.version for one in applied_.cycles.values() if one.is_open} <= {2}
    assert before.cycles.keys() <= applied_.cycles.keys()
    for part in {part for _, part, _ in applied_.cycles}:
        numbers = sorted(number for _, p, number in applied_.cycles if p == part)
        assert numbers == list(range(1, len(numbers) + 1))
        assert sum(one.is_open for (_, p, _), one in applied_.cycles.items() if p == part) <= 1
    cut = min(later, len(tail))
    assert derive(find, [*head, once, *tail[:cut], once, *tail[cut:]]) == derive(find, [*head, once, *tail])


def test_time_that_was_taken_out_stays_out_whatever_number_the_run_has_when_it_is_told_anew() -> None:
    story = Story.opened(NINE).moved(NINE + HOUR, "resolved").moved(NINE + 2 * HOUR, "work")
    story.corrected(NOON + HOUR, NINE + 2 * HOUR, NOON, cycle=2)
    derived = applied(story, a_policy("9 hours", reset=on("reopened")), a_policy("9 hours", stop=on("closed")))
    (cycle,) = [cycle for cycle in derived.cycles.values() if cycle.is_open]
    assert [(one.start, one.end) for one in cycle.counted] == [(NINE, NINE + 2 * HOUR), (NOON, None)]
    assert len(cycle.corrections) == 1


def test_the_excuse_of_a_miss_excuses_no_run_that_is_told_anew_and_open() -> None:
    story = Story.opened(NINE).moved(NOON, "resolved").excused(NOON + HOUR).moved(NOON + 2 * HOUR, "work")
    derived = applied(story, a_policy("2 hours", reset=on("reopened")), a_policy("90 hours", stop=on("closed")))
    (cycle,) = [cycle for cycle in derived.cycles.values() if cycle.is_open]
    (result,) = [cycle for cycle in derived.cycles.values() if not cycle.is_open]
    assert (result.excused is not None, cycle.excused) == (True, None)
