"""A threshold that is reached is answered once, when it is due, and never by a clock that stopped in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from itsm.app import Service
from itsm.platform.database import Database
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import FrozenClock
from itsm.sla.escalation import AT_RISK
from itsm.sla.handlers import CONDITION_FAILED, ENDED_IN_TIME, STALE, TOO_LATE
from itsm.sla.policy import Happening, Policy
from itsm.tickets import timeline
from itsm.tickets.desk import Desk
from itsm.tickets.records import Record
from tests.service import actor
from tests.sla.builders import cel, on
from tests.sla.sweeping import (
    HOURS,
    MINUTES,
    a_desk,
    a_promise,
    answers,
    armed,
    clocks,
    derived,
    events,
    joint,
    kept,
    messages,
    notify,
    put,
    reached,
    single,
)
from tests.tickets.doing import Doing, an_incident_in_progress

WARN = notify("assignee", "requester")
BROKEN = notify("requester", template="sla-breached")


def fired(policy: Policy, trigger: str) -> Policy:
    """The promise, with its last threshold firing a trigger."""
    *others, one = policy.thresholds
    return replace(policy, thresholds=(*others, replace(one, fire=trigger)))


def resolve(service: Service, record: Record) -> None:
    Doing(service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")


def test_a_threshold_is_answered_when_it_is_reached_and_the_next_is_waited_for(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]))
    record = Doing(service.desk, "ra1").create()
    began = clock.now()
    clock.advance(3 * HOURS - timedelta(microseconds=1))
    service.sweeper.sweep()
    assert reached(service.desk) == []
    clock.advance(timedelta(microseconds=1))
    service.sweeper.sweep()
    (told,) = events(service.desk, "threshold_reached")
    assert told == {
        "clock": "resolution",
        "part": "",
        "cycle": 1,
        "threshold": "75%",
        "title": "Resolved",
        "due": "2026-03-02T12:00:00Z",
        "breach": False,
        "effects": [{"do": "notify", "to": ["assignee", "requester"], "template": "sla-warning"}],
    }
    (message,) = messages(service.desk)
    assert message.key == f"{record.number}:resolution::1:75%:notify:sla-warning:ra1"
    assert [(row.name, row.cycle, row.due_at) for row in armed(service.desk)] == [("resolution", 1, began + 4 * HOURS)]
    clock.advance(HOURS)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%", "100%"]
    assert [payload["breach"] for payload in events(service.desk, "threshold_reached")] == [False, True]
    assert [row.payload["template"] for row in messages(service.desk)] == ["sla-warning", "sla-breached"]
    assert armed(service.desk) == []
    assert clocks(service.desk)[0].status == "running", "a promise that is broken is still to be kept"


def test_it_stays_internal_and_the_requester_does_not_read_it(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    record = Doing(service.desk, "ra1").create()
    clock.advance(3 * HOURS)
    service.sweeper.sweep()
    with service.desk.reading(actor(service.desk, "ra1")) as tx:
        kinds = [entry.kind for entry in timeline.read(tx, record.number, 0, 50).entries]
    assert kinds == ["created"]


def test_a_paused_clock_waits_and_goes_on_by_what_was_left(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    record = an_incident_in_progress(service.desk)
    clock.advance(2 * HOURS)
    Doing(service.desk, "g1").fire(record, "hold", pending_reason="vendor")
    assert armed(service.desk) == []
    clock.advance(5 * HOURS)
    service.sweeper.sweep()
    assert reached(service.desk) == []
    Doing(service.desk, "g1").fire(record, "resume")
    assert [row.due_at for row in armed(service.desk)] == [clock.now() + HOURS]
    clock.advance(HOURS)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%"]


def test_a_clock_that_stops_in_time_owes_nothing_but_a_note_of_what_it_had_passed(
    database: Database, clock: FrozenClock
) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]))
    record = an_incident_in_progress(service.desk)
    before = len(messages(service.desk))
    clock.advance(3 * HOURS + 5 * MINUTES)
    resolve(service, record)
    service.sweeper.sweep()
    (told,) = events(service.desk, "threshold_reached")
    assert (told["threshold"], told["left_alone"], told["breach"]) == ("75%", ENDED_IN_TIME, False)
    assert len(messages(service.desk)) == before
    clock.advance(10 * HOURS)
    assert service.sweeper.sweep() == 0


def test_a_miss_that_ended_just_before_the_sweep_is_answered_all_the_same(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN], at_150=[BROKEN]))
    record = an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS + timedelta(seconds=1))
    resolve(service, record)
    service.sweeper.sweep()
    told = events(service.desk, "threshold_reached")
    assert [(one["threshold"], one.get("left_alone"), one["breach"]) for one in told] == [
        ("75%", TOO_LATE, False),
        ("100%", None, True),
    ]
    assert [row.payload["template"] for row in messages(service.desk)] == ["sla-breached"]
    assert armed(service.desk) == [], "what it never reached is not waited for"


def test_a_clock_that_has_ended_tells_of_its_miss_and_does_nothing_else_to_the_ticket(
    database: Database, clock: FrozenClock
) -> None:
    service = a_desk(database, clock, fired(a_promise("4 hours", at_100=[put(impact="extensive"), BROKEN]), "escalate"))
    record = an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS + timedelta(seconds=1))
    resolve(service, record)
    service.sweeper.sweep()
    (told,) = events(service.desk, "threshold_reached")
    assert (told["breach"], told["left_out"]) == (True, TOO_LATE)
    assert [row.payload["template"] for row in messages(service.desk)] == ["sla-breached"]
    assert events(service.desk, "moved")[-1]["trigger"] == "resolve"
    assert [one for one in events(service.desk, "acted", "refused") if "threshold" in one] == []
    assert Doing(service.desk, "g1").read(record).values["impact"] != "extensive"


def test_a_clock_that_its_own_threshold_sets_back_is_done_with(database: Database, clock: FrozenClock) -> None:
    escalating = fired(a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]), "escalate")
    first, last = escalating.thresholds
    promise = replace(escalating, thresholds=(replace(first, fire="escalate"), last), reset=on(Happening.ESCALATED))
    service = a_desk(database, clock, promise)
    record = an_incident_in_progress(service.desk)
    clock.advance(5 * HOURS)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%"], "the run whose end was owed too has made way for another"
    assert [(row.cycle, row.status) for row in clocks(service.desk)] == [(1, "cancelled"), (2, "running")]
    assert [(row.cycle, row.due_at) for row in armed(service.desk)] == [(2, clock.now() + 3 * HOURS)]
    assert Doing(service.desk, "g1").read(record).values["escalation_level"] == 1


def test_a_clock_that_stops_at_the_very_instant_kept_its_promise(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_100=[BROKEN]))
    record = an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS)
    resolve(service, record)
    service.sweeper.sweep()
    assert (reached(service.desk), messages(service.desk)) == ([], [])
    assert [row.status for row in clocks(service.desk)] == ["met"]


def test_a_cancelled_clock_owes_nothing(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    record = an_incident_in_progress(service.desk)
    clock.advance(5 * HOURS)
    Doing(service.desk, "g1").fire(record, "cancel", comment="No longer wanted.")
    service.sweeper.sweep()
    assert [row.status for row in clocks(service.desk)] == ["cancelled"]
    assert (reached(service.desk), armed(service.desk)) == ([], [])


def test_a_threshold_whose_condition_fails_is_noted_and_does_nothing(database: Database, clock: FrozenClock) -> None:
    promise = a_promise("4 hours", at_75=[WARN])
    only_p1 = replace(
        promise, thresholds=tuple(replace(one, condition=cel("ticket.priority == 'p1'")) for one in promise.thresholds)
    )
    service = a_desk(database, clock, only_p1)
    Doing(service.desk, "ra1").create()
    clock.advance(3 * HOURS)
    service.sweeper.sweep()
    (told,) = events(service.desk, "threshold_reached")
    assert told["left_alone"] == CONDITION_FAILED
    assert (messages(service.desk), armed(service.desk)) == ([], [])


def test_a_threshold_may_fire_a_transition_of_the_ticket(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, fired(a_promise("4 hours", at_100=[BROKEN]), "escalate"))
    record = an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS)
    service.sweeper.sweep()
    moved = events(service.desk, "moved")[-1]
    assert (moved["trigger"], moved["clock"], moved["threshold"]) == ("escalate", "resolution", "100%")
    assert Doing(service.desk, "g1").read(record).values["escalation_level"] == 1
    assert len(messages(service.desk)) == 1


def test_a_transition_that_is_refused_is_noted_and_the_threshold_stays_answered(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, fired(a_promise("4 hours", at_100=[BROKEN]), "no_such_thing"))
    an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS)
    service.sweeper.sweep()
    (refused,) = events(service.desk, "refused")
    assert (refused["code"], refused["threshold"]) == ("unknown_trigger", "100%")
    assert reached(service.desk) == ["100%"]
    assert len(messages(service.desk)) == 1


def test_a_threshold_may_change_fields(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[put(impact="extensive"), WARN]))
    record = Doing(service.desk, "ra1").create()
    clock.advance(3 * HOURS)
    service.sweeper.sweep()
    (acted,) = (told for told in events(service.desk, "acted") if told.get("threshold") == "75%")
    assert acted["changes"]["impact"][1] == "extensive"
    assert Doing(service.desk, "g1").read(record).values["impact"] == "extensive"


def test_what_a_workflow_does_not_have_is_a_refusal_in_its_log_and_no_fault_of_the_sweep(
    database: Database, clock: FrozenClock
) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[put(flavour="mint")], at_100=[BROKEN]))
    Doing(service.desk, "ra1").create()
    clock.advance(3 * HOURS)
    assert service.sweeper.sweep() == 1
    (refused,) = events(service.desk, "refused")
    assert refused["code"] == "unknown_field"
    assert "flavour" in refused["reasons"][0]
    clock.advance(HOURS)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%", "100%"]


def test_what_is_refused_keeps_the_news_from_nobody(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, fired(a_promise("4 hours", at_100=[put(flavour="mint"), BROKEN]), "escalate"))
    record = an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS)
    service.sweeper.sweep()
    assert [one["code"] for one in events(service.desk, "refused")] == ["unknown_field"]
    assert [row.payload["template"] for row in messages(service.desk)] == ["sla-breached"]
    assert not Doing(service.desk, "g1").read(record).values.get("escalation_level"), "what would come after it is not done"


@pytest.mark.parametrize("sweeper", [single, joint])
def test_what_one_clock_brings_about_is_known_to_the_next_of_the_same_ticket(
    database: Database, clock: FrozenClock, sweeper: Callable[[Desk], Sweeper]
) -> None:
    first = fired(a_promise("4 hours", at_100=[BROKEN]), "escalate")
    second = replace(a_promise("4 hours", at_100=[WARN]), name="until-escalated", stop=on(Happening.ESCALATED))
    service = a_desk(database, clock, first, second)
    record = an_incident_in_progress(service.desk)
    clock.advance(4 * HOURS)
    sweeper(service.desk).sweep()
    assert [(row.clock, row.status) for row in clocks(service.desk)] == [("resolution", "running"), ("until-escalated", "met")]
    assert [(told["clock"], told["breach"]) for told in events(service.desk, "threshold_reached")] == [("resolution", True)]
    assert [row.payload["clock"] for row in messages(service.desk)] == ["resolution"]
    (derivation,) = derived(service.desk).values()
    assert kept(service.desk, [record.id])[record.id] == derivation.standing


@pytest.mark.parametrize("sweeper", [single, joint])
def test_after_a_standstill_a_ticket_with_several_clocks_is_not_told_of_by_itself(
    database: Database, clock: FrozenClock, sweeper: Callable[[Desk], Sweeper]
) -> None:
    second = replace(a_promise("4 hours", at_100=[BROKEN]), name="another")
    service = a_desk(database, clock, a_promise("4 hours", at_100=[BROKEN]), second)
    an_incident_in_progress(service.desk)
    clock.advance(5 * HOURS)
    sweeper(service.desk).sweep()
    assert reached(service.desk) == ["100%", "100%"]
    assert [row.payload.get("ticket") for row in messages(service.desk)] == [None]


def test_of_several_thresholds_owed_at_once_everybody_is_told_the_last_only(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("20 minutes", at_75=[WARN], at_80=[WARN], at_100=[notify("assignee")]))
    record = an_incident_in_progress(service.desk)
    clock.advance(20 * MINUTES)
    service.sweeper.sweep()
    assert reached(service.desk) == ["75%", "80%", "100%"]
    assert {row.payload["to"]: row.payload["threshold"] for row in messages(service.desk)} == {"ra1": "80%", "g1": "100%"}
    assert len(messages(service.desk)) == 2
    assert record.number in messages(service.desk)[0].key


def test_after_a_standstill_everybody_gets_one_message_for_each_template_and_hour(
    database: Database, clock: FrozenClock
) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN], at_100=[BROKEN]))
    for _ in range(5):
        Doing(service.desk, "ra1").create()
        clock.advance(MINUTES)
    clock.advance(6 * HOURS)
    service.sweeper.sweep()
    assert set(answers(service.desk).values()) == {1}
    assert len(answers(service.desk)) == 10
    assert [(row.key, row.ticket_id, row.payload["list"]) for row in messages(service.desk)] == [
        ("stale:sla-breached:ra1:2026-03-02T13:00:00Z", None, AT_RISK),
        ("stale:sla-warning:ra1:2026-03-02T12:00:00Z", None, AT_RISK),
    ]


def test_what_is_a_little_late_is_still_told_of_each_ticket(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 hours", at_75=[WARN]))
    Doing(service.desk, "ra1").create()
    clock.advance(3 * HOURS + STALE)
    service.sweeper.sweep()
    assert messages(service.desk)[0].payload["threshold"] == "75%"


def test_a_threshold_that_a_new_target_puts_into_the_past_is_news(database: Database, clock: FrozenClock) -> None:
    service = a_desk(database, clock, a_promise("4 days", {"ticket.priority == 'p1'": "1 hour"}, at_100=[BROKEN]))
    record = an_incident_in_progress(service.desk)
    clock.advance(5 * HOURS)
    Doing(service.desk, "g1").edit(record, impact="extensive", urgency="critical")
    service.sweeper.sweep()
    (told,) = events(service.desk, "threshold_reached")
    assert told["due"] == "2026-03-02T10:00:00Z", "stamped with the instant at which it was due"
    assert messages(service.desk)[0].payload["ticket"] == record.number
