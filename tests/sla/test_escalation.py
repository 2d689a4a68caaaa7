"""Ladders: step after step until somebody takes a ticket on; each step once; at night nobody; and never a storm."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from itsm.app import Service
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel
from itsm.platform import timers
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.sla import escalation, escalation_reading
from itsm.sla.agreements import Source
from itsm.sla.commands import publish_agreement
from itsm.sla.escalation import Ladders
from itsm.sla.ladders import ABANDONED, ACKNOWLEDGED, STARTED, TOLD, State
from itsm.tickets import loading, moves
from itsm.tickets.records import Record
from itsm.workflow.case import Effect
from itsm.worktime import intervals
from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import Public
from tests import service as world
from tests.api.world import Api
from tests.sla.climbing import QUICK, Climb, climb
from tests.tickets.doing import Doing, an_incident_in_progress

TEN, TWENTY = timedelta(minutes=10), timedelta(minutes=20)

NIGHTS = """
nightly:
  template: escalation
  steps:
    - {to: assignee, wait: 1 hour}
    - {to: group.lead}
  quiet: {calendar: office-hours, unless: "ticket.priority == 'p1'"}
"""

CAPPED = """
capped:
  template: escalation
  steps: [{to: [assignee, group.lead]}]
  at_most: {per_person: 3, within: 1 hour, digest: escalation-digest}
"""


def one(service: Service, text: str = QUICK) -> tuple[Climb, Record]:
    """A desk with these ladders, and an incident about the service of ad1 that g1 works on, whose lead is l1."""
    climbing = climb(service, text)
    climbing.owns("ad1", "workplace")
    record = Doing(service.desk, "ra1").create(service="workplace")
    Doing(service.desk, "g1").fire(record, "assign", group="network")
    return climbing, Doing(service.desk, "g1").fire(record, "start")


def acknowledge(service: Service, login: str, record: Record, comment: str | None = None) -> None:
    with service.desk.transaction(world.actor(service.desk, login), Channel.API) as tx:
        escalation.acknowledge(tx, record.number, comment)


ENDED = Calendar("colombo", "Asia/Colombo", intervals.week({"mon-fri": ["08:00-17:00"]}), (Public("LK"),))
COLOMBO = """
ended:
  template: escalation
  calendar: colombo
  steps: [{{to: assignee, wait: {wait}}}, {{to: group.lead}}]
  {quiet}
