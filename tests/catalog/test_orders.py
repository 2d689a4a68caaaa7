"""Ordering, and how an order is fulfilled: its tasks begin one after the other, and end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from itsm.catalog import handlers, queries, standing
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import DeskError
from itsm.services import commands as services
from itsm.tickets import audit, commands, opening
from itsm.tickets import queries as tickets
from itsm.tickets.desk import Desk
from itsm.tickets.records import Record
from tests.catalog.world import LAPTOP, SHOP, order, publish
from tests.service import actor

HEAVY = {**LAPTOP, "kind": "power", "model": "strong", "why": "CAD all day"}


@pytest.fixture
def shop(desk: Desk) -> Desk:
    publish(desk)
    return desk


def ticket(desk: Desk, number: str) -> Record:
    with desk.reading(SYSTEM) as tx:
        return tickets.ticket(tx, number)


def tasks(desk: Desk, number: str) -> dict[str, str]:
    """The states of a request's tasks by their titles."""
    with desk.reading(SYSTEM) as tx:
        return {
            str(each.values["title"]): each.state for each in tickets.tasks(tx, tickets.ticket(tx, number), after=0, most=100)
        }


def work(desk: Desk, number: str, title: str, trigger: str = "complete", **fields: Any) -> None:
    """Somebody of the group does a task; what follows from it is done as well."""
    with desk.reading(SYSTEM) as tx:
        task = next(
            each for each in tickets.tasks(tx, tickets.ticket(tx, number), after=0, most=100) if each.values["title"] == title
        )
    if task.values["group"] != "desktop":
        fire(desk, task.number, "assign", {"group": "desktop"})
    comment = "As agreed." if trigger in {"cancel", "reopen"} else None
    fire(desk, task.number, trigger, fields, comment)


def fire(desk: Desk, number: str, trigger: str, fields: Mapping[str, Any], comment: str | None = None) -> None:
    with desk.transaction(actor(desk, "g1"), Channel.API) as tx:
        commands.transition(tx, number, trigger, fields, comment, None)


def refused(desk: Desk, login: str, item: str, answers: Mapping[str, object], people: Sequence[str] = ()) -> str:
    with pytest.raises(DeskError) as refusal:
        order(desk, login, item, answers, people)
    return refusal.value.code


