"""The gate tells pipelines what may be deployed now, and else why not and for whom to wait."""

from __future__ import annotations

from typing import Any

from itsm.changes import gate
from itsm.tickets.records import Record
from tests.changes.desk import TUESDAY, Planning, at
from tests.service import actor
from tests.tickets.doing import Doing


def asked(plan: Planning, record: Record) -> gate.Ruling:
    with plan.desk.reading(actor(plan.desk, "int1")) as tx:
        return gate.ask(tx, record.number, None, None)


def test_the_gate_says_wait_then_approved_then_refused(plan: Planning) -> None:
    record = plan.authorised(service="crm")
    assert (asked(plan, record).answer, asked(plan, record).waiting_for) == (gate.Answer.WAIT, ("g1",))
    plan.plan(record, TUESDAY)
    assert asked(plan, record).waiting_for == ("window",)
    plan.clock.set(at(3, 9))
    assert asked(plan, record).answer is gate.Answer.APPROVED
    plan.freeze(TUESDAY)
    assert asked(plan, record).answer is gate.Answer.REFUSED
    assert "Election night" in asked(plan, record).reasons[0]
    plan.clock.set(at(3, 11))
    assert "scheduled again" in asked(plan, record).reasons[0]


def test_the_gate_names_the_approvers_who_are_awaited(plan: Planning) -> None:
    record = Doing(plan.desk, "g1").create("change", "Open the firewall", fields={"justification": "Attack"})
    Doing(plan.desk, "g1").fire(record, "assign", group="network", assignee="g1")
    Doing(plan.desk, "g1").fire(record, "submit")
    plans: dict[str, Any] = {"risk": "low", "implementation_plan": "Swap.", "test_plan": "Ping.", "backout_plan": "Back."}
    Doing(plan.desk, "g1").fire(record, "request_authorisation", **plans)
    ruling = asked(plan, record)
    assert ruling.answer is gate.Answer.WAIT
    assert {"cm1", "cm2"} & set(ruling.waiting_for)


def test_the_gate_answers_for_a_service_by_the_change_that_is_furthest(plan: Planning) -> None:
    with plan.desk.reading(actor(plan.desk, "int1")) as tx:
        assert gate.ask(tx, None, "crm", None).answer is gate.Answer.REFUSED
    plan.authorised(service="crm")
    ready = plan.scheduled(TUESDAY, service="crm")
    plan.clock.set(at(3, 9))
    with plan.desk.reading(actor(plan.desk, "int1")) as tx:
        ruling = gate.ask(tx, None, "crm", None)
    assert (ruling.answer, ruling.change) == (gate.Answer.APPROVED, ready.number)