"""


def test_each_step_is_taken_when_the_one_before_has_had_its_time(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    assert climbing.told() == [("g1", 1)]
    clock.advance(TEN - timedelta(microseconds=1))
    climbing.sweep()
    assert climbing.told() == [("g1", 1)]
    clock.advance(timedelta(microseconds=1))
    climbing.sweep()
    clock.advance(TWENTY)
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2), ("ad1", 3)]
    clock.advance(timedelta(days=30))
    climbing.sweep()
    assert len(climbing.told()) == 3
    assert [kind for kind, told in climbing.story(record) if told["ladder"] == "quick"] == [STARTED, TOLD, TOLD, TOLD]


@pytest.mark.parametrize("first", ["assignee", "{user: g1}", "{user: nobody-of-that-name}"])
def test_it_does_not_wait_for_somebody_who_has_left(service: Service, clock: FrozenClock, first: str) -> None:
    steps = f"[{{to: {first}, wait: 10 minutes}}, {{to: group.lead}}]"
    climbing, record = one(service, f"left:\n  template: escalation\n  steps: {steps}\n")
    with service.desk.database.session() as session:
        people.deactivate(session, "g1", clock.now(), "ad1")
    climbing.escalate(record, "left")
    assert climbing.told() == [("l1", 2)]
    (_, (_, told)) = climbing.story(record)
    assert (told["passed"], told["told"]) == ([1], ["l1"])


def test_a_ladder_that_is_under_way_is_not_begun_again(service: Service) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    climbing.escalate(record)
    assert climbing.told() == [("g1", 1)]


def test_after_its_end_it_can_be_begun_again(service: Service) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    acknowledge(service, "g1", record)
    climbing.escalate(record)
    assert climbing.told() == [("g1", 1), ("g1", 1)]


def test_who_acknowledges_stops_it(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    acknowledge(service, "g1", record, "I am on it.")
    clock.advance(timedelta(days=1))
    assert climbing.sweep() == 0 or climbing.told() == [("g1", 1)]
    kind, payload = climbing.story(record)[-1]
    assert (kind, payload["ladders"]) == (ACKNOWLEDGED, ["quick"])
    with service.desk.reading(world.actor(service.desk, "g1")) as tx:
        (run,) = escalation.story(tx, loading.load(tx, record.number, lock=False))
    assert (run.state, run.acknowledged_by) == (State.ACKNOWLEDGED, "g1")


def test_nothing_is_acknowledged_twice(service: Service) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    acknowledge(service, "g1", record)
    with pytest.raises(DeskError) as refused:
        acknowledge(service, "g1", record)
    assert refused.value.code == "not_escalated"


def test_a_requester_cannot_silence_it(service: Service) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    with pytest.raises(DeskError) as refused:
        acknowledge(service, "ra1", record)
    assert refused.value.code == "forbidden"


def test_who_was_told_may_acknowledge_whatever_his_roles(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service, "asked:\n  template: escalation\n  steps: [{to: {user: ma}}]\n")
    climbing.escalate(record, "asked")
    acknowledge(service, "ma", record)
    assert climbing.story(record)[-1][0] == ACKNOWLEDGED


@pytest.mark.parametrize("trigger", ["resolve", "cancel"])
def test_a_ticket_that_is_done_with_is_escalated_no_further(service: Service, clock: FrozenClock, trigger: str) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    if trigger == "resolve":
        Doing(service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")
    else:
        Doing(service.desk, "g1").fire(record, "cancel", "No longer wanted.")
    clock.advance(timedelta(hours=1))
    climbing.sweep()
    climbing.escalate(record)
    assert climbing.told() == [("g1", 1)]
    with service.desk.reading(world.actor(service.desk, "g1")) as tx:
        (run,) = escalation.story(tx, loading.load(tx, record.number, lock=False))
    assert run.state is State.OVER


def test_a_step_that_reaches_nobody_is_passed_over(service: Service) -> None:
    climbing = climb(service)
    record = Doing(service.desk, "ra1").create()
    Doing(service.desk, "l1").fire(record, "assign", group="network")
    climbing.escalate(record)
    assert climbing.told() == [("l1", 2)]
    assert climbing.story(record)[-1][1]["passed"] == [1]


def test_a_ladder_that_reaches_nobody_says_so(service: Service) -> None:
    climbing = climb(service)
    record = Doing(service.desk, "ra1").create()
    climbing.escalate(record)
    kind, payload = climbing.story(record)[-1]
    assert (kind, payload["told"], payload["passed"], payload["next"]) == (TOLD, [], [1, 2], None)


def test_after_an_interruption_one_step_is_taken_and_the_next_waits_from_then(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    clock.advance(timedelta(days=1))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2)]
    clock.advance(TWENTY - timedelta(seconds=1))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2)]
    clock.advance(timedelta(seconds=1))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2), ("ad1", 3)]


def test_in_quiet_hours_a_step_waits_for_the_morning(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service, NIGHTS)
    clock.set(datetime(2026, 3, 2, 15, 30, tzinfo=UTC))  # half an hour before the office closes in Berlin
    climbing.escalate(record, "nightly")
    assert climbing.told() == [("g1", 1)]
    clock.advance(timedelta(hours=2))
    climbing.sweep()
    assert climbing.told() == [("g1", 1)]
    clock.set(datetime(2026, 3, 3, 6, 59, 59, tzinfo=UTC))
    climbing.sweep()
    assert climbing.told() == [("g1", 1)]
    clock.set(datetime(2026, 3, 3, 7, 0, tzinfo=UTC))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2)]


def test_begun_in_quiet_hours_its_first_step_waits_too(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service, NIGHTS)
    clock.set(datetime(2026, 3, 2, 22, 0, tzinfo=UTC))
    climbing.escalate(record, "nightly")
    climbing.escalate(record, "nightly")
    assert climbing.told() == []
    clock.set(datetime(2026, 3, 3, 7, 0, tzinfo=UTC))
    climbing.sweep()
    assert climbing.told() == [("g1", 1)]


@pytest.mark.parametrize("quiet", ["", "quiet: {calendar: colombo}"], ids=["its wait", "its quiet hours"])
def test_a_calendar_that_has_come_to_its_end_silences_nobody(service: Service, clock: FrozenClock, quiet: str) -> None:
    """Public holidays of a country may be known to the end of a year only; what comes after is in nobody's book yet."""
    text = COLOMBO.format(wait="4 hours" if quiet else "4 business hours", quiet=quiet)
    service.desk.calendars = {**service.desk.calendars, "colombo": ENDED}
    climbing, record = one(service, text)
    clock.set(datetime(2027, 1, 4, 9, tzinfo=UTC))
    climbing.escalate(record, "ended")
    assert climbing.told() == [("g1", 1)]
    clock.advance(timedelta(hours=4))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2)]


