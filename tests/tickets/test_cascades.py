"""What one ticket tells the others near it: what they react to, and nothing that nobody hears."""

from __future__ import annotations

import sqlalchemy as sa

from itsm.people.access import Channel
from itsm.platform.database import Prepared
from itsm.platform.work import Timer
from itsm.tickets import cascades, opening
from itsm.tickets.desk import Desk
from itsm.tickets.records import Record
from tests.service import actor
from tests.tickets.doing import Doing, an_incident_in_progress

TOLD = Prepared(sa.select(Timer.payload).where(Timer.kind == cascades.EVENT).order_by(Timer.id))


def a_task(desk: Desk, record: Record) -> Record:
    with desk.transaction(actor(desk, "g1"), Channel.API) as tx:
        return opening.add_task(tx, record.number, "Cable", "", {"group": "network"})


def told(desk: Desk) -> list[str]:
    """What was queued for others and not heard yet."""
    with desk.database.session(write=False) as session:
        return [row.payload["event"] for row in session.all(TOLD)]


def test_a_part_is_told_only_what_its_workflow_reacts_to(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    task = a_task(desk, record)
    desk.run_followup = lambda ticket_id: None
    Doing(desk, "g1").fire(record, "hold", "Which?", pending_reason="user")
    Doing(desk, "g1").fire(record, "resume")
    assert told(desk) == []
    assert Doing(desk, "g1").read(task).process.hears("parent_closed")
    Doing(desk, "g1").fire(record, "cancel", "It was the cable.")
    assert told(desk) == ["parent_closed"]


def test_the_whole_is_told_of_every_part(desk: Desk) -> None:
    task = a_task(desk, an_incident_in_progress(desk))
    desk.run_followup = lambda ticket_id: None
    Doing(desk, "g1").fire(task, "complete", result="Done.")
    assert told(desk) == ["child_closed"]


def test_a_linked_ticket_is_told_only_what_its_workflow_reacts_to(desk: Desk) -> None:
    incident, problem = an_incident_in_progress(desk), Doing(desk, "g1").create("problem", "Screens stay black")
    Doing(desk, "g1").link(incident, "caused_by", problem)
    desk.run_followup = lambda ticket_id: None
    Doing(desk, "g1").fire(incident, "hold", "Which?", pending_reason="user")
    unheard = "linked_incident_pending"
    assert Doing(desk, "g1").read(problem).process.hears(unheard) is (unheard in told(desk))
    assert Doing(desk, "g1").read(incident).process.hears("linked_problem_resolved")
