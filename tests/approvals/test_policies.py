"""What policies do with a request: stages, nested groups, decision tables, who is asked, and what the clock does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from itsm.people import commands as people
from itsm.people import ties
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.services import commands as services
from tests.approvals.desk import Approving, approving, book
from tests.tickets.doing import Doing

Make = Callable[..., Approving]


@pytest.fixture
def make(database: Database, clock: FrozenClock, tmp_path: Path) -> Make:
    """Makes the desk of a test from the text of its policies."""

    def build(policies: str, centres: dict[str, str] | None = None) -> Approving:
        return approving(database, clock, tmp_path, book(policies, centres))

    return build


def refused(code: str) -> pytest.RaisesExc[DeskError]:
    return pytest.RaisesExc(DeskError, check=lambda error: error.code == code)


STAGED = """
policies:
  staged:
    for: request
    stages:
      - {name: manager, of: [requester.manager]}
      - name: money
        rule: all
        of: [cost_centre.owner, {rule: {at_least: 2}, of: [{user: ap1}, {user: ap2}, {user: ap3}]}]
"""


def test_stages_follow_each_other_and_nested_groups_have_quorums_of_their_own(make: Make) -> None:
    desk = make(STAGED, {"it": "chief"})
    desk.people(ties.set_cost_centre, "ra1", "it")
    record = desk.request("staged")
    assert desk.awaited(record) == ["boss"]
    assert desk.approve(record, "boss").state == "awaiting_approval"
    assert desk.awaited(record) == ["ap1", "ap2", "ap3", "chief"]
    assert ("approval-requested", "chief") in desk.messages(record)
    desk.approve(record, "ap1")
    desk.approve(record, "chief")
    assert desk.approve(record, "ap3").state == "approved"
    assert desk.story(record) == [
        *["approval_requested", "approval_decided", "approval_stage_passed"],
        *["approval_requested", "approval_decided", "approval_decided", "approval_decided", "approval_closed"],
    ]


def test_a_stage_that_rejects_ends_the_round_and_no_later_one_is_asked(make: Make) -> None:
    desk = make(STAGED, {"it": "chief"})
    record = desk.request("staged")
    assert desk.reject(record, "boss").state == "rejected"
    assert [stage.standing for stage in desk.course(record).stages] == ["rejected", "waiting"]
    assert desk.awaited(record) == []


def test_everybody_may_have_to_answer_before_anything_is_decided(make: Make) -> None:
    desk = make(
        """
policies:
  all:
    stages: [{rule: {everybody_answers: majority}, of: [{user: ap1}, {user: ap2}, {user: ap3}]}]
"""
    )
    record = desk.request("all")
    desk.approve(record, "ap1")
    assert desk.approve(record, "ap2").state == "awaiting_approval"
    assert desk.reject(record, "ap3").state == "approved"


TABLE = """
policies:
  table:
    for: request
    decide:
      - {name: petty, if: "ticket.cost != null && ticket.cost.amount < 50.0", then: approve}
      - {name: absurd, if: "ticket.cost != null && ticket.cost.amount > 100000.0", then: reject}
      - {name: unsure, if: "ticket.cost.amount > 7.0", then: reject}
    stages: [{of: [{user: ap1}]}]
