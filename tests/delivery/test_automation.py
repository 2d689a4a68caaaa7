"""A task that a program does: called by a signed webhook, it calls back, and what it cannot do falls to people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from itsm.app import Service
from itsm.people.access import Channel
from itsm.platform.time import FrozenClock
from itsm.tickets import audit, commands, projection
from tests.delivery.desk import Automated
from tests.delivery.receiver import Receiver, listening
from tests.service import actor


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def desk(service: Service, clock: FrozenClock, receiver: Receiver) -> Automated:
    return Automated(service, clock, directory=receiver.url)


def fire(desk: Automated, number: str, trigger: str, comment: str | None = None) -> None:
    with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
        commands.transition(tx, number, trigger, {}, comment, None)


def test_an_ordered_account_is_made_by_the_automation_from_the_order_to_its_end(desk: Automated, receiver: Receiver) -> None:
    task = desk.orders(login="newbie")
    assert desk.ticket(task).state == "automated"
    assert receiver.seen == []  # nothing leaves before the relay looks
    desk.relay.look()
    assert desk.relay.wait(5)
    (seen,) = receiver.seen
    assert seen.is_signed
    assert seen.json["type"] == "task.webhook"
    told = seen.json["data"]
    assert told["input"] == {"login": "newbie", "kind": "person"}
    assert (told["ticket"], told["payload"]["title"]) == (task, "Make the account")
    assert told["callback"].endswith(f"/api/v1/callbacks/{seen.id}")

    reply = desk.calls_back(seen.id, message="Made newbie in staff.", outputs={"uid": 4711})
    assert (reply.status_code, reply.json) == (200, {"call": seen.id, "ticket": task, "status": "succeeded"})
    done = desk.ticket(task)
    assert (done.state, done.values["result"]) == ("done", "Made newbie in staff.")
    (answered,) = desk.told(task, "webhook_answered")
    assert answered["outputs"] == {"uid": 4711}
    assert [channel for kind, channel, _ in desk.events(task) if kind == "webhook_answered"] == ["callback"]
    desk.passes(seconds=1)
    with desk.desk.transaction(actor(desk.desk, "g1"), Channel.API) as tx:
        commands.transition(tx, f"TSK{int(task[3:]) + 1:07d}", "complete", {}, None, None)
    desk.passes(seconds=1)
    assert desk.request_of(task).category in ("resolved", "closed")
    assert audit.verify(desk.desk.database, desk.desk.audit_key).findings == ()
    assert projection.verify(desk.desk.database) == []


def test_an_answer_may_come_before_the_relay_has_noted_that_the_call_was_taken(desk: Automated, receiver: Receiver) -> None:
    task = desk.orders()
    desk.delivers()
    call = receiver.seen[0].id
    assert desk.calls_back(call).status_code == 200
    desk.passes(hours=2)
    assert desk.delivers() == 0
    assert desk.ticket(task).state == "done"


def test_a_failure_fails_the_task_with_its_message_and_holds_back_what_comes_after(desk: Automated, receiver: Receiver) -> None:
    task = desk.orders()
    desk.delivers()
    assert desk.calls_back(receiver.seen[0].id, "failed", message="The name is taken.").status_code == 200
    failed = desk.ticket(task)
    assert (failed.state, failed.values["result"]) == ("failed", "The name is taken.")
    assert desk.request_of(task).category == "open"
    fire(desk, task, "reopen", "The other account is gone now.")
    fire(desk, task, "automate")
    desk.delivers()
    first, second = receiver.seen
    assert first.id != second.id
    assert desk.calls_back(second.id).status_code == 200
    assert desk.ticket(task).state == "done"


def test_the_same_answer_again_is_taken_once_and_another_is_refused(desk: Automated, receiver: Receiver) -> None:
    task = desk.orders()
    desk.delivers()
    call = receiver.seen[0].id
    first = desk.calls_back(call, message="Done.")
    before = desk.events(task)
    again = desk.calls_back(call, message="Done.")
    assert (again.status_code, again.json) == (200, first.json)
    other = desk.calls_back(call, "failed", message="Not done.")
    assert (other.status_code, other.json["code"]) == (409, "already_answered")
    assert desk.events(task) == before


def test_who_has_not_the_secret_is_turned_away(desk: Automated, receiver: Receiver) -> None:
    task = desk.orders()
    desk.delivers()
    call = receiver.seen[0].id
    for wrong in ({"key": bytes(32)}, {"late": 301}, {"late": -301}, {"signed_as": "msg_of_another_call"}):
        reply = desk.calls_back(call, **wrong)
        assert (reply.status_code, reply.json["code"]) == (401, "bad_signature"), wrong
    assert desk.api.post(f"/api/v1/callbacks/{call}", json={"status": "succeeded"}).status_code == 401
    assert desk.calls_back("msg_that_never_was").status_code == 404
    assert desk.ticket(task).state == "automated"
    assert desk.calls_back(call, late=299).status_code == 200


def test_a_wrong_answer_is_refused_with_all_its_faults_and_may_be_given_rightly(desk: Automated, receiver: Receiver) -> None:
    task = desk.orders()
    desk.delivers()
    call = receiver.seen[0].id
    reply = desk.calls_back(call, "perhaps", message=7, outputs=[], more=1)
    assert reply.status_code == 422
    assert {each["pointer"] for each in reply.json["errors"]} == {"/status", "/message", "/outputs", "/more"}
    assert desk.calls_back(call, outputs={"log": "x" * 17_000}).status_code == 422
    assert desk.ticket(task).state == "automated"
    assert desk.calls_back(call).status_code == 200


def test_no_answer_in_time_sends_the_call_again_and_then_hands_the_task_to_its_group(
    desk: Automated, receiver: Receiver
) -> None:
    task = desk.orders()
    desk.delivers()
    desk.passes(minutes=29)
    assert desk.delivers() == 0
    desk.passes(minutes=1)
    assert desk.delivers() == 1
    first, second = receiver.seen
    assert (first.id, first.body) == (second.id, second.body)
    assert second.is_signed
    assert desk.told(task, "webhook_repeated") == [{"webhook": "directory", "call": first.id, "sent": 2}]
    desk.passes(minutes=30)
    handed = desk.ticket(task)
    assert (handed.state, handed.values["group"]) == ("open", "network")
    (why,) = desk.told(task, "webhook_unanswered")
    assert (why["sent"], why["why"]) == (2, "Sent 2 times, and not answered in time.")
    late = desk.calls_back(first.id)
    assert (late.status_code, late.json["code"]) == (410, "no_longer_awaited")
    fire(desk, task, "complete")
    assert desk.ticket(task).state == "done"


def test_a_task_without_people_fails_when_the_automation_does_not_answer(desk: Automated) -> None:
    task = desk.orders("badge")
    for _ in range(2):
        desk.delivers()
        desk.passes(minutes=30)
    failed = desk.ticket(task)
    assert (failed.state, failed.values["result"]) == ("failed", "The automation “directory” has not answered.")


def test_a_call_whose_task_was_taken_over_is_not_sent_and_its_answer_not_taken(desk: Automated, receiver: Receiver) -> None:
    never_sent, sent = desk.orders(), desk.orders()
    fire(desk, never_sent, "take_over")
    desk.delivers()
    (seen,) = receiver.seen
    assert seen.json["data"]["ticket"] == sent
    fire(desk, sent, "take_over")
    assert desk.calls_back(seen.id).json["code"] == "no_longer_awaited"
    desk.passes(hours=1)
    assert desk.ticket(sent).state == "open"
    assert desk.told(sent, "webhook_unanswered") == []


def test_a_receiver_that_never_accepts_leaves_the_task_to_people_with_the_reason(desk: Automated, receiver: Receiver) -> None:
    receiver.status, receiver.answer = 500, b"the directory is down\x00"
    task = desk.orders()
    while not desk.parked():
        assert desk.delivers() <= 1
        desk.passes(hours=2)
    desk.passes(seconds=1)
    assert len(receiver.seen) == 6
    assert len({seen.id for seen in receiver.seen}) == 1
    assert desk.ticket(task).state == "open"
    (why,) = desk.told(task, "webhook_unanswered")
    assert why["why"] == "answered 500: the directory is down"