def test_what_is_urgent_knows_no_quiet_hours(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service, NIGHTS)
    urgent = Doing(service.desk, "g1").edit(record, impact="extensive", urgency="critical")
    assert urgent.values["priority"] == "p1"
    clock.set(datetime(2026, 3, 2, 22, 0, tzinfo=UTC))
    climbing.escalate(record, "nightly")
    assert climbing.told() == [("g1", 1)]


def test_ten_thousand_breaches_at_once_are_at_most_one_message_more_than_the_cap_for_each_person(
    service: Service, clock: FrozenClock
) -> None:
    climbing, record = one(service, CAPPED)
    ladder = service.desk.part(Ladders).get("capped")
    assert ladder is not None
    for batch in range(100):
        with service.desk.transaction(SYSTEM, Channel.TIMER) as tx:
            held = loading.load(tx, record.number)
            for number in range(100):
                held.number = f"INC9{batch:03d}{number:03d}"
                for login in ("g1", "l1", "ad1"):
                    escalation._tell(tx, held, ladder, batch, 0, login)
    counted = Counter((each["to"], each["template"]) for each in climbing.messages())
    assert counted == {(login, template): n for login in ("g1", "l1", "ad1") for template, n in WANTED.items()}
    clock.advance(timedelta(hours=1))
    climbing.escalate(record, "capped")
    assert len(climbing.messages()) == 3 * 4 + 2


WANTED = {"escalation": 3, "escalation-digest": 1}


def test_many_tickets_breached_at_once_are_all_in_the_log_and_few_in_the_post(service: Service, clock: FrozenClock) -> None:
    climbing = climb(service, CAPPED)
    tickets = [an_incident_in_progress(service.desk) for _ in range(8)]
    for record in tickets:
        climbing.escalate(record, "capped")
    assert Counter(each["to"] for each in climbing.messages()) == {"g1": 4, "l1": 4}
    stories = [climbing.story(record)[-1][1] for record in tickets]
    assert all(set(each["told"]) == {"g1", "l1"} for each in stories)
    assert [each["folded"] for each in stories] == [[]] * 3 + [["g1", "l1"]] * 5


