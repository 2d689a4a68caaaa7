"""The arithmetic of one cycle: thresholds, and the laws that spent, remaining and due obey.

2 March 2026 is a Monday; the office is open from nine to five in Berlin, Monday to Friday.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from itsm.sla import measure
from itsm.sla.policy import Agreement, Threshold
from itsm.sla.standing import Cycle, Status, Stretch, Target
from itsm.worktime.duration import Duration
from itsm.worktime.layout import from_micros, to_micros
from tests.worktime.build import a_calendar, seeded

from .builders import HERE, HOUR, MINUTE, Clock, Story, a_goal, a_policy, an_agreement, at, on, the_clock, told_by

NINE, NOON, FIVE = at("2026-03-02 09:00"), at("2026-03-02 12:00"), at("2026-03-02 17:00")
TUESDAY = at("2026-03-03 09:00")

WARNED = ["75%", "due - 30 minutes", "100%", "due + 1 hour"]


# Thresholds


def test_thresholds_are_owed_in_the_order_of_their_instants() -> None:
    clock = the_clock(Story.opened(NINE), a_policy("4 hours", thresholds=["due + 1 hour", "100%", "due - 30 minutes", "75%"]))
    assert list(clock.owed().items()) == [
        ("75%", NINE + 3 * HOUR),
        ("due - 30 minutes", NINE + 4 * HOUR - 30 * MINUTE),
        ("100%", NINE + 4 * HOUR),
        ("due + 1 hour", NINE + 5 * HOUR),
    ]


def test_a_target_that_never_ends_is_never_due_and_hinders_nothing_else() -> None:
    agreement = Agreement({}, {"once": a_calendar(weekly={}, exceptions={"2026-03-02": ["09:00-12:00"]})})
    cycle = Cycle("c", "", 1, 1, Status.RUNNING, NINE, Target(0, "4 hours", "once", 4 * HOUR), (Stretch(NINE, None, "once"),))
    assert measure.due(agreement, cycle) is None
    assert measure.spent(agreement, cycle, TUESDAY) == 3 * HOUR
    assert measure.used_up(agreement, cycle, 3 * HOUR) == NOON


@dataclass(frozen=True)
class TwoYears:
    """Holidays that somebody has looked up for 2025 and 2026 only; there were none."""

    years: range = range(2025, 2027)

    def on(self, year: int) -> dict[date, str]:
        assert year in self.years
        return {}


ENDING = a_calendar(sources=[TwoYears()])


@pytest.mark.parametrize("target", ["4 business hours", "end of next business day"])
def test_beyond_the_years_that_a_calendar_knows_nothing_counts_and_nothing_fails(target: str) -> None:
    agreement = an_agreement(a_policy(target, thresholds=WARNED), calendars={"office": ENDING})
    late, next_year = at("2026-12-31 16:30"), at("2027-02-01 12:00")
    for began in (late, next_year):
        open_ = the_clock(Story.opened(began), agreement=agreement)
        assert (open_.due, open_.owed()) == (None, {})
        assert open_.spent(next_year + HOUR) == (HOUR // 2 if began == late else 0)
        assert the_clock(Story.opened(began).moved(next_year + HOUR, "resolved"), agreement=agreement).status == "met"


def test_a_point_beyond_the_years_that_a_calendar_knows_is_not_reached_and_the_others_are() -> None:
    policy = a_policy("4 business hours", thresholds=["50%", "due - 400 business days", "due", "due + 400 business days"])
    agreement = an_agreement(policy, calendars={"office": ENDING})
    assert list(the_clock(Story.opened(at("2026-01-05 09:00")), agreement=agreement).owed()) == ["50%", "due"]


def test_thresholds_of_one_instant_are_owed_in_the_order_in_which_they_are_written() -> None:
    clock = the_clock(Story.opened(NINE), a_policy("4 hours", thresholds=["due", "100%", "due - 2 hours", "50%"]))
    assert list(clock.owed()) == ["due - 2 hours", "50%", "due", "100%"]


def test_a_share_counts_working_time_only() -> None:
    clock = the_clock(Story.opened(FIVE - HOUR), a_policy("4 business hours", thresholds=["25%", "50%", "150%"]))
    assert clock.owed() == {"25%": FIVE, "50%": TUESDAY + HOUR, "150%": TUESDAY + 5 * HOUR}


def test_a_share_that_is_no_whole_microsecond_is_never_reached_too_early() -> None:
    length = 10_000_001
    cycle = Cycle("c", "", 1, 1, Status.RUNNING, NINE, Target(0, "", "always", length), (Stretch(NINE, None, "always"),))
    third = Threshold("third", HERE, share=Fraction(1, 3))
    reached = measure.reached_at(an_agreement(), cycle, third)
    assert reached is not None
    assert Fraction(reached - NINE, length) >= Fraction(1, 3) > Fraction(reached - 1 - NINE, length)


def test_an_offset_in_business_time_runs_in_the_calendar_of_the_target() -> None:
    clock = the_clock(Story.opened(FIVE - HOUR), a_policy("2 business hours", thresholds=["due - 90 business minutes", "due"]))
    assert clock.owed() == {"due - 90 business minutes": FIVE - 30 * MINUTE, "due": TUESDAY + HOUR}
    later = the_clock(Story.opened(NINE), a_policy("8 business hours", thresholds=["due + 1 business hours"]))
    assert later.owed() == {"due + 1 business hours": TUESDAY + HOUR}


def test_a_plain_offset_runs_on_every_clock_alike() -> None:
    clock = the_clock(Story.opened(NINE), a_policy("8 business hours", thresholds=["due + 1 hour"]))
    assert clock.owed() == {"due + 1 hour": FIVE + HOUR}


def test_what_was_answered_is_never_owed_again() -> None:
    policy = a_policy("4 hours", thresholds=WARNED)
    story = Story.opened(NINE).reached(NINE + 3 * HOUR, "75%")
    assert "75%" not in the_clock(story, policy).owed()
    story.moved(NINE + 3 * HOUR + 1, "waiting").moved(TUESDAY, "work")
    assert list(the_clock(story, policy).owed()) == WARNED[1:]


def test_a_threshold_that_is_told_twice_was_reached_once() -> None:
    story = Story.opened(NINE).reached(NOON, "75%").reached(NOON, "75%")
    assert the_clock(story, a_policy("4 hours", thresholds=WARNED)).cycle.reached == ("75%",)


def test_a_paused_clock_owes_only_what_it_had_reached_before() -> None:
    story = Story.opened(NINE).moved(NINE + 3 * HOUR + MINUTE, "waiting")
    assert the_clock(story, a_policy("4 hours", thresholds=WARNED)).owed() == {"75%": NINE + 3 * HOUR}


def test_a_pause_moves_all_that_is_still_to_come() -> None:
    story = Story.opened(NINE).moved(NINE + HOUR, "waiting").moved(NINE + 2 * HOUR, "work")
    assert the_clock(story, a_policy("4 hours", thresholds=WARNED)).owed()["75%"] == NINE + 4 * HOUR


def test_a_clock_that_has_stopped_still_owes_what_it_had_reached_before() -> None:
    story = Story.opened(NINE).moved(NINE + 4 * HOUR + MINUTE, "resolved")
    clock = the_clock(story, a_policy("4 hours", thresholds=WARNED))
    assert list(clock.owed()) == WARNED[:3]
    assert clock.owed()["100%"] == clock.cycle.due_at == NINE + 4 * HOUR


def test_a_clock_that_stops_at_its_due_instant_has_kept_the_promise_and_owes_no_breach() -> None:
    clock = the_clock(Story.opened(NINE).moved(NINE + 4 * HOUR, "resolved"), a_policy("4 hours", thresholds=["100%"]))
    assert (clock.status, clock.owed()) == ("met", {})


def test_what_an_earlier_cycle_owes_is_owed_after_the_next_has_begun() -> None:
    policy = a_policy("4 hours", thresholds=["100%"], reset=on("reopened"))
    story = Story.opened(NINE).moved(NINE + 5 * HOUR, "resolved").moved(TUESDAY, "work")

    def owing() -> list[int]:
        cycles = told_by(story, policy).standing.cycles.values()
        return sorted(cycle.number for cycle in cycles if measure.outstanding(an_agreement(policy), cycle, 0, 0))

    assert owing() == [1, 2]
    story.reached(TUESDAY + 1, "100%")
    assert owing() == [2]


def test_what_an_import_tells_of_past_years_is_not_answered() -> None:
    policy = a_policy("4 hours", thresholds=WARNED)
    assert the_clock(Story.opened(NINE, quiet_until=TUESDAY), policy).owed() == {}
    assert the_clock(Story.opened(NINE, quiet_until=NOON), policy).owed().keys() == set(WARNED[1:])


def test_a_policy_without_thresholds_owes_none() -> None:
    assert the_clock(Story.opened(NINE), a_policy("4 hours")).owed() == {}


def test_a_policy_that_is_gone_owes_nothing() -> None:
    cycle = the_clock(Story.opened(NINE), a_policy("4 hours", thresholds=WARNED)).cycle
    assert measure.outstanding(an_agreement(), cycle, 0, 0) == []


def test_prorating_leaves_what_was_reached_reached_when_it_was() -> None:
    goals = [a_goal("4 hours", "ticket.priority == 'p1'"), a_goal("8 hours")]
    policy = a_policy(*goals, on_change="prorate", thresholds=["25%", "75%", "100%"])
    story = Story.opened(NINE, priority="p1").edited(NINE + 2 * HOUR, priority="p3")
    owed = the_clock(story, policy).owed()
    assert owed == {"25%": NINE + HOUR, "75%": NINE + 4 * HOUR, "100%": NINE + 6 * HOUR}
    paused = Story.opened(NINE, priority="p1").moved(NINE + 2 * HOUR, "waiting").edited(NOON, priority="p3")
    assert the_clock(paused, policy).owed() == {"25%": NINE + HOUR}


def test_what_was_reached_keeps_its_instant_however_often_the_target_is_prorated() -> None:
    goals = [a_goal("4 hours", "ticket.priority == 'p1'"), a_goal("8 hours", "ticket.priority == 'p2'"), a_goal("16 hours")]
    policy = a_policy(*goals, on_change="prorate", thresholds=["25%", "50%", "100%"])
    story = Story.opened(NINE, priority="p1").edited(NINE + 2 * HOUR, priority="p2").edited(NINE + 3 * HOUR, priority="p3")
    owed = the_clock(story, policy).owed()
    assert owed == {"25%": NINE + HOUR, "50%": NINE + 2 * HOUR, "100%": NINE + 9 * HOUR}
    overdue = Story.opened(NINE, priority="p1").edited(NINE + 5 * HOUR, priority="p3")
    assert the_clock(overdue, policy).owed() == {"25%": NINE + HOUR, "50%": NINE + 2 * HOUR, "100%": NINE + 4 * HOUR}


# Lengths


@pytest.mark.parametrize(
    ("target", "calendar", "length"),
    [
        ("90 minutes", "always", 90 * MINUTE),
        ("3 business hours", "office", 3 * HOUR),
        ("2 business days", "office", 16 * HOUR),
        ("1 business day 4 business hours", "office", 12 * HOUR),
        ("end of business day", "office", 5 * HOUR),
        ("end of next business day", "office", 13 * HOUR),
        ("end of business day", "office@America/New_York", 8 * HOUR),
    ],
)
def test_the_length_of_a_target_is_working_time_of_its_calendar(target: str, calendar: str, length: int) -> None:
    assert measure.length_of(an_agreement(), calendar, Duration.parse(target), NOON) == length


@seeded
@given(st.integers(0, 40 * 24 * 60), st.integers(1, 3), st.sampled_from(["office", "late", "nights"]))
def test_an_end_of_business_day_is_due_at_that_closing_time(minute: int, count: int, name: str) -> None:
    start, agreement = NINE + minute * MINUTE, an_agreement()
    hours = agreement.calendar(name)
    length = measure.length_of(agreement, name, Duration(end_of_day=count), start)
    closing = to_micros(hours.end_of_business_day(from_micros(start), count))
    assert hours.add_micros(start, length) == closing


# Laws

NAMES = ["office", "late", "nights", "always", "office@America/New_York"]
MICROS = st.integers(0, 20 * 24 * HOUR)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """A cycle that ran and paused several times, in several calendars; its last stretch may go on."""
    edges = sorted({NINE + micros for micros in draw(st.lists(MICROS, min_size=1, max_size=9))})
    stretches = [Stretch(a, b, draw(st.sampled_from(NAMES))) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    status = Status.PAUSED
    if len(edges) % 2:
        stretches.append(Stretch(edges[-1], None, draw(st.sampled_from(NAMES))))
        status = Status.RUNNING
    target = Target(0, "", stretches[-1].calendar, draw(st.integers(1, 60 * HOUR)))
    return Clock(an_agreement(), Cycle("c", "", 1, 1, status, edges[0], target, tuple(stretches)))


@seeded
@given(clocks(), MICROS)
def test_spent_and_remaining_are_the_target_at_every_moment(clock: Clock, later: int) -> None:
    assume(clock.status == "running")
    now, due = NINE + 20 * 24 * HOUR + later, clock.due
    remaining = clock.cycle.target.length - clock.spent(now)
    assert due is not None
    assert (remaining <= 0) == (due <= now)
    if remaining > 0:
        last = clock.cycle.counted[-1].calendar
        assert clock.agreement.calendar(last).add_micros(now, remaining) == due


@seeded
@given(clocks())
def test_the_target_is_spent_at_the_due_instant_and_not_a_microsecond_before(clock: Clock) -> None:
    due, length = clock.due, clock.cycle.target.length
    assume(due is not None)
    assert due is not None
    assert clock.spent(due) == length
    assert clock.spent(due - 1) == length - 1


@seeded
@given(clocks(), MICROS, MICROS)
def test_time_spent_never_shrinks(clock: Clock, one: int, other: int) -> None:
    early, late = NINE + min(one, other), NINE + max(one, other)
    assert 0 <= clock.spent(early) <= clock.spent(late) <= clock.spent(early) + late - early


@seeded
@given(clocks(), MICROS, MICROS)
def test_a_pause_never_makes_a_clock_due_earlier(clock: Clock, one: int, other: int) -> None:
    assume(clock.status == "running")
    assert clock.due is not None
    last = clock.cycle.counted[-1]
    start, end = last.start + min(one, other), last.start + max(one, other)
    pieces = (*clock.cycle.counted[:-1], replace(last, end=start), replace(last, start=end))
    paused = replace(clock, cycle=replace(clock.cycle, counted=pieces))
    assert paused.due is not None
    assert clock.due <= paused.due
    if start >= clock.due:
        assert paused.due == clock.due


@seeded
@given(clocks(), st.fractions(Fraction(1, 100), 1), st.fractions(Fraction(1, 100), 10))
def test_a_smaller_share_is_never_reached_later_and_up_to_all_of_it_not_after_the_due_instant(
    clock: Clock, share: Fraction, other: Fraction
) -> None:
    assume(clock.status == "running")
    shares = sorted([share, other])
    reached = [measure.reached_at(clock.agreement, clock.cycle, Threshold("x", HERE, share=one)) for one in shares]
    assert None not in reached
    assert reached == sorted(reached, key=lambda at_: at_ or 0)
    first = measure.reached_at(clock.agreement, clock.cycle, Threshold("x", HERE, share=share))
    assert clock.due is not None
    assert (first or 0) <= clock.due
    assert measure.reached_at(clock.agreement, clock.cycle, Threshold("x", HERE, share=Fraction(1))) == clock.due


@settings(seeded, max_examples=60)
@given(st.lists(st.tuples(MICROS, st.sampled_from(["p1", "p2", "p3"])), min_size=1, max_size=8))
def test_prorating_never_forgives_what_is_used_up_and_never_takes_what_is_not(changes: list[tuple[int, str]]) -> None:
    goals = [a_goal("3 business hours", "ticket.priority == 'p1'"), a_goal("7 hours", "ticket.priority == 'p2'")]
    policy = a_policy(*goals, a_goal("30 business hours"), on_change="prorate")
    agreement, story = an_agreement(policy), Story.opened(NINE, priority="p3")
    due: int | None = the_clock(story, agreement=agreement).due
    for micros, priority in sorted(changes):
        now = NINE + micros
        assert due is not None
        was_used_up = due <= now
        after = the_clock(story.edited(now, priority=priority), agreement=agreement)
        assert after.due is not None
        assert (after.due == due) if was_used_up else (after.due > now)
        due = after.due