"""


@pytest.mark.parametrize(("amount", "state", "rule"), [("49.00", "approved", "petty"), ("100001.00", "rejected", "absurd")])
def test_a_decision_table_decides_by_its_first_row_that_holds_and_the_log_names_it(
    make: Make, amount: str, state: str, rule: str
) -> None:
    desk = make(TABLE)
    record = desk.request("table", cost={"amount": amount, "currency": "EUR"})
    assert record.state == state
    (_, ruled), (_, closed) = desk.told(record)
    assert (ruled["rule"], ruled["decision"]) == (rule, "approve" if state == "approved" else "reject")
    assert closed["ruling"] == desk.course(record).ruling == rule


def test_what_cannot_be_computed_decides_nothing_and_people_are_asked(make: Make) -> None:
    desk = make(TABLE)
    record = desk.request("table")
    assert (record.state, desk.awaited(record)) == ("awaiting_approval", ["ap1"])


# Who is asked


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        ("{user: ap2}", ["ap2"]),
        ("{role: approver, of: organisation}", ["ap1", "ap2", "ap3", "boss", "chief"]),
        ("{role: change_manager}", ["cm1", "cm2"]),
        ("requester.manager", ["boss"]),
        ("{manager_chain: 2}", ["boss", "chief"]),
        ("service.owner", ["ap3"]),
        ("cost_centre.owner", ["chief"]),
    ],
)
def test_approvers_are_found_in_the_directory(make: Make, who: str, asked: list[str]) -> None:
    desk = make(f"policies: {{p: {{stages: [{{of: [{who}]}}]}}}}", {"it": "chief"})
    desk.people(ties.set_cost_centre, "ra1", "it")
    with desk.desk.database.session() as session:
        services.ensure_service(session, "erp-x", "ERP", None)
        session.script("UPDATE services SET owner_id = (SELECT id FROM users WHERE login = 'ap3')")
    record = Doing(desk.desk, "ra1").create("request", "Access", service="erp-x", laid={"approval_policy": "p"})
    assert desk.awaited(record) == asked


def test_a_role_tied_to_the_organisation_asks_nobody_of_another(make: Make) -> None:
    desk = make("policies: {p: {stages: [{of: [{role: approver, of: organisation}]}]}}")
    record = desk.request("p", by="rb1")
    assert desk.course(record).awaited == ()
    assert desk.story(record) == ["too_few_approvers"]


def test_the_workflow_hears_when_there_are_too_few_and_they_are_asked_once_there_are_enough(make: Make) -> None:
    desk = make("policies: {p: {stages: [{rule: {at_least: 2}, of: [{role: approver, of: organisation}]}]}}")
    record = desk.request("p", by="rb1")
    assert ("too-few-approvers", "ad1") in desk.messages(record)
    with desk.desk.database.session() as session:
        beta = "(SELECT id FROM organisations WHERE key = 'beta')"
        session.script(f"UPDATE users SET organisation_id = {beta} WHERE login LIKE 'ap_'")
    desk.pass_time(hours=1)
    assert desk.awaited(record) == ["ap1", "ap2", "ap3"]
    assert ("approval-requested", "ap2") in desk.messages(record)


def test_who_cannot_decide_when_he_is_asked_is_replaced_and_the_log_says_by_whom_and_why(make: Make) -> None:
    desk = make("policies: {p: {stages: [{of: [{user: ap1}]}]}}")
    desk.people(people.deactivate, "ap1")
    record = desk.request("p")
    assert desk.awaited(record) == ["boss"]
    assert desk.told(record)[0][1]["instead_of"] == {"boss": ["ap1", "manager"]}


def test_a_manager_who_is_the_requester_is_replaced_by_his_own(make: Make) -> None:
    desk = make("policies: {p: {stages: [{of: [{user: boss}]}]}}")
    assert desk.awaited(desk.request("p", by="boss")) == ["chief"]


def test_a_question_passes_on_when_its_holder_is_shut_out_or_loses_his_role(make: Make) -> None:
    desk = make("policies: {p: {stages: [{rule: all, of: [{user: ap1}, {user: ap2}]}]}}")
    record = desk.request("p")
    desk.people(people.deactivate, "ap1")
    desk.people(lambda session, *rest: people.set_roles(session, desk.desk.roles, "ap2", frozenset({"requester"}), *rest))
    desk.people(ties.set_manager, "ap2", "ap3")
    desk.pass_time(hours=1)
    assert desk.awaited(record) == ["ap3", "boss"]
    desk.approve(record, "boss")
    assert desk.approve(record, "ap3").state == "approved"
    moved = [told for kind, told in desk.told(record) if kind == "approval_rerouted"]
    assert [(each["instead_of"], each["asked"], each["because"]) for each in moved] == [
        ("ap1", "boss", "manager"),
        ("ap2", "ap3", "manager"),
    ]


def test_where_nobody_can_step_in_it_is_said_once_and_nothing_is_approved(make: Make) -> None:
    desk = make("policies: {p: {stages: [{of: [{user: chief}]}]}}")
    record = desk.request("p")
    desk.people(people.deactivate, "chief")
    for _ in range(3):
        desk.pass_time(hours=1)
    assert desk.story(record).count("too_few_approvers") == 1
    assert desk.state(record) == "awaiting_approval"


# The clock

TIMED = """
policies:
  timed:
    stages:
      - of: [{{user: ap1}}]
        calendar: always
        remind: {{after: 1 day, every: 1 day}}
        escalate: {{after: 3 days, to: manager}}
        timeout: {{after: 5 days, then: {then}}}
