"""Attacks on approval (A-76, A-77, A-79 to A-82): one's own, another's, many at once, by delegates, by linked accounts, and
four eyes through whatever is reassigned afterwards.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from itsm.approvals import commands as approvals
from itsm.approvals import handlers
from itsm.approvals.models import Approval
from itsm.people import commands as people
from itsm.people import ties
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.tickets import opening, projection
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from tests.approvals.desk import Approving, approving, book
from tests.service import actor
from tests.tickets.doing import Doing

POLICIES = """
delegation: {depth: 1}
policies:
  one:   {for: request, stages: [{of: [{user: ap1}]}]}
  two:   {for: request, stages: [{rule: {at_least: 2}, of: [{user: ap1}, {user: ap2}, {user: ap3}]}]}
  loose: {for: request, separate: [requester, approver], stages: [{of: [{user: ap1}]}]}
"""
DEEP = POLICIES.replace("depth: 1", "depth: 2")

SIMULTANEOUS = 500
_ROWS = Prepared(sa.select(Approval.decision, Approval.approver_id).where(Approval.ticket_id == sa.bindparam("ticket")))


@pytest.fixture
def desk(database: Database, clock: FrozenClock, tmp_path: Path) -> Approving:
    return approving(database, clock, tmp_path, book(POLICIES))


def code(deed: Callable[[], object]) -> str | None:
    """The code with which a deed is refused, None if it is done."""
    try:
        deed()
    except DeskError as refusal:
        return refusal.code
    return None


def at_once(deeds: list[Callable[[], object]], threads: int = 8) -> Counter[str | None]:
    """What becomes of deeds that begin at the same moment."""
    found: list[str | None] = []
    left = iter(deeds)
    turn, gate = threading.Lock(), threading.Barrier(threads)

    def work() -> None:
        gate.wait()
        while True:
            with turn:
                deed = next(left, None)
            if deed is None:
                return
            found.append(code(deed))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return Counter(found)


def decisions(desk: Approving, record: Record) -> Counter[str | None]:
    with desk.desk.reading(SYSTEM) as tx:
        return Counter(row.decision for row in tx.session.all(_ROWS, ticket=record.id))


# many at once


def test_of_any_number_of_simultaneous_answers_one_counts_and_the_log_agrees(desk: Approving) -> None:
    record, who = desk.request("one"), actor(desk.desk, "ap1")
    question = desk.question(record, "ap1")

    def answer(word: str) -> None:
        with desk.desk.transaction(who, Channel.API) as tx:
            approvals.decide(tx, question, word, "So.")

    deeds: list[Callable[[], object]] = [
        lambda word=word: desk.desk.database.retrying(lambda: answer(word))  # type: ignore[misc]
        for word in ["approve", "reject"] * (SIMULTANEOUS // 2)
    ]
    assert at_once(deeds) == {None: 1, "already_decided": SIMULTANEOUS - 1}
    said = [told["decision"] for kind, told in desk.told(record) if kind == "approval_decided"]
    assert decisions(desk, record) == {said[0]: 1}
    assert desk.state(record) == {"approve": "approved", "reject": "rejected"}[said[0]]
    assert projection.verify(desk.desk.database) == []


def test_one_person_has_one_vote_however_often_and_by_whomever_it_is_cast(desk: Approving) -> None:
    record = desk.request("two")
    desk.delegate("ap2", "ap1")
    mine = [lambda: desk.approve(record, "ap1")] * 25
    as_delegate = [lambda: desk.approve(record, "ap1", of="ap2")] * 25
    retried = [lambda deed=deed: desk.desk.database.retrying(deed) for deed in (*mine, *as_delegate)]
    outcomes = at_once(retried)  # type: ignore[arg-type]
    assert outcomes[None] == 1
    assert set(outcomes) <= {None, "already_decided", "already_voted"}
    assert decisions(desk, record) == {"approve": 1, None: 2}
    assert desk.state(record) == "awaiting_approval"


# one's own


@pytest.mark.parametrize("policy", ["one", "two"])
def test_who_asks_is_not_asked(desk: Approving, policy: str) -> None:
    record = desk.request(policy, by="ap1")
    assert "ap1" not in desk.awaited(record)


def test_who_opens_a_request_in_anothers_name_does_not_decide_on_it(desk: Approving) -> None:
    desk.people(
        lambda session, *rest: people.set_roles(session, desk.desk.roles, "ap1", frozenset({"agent", "approver"}), *rest)
    )
    record = desk.request("one", by="ap1", requester="ra1")
    assert desk.awaited(record) == ["boss"]


def test_who_has_become_a_party_meanwhile_does_not_decide_and_his_question_passes_on(desk: Approving) -> None:
    record = desk.request("one")
    Doing(desk.desk, "g1").edit(record, requester="ap1")
    assert desk.awaited(record) == ["boss"]
    assert code(lambda: desk.approve(record, "ap1")) == "own_ticket"
    assert desk.state(record) == "awaiting_approval"


# Four eyes, whatever is reassigned afterwards


def approved(desk: Approving, policy: str = "one", by: str = "ap1") -> Record:
    record = desk.request(policy)
    desk.approve(record, by, of="ap1")
    return record


def test_who_approved_becomes_neither_implementer_nor_requester_by_any_hand(desk: Approving) -> None:
    record = approved(desk)
    agent = Doing(desk.desk, "g1")
    for deed in (
        lambda: agent.fire(record, "assign", group="network", assignee="ap1"),
        lambda: agent.edit(record, requester="ap1"),
    ):
        with pytest.raises(DeskError, match="ap1 approved it") as refusal:
            deed()
        assert refusal.value.code == "separation_of_duties"
    agent.fire(record, "assign", group="network")
    assert code(lambda: agent.fire(record, "delegate", assignee="ap1")) == "separation_of_duties"
    assert code(lambda: agent.fire(record, "delegate", assignee="g2")) is None


def test_a_change_of_roles_afterwards_opens_no_way(desk: Approving) -> None:
    record = approved(desk)
    agent = Doing(desk.desk, "g1")
    agent.fire(record, "assign", group="network")
    desk.people(lambda session, *rest: people.set_roles(session, desk.desk.roles, "ap1", frozenset({"agent"}), *rest))
    assert code(lambda: Doing(desk.desk, "ap1").fire(record, "start")) == "separation_of_duties"
    with desk.desk.reading(SYSTEM) as tx:
        case = desk.read(record)
        known = case.case(deciders=handlers.deciders(tx, case))
        offers = case.process.offers(known, actor(desk.desk, "ap1").person(), tx.now)
    (start,) = [offer for offer in offers if offer.trigger == "start"]
    assert [reason.code for reason in start.blocked] == ["separation_of_duties"]


def test_a_task_of_what_one_approved_is_not_ones_own_either(desk: Approving) -> None:
    record = approved(desk)
    agent = Doing(desk.desk, "g1")
    agent.fire(record, "assign", group="network")
    with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
        task = opening.add_task(tx, record.number, "Cable", "", {"group": "network"})
    assert code(lambda: agent.fire(task, "assign", group="network", assignee="ap1")) == "separation_of_duties"

    def born_his() -> None:
        with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
            opening.add_task(tx, record.number, "Cable", "", {"group": "network", "assignee": "ap1"})

    assert code(born_his) == "separation_of_duties"


def bundled(desk: Approving) -> tuple[Record, Record]:
    """A request that ap1 approved, with an item that needs no approval of its own, and the task of that item."""
    record = approved(desk)
    with desk.desk.transaction(SYSTEM, Channel.REACTION) as tx:
        laid = {"approval_required": False}
        item = opening.create(tx, NewTicket("request", "A chair", requester="ra1", parent=record.number, laid=laid))
    with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
        return item, opening.add_task(tx, item.number, "Carry it up", "", {"group": "network"})


def test_who_approved_a_bundle_carries_out_nothing_within_it_however_deep(desk: Approving) -> None:
    item, task = bundled(desk)
    agent = Doing(desk.desk, "g1")
    for part in (item, task):
        assert code(lambda part=part: agent.fire(part, "assign", group="network", assignee="ap1")) == "separation_of_duties"  # type: ignore[misc]

    def born_his() -> None:
        with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
            opening.add_task(tx, item.number, "Unpack it", "", {"group": "network", "assignee": "ap1"})

    assert code(born_his) == "separation_of_duties"
    assert code(lambda: agent.fire(task, "assign", group="network", assignee="g1")) is None


def test_who_works_on_a_part_does_not_decide_on_the_whole(desk: Approving) -> None:
    record = desk.request("one")
    with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
        opening.add_task(tx, record.number, "Find a price", "", {"group": "network", "assignee": "ap1"})
    assert code(lambda: desk.approve(record, "ap1")) == "own_ticket"
    desk.pass_time(hours=1)
    assert desk.awaited(record) == ["boss"]


def test_neither_a_delegate_nor_whoever_he_stood_for_carries_out_what_was_approved(desk: Approving) -> None:
    desk.delegate("ap1", "ap2")
    record = approved(desk, by="ap2")
    agent = Doing(desk.desk, "g1")
    for login in ("ap1", "ap2"):
        with pytest.raises(DeskError, match="ap2 approved it for ap1") as refusal:
            agent.fire(record, "assign", group="network", assignee=login)
        assert refusal.value.code == "separation_of_duties"


def test_accounts_of_one_person_count_as_one_before_the_vote_and_after_it(desk: Approving) -> None:
    desk.people(ties.link_accounts, "ra1", "ap1")
    own = desk.request("one")
    assert desk.awaited(own) == ["boss"]
    other = desk.request("one", by="ra2")
    desk.approve(other, "ap1")
    with pytest.raises(DeskError, match="ap1 approved it, and ra1 is the same person as ap1") as refusal:
        Doing(desk.desk, "g1").fire(other, "assign", group="network", assignee="ra1")
    assert refusal.value.code == "separation_of_duties"


def test_two_accounts_of_one_person_are_one_signature(desk: Approving) -> None:
    desk.people(ties.link_accounts, "ap2", "ap1")
    record = desk.request("two")
    assert len(desk.awaited(record)) == 2
    late = desk.request("two", by="ra2")
    desk.people(ties.link_accounts, "ap3", "ap1")
    first, *rest = desk.awaited(late)
    desk.approve(late, first)
    assert [code(lambda other=other: desk.approve(late, other)) for other in rest] == ["already_voted"]  # type: ignore[misc]


def test_accounts_that_are_found_to_be_one_persons_later_stop_the_work(desk: Approving) -> None:
    record = approved(desk)
    agent = Doing(desk.desk, "g1")
    agent.fire(record, "assign", group="network")
    agent.fire(record, "start")
    desk.people(ties.link_accounts, "g1", "ap1")
    assert code(lambda: agent.fire(record, "fulfil", outcome="fulfilled")) == "separation_of_duties"


def test_a_policy_may_declare_that_approvers_carry_out(desk: Approving) -> None:
    record = approved(desk, "loose")
    assert code(lambda: Doing(desk.desk, "g1").fire(record, "assign", group="network", assignee="ap1")) is None
    assert code(lambda: Doing(desk.desk, "g1").edit(record, requester="ap1")) == "separation_of_duties"


# another's


def test_nobody_answers_for_another_who_has_not_let_him(desk: Approving) -> None:
    record = desk.request("one")
    for login in ("ap2", "boss", "cm1", "ad1"):
        assert code(lambda login=login: desk.decide(record, login, "approve", of="ap1")) in {"not_asked", "not_found"}  # type: ignore[misc]
    assert decisions(desk, record) == {None: 1}


# delegation


def test_a_delegate_decides_while_it_lasts_and_the_log_has_both_names(desk: Approving) -> None:
    record = desk.request("one")
    given = desk.delegate("ap1", "ap2")
    desk.approve(record, "ap2", of="ap1")
    (told,) = [told for kind, told in desk.told(record) if kind == "approval_decided"]
    assert told["for"] == "ap1"
    (member,) = desk.course(record).stages[0].branch.members  # type: ignore[union-attr]
    assert (member.question.approver, member.question.decided_by) == ("ap1", "ap2")
    other = desk.request("one", by="ra2")
    desk.revoke("ap1", given)
    assert code(lambda: desk.approve(other, "ap2", of="ap1")) == "not_asked"


def test_a_delegation_is_worth_nothing_before_it_begins_and_after_it_ends(desk: Approving) -> None:
    desk.delegate("ap1", "ap2", days=1, begins=timedelta(days=1))
    record = desk.request("one")
    assert code(lambda: desk.approve(record, "ap2", of="ap1")) in {"not_asked", "not_found"}
    desk.pass_time(days=3)
    assert code(lambda: desk.approve(record, "ap2", of="ap1")) in {"not_asked", "not_found"}


def test_delegations_that_must_not_be_are_refused_with_every_reason(desk: Approving) -> None:
    def reason(*arguments: object) -> list[str]:
        with pytest.raises(DeskError) as refusal:
            desk.delegate(*arguments)  # type: ignore[arg-type]
        return [error.code for error in refusal.value.errors] or [refusal.value.code]

    desk.people(people.deactivate, "ap3")
    desk.people(ties.link_accounts, "ra2", "ap1")
    assert reason("ap1", "ap3") == ["unknown_reference"]
    assert reason("ap1", "ap1") == ["oneself"]
    assert reason("ap1", "ra2") == ["oneself"]
    assert reason("ap1", "ra1") == ["may_not_decide"]
    assert reason("ap1", "cm1") == ["other_organisation"]
    assert reason("ap1", "ap2", 400) == ["too_long"]
    assert reason("ap1", "ap2", -1) == ["in_the_past", "ends_before_it_starts"]
    assert reason("ra1", "ap2") == ["forbidden"]
    desk.delegate("ap1", "ap2")
    assert reason("ap2", "ap1") == ["delegation_cycle"]


def test_a_delegate_who_is_a_party_to_the_ticket_does_not_decide_on_it(desk: Approving) -> None:
    desk.delegate("ap1", "ap2")
    record = desk.request("one", by="ap2")
    assert code(lambda: desk.approve(record, "ap2", of="ap1")) == "own_ticket"


def test_a_delegation_is_passed_on_as_often_as_is_declared(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    desk = approving(database, clock, tmp_path, book(DEEP))
    desk.delegate("ap1", "ap2")
    desk.delegate("ap2", "ap3")
    desk.delegate("ap3", "boss")
    record = desk.request("one")
    assert code(lambda: desk.approve(record, "boss", of="ap1")) in {"not_asked", "not_found"}
    assert code(lambda: desk.approve(record, "ap3", of="ap1")) is None


def test_a_delegate_who_is_shut_out_decides_nothing_and_stands_in_for_nobody(desk: Approving) -> None:
    desk.delegate("ap1", "ap2")
    desk.people(people.deactivate, "ap2")
    desk.people(people.deactivate, "ap1")
    assert desk.awaited(desk.request("one")) == ["boss"]


def test_a_delegate_stands_in_for_whoever_is_shut_out(desk: Approving) -> None:
    desk.delegate("ap1", "ap2")
    desk.people(people.deactivate, "ap1")
    assert desk.awaited(desk.request("one")) == ["ap2"]


# an approver who is gone, a ticket that is closed


def test_who_has_lost_his_role_decides_nothing_and_his_question_goes_to_another(desk: Approving) -> None:
    record = desk.request("one")
    desk.people(lambda session, *rest: people.set_roles(session, desk.desk.roles, "ap1", frozenset({"requester"}), *rest))
    assert code(lambda: desk.approve(record, "ap1")) == "forbidden"
    desk.pass_time(hours=1)
    assert desk.awaited(record) == ["boss"]
    assert desk.approve(record, "boss").state == "approved"


@pytest.mark.parametrize("gone", ["shut out", "without his role"])
def test_the_questions_of_somebody_who_is_gone_pass_on_at_once(desk: Approving, gone: str) -> None:
    one, two = desk.request("one"), desk.request("one", by="ra2")
    decided = desk.request("one", by="ra2")
    desk.approve(decided, "ap1")
    if gone == "shut out":
        desk.people(people.deactivate, "ap1")
    else:
        desk.people(lambda session, *rest: people.set_roles(session, desk.desk.roles, "ap1", frozenset({"requester"}), *rest))
    desk.pass_time(seconds=0)
    assert [desk.awaited(one), desk.awaited(two)] == [["boss"], ["boss"]]
    assert desk.state(decided) == "approved"
    assert desk.approve(one, "boss").state == "approved"


def test_who_turns_out_to_be_the_requester_by_another_account_is_replaced_at_once(desk: Approving) -> None:
    record = desk.request("one")
    desk.people(ties.link_accounts, "ap1", "ra1")
    desk.pass_time(seconds=0)
    assert desk.awaited(record) == ["boss"]


def test_nobody_decides_on_what_was_cancelled(desk: Approving) -> None:
    record = desk.request("one")
    Doing(desk.desk, "ra1").fire(record, "cancel", "Found one.")
    assert code(lambda: desk.approve(record, "ap1")) == "already_decided"
    assert desk.course(record).outcome == "withdrawn"
