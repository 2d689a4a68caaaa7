"""A clock explains itself: every interval, why it counted or not, what came of the target; and all of it adds up exactly."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.sla import intervals, measure, showing, wording
from itsm.sla.explain import Answer, Clock, Deed, explain
from itsm.sla.intervals import Because, Grain
from itsm.sla.policy import Agreement, Policy
from itsm.sla.replay import derive
from itsm.sla.showing import HIDDEN, Reader
from itsm.sla.wording import Names
from itsm.worktime.holidays import Public
from tests.sla.builders import (
    CALENDARS,
    HOUR,
    MINUTE,
    STATES,
    Story,
    a_goal,
    a_policy,
    an_agreement,
    at,
    cel,
    finder,
    on,
)
from tests.worktime.build import OFFICE, a_calendar, seeded

EASTER = {**CALENDARS, "office": a_calendar(weekly=OFFICE, sources=[Public("DE")])}
THURSDAY = "2026-04-02"
"""The day before Good Friday."""
BERLIN = "Europe/Berlin"


def clocks(story: Story, now: str | int, *policies: Policy, agreement: Agreement | None = None) -> list[Clock]:
    """The clocks of a story, explained."""
    find = finder(agreement or an_agreement(*policies, calendars=EASTER))
    return list(explain(find, story.events, at(now) if isinstance(now, str) else now).clocks)


EVERYBODY = Reader()
"""Whoever sees every field and reads internal notes."""


def told(clock: Clock, reader: Reader = EVERYBODY) -> list[tuple[str, str, str]]:
    """The intervals of a clock: from, to (readings in Berlin), and why."""
    return [(reading(one.start), reading(one.end), showing.why(one, clock, reader)) for one in clock.intervals]


def reading(instant: int) -> str:
    return wording.moment(instant, BERLIN).split(" ", 1)[1].replace(" 2026", "").removesuffix(" (Berlin time)")


# Intervals


def test_working_time_nights_weekends_and_holidays_are_told_apart() -> None:
    story = Story.opened(at(f"{THURSDAY} 15:00"))
    (clock,) = clocks(story, "2026-04-07 10:00", a_policy("8 business hours"))
    assert told(clock) == [
        ("2 April, 15:00", "2 April, 17:00", "working time"),
        ("2 April, 17:00", "3 April, 00:00", "outside hours: office"),
        ("3 April, 00:00", "4 April, 00:00", "holiday: Karfreitag"),
        ("4 April, 00:00", "6 April, 00:00", "outside hours: office"),
        ("6 April, 00:00", "7 April, 00:00", "holiday: Ostermontag"),
        ("7 April, 00:00", "7 April, 09:00", "outside hours: office"),
        ("7 April, 09:00", "7 April, 10:00", "working time"),
    ]
    assert clock.elapsed == 3 * HOUR
    assert clock.remaining == 5 * HOUR


def test_a_pause_says_by_which_condition_and_a_correction_by_whom_and_why() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00"))
    story.moved(at(f"{THURSDAY} 10:00"), "waiting").moved(at(f"{THURSDAY} 11:00"), "work")
    story.corrected(at(f"{THURSDAY} 14:00"), at(f"{THURSDAY} 12:00"), at(f"{THURSDAY} 13:00"))
    (clock,) = clocks(story, f"{THURSDAY} 15:00", a_policy("8 business hours"))
    assert [why for _, _, why in told(clock)] == [
        "working time",
        "paused: ticket.category == 'pending'",
        "working time",
        "taken out by lena: drill",
        "working time",
    ]
    assert clock.elapsed == 4 * HOUR


def test_a_clock_per_group_says_when_the_ticket_was_with_another() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00"), group="desktop").edited(at(f"{THURSDAY} 10:00"), group="network")
    story.edited(at(f"{THURSDAY} 11:00"), group="desktop")
    first, second = clocks(story, f"{THURSDAY} 12:00", a_policy("4 hours", per_group="accumulate", pause=None))
    assert [why for _, _, why in told(first)] == ["working time", "with another group", "working time"]
    assert [(one.holding and one.holding.group) for one in first.intervals] == ["desktop", "network", "desktop"]
    assert [why for _, _, why in told(second)] == ["working time", "with another group"]


@pytest.mark.parametrize(("rule", "carried"), [("restart", 0), ("prorate", 2 * HOUR)])
def test_time_spent_on_an_earlier_target_is_told_and_carried_over_only_in_proportion(rule: str, carried: int) -> None:
    promise = a_policy(a_goal("8 hours", "ticket.priority == 'p1'"), "16 hours", on_change=rule)
    story = Story.opened(at(f"{THURSDAY} 09:00")).edited(at(f"{THURSDAY} 13:00"), priority="p1")
    (clock,) = clocks(story, f"{THURSDAY} 14:00", promise)
    assert [why for _, _, why in told(clock)] == ["before the target changed: 16 hours", "working time"]
    assert clock.totals.carried_over == carried
    assert clock.elapsed == carried + HOUR


def test_what_passed_before_a_retroactive_start_is_told_too() -> None:
    promise = a_policy("8 hours", retroactive=True, applies="ticket.priority == 'p1'", pause="ticket.state == 'waiting'")
    story = (
        Story.opened(at(f"{THURSDAY} 09:00")).moved(at(f"{THURSDAY} 10:00"), "waiting").moved(at(f"{THURSDAY} 11:00"), "work")
    )
    story.edited(at(f"{THURSDAY} 12:00"), priority="p1")
    (clock,) = clocks(story, f"{THURSDAY} 13:00", promise)
    assert [why for _, _, why in told(clock)] == ["working time", "waiting to begin", "working time"]
    assert clock.applies.values == {"ticket.priority": "p1"}


def test_neighbours_that_are_alike_are_told_as_one() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00"))
    for minute in range(1, 50):
        story.written(at(f"{THURSDAY} 09:00") + minute * MINUTE, by="ines")
        story.edited(at(f"{THURSDAY} 09:00") + minute * MINUTE, title=f"Title {minute}")
    (clock,) = clocks(story, f"{THURSDAY} 10:00", a_policy("8 hours"))
    assert len(clock.intervals) == 1


def test_a_long_story_is_told_by_weeks_and_a_crowded_one_summed_up_in_the_middle() -> None:
    story = Story.opened(at("2024-01-01 09:00"))
    (clock,) = clocks(story, "2026-04-02 09:00", a_policy("8 business hours"))
    assert clock.grain is Grain.WEEKS
    assert len(clock.intervals) <= intervals.MOST_INTERVALS
    assert sum(one.working for one in clock.intervals) == clock.elapsed
    crowded = Story.opened(at("2024-01-01 09:00"))
    for hour in range(1, 600):
        crowded.edited(at("2024-01-01 09:00") + hour * HOUR, assignee=f"agent-{hour}")
    (clock,) = clocks(crowded, "2026-04-02 09:00", a_policy("8 business hours"))
    (summed,) = [one for one in clock.intervals if one.left_out]
    assert clock.grain is Grain.EVENTS
    assert len(clock.intervals) == intervals.MOST_INTERVALS + 1
    assert showing.why(summed, clock, EVERYBODY) == f"{summed.left_out} intervals that are not told one by one"
    assert sum(one.working for one in clock.intervals) == clock.elapsed == sum(clock.totals.assignee.values())


# What it says besides


def test_the_goal_names_its_row_its_condition_and_the_values_that_made_it_match() -> None:
    promise = a_policy(a_goal("4 hours", "ticket.priority in ['p1', 'p2']"), "8 hours", applies="ticket.type == 'incident'")
    story = Story.opened(at(f"{THURSDAY} 09:00")).edited(at(f"{THURSDAY} 10:00"), priority="p2")
    (clock,) = clocks(story, f"{THURSDAY} 11:00", promise)
    shown = showing.clock(clock, EVERYBODY)
    assert shown["applies"] == {"condition": "ticket.type == 'incident'", "values": {"ticket.type": "incident"}}
    assert shown["goal"] == {"row": 1, "condition": "ticket.priority in ['p1', 'p2']", "values": {"ticket.priority": "p2"}}


def test_a_changed_target_tells_the_rule_and_what_became_of_the_due_instant() -> None:
    promise = a_policy(a_goal("4 hours", "ticket.priority == 'p1'"), "8 hours")
    story = Story.opened(at(f"{THURSDAY} 09:00")).edited(at(f"{THURSDAY} 10:00"), priority="p1")
    (clock,) = clocks(story, f"{THURSDAY} 11:00", promise)
    (changed,) = showing.clock(clock, EVERYBODY)["retargets"]
    assert changed == {
        "at": "2026-04-02T08:00:00Z",
        "from": "8 hours",
        "to": "4 hours",
        "calendar": "always",
        "rule": "keep_elapsed",
        "due_before": "2026-04-02T15:00:00Z",
        "due_after": "2026-04-02T11:00:00Z",
    }


def test_the_target_says_how_it_is_counted_in_which_calendar_and_by_which_zone_rules() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00"))
    (clock,) = clocks(story, f"{THURSDAY} 10:00", a_policy("2 business days"))
    target = showing.clock(clock, EVERYBODY)["target"]
    assert target["counted"] == "2 business days: 2 × the standard day of 8 hours = 16 hours of the working time of “office”."
    assert (target["length"], target["zone"]) == ("PT16H", BERLIN)
    assert target["tz_version"] == clock.calendar.tz_version
    assert len(target["digest"]) == 64


def test_thresholds_say_when_they_are_reached_and_what_became_of_them() -> None:
    promise = a_policy("4 hours", thresholds=["25%", "50%", "due"])
    story = Story.opened(at(f"{THURSDAY} 09:00")).reached(at(f"{THURSDAY} 10:00", 7), "25%")
    (clock,) = clocks(story, f"{THURSDAY} 12:00", promise)
    assert [(one.threshold.label, one.answer, one.answered_at) for one in clock.thresholds] == [
        ("25%", Answer.ANSWERED, at(f"{THURSDAY} 10:00", 7)),
        ("50%", Answer.OWED, None),
        ("due", Answer.AHEAD, None),
    ]
    (ended,) = clocks(story.moved(at(f"{THURSDAY} 12:00"), "resolved"), f"{THURSDAY} 20:00", promise)
    assert [one.answer for one in ended.thresholds] == [Answer.ANSWERED, Answer.OWED, Answer.NOT_REACHED]


def test_what_was_told_to_the_desk_later_has_its_thresholds_in_the_past() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00"), quiet_until=at(f"{THURSDAY} 12:00"))
    (clock,) = clocks(story, f"{THURSDAY} 12:00", a_policy("4 hours", thresholds=["50%", "due"]))
    assert [one.answer for one in clock.thresholds] == [Answer.IN_THE_PAST, Answer.AHEAD]


def test_a_miss_says_by_how_much_and_who_excused_it() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00")).moved(at(f"{THURSDAY} 14:30"), "resolved")
    story.excused(at("2026-04-08 09:00"))
    (clock,) = clocks(story, "2026-04-09 09:00", a_policy("4 hours"))
    shown = showing.clock(clock, EVERYBODY)
    assert clock.breached
    assert (shown["late_by"], showing.length(clock.remaining)) == ("PT1H30M", "-PT1H30M")
    assert [(one["by"], one["reason"]) for one in shown["corrections"]] == [("lena", "storm")]
    assert [one.deed for one in clock.changes] == [Deed.STARTED, Deed.ENDED, Deed.EXCUSED]


def test_a_cycle_that_stops_at_its_due_instant_is_not_breached_and_a_microsecond_later_it_is() -> None:
    for late, breached in ((0, False), (1, True)):
        story = Story.opened(at(f"{THURSDAY} 09:00")).moved(at(f"{THURSDAY} 13:00", late), "resolved")
        (clock,) = clocks(story, f"{THURSDAY} 20:00", a_policy("4 hours"))
        assert clock.breached is breached
        assert clock.late_by == late


def test_the_end_is_told_by_what_happened_or_by_the_condition() -> None:
    story = Story.opened(at(f"{THURSDAY} 09:00")).written(at(f"{THURSDAY} 10:00"), by="ines")
    (answered,) = clocks(
        story, f"{THURSDAY} 20:00", a_policy("4 hours", stop=on("agent_replied", when="ticket.state == 'closed'"))
    )
    assert showing.clock(answered, EVERYBODY)["ended_by"] == "agent_replied"
    resolved = Story.opened(at(f"{THURSDAY} 09:00")).moved(at(f"{THURSDAY} 10:00"), "resolved")
    (ended,) = clocks(resolved, f"{THURSDAY} 20:00", a_policy("4 hours"))
    assert showing.clock(ended, EVERYBODY)["ended_by"] == "ticket.category in ['resolved', 'closed']"


def test_another_agreement_is_told_as_a_change_of_what_is_open() -> None:
    old, new = an_agreement(a_policy("8 hours")), an_agreement(a_policy("4 hours"), version=2)
    story = Story.opened(at(f"{THURSDAY} 09:00")).applied(at(f"{THURSDAY} 10:00"), 2)
    account = explain(finder(old, new), story.events, at(f"{THURSDAY} 11:00"))
    (clock,) = account.clocks
    assert [(one.deed, one.due_after) for one in clock.changes] == [
        (Deed.STARTED, at(f"{THURSDAY} 17:00")),
        (Deed.OTHER_AGREEMENT, at(f"{THURSDAY} 13:00")),
    ]
    assert account.cycles == derive(finder(old, new), story.events).cycles


# Who may know what


def test_who_does_not_see_a_field_learns_nothing_of_it_from_a_clock() -> None:
    promise = a_policy(a_goal("4 hours", "ticket.priority == 'p1'"), pause="ticket.pending_reason == 'user'")
    story = Story.opened(at(f"{THURSDAY} 09:00"), priority="p1", group="security")
    story.edited(at(f"{THURSDAY} 10:00"), pending_reason="user")
    story.edited(at(f"{THURSDAY} 11:00"), pending_reason=None)
    story.corrected(at(f"{THURSDAY} 12:00"), at(f"{THURSDAY} 11:10"), at(f"{THURSDAY} 11:20"), reason="a secret")
    (clock,) = clocks(story, f"{THURSDAY} 13:00", promise)
    shown = showing.clock(clock, Reader(frozenset({"title"}), internal=False))
    assert shown["goal"] == {"row": 1, "condition": HIDDEN, "values": {}}
    assert [one["why"] for one in shown["intervals"]][1] == f"paused: {HIDDEN}"
    assert shown["by_group"] == shown["by_assignee"] == []
    assert not any(word in str(shown) for word in ("p1", "user", "security", "secret"))


# Words


def promised(*goals: str, **more: object) -> Policy:
    return replace(a_policy(*goals, **more), promise="will resolve this")  # type: ignore[arg-type]


def test_a_promise_is_told_in_the_time_of_the_readers_place() -> None:
    story = Story.opened(at("2026-03-02 09:00"))
    (clock,) = clocks(story, "2026-03-02 10:00", promised("1 business day"))
    assert wording.promise(clock, BERLIN) == "We will resolve this by Monday 2 March 2026, 17:00 (Berlin time)."
    assert wording.promise(clock, "America/New_York") == "We will resolve this by Monday 2 March 2026, 11:00 (New York time)."
    assert wording.promise(clock, "UTC").endswith("16:00 (UTC).")


def test_what_became_of_a_promise_is_told_in_plain_words() -> None:
    def words(story: Story, now: str) -> str:
        (clock,) = clocks(story, now, promised("4 hours"))
        return wording.promise(clock, BERLIN)

    def opened() -> Story:
        return Story.opened(at("2026-03-02 09:00"))

    assert words(opened(), "2026-03-02 14:00") == (
        "We will resolve this by Monday 2 March 2026, 13:00 (Berlin time): so it was promised, and it is not kept yet."
    )
    assert words(opened().moved(at("2026-03-02 10:30"), "waiting"), "2026-03-02 14:00") == (
        "We will resolve this within 2 hours 30 minutes, counted from when this goes on. At the moment it waits, and the time "
        "does not count."
    )
    assert words(opened().moved(at("2026-03-02 10:00"), "resolved"), "2026-03-03 10:00") == (
        "Kept: done on Monday 2 March 2026, 10:00 (Berlin time). It was promised by Monday 2 March 2026, 13:00 (Berlin time)."
    )
    assert words(opened().moved(at("2026-03-02 15:00"), "resolved"), "2026-03-03 10:00") == (
        "Not kept: it was promised by Monday 2 March 2026, 13:00 (Berlin time), and done on Monday 2 March 2026, 15:00 "
        "(Berlin time)."
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("third_party", "“third party”"),
        ("p1", "“P1”"),
        ("user", "“user”"),
        (["on_site", "by_mail"], "“on site”, “by mail”"),
        ([], "nothing"),
        (None, "nothing"),
    ],
)
def test_a_choice_is_told_as_people_write_it(value: object, said: str) -> None:
    assert Names(chosen=frozenset({"way"})).value("way", value) == said


def test_what_people_have_written_themselves_is_told_as_they_wrote_it() -> None:
    assert Names(chosen=frozenset({"way"})).value("title", "my_file.txt") == "“my_file.txt”"


def test_every_change_of_a_promise_is_told_with_when_and_why() -> None:
    goals = (a_goal("4 hours", "ticket.priority == 'p1'"), a_goal("8 hours"))
    story = Story.opened(at("2026-03-02 09:00")).moved(at("2026-03-02 10:00"), "waiting")
    story.moved(at("2026-03-02 11:00"), "work").edited(at("2026-03-02 12:00"), priority="p1", title="Other")
    (clock,) = clocks(story, "2026-03-02 12:30", replace(a_policy(*goals), promise="will resolve this"))
    names = Names(
        {"waiting": "Waiting for you", "work": "In progress"}, {"priority": "Priority"}, frozenset({"priority", "title"})
    )
    assert [wording.change(one, clock, BERLIN, names) for one in clock.changes] == [
        "Monday 2 March 2026, 09:00 (Berlin time): it was promised, by Monday 2 March 2026, 17:00 (Berlin time).",
        "Monday 2 March 2026, 10:00 (Berlin time): the time stopped counting, because the ticket is now “Waiting for you”.",
        "Monday 2 March 2026, 11:00 (Berlin time): the pause ended, because the ticket is now “In progress”. "
        "From then on: by Monday 2 March 2026, 18:00 (Berlin time).",
        "Monday 2 March 2026, 12:00 (Berlin time): 4 hours instead of 8 hours, because priority changed from “p3” to “p1”. "
        "From then on: by Monday 2 March 2026, 14:00 (Berlin time).",
    ]
    chosen = wording.change(clock.changes[-1], clock, BERLIN, replace(names, chosen=frozenset({"priority"})))
    assert "because priority changed from “P3” to “P1”." in chosen
    blind = wording.change(clock.changes[-1], clock, BERLIN, Names(names.states, names.fields, frozenset({"title"})))
    assert "because what we rest it on has changed" in blind
    assert "p1" not in blind


def test_a_policy_is_told_in_sentences() -> None:
    promise = replace(
        a_policy(a_goal("4 hours", "ticket.priority == 'p1'"), a_goal("1 business day", by="service"), thresholds=["75%"]),
        title="Incident resolved",
        promise="will resolve this",
        applies=cel("ticket.type == 'incident'"),
    )
    assert wording.policy(promise) == [
        "Incident resolved: a service level agreement.",
        "The requester reads: we will resolve this.",
        "It holds for tickets with ticket.type == 'incident'.",
        "The clock starts when the ticket is opened.",
        "It pauses while ticket.category == 'pending'.",
        "It stops once ticket.category in ['resolved', 'closed'].",
        "When the target changes, the time already spent counts against the new one.",
        "If ticket.priority == 'p1': 4 hours.",
        "Otherwise: 1 business day, in the hours of the service, else office.",
        "At 75%: it is noted.",
    ]


@pytest.mark.parametrize(
    ("micros", "written"),
    [(0, "PT0S"), (34 * HOUR, "PT34H"), (-90 * MINUTE, "-PT1H30M"), (1, "PT0.000001S"), (61_500_000, "PT1M1.5S")],
)
def test_lengths_are_written_in_hours_for_a_day_of_work_is_not_24_hours(micros: int, written: str) -> None:
    assert showing.length(micros) == written


# Laws


EDITS: list[dict[str, Any]] = [{"priority": "p1"}, {"priority": "p2"}, {"assignee": "ines"}, {"assignee": None}]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Anything at all that may happen to a ticket, at any microsecond; in some stories the machine's clock is put back."""
    start = at("2026-03-23 09:00")
    when = start
    story = Story.opened(
        when, draw(st.sampled_from(["new", "work", "waiting"])), group=draw(st.sampled_from([None, "desktop"]))
    )
    for _ in range(draw(st.integers(0, 14))):
        when += draw(st.integers(-HOUR, 40 * HOUR))
        match draw(st.sampled_from(["move", "edit", "hold", "correct", "comment"])):
            case "move":
                story.moved(when, draw(st.sampled_from(sorted(STATES))))
            case "edit":
                story.edited(when, **draw(st.sampled_from(EDITS)))
            case "hold":
                story.edited(when, group=draw(st.sampled_from(["desktop", "network", "security"])))
            case "correct":
                begin = when - draw(st.integers(1, 30 * HOUR))
                story.corrected(when, begin, begin + draw(st.integers(1, when - begin)))
            case _:
                story.written(when, by=draw(st.sampled_from(["mara", "ines"])))
    return story


