"""Asking for approval and giving it."""

from __future__ import annotations

import threading

import pytest

from itsm.approvals import commands, queries
from itsm.people.access import Channel
from itsm.platform.errors import DeskError
from itsm.tickets.desk import Desk
from itsm.tickets.records import Record
from tests.service import actor
from tests.tickets.doing import Doing


def questions(desk: Desk, login: str) -> list[int]:
    with desk.reading(actor(desk, login)) as tx:
        return [row.id for row in queries.mine(tx)]


def decide(desk: Desk, login: str, approval: int, decision: str, comment: str | None = None) -> Record:
    with desk.transaction(actor(desk, login), Channel.API) as tx:
        return commands.decide(tx, approval, decision, comment)


def test_an_approver_is_asked_sees_the_request_and_his_yes_moves_it(desk: Desk) -> None:
    record = Doing(desk, "ra1").create("request", "A second screen")
    (question,) = questions(desk, "ap1")
    assert decide(desk, "ap1", question, "approve").state == "approved"
    assert questions(desk, "ap1") == []
    assert Doing(desk, "ap1").read(record).state == "approved"


def test_a_rejection_needs_words(desk: Desk) -> None:
    Doing(desk, "ra1").create("request", "A second screen")
    (question,) = questions(desk, "ap1")
    with pytest.raises(DeskError) as refusal:
        decide(desk, "ap1", question, "reject")
    assert refusal.value.errors[0].pointer == "/comment"
    assert decide(desk, "ap1", question, "reject", "Not this year.").state == "rejected"


def test_who_was_not_asked_does_not_decide_and_who_may_not_see_learns_nothing(desk: Desk) -> None:
    Doing(desk, "ra1").create("request", "A second screen")
    (question,) = questions(desk, "ap1")
    for login, code in (("g1", "not_asked"), ("ad1", "not_asked"), ("ra1", "not_asked"), ("rb1", "not_found")):
        with pytest.raises(DeskError) as refusal:
            decide(desk, login, question, "approve")
        assert refusal.value.code == code, login


def test_nobody_approves_his_own_request(desk: Desk) -> None:
    record = Doing(desk, "ap1").create("request", "A chair")
    assert questions(desk, "ap1") == []
    assert record.state == "awaiting_approval"


def test_an_answer_is_final_however_many_come_at_once(desk: Desk) -> None:
    Doing(desk, "ra1").create("request", "A second screen")
    (question,) = questions(desk, "ap1")
    answers: list[str] = []

    def answer(decision: str) -> None:
        try:
            desk.database.retrying(lambda: decide(desk, "ap1", question, decision, "So."))
            answers.append(decision)
        except DeskError as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=answer, args=(decision,)) for decision in ("approve", "reject") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("already_decided") == 7


def test_leaving_the_state_withdraws_what_is_still_open(desk: Desk) -> None:
    record = Doing(desk, "ra1").create("request", "A second screen")
    (question,) = questions(desk, "ap1")
    Doing(desk, "ra1").fire(record, "cancel", "Found one.")
    with pytest.raises(DeskError) as refusal:
        decide(desk, "ap1", question, "approve")
    assert refusal.value.code == "already_decided"


def test_two_signatures_are_not_one_where_only_one_person_could_give_them(desk: Desk) -> None:
    dear = {"cost": {"amount": "7400.00", "currency": "EUR"}}
    record = Doing(desk, "g1").create("request", "A large screen", requester="ra1", fields=dear)
    assert record.state == "awaiting_approval"
    assert questions(desk, "ap1") == []
