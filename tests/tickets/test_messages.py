"""Who is told what: messages as they lie in the outbox."""

from __future__ import annotations

import pytest

from itsm.approvals import commands as approvals
from itsm.approvals import course, handlers, queries
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel
from itsm.tickets import effects, loading, moves, opening
from itsm.tickets.desk import Desk
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from itsm.workflow.case import Change
from tests.platform.messages import pending
from tests.service import actor
from tests.tickets.doing import Doing, an_incident_in_progress


def told(desk: Desk, record: Record, topic: str = "notify") -> list[tuple[str, str]]:
    """(template, login) of each message about a ticket, in order."""
    with desk.database.session(write=False) as session:
        messages = pending(session)
    return [(m.payload["template"], m.payload["to"]) for m in messages if m.topic == topic and m.ticket_id == record.id]


def leaves(desk: Desk, *logins: str) -> None:
    with desk.database.session() as session:
        for login in logins:
            people.deactivate(session, login, desk.clock.now(), "tests")


def test_who_reports_something_himself_hears_that_it_has_arrived(desk: Desk) -> None:
    record = Doing(desk, "ra1").create()
    assert told(desk, record) == [("received", "ra1")]


def test_who_writes_to_a_closed_ticket_is_told_that_nobody_reads_it(desk: Desk) -> None:
    record = Doing(desk, "ra1").create()
    Doing(desk, "ra1").fire(record, "cancel", "It was not plugged in.")
    Doing(desk, "ra1").say(record, "Or was it?")
    assert told(desk, record)[-1] == ("closed-reply", "ra1")


def test_nobody_is_told_what_he_did_himself(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    before = told(desk, record)
    Doing(desk, "g1").fire(record, "delegate", assignee="g1")
    assert told(desk, record) == before


@pytest.mark.parametrize("to", ["requester", "assignee", {"user": "g1"}, {"user": "ra1"}, {"user": "nobody-of-that-name"}])
def test_nobody_who_has_left_is_told_anything(desk: Desk, to: object) -> None:
    record = an_incident_in_progress(desk)
    leaves(desk, "ra1", "g1")
    with desk.reading(SYSTEM) as tx:
        assert effects.recipients(tx, loading.load(tx, record.number, lock=False), to) == []


def test_a_part_of_a_ticket_knows_that_its_requester_has_left(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    leaves(desk, "ra1")
    with desk.transaction(SYSTEM, Channel.TIMER) as tx:
        task = opening.open_under(tx, NewTicket("task", "Carry it away"), loading.load(tx, record.number))
        assert (task.values["requester"], effects.recipients(tx, task, "requester")) == ("ra1", [])


def test_who_takes_the_place_of_somebody_who_has_left_is_told(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    leaves(desk, "g1")
    with desk.transaction(SYSTEM, Channel.TIMER) as tx:
        held = loading.load(tx, record.number)
        moves.take_changes(tx, held, {"assignee": Change("g1", "l1")})
        assert effects.recipients(tx, held, "assignee") == ["l1"]


def test_what_is_written_reaches_the_other_side(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    Doing(desk, "g1").say(record, "Have you tried another cable?")
    Doing(desk, "ra1").say(record, "I have.")
    Doing(desk, "g1").say(record, "He has.", visibility="internal")
    assert told(desk, record)[-2:] == [("answered", "ra1"), ("replied", "g1")]


def test_an_approver_who_has_answered_is_not_reminded(desk: Desk) -> None:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        people.add_user(tx.session, desk.roles, "ap2", "AP2", frozenset({"approver"}), tx.now, "tests")
    dear = {"cost": {"amount": "7400.00", "currency": "EUR"}}
    record = Doing(desk, "g1").create("request", "A server", requester="ra1", fields=dear)
    assert sorted(told(desk, record)) == [("approval-requested", "ap1"), ("approval-requested", "ap2"), ("received", "ra1")]
    with desk.transaction(actor(desk, "ap1"), Channel.API) as tx:
        (question,) = (row.id for row in queries.mine(tx))
        approvals.decide(tx, question, course.APPROVE, None)
    with desk.reading(SYSTEM) as tx:
        assert handlers.awaited(tx, loading.load(tx, record.number, lock=False)) == ["ap2"]
        assert handlers.approvers(tx, loading.load(tx, record.number, lock=False)) == {"ap1", "ap2"}