@st.composite
def promises(draw: st.DrawFn) -> Policy:
    hours = draw(st.sampled_from(["office", "late", "nights", "round-the-clock"]))
    goals = [
        a_goal(draw(st.sampled_from(["4 hours", "3 business hours"])), "ticket.priority == 'p1'", hours=hours),
        a_goal(draw(st.sampled_from(["2 days", "2 business days", "end of next business day"])), hours=hours),
    ]
    return a_policy(
        *goals,
        on_change=draw(st.sampled_from(["keep_elapsed", "restart", "prorate"])),
        retroactive=draw(st.booleans()),
        reset=on("reopened"),
        per_group=draw(st.sampled_from([None, "accumulate", "restart"])),
    )


@seeded
@given(stories(), promises(), st.integers(0, 60 * 24 * HOUR))
def test_what_counted_by_state_group_and_assignee_adds_up_to_what_elapsed_to_the_microsecond(
    story: Story, promise: Policy, later: int
) -> None:
    agreement = an_agreement(promise)
    now = max(when for when, *_ in story.events) + later
    for clock in clocks(story, now, agreement=agreement):
        totals = clock.totals
        for sums in (totals.state, totals.group, totals.assignee):
            assert sum(sums.values()) + totals.carried_over == clock.elapsed
        assert sum(one.working for one in clock.intervals) + totals.carried_over == clock.elapsed
        assert clock.elapsed == measure.spent(agreement, clock.cycle, clock.until)
        assert clock.elapsed + clock.remaining == clock.cycle.target.length


@seeded
@given(stories(), promises(), st.integers(0, 60 * 24 * HOUR))
def test_intervals_follow_each_other_without_a_gap_from_the_start_to_the_end(story: Story, promise: Policy, later: int) -> None:
    now = max(when for when, *_ in story.events) + later
    for clock in clocks(story, now, agreement=an_agreement(promise)):
        assert all(one.end == other.start for one, other in pairwise(clock.intervals))
        assert all(one.start < one.end for one in clock.intervals)
        if clock.intervals:
            assert (clock.intervals[0].start, clock.intervals[-1].end) == (clock.cycle.started_at, clock.until)
        for one in clock.intervals:
            assert one.counted is (one.because is Because.WORKING)


@seeded
@given(stories(), promises())
def test_the_explanation_and_the_derivation_are_of_one_mind(story: Story, promise: Policy) -> None:
    find = finder(an_agreement(promise))
    account, derived = explain(find, story.events, at("2026-07-01 09:00")), derive(find, story.events)
    assert account.cycles == derived.cycles
    assert account.standing == derived.standing
    for clock in account.clocks:
        assert clock.changes[-1].due_after == clock.due
        assert (clock.changes[-1].deed is Deed.ENDED) is not clock.cycle.is_open