def test_two_sweepers_and_one_that_dies_take_each_step_once(service: Service, clock: FrozenClock) -> None:
    climbing = climb(service)
    tickets = [an_incident_in_progress(service.desk) for _ in range(10)]
    for record in tickets:
        climbing.escalate(record)
    clock.advance(TEN)
    dying = iter(range(1000))
    sane = escalation._arm

    def arm(*arguments: object) -> None:
        if next(dying) % 3 == 0:
            raise ConnectionError("killed between the deed and the commit")
        sane(*arguments)  # type: ignore[arg-type]

    escalation._arm = arm  # type: ignore[assignment]
    try:
        sweepers = [threading.Thread(target=climbing.sweep) for _ in range(2)]
        for each in sweepers:
            each.start()
        for each in sweepers:
            each.join()
    finally:
        escalation._arm = sane
    clock.advance(timedelta(seconds=30))
    climbing.sweep()
    assert Counter(climbing.told()) == {("g1", 1): 10, ("l1", 2): 10}
    assert all([kind for kind, _ in climbing.story(record)] == [STARTED, TOLD, TOLD] for record in tickets)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("l: ▸{template: escalation}", "missing-key"),
        ("l: {template: escalation, steps: ▸[]}", "missing-key"),
        ("l: {template: ▸escalatoin, steps: [{to: assignee}]}", "unknown-template"),
        ("l: {template: escalation, steps: [{to: ▸asignee}]}", "unknown-recipient"),
        ("l: {template: escalation, steps: [▸{to: assignee}, {to: group}]}", "missing-key"),
        ("l: {template: escalation, steps: [{to: assignee, ▸wait: 1 hour}]}", "misplaced-key"),
        ("l: {template: escalation, steps: [{to: assignee, wait: ▸soon}, {to: group}]}", "bad-duration"),
        ("l: {template: escalation, steps: [{to: assignee, wait: ▸1 business hour}, {to: group}]}", "missing-calendar"),
        ("l: {template: escalation, calendar: ▸ofice-hours, steps: [{to: assignee}]}", "unknown-calendar"),
        ("l: {template: escalation, steps: [{to: group}], quiet: {calendar: ▸night}}", "unknown-calendar"),
        ("l: {template: csat, steps: [{to: group}], at_most: {per_person: ▸0, within: 1 hour, digest: csat}}", "wrong-type"),
        ("l: {template: csat, steps: [{to: group}], at_most: {per_person: ▸500, within: 1 hour, digest: csat}}", "bad-cap"),
        ("l: {template: csat, steps: [{to: group}], at_most: {per_person: 5, within: ▸8 days, digest: csat}}", "bad-duration"),
        ("l: {template: escalation, steps: [{to: group}], ▸quite: {calendar: always}}", "unknown-key"),
        ("▸Bad Name: {template: escalation, steps: [{to: group}]}", "bad-name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_ladder_is_told_at_its_place(text: str, code: str) -> None:
    column = text.index("▸") + 1
    configuration = world.configuration()
    found, (finding,) = escalation_reading.load_ladders(
        text.replace("▸", ""), "escalation.yaml", configuration.vocabulary, configuration.calendars
    )
    assert (dict(found), finding.code, str(finding.at)) == ({}, code, f"escalation.yaml:1:{column}")


def test_the_shipped_ladders_are_sound_and_a_field_that_no_workflow_has_is_found(tmp_path: Path) -> None:
    configuration = world.configuration()
    path = world.PROJECT_ROOT / "config" / "escalation.yaml"
    assert escalation_reading.check(path, configuration.vocabulary, configuration.calendars, world.practices()) == []
    broken = tmp_path / "escalation.yaml"
    broken.write_text(path.read_text().replace("ticket.priority", "ticket.prioriti"))
    (finding,) = escalation_reading.check(broken, configuration.vocabulary, configuration.calendars, world.practices())
    assert finding.code == "expression-unknown-name"
    assert finding.at.line == 16


def test_over_the_api_staff_see_the_run_and_take_it_on(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    api = Api(service.desk)
    (run,) = api("l1").get(f"/tickets/{record.number}/escalation").items
    assert (run["state"], run["steps"][0]["to"]) == ("running", ["g1"])
    assert (run["next"]["step"], run["next"]["to"]) == (2, ["group.lead"])
    assert datetime.fromisoformat(run["next"]["at"]) == clock.now() + TEN
    assert api("ra1").get(f"/tickets/{record.number}/escalation").status == 403
    reply = api("l1").post(f"/tickets/{record.number}/escalation/acknowledgement", {"comment": "Mine."})
    (run,) = reply.items
    assert (run["state"], run["acknowledged_by"], run["next"]) == ("acknowledged", "l1", None)
    again = api("l1").post(f"/tickets/{record.number}/escalation/acknowledgement", {})
    assert (again.status, again.code) == (409, "not_escalated")
    staff, requester = (api(login).get(f"/tickets/{record.number}/timeline").text for login in ("g1", "ra1"))
    assert "Mine." in staff
    assert "Mine." not in requester
    assert not {STARTED, TOLD, ACKNOWLEDGED} & {
        each["kind"] for each in api("ra1").get(f"/tickets/{record.number}/timeline").items
    }


def test_a_reopened_ticket_is_not_haunted_by_the_run_that_its_resolution_ended(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    Doing(service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")
    Doing(service.desk, "ra1").fire(record, "reopen")
    clock.advance(timedelta(minutes=5))
    climbing.escalate(record)
    assert climbing.told() == [("g1", 1), ("g1", 1)]
    clock.advance(timedelta(minutes=5))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("g1", 1)]
    clock.advance(timedelta(minutes=5))
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("g1", 1), ("l1", 2)]


@pytest.mark.parametrize("left", ["", "quick:\n  template: escalation\n  steps: [{to: assignee}]\n"], ids=["gone", "shorter"])
def test_a_ladder_that_is_taken_away_ends_its_runs_and_says_so(service: Service, clock: FrozenClock, left: str) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    climb(service, left or QUICK.replace("quick", "other"))
    clock.advance(TEN)
    climbing.sweep()
    why = escalation.NO_STEP if left else escalation.NO_LADDER
    number = climbing.story(record)[0][1]["run"]
    assert climbing.told() == [("g1", 1)]
    assert climbing.story(record)[-1] == (ABANDONED, {"ladder": "quick", "run": number, "why": why})
    (run,) = Api(service.desk)("l1").get(f"/tickets/{record.number}/escalation").items
    assert (run["state"], run["next"]) == ("abandoned", None)


def test_what_escalates_by_a_ladder_that_is_gone_leaves_word_of_it(service: Service, clock: FrozenClock) -> None:
    climbing, record = one(service)
    climbing.escalate(record)
    climbing.escalate(record, "taken-away")
    assert climbing.story(record)[-1] == (ABANDONED, {"ladder": "taken-away", "run": None, "why": escalation.NO_LADDER})
    clock.advance(TEN)
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2)], "the run up another ladder goes on"