"""


def test_reminders_go_to_who_has_not_answered_and_then_the_question_passes_up(make: Make) -> None:
    desk = make(TIMED.format(then="reject"))
    record = desk.request("timed")
    for _ in range(2):
        desk.pass_time(days=1)
    assert desk.messages(record).count(("approval-reminder", "ap1")) == 2
    desk.pass_time(days=1)
    assert desk.awaited(record) == ["boss"]
    with refused("already_decided"):
        desk.approve(record, "ap1")
    assert desk.approve(record, "boss").state == "approved"


@pytest.mark.parametrize(("then", "state"), [("approve", "approved"), ("reject", "rejected")])
def test_a_stage_ends_by_itself_when_its_time_is_out(make: Make, then: str, state: str) -> None:
    desk = make(TIMED.format(then=then))
    record = desk.request("timed")
    desk.pass_time(days=5)
    assert desk.state(record) == state
    assert desk.course(record).ruling == "timeout"
    told = desk.story(record)
    desk.pass_time(days=30)
    assert desk.story(record) == told


def test_the_timers_of_a_round_end_with_it(make: Make) -> None:
    desk = make(TIMED.format(then="reject"))
    record = desk.request("timed")
    desk.approve(record, "ap1")
    desk.pass_time(days=10)
    assert desk.state(record) == "approved"
    assert ("approval-reminder", "ap1") not in desk.messages(record)


# What was approved

MATERIAL = "policies: {p: {for: request, material: [cost], stages: [{of: [{user: ap1}]}]}}"


def test_a_material_edit_voids_what_was_approved_and_it_is_asked_anew(make: Make) -> None:
    desk = make(MATERIAL)
    record = desk.request("p", cost={"amount": "10.00", "currency": "EUR"})
    desk.approve(record, "ap1")
    Doing(desk.desk, "g1").edit(record, urgency="high")
    assert desk.state(record) == "approved"
    edited = Doing(desk.desk, "g1").edit(record, cost={"amount": "99.00", "currency": "EUR"})
    assert edited.state == "awaiting_approval"
    (void,) = [told for kind, told in desk.told(record) if kind == "approval_voided"]
    assert void["changed"] == {"cost": [{"amount": "10.00", "currency": "EUR"}, {"amount": "99.00", "currency": "EUR"}]}
    assert desk.awaited(record) == ["ap1"]
    assert desk.approve(record, "ap1").state == "approved"


def test_a_material_edit_voids_what_is_still_being_asked_too(make: Make) -> None:
    desk = make(MATERIAL)
    record = desk.request("p", cost={"amount": "10.00", "currency": "EUR"})
    old = desk.question(record, "ap1")
    Doing(desk.desk, "g1").edit(record, cost={"amount": "99.00", "currency": "EUR"})
    assert desk.question(record, "ap1") != old
    assert [each.outcome for each in [desk.course(record)]] == ["open"]


def test_an_answer_can_be_rewritten_by_nobody(make: Make) -> None:
    desk = make(MATERIAL)
    record = desk.request("p")
    desk.approve(record, "ap1")
    for sql in ("UPDATE approvals SET decision = 'reject'", "DELETE FROM approvals", "UPDATE approvals SET comment = 'x'"):
        with pytest.raises(Exception, match="approvals is append-only"), desk.desk.database.session() as session:
            session.script(sql)