def test_tasks_begin_when_those_before_them_are_over_and_fulfil_the_request(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", HEAVY)[0].number
    assert tasks(shop, number) == {"Buy strong": "open", "Prepare the account": "open"}
    work(shop, number, "Buy strong")
    assert "Install" not in tasks(shop, number)
    work(shop, number, "Prepare the account")
    assert tasks(shop, number)["Install"] == "open"
    work(shop, number, "Install")
    assert tasks(shop, number)["Tune"] == "open"
    assert "Hand over" not in tasks(shop, number)
    work(shop, number, "Tune")
    assert ticket(shop, number).state == "approved"
    work(shop, number, "Hand over")
    assert ticket(shop, number).state == "fulfilled"
    assert ticket(shop, number).values["outcome"] == "fulfilled"


def test_a_task_whose_condition_does_not_hold_is_skipped(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    for title in ("Buy light", "Prepare the account", "Install", "Hand over"):
        work(shop, number, title)
    assert set(tasks(shop, number)) == {"Buy light", "Prepare the account", "Install", "Hand over"}
    assert ticket(shop, number).state == "fulfilled"


def test_work_that_is_still_to_come_keeps_a_request_open(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    with shop.reading(SYSTEM) as tx:
        record = tickets.ticket(tx, number)
        assert handlers.tasks(tx, record) == {"open": 4, "total": 4, "failed": 0, "done": 0, "refused": 0}
    fire(shop, number, "start", {})
    work(shop, number, "Buy light")
    with pytest.raises(DeskError) as refusal:
        fire(shop, number, "fulfil", {"outcome": "fulfilled"})
    assert refusal.value.code == "condition_failed"


def test_tasks_that_end_at_the_same_moment_begin_the_next_once(shop: Desk) -> None:
    numbers = [order(shop, "ra1", "laptop", LAPTOP)[0].number for _ in range(4)]
    for number in numbers:
        with shop.reading(SYSTEM) as tx:
            first = [task.number for task in tickets.tasks(tx, tickets.ticket(tx, number), after=0, most=100)]
        for each in first:
            fire(shop, each, "assign", {"group": "desktop"})
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: shop.database.retrying(lambda: fire(shop, each, "complete", {})), first))
    with shop.reading(SYSTEM) as tx:
        opened = [tickets.tasks(tx, tickets.ticket(tx, number), after=0, most=100) for number in numbers]
    assert [sorted(str(task.values["title"]) for task in each) for each in opened] == [
        ["Buy light", "Install", "Prepare the account"]
    ] * 4


def test_a_failed_task_holds_back_what_comes_after_it_until_it_is_done_after_all(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    work(shop, number, "Buy light", "fail", result="Sold out")
    work(shop, number, "Prepare the account")
    assert "Install" not in tasks(shop, number)
    assert ticket(shop, number).state == "approved"
    work(shop, number, "Buy light", "reopen")
    work(shop, number, "Buy light")
    assert tasks(shop, number)["Install"] == "open"


def test_while_a_request_is_on_hold_nothing_more_begins(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    fire(shop, number, "start", {})
    fire(shop, number, "hold", {"pending_reason": "vendor"})
    work(shop, number, "Buy light")
    work(shop, number, "Prepare the account")
    assert "Install" not in tasks(shop, number)
    fire(shop, number, "resume", {})
    assert tasks(shop, number)["Install"] == "open"


def test_what_failed_can_be_left_at_that_by_whoever_answers_for_the_request(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    fire(shop, number, "start", {})
    work(shop, number, "Buy light", "fail", result="Sold out")
    work(shop, number, "Prepare the account")
    fire(shop, number, "fulfil", {"outcome": "partly_fulfilled"})
    assert ticket(shop, number).state == "fulfilled"


def test_a_task_that_is_cancelled_is_needed_no_more(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    work(shop, number, "Buy light", "cancel")
    work(shop, number, "Prepare the account")
    assert tasks(shop, number)["Install"] == "open"


def test_a_request_that_is_cancelled_takes_its_tasks_along(shop: Desk) -> None:
    number = order(shop, "ra1", "laptop", LAPTOP)[0].number
    with shop.transaction(actor(shop, "ra1"), Channel.API) as tx:
        commands.transition(tx, number, "cancel", {}, "No longer needed.", None)
    assert set(tasks(shop, number).values()) == {"cancelled"}
    assert set(tasks(shop, number)) == {"Buy light", "Prepare the account"}
    with shop.reading(SYSTEM) as tx:
        stages = {row.key: standing.stage_of(row).value for row in standing.planned(tx, tickets.ticket(tx, number))}
    assert stages == {"buy": "over", "account": "over", "install": "dropped", "tune": "skipped", "hand": "dropped"}


def test_what_needs_approval_begins_with_it(desk: Desk) -> None:
    publish(desk, SHOP.replace("    approval: none\n", ""))
    number = order(desk, "ra1", "laptop", LAPTOP)[0].number
    assert ticket(desk, number).state == "awaiting_approval"
    assert tasks(desk, number) == {}
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.transition(tx, number, "approve", {}, None, None)
    assert set(tasks(desk, number)) == {"Buy light", "Prepare the account"}


def test_a_request_that_was_not_ordered_from_the_catalogue_goes_its_usual_way(shop: Desk) -> None:
    with shop.transaction(actor(shop, "g1"), Channel.API) as tx:
        fields: dict[str, Any] = {"approval_required": False, "fulfilment_model": "goods", "group": "desktop"}
        number = opening.create(tx, opening.NewTicket("request", "Something", fields=fields)).number
    assert (ticket(shop, number).state, tasks(shop, number)) == ("approved", {})
    fire(shop, number, "start", {})
    assert len(tasks(shop, number)) == 2


def test_everything_of_an_order_is_there_or_nothing(shop: Desk) -> None:
    assert refused(shop, "g1", "laptop", {**LAPTOP, "model": "none"}, ["ra1", "rb1"]) == "invalid_input"
    assert refused(shop, "g1", "acme-only", {}, ["ra1", "rb1"]) == "not_found"
    with shop.reading(SYSTEM) as tx:
        assert tickets.version(tx, "REQ0000001") is None


def test_answers_that_name_something_name_what_is_there(desk: Desk) -> None:
    form = "      boss: {type: user}\n      team: {type: group}\n      box: {type: ci}\n      earlier: {type: ticket}\n"
    publish(
        desk, SHOP.replace("      urgent: {type: boolean}\n", form).replace("answers.urgent == true", "answers.boss != null")
    )
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        services.ensure_item(tx.session, "box-1", "Box", "other")
    hidden = order(desk, "rb1", "fault", {"what": "Canary"})[0].number
    right = {"what": "It smokes", "boss": "ma", "team": "network"}
    assert order(desk, "ra1", "fault", right)
    with pytest.raises(DeskError) as refusal:
        order(desk, "ra1", "fault", {**right, "boss": "nobody", "team": "x", "box": "box-9", "earlier": hidden})
    told = {error.pointer: error.code for error in refusal.value.errors}
    assert told == dict.fromkeys(("/answers/boss", "/answers/team", "/answers/box", "/answers/earlier"), "unknown_reference")


def test_the_log_tells_who_ordered_what_for_whom_and_is_sound(shop: Desk) -> None:
    record = order(shop, "g1", "laptop", LAPTOP, ["rb1"])[0]
    with shop.reading(actor(shop, "rb1")) as tx:
        found = queries.order(tx, record.number)[1]
    assert (found.requested_for, found.ordered_by) == ("rb1", "g1")
    assert (ticket(shop, record.number).values["requester"], ticket(shop, record.number).values["organisation"]) == (
        "rb1",
        "beta",
    )
    assert audit.verify(shop.database, shop.audit_key).findings == ()
