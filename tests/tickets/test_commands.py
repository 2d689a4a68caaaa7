"""What can be done to a ticket, on both databases, with the shipped practices."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.work import OutboxMessage
from itsm.tickets.desk import Desk
from itsm.tickets.models import Comment, TicketEvent
from itsm.tickets.records import Record
from tests.tickets.doing import Doing, an_incident_in_progress

EVENTS = Prepared(
    sa.select(
        TicketEvent.seq, TicketEvent.kind, TicketEvent.actor, TicketEvent.on_behalf_of, TicketEvent.channel, TicketEvent.payload
    ).order_by(TicketEvent.id)
)
COMMENTS = Prepared(sa.select(Comment.body, Comment.visibility))
OUTBOX = Prepared(sa.select(OutboxMessage.key, OutboxMessage.topic, OutboxMessage.payload).order_by(OutboxMessage.id))


def everything(desk: Desk, statement: Prepared) -> list:
    with desk.database.session(write=False) as session:
        return session.all(statement)


def test_an_incident_lives_from_its_report_to_its_reopening(desk: Desk) -> None:
    record = Doing(desk, "ra1").create(description="Since this morning.")
    assert (record.number, record.state, record.category) == ("INC0000001", "new", "new")
    agent = Doing(desk, "g1")
    assert agent.fire(record, "assign", group="network").state == "assigned"
    assert agent.fire(record, "start").values["assignee"] == "g1"
    resolved = agent.fire(record, "resolve", "Done", resolution_code="fixed", resolution="Cable was loose.")
    assert resolved.category == "resolved"
    assert resolved.resolved_at is not None
    reopened = Doing(desk, "ra1").fire(record, "reopen")
    assert (reopened.state, reopened.resolved_at) == ("in_progress", None)


def test_priority_follows_from_impact_and_urgency_and_cannot_be_written(desk: Desk) -> None:
    record = Doing(desk, "ra1").create(fields={"urgency": "high"})
    before = record.values["priority"]
    after = Doing(desk, "g1").edit(record, impact="extensive", urgency="critical")
    assert (before, after.values["priority"]) == ("p4", "p1")
    with pytest.raises(DeskError):
        Doing(desk, "g1").edit(record, priority="p2")


def test_a_refusal_names_every_missing_field_and_changes_nothing(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    with pytest.raises(DeskError) as refusal:
        Doing(desk, "g1").fire(record, "resolve")
    assert {error.pointer for error in refusal.value.errors} == {"/fields/resolution_code", "/fields/resolution"}
    assert Doing(desk, "g1").read(record).version == record.version


def test_every_event_says_who_and_through_which_channel_and_the_desks_own_deeds_on_whose_behalf(desk: Desk) -> None:
    record = Doing(desk, "ra1").create("request", "A second screen")
    told = [(event.kind, event.actor, event.on_behalf_of, event.channel) for event in everything(desk, EVENTS)]
    assert record.state == "awaiting_approval"
    assert told[0] == ("created", "ra1", None, "api")
    assert ("moved", "system", "ra1", "reaction") in told


def test_a_write_against_an_older_version_is_stale(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    Doing(desk, "g1").edit(record, version=record.version, title="Screen black")
    with pytest.raises(DeskError, match="changed since you read it") as stale:
        Doing(desk, "g1").edit(record, version=record.version, title="Again")
    assert stale.value.code == "stale"


def test_a_reply_of_the_requester_wakes_what_waits_for_him(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    Doing(desk, "g1").fire(record, "hold", pending_reason="user")
    assert Doing(desk, "ra1").say(record, "Here it is.").state == "in_progress"


def test_an_internal_note_wakes_nothing_and_is_only_for_staff_to_write(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    Doing(desk, "g1").fire(record, "hold", pending_reason="user")
    assert Doing(desk, "g1").say(record, "Strange.", "internal").state == "on_hold"
    with pytest.raises(DeskError, match="for staff"):
        Doing(desk, "ra1").say(record, "Hidden?", "internal")


def test_only_those_with_the_right_act_for_others(desk: Desk) -> None:
    with pytest.raises(DeskError) as refusal:
        Doing(desk, "ra1").create(requester="ra2")
    assert refusal.value.code == "forbidden"
    record = Doing(desk, "g1").create(requester="ra2")
    assert (record.values["requester"], record.values["organisation"]) == ("ra2", "acme")


def test_a_service_brings_its_support_group(desk: Desk) -> None:
    assert Doing(desk, "ra1").create(service="workplace").values["group"] == "desktop"


def test_what_does_not_exist_is_named_and_nothing_is_made(desk: Desk) -> None:
    with pytest.raises(DeskError) as refusal:
        Doing(desk, "ra1").create(service="teleport", ci="enterprise")
    assert {error.pointer for error in refusal.value.errors} == {"/fields/service", "/fields/ci"} or {
        error.pointer for error in refusal.value.errors
    } == {"/service", "/ci"}
    assert everything(desk, EVENTS) == []


def test_numbers_are_gapless_and_in_order_however_many_create_at_once(desk: Desk) -> None:
    made: list[str] = []

    def create() -> None:
        for _ in range(5):
            number = desk.database.retrying(lambda: Doing(desk, "ra1").create().number)
            made.append(number)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [f"INC{number:07d}" for number in range(1, 31)]


def test_a_refused_creation_takes_no_number(desk: Desk) -> None:
    with pytest.raises(DeskError):
        Doing(desk, "ra1").create(fields={"impact": "cosmic"})
    assert Doing(desk, "ra1").create().number == "INC0000001"


def test_a_link_is_told_on_both_ends_and_kept_once(desk: Desk) -> None:
    incident, problem = Doing(desk, "ra1").create(), Doing(desk, "g1").create("problem", "The cause")
    Doing(desk, "g1").link(incident, "caused_by", problem)
    with pytest.raises(DeskError, match="linked so already"):
        Doing(desk, "g1").link(problem, "causes", incident)
    kinds = [event.kind for event in everything(desk, EVENTS)]
    assert kinds.count("linked") == 2


def test_a_link_that_reads_alike_from_both_ends_is_kept_once_too(desk: Desk) -> None:
    one, other = Doing(desk, "g1").create(), Doing(desk, "g1").create()
    Doing(desk, "g1").link(one, "related_to", other)
    with pytest.raises(DeskError, match="linked so already"):
        Doing(desk, "g1").link(other, "related_to", one)


def test_what_fails_after_the_commit_is_no_failure_of_the_command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Doing(desk, "g1").create(), Doing(desk, "g1").create()

    def fails(_ticket: int) -> None:
        raise RuntimeError("the network cable")

    monkeypatch.setattr(desk, "run_followup", fails)
    assert Doing(desk, "g1").link(one, "related_to", other)


def test_a_link_said_from_both_ends_at_once_is_kept_once_and_the_other_is_told_so(desk: Desk) -> None:
    incident, problem = Doing(desk, "ra1").create(), Doing(desk, "g1").create("problem", "The cause")
    ends = [(incident, "caused_by", problem), (problem, "causes", incident)] * 3
    said: list[str] = []

    def say(end: tuple[Record, str, Record]) -> None:
        try:
            desk.database.retrying(lambda: Doing(desk, "g1").link(*end))
            said.append("linked")
        except DeskError as refusal:
            said.append(refusal.errors[0].code)

    threads = [threading.Thread(target=say, args=(end,)) for end in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["already_linked"] * 5 + ["linked"]


def test_the_resolution_of_a_problem_wakes_the_incidents_that_wait_for_it(desk: Desk) -> None:
    incident = an_incident_in_progress(desk)
    agent = Doing(desk, "g1")
    problem = agent.create("problem", "The cause")
    agent.link(incident, "caused_by", problem)
    agent.fire(incident, "hold", pending_reason="problem")
    agent.fire(problem, "assign", group="network")
    agent.fire(problem, "investigate")
    agent.fire(problem, "record_known_error", root_cause="A loose screw", workaround="Press here")
    agent.fire(problem, "resolve", resolution_code="fix_applied", resolution="Tightened")
    assert agent.read(incident).state == "in_progress"


def test_a_merge_keeps_both_histories(desk: Desk) -> None:
    first, second = an_incident_in_progress(desk), Doing(desk, "ra2").create(title="Black screen here too")
    Doing(desk, "g1").fire(second, "merge", duplicate_of=first.number)
    merged = Doing(desk, "ra2").read(second)
    assert merged.state == "closed"
    assert merged.values["duplicate_of"] == first.number
    assert Doing(desk, "g1").read(first).state == "in_progress"
    assert [event.kind for event in everything(desk, EVENTS)].count("linked") == 2


def test_tasks_hold_back_the_fulfilment_and_their_end_brings_it(desk: Desk) -> None:
    agent = Doing(desk, "g1")
    record = agent.create(
        "request", "A laptop", requester="ra1", fields={"approval_required": False, "fulfilment_model": "goods"}
    )
    agent.fire(record, "assign", group="desktop")
    agent.fire(record, "start")
    with pytest.raises(DeskError):
        agent.fire(record, "fulfil", outcome="fulfilled")
    for number in ("TSK0000001", "TSK0000002"):
        agent.fire(number, "assign", group="desktop")
        agent.fire(number, "start")
        agent.fire(number, "complete")
    assert agent.read(record).state == "fulfilled"


def test_tasks_that_were_all_cancelled_fulfil_nothing(desk: Desk) -> None:
    agent = Doing(desk, "g1")
    record = agent.create(
        "request", "A laptop", requester="ra1", fields={"approval_required": False, "fulfilment_model": "goods"}
    )
    agent.fire(record, "assign", group="desktop")
    agent.fire(record, "start")
    for number in ("TSK0000001", "TSK0000002"):
        agent.fire(number, "cancel", "Not needed.")
    assert agent.read(record).state == "in_progress"


def test_nobody_is_told_twice_and_nobody_of_his_own_deed(desk: Desk) -> None:
    record = Doing(desk, "ra1").create()
    Doing(desk, "g1").fire(record, "assign", group="network")
    to = [message.payload["to"] for message in everything(desk, OUTBOX) if message.payload["template"] == "assigned"]
    assert "g1" not in to
    assert len(to) == len(set(to))
    assert "l1" in to


def test_work_time_adds_up(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    Doing(desk, "g1").log_work(record, 15)
    assert Doing(desk, "g1").log_work(record, 20).work_minutes == 35
    with pytest.raises(DeskError):
        Doing(desk, "ra1").log_work(record, 5)


def test_a_member_with_access_to_read_may_look_and_not_touch(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    reader = Doing(desk, "g3")
    assert reader.read(record).number == record.number
    deeds = [
        lambda: reader.fire(record, "resolve", resolution_code="fixed", resolution="x"),
        lambda: reader.say(record),
        lambda: reader.watch(record, "g3"),
        lambda: reader.log_work(record, 5),
        lambda: reader.edit(record, title="Mine"),
    ]
    for deed in deeds:
        with pytest.raises(DeskError) as refusal:
            deed()
        assert refusal.value.code == "read_only"


def test_an_auditor_reads_all_and_changes_nothing(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    assert Doing(desk, "au1").read(record).number == record.number
    with pytest.raises(DeskError):
        Doing(desk, "au1").say(record)