def test_what_is_read_ahead_forgets_no_run_that_this_command_began(service: Service) -> None:
    climbing, record = one(service)
    with service.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        held = loading.load(tx, record.number)
        for _ in range(2):
            escalation.read_ahead(tx, [held])
            escalation.start(tx, held, Effect("escalate", {"ladder": "quick"}))
        moves.settle(tx, held)
    assert climbing.told() == [("g1", 1)]


def test_what_is_acknowledged_in_the_command_that_escalated_is_not_gone_on_with(service: Service) -> None:
    _, record = one(service)
    with service.desk.transaction(world.actor(service.desk, "g1"), Channel.API) as tx:
        held = loading.load(tx, record.number)
        escalation.start(tx, held, Effect("escalate", {"ladder": "quick"}))
        moves.settle(tx, held)
        escalation.acknowledge(tx, record.number, None)
    with service.desk.database.session(write=False) as session:
        assert timers.waiting(session, [record.id], escalation.KIND) == []


def test_a_ladder_that_published_workflows_name_and_nobody_has_is_told_when_the_desk_starts(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.warm_up()
    assert caplog.messages == []
    climb(service)
    service.warm_up()
    assert any("“standard”" in message for message in caplog.messages)


def test_two_actions_of_one_command_begin_one_run(service: Service) -> None:
    climbing, record = one(service)
    with service.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        held = loading.load(tx, record.number)
        for _ in range(2):
            escalation.start(tx, held, Effect("escalate", {"ladder": "quick"}))
        moves.settle(tx, held)
    assert climbing.told() == [("g1", 1)]


def test_a_threshold_of_a_promise_sets_a_ticket_on_a_ladder(service: Service, clock: FrozenClock) -> None:
    climbing = climb(service, QUICK.replace("quick:", "urgent:"))
    promises = """
- sla: incident-resolution
  when: "ticket.type == 'incident'"
  stop: {when: "ticket.category in ['resolved', 'closed']"}
  goals: [{target: 1 hour}]
  thresholds: [{at: due, do: [{escalate: urgent}]}]
"""
    shipped = world.promises()
    with service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        source = Source({**shipped.files, "sla.yaml": promises}, shipped.workflows)
        publish_agreement(tx, source, "a trial")
    promised = an_incident_in_progress(service.desk)
    clock.advance(timedelta(hours=1))
    climbing.sweep()
    assert [(each["ticket"], each["to"], each["step"]) for each in climbing.messages()] == [(promised.number, "g1", 1)]
    clock.advance(TEN)
    climbing.sweep()
    assert climbing.told() == [("g1", 1), ("l1", 2)]
