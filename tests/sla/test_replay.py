"""What a log gives is what the commands gave, what a slow model gives, and what it gave before.

The model (`model.py`) lives through random stories minute by minute; the fold must agree with it on every cycle: when it began,
how it stands, what is spent, when it is due. The laws are about how the fold is taken, whatever the story.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.platform.database import Prepared
from itsm.sla import measure
from itsm.sla.judging import Judge
from itsm.sla.moments import STAMP, moments
from itsm.sla.policy import Agreement
from itsm.sla.replay import Derivation, derive
from itsm.sla.rules import advance
from itsm.sla.standing import Cycle, Key, Standing, Status, cycle_data, cycle_of, decode, encode, text_of
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from tests.tickets.doing import Doing
from tests.worktime.build import seeded

from .builders import HOUR, Story, a_goal, a_policy, an_agreement, at, finder, on
from .scenes import DAYS, Scene, instant, scenes

NINE, NOON, TUESDAY = at("2026-03-02 09:00"), at("2026-03-02 12:00"), at("2026-03-03 09:00")
GOALS = (a_goal("2 hours", "ticket.priority == 'p2'"), a_goal("4 hours"))

EVENTS = Prepared(sa.select(TicketEvent.kind, TicketEvent.payload).order_by(TicketEvent.id))


@settings(seeded, max_examples=100)
@given(scenes())
def test_the_fold_agrees_with_a_model_that_asks_every_minute(scene: Scene) -> None:
    agreement, last = scene.agreement(), instant(scene.steps[-1].minute)
    cycles = derive(finder(agreement), scene.story().events).cycles
    found = {
        (part, number): (
            cycle.started_at,
            "open" if cycle.is_open else cycle.status.value,
            cycle.status is Status.PAUSED,
            cycle.stopped_at,
            cycle.target.length,
            measure.spent(agreement, cycle, last),
            _within(measure.due(agreement, cycle)),
        )
        for (_, part, number), cycle in cycles.items()
    }
    lived = {
        (one.part, one.number): (
            one.started_at,
            one.status,
            one.status == "open" and one.paused,
            one.stopped_at,
            one.target,
            spent,
            one.used_up(one.target) if one.status == "open" else one.due_at,
        )
        for one, spent in scene.lived()
    }
    assert found == lived


def _within(due: int | None) -> int | None:
    """An instant as far as the model sees: to the end of its window."""
    return due if due is not None and due <= instant(DAYS * 1440) else None


# However it is taken, the fold gives the same


def in_steps(agreement: Agreement, story: Story) -> Derivation:
    """The clocks as commands keep them: event by event, written down and read back after each."""
    standing, cycles = Standing(), dict[Key, Cycle]()
    judge = Judge()
    for moment in moments(story.events):
        standing, touched = advance(agreement, judge, decode(encode(standing)), moment)
        cycles.update({cycle.key: cycle_of(_read_back(cycle)) for cycle in touched})
    return Derivation(standing, cycles)


def _read_back(cycle: Cycle) -> list[object]:
    found: list[object] = orjson.loads(text_of(cycle_data(cycle)))
    return found


@settings(seeded, max_examples=100)
@given(scenes())
def test_what_commands_keep_event_by_event_is_what_the_whole_log_gives(scene: Scene) -> None:
    agreement, story = scene.agreement(), scene.story()
    derived, kept = derive(finder(agreement), story.events), in_steps(agreement, story)
    assert (kept.standing, kept.cycles) == (derived.standing, derived.cycles)


@settings(seeded, max_examples=60)
@given(scenes(), st.integers(0, 13))
def test_a_story_that_goes_on_never_changes_a_result(scene: Scene, place: int) -> None:
    find, events = finder(scene.agreement()), scene.story().events
    early = derive(find, events[: place + 1]).cycles
    late = derive(find, events).cycles
    assert {key: one for key, one in early.items() if not one.is_open}.items() <= late.items()
    assert early.keys() <= late.keys()


@settings(seeded, max_examples=60)
@given(scenes())
def test_a_correction_gives_the_same_each_time_the_log_is_read(scene: Scene) -> None:
    find, story = finder(scene.agreement()), scene.story()
    last = story.events[-1][0]
    for cycle in list(derive(find, story.events).cycles.values()):
        story.corrected(last, cycle.started_at, last, part=cycle.part, cycle=cycle.number)
    corrected = derive(find, story.events)
    assert derive(finder(scene.agreement()), story.events) == corrected
    assert in_steps(scene.agreement(), story).standing == corrected.standing
    for cycle in corrected.cycles.values():
        if cycle.is_open:
            assert measure.spent(scene.agreement(), cycle, last) == cycle.credit


def test_a_standing_comes_back_from_its_text_as_it_was() -> None:
    policy = a_policy(*GOALS, reset=on("reopened"), thresholds=["50%"], on_change="prorate", retroactive=True)
    story = Story.opened(NINE, priority="p3", places={"requester.roles": ["lead", "agent"]}, quiet_until=NINE - 1)
    story.edited(NINE + HOUR, priority="p2").moved(NINE + 2 * HOUR, "waiting").corrected(NOON, NINE + HOUR, NOON)
    story.reached(NOON, "50%").moved(NOON, "resolved").moved(NOON + HOUR, "waiting")
    standing = derive(finder(an_agreement(policy)), story.events).standing
    assert all([standing.waiting, standing.cycles, standing.places, standing.quiet_until])
    assert decode(encode(standing)) == standing


# The stories here are such as the desk tells


def test_the_events_of_these_stories_have_the_shape_in_which_the_desk_writes_them(desk: Desk) -> None:
    agent = Doing(desk, "g1")
    record = Doing(desk, "ra1").create()
    agent.fire(record, "assign", group="network")
    agent.say(record)
    agent.fire(record, "start", "On it.")
    agent.edit(record, title="Black screen")
    with desk.database.session(write=False) as session:
        written = [(row.kind, orjson.loads(row.payload)) for row in session.all(EVENTS)]
    story = Story.opened(NINE, group=None).moved(NOON, "work", group="network").written(NOON, by="ines")
    story.moved(NOON, "work", comment=True).edited(NOON, title="Black screen")
    told = [(kind, payload) for _, kind, _, payload in story.events]
    for (kind, payload), (written_kind, written_payload) in zip(told, _last_of_each(written, told), strict=True):
        assert (kind, _shape(payload)) == (written_kind, _shape(written_payload, like=payload))


def _last_of_each(written: list[tuple[str, Any]], told: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """For each event that is told, the next of its kind that was written."""
    rest = iter(written)
    return [next(one for one in rest if one[0] == kind and "reaction" not in one[1]) for kind, _ in told]


def _shape(payload: Mapping[str, Any], like: Mapping[str, Any] | None = None) -> dict[str, object]:
    """The names in a payload with the types of what they hold, as far as another has them too; changes are pairs."""
    names = [name for name in payload if name != STAMP and (like is None or name in like)]
    assert all(len(change) == 2 for change in payload.get("changes", {}).values())
    return {name: type(payload[name]).__name__ for name in sorted(names)}
