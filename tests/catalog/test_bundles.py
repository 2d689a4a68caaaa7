"""Ordering a bundle: every item of it is a request of its own, in its turn, and the bundle's state follows from theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from itsm.catalog import bundles, publishing, queries, rules, shelf, standing
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import DeskError
from itsm.tickets import audit, commands, timeline
from itsm.tickets import queries as tickets
from itsm.tickets.desk import Desk
from itsm.tickets.records import Record
from tests.catalog.kits import KITS
from tests.catalog.test_orders import fire, tasks, ticket, work
from tests.catalog.world import order, publish, read
from tests.service import actor

PLAIN = {"who": "Ada"}
STRONG = {"who": "Ada", "strong": True, "starts": "2026-03-20"}


@pytest.fixture
def shop(desk: Desk) -> Desk:
    publish(desk, KITS)
    return desk


def items(desk: Desk, number: str) -> dict[str, str]:
    """How far each item of a bundle is, by its key; with the state of its request where there is one."""
    with desk.reading(SYSTEM) as tx:
        rows = standing.planned(tx, tickets.ticket(tx, number))
    return {row.key: row.state or row.stage for row in rows if row.if_refused is not None or row.stage == "skipped"}


def item(desk: Desk, number: str, key: str) -> Record:
    """The request that an item of a bundle became."""
    with desk.reading(SYSTEM) as tx:
        row = next(row for row in standing.planned(tx, tickets.ticket(tx, number)) if row.key == key)
        assert row.number is not None, f"{key} was not ordered yet"
        return tickets.ticket(tx, row.number)


def by_desk(desk: Desk, number: str, trigger: str) -> None:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.transition(tx, number, trigger, {}, None, None)


def finish(desk: Desk, number: str) -> None:
    """Do every task of a request until it is fulfilled."""
    while opened := [title for title, state in tasks(desk, number).items() if state == "open"]:
        work(desk, number, opened[0])
    assert ticket(desk, number).state == "fulfilled"


def events(desk: Desk, number: str, type_: str) -> list[Any]:
    with desk.reading(SYSTEM) as tx:
        return [each.details for each in timeline.read(tx, number, 0, 200).entries if each.kind == type_]


def faults(desk: Desk, login: str, key: str, answers: dict[str, Any], people: tuple[str, ...] = ()) -> dict[str, str]:
    with pytest.raises(DeskError) as refusal:
        order(desk, login, key, answers, people)
    return {error.pointer: error.code for error in refusal.value.errors}


def test_items_are_ordered_one_after_the_other_and_tasks_come_between(shop: Desk) -> None:
    number = order(shop, "ra1", "starter", PLAIN)[0].number
    assert items(shop, number) == {"badge": "awaiting_approval", "extra": "skipped", "laptop": "planned"}
    assert tasks(shop, number) == {"Prepare the desk of Ada": "open"}
    badge = item(shop, number, "badge").number
    by_desk(shop, badge, "approve")
    assert items(shop, number)["laptop"] == "planned"
    finish(shop, badge)
    laptop = item(shop, number, "laptop")
    assert (laptop.state, laptop.values["title"], laptop.values["parent"]) == ("approved", "Laptop of Ada", number)
    work(shop, number, "Prepare the desk of Ada")
    assert "Welcome Ada" not in tasks(shop, number)
    finish(shop, laptop.number)
    assert tasks(shop, number)["Welcome Ada"] == "open"
    assert ticket(shop, number).state == "approved"
    work(shop, number, "Welcome Ada")
    assert (ticket(shop, number).state, ticket(shop, number).values["outcome"]) == ("fulfilled", "fulfilled")
    assert audit.verify(shop.database, shop.audit_key).findings == ()


def test_an_item_is_a_real_order_with_answers_from_the_bundle(shop: Desk) -> None:
    number = order(shop, "g1", "starter", STRONG, ["ra1"])[0].number
    finish_badge(shop, number)
    laptop = item(shop, number, "laptop")
    with shop.reading(actor(shop, "ra1")) as tx:
        kept = queries.order(tx, laptop.number)[1]
    assert kept.answers == {
        "kind": "power",
        "model": "strong",
        "price": {"amount": "2890.50", "currency": "EUR"},
        "why": "CAD",
        "address": "Room of Ada",
        "until": "2026-03-20",
    }
    assert (kept.requested_for, kept.ordered_by, kept.price["once"]) == ("ra1", "g1", "2890.50")
    assert kept.promised_at == datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    assert (laptop.values["requester"], laptop.values["organisation"]) == ("ra1", "acme")


def finish_badge(desk: Desk, number: str) -> None:
    badge = item(desk, number, "badge").number
    by_desk(desk, badge, "approve")
    finish(desk, badge)


def test_price_and_promise_are_the_sum_and_the_longest_way(shop: Desk) -> None:
    record = order(shop, "ra1", "starter", PLAIN)[0]
    with shop.reading(SYSTEM) as tx:
        kept = queries.order(tx, record.number)[1]
    assert kept.price == {"currency": "EUR", "once": "1211.50", "monthly": "10.00"}
    assert record.values["cost"] == {"amount": "1331.50", "currency": "EUR"}
    assert kept.promised_at == datetime(2026, 3, 6, 9, 0, tzinfo=UTC)  # one day for the badge, then three for the laptop


def test_a_price_and_a_promise_of_its_own_stand(desk: Desk) -> None:
    own = "    ticket_title: \"= 'Starter: ' + answers.who\"\n"
    publish(desk, KITS.replace(own, own + "    price: {once: 900}\n    deliver: 2 business days\n    calendar: office-hours\n"))
    number = order(desk, "ra1", "starter", PLAIN)[0].number
    with desk.reading(SYSTEM) as tx:
        kept = queries.order(tx, number)[1]
    assert (kept.price["once"], kept.price["monthly"]) == ("900.00", None)
    assert kept.promised_at == datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


def test_what_is_published_meanwhile_does_not_change_what_was_ordered(shop: Desk) -> None:
    number = order(shop, "ra1", "starter", PLAIN)[0].number
    publish(shop, KITS.replace("1199.00", "1499.00").replace("Print the badge of", "Emboss the badge of"))
    assert tasks(shop, item(shop, number, "badge").number) == {}
    finish_badge(shop, number)
    assert set(tasks(shop, item(shop, number, "badge").number)) == {"Print the badge of Ada"}
    with shop.reading(SYSTEM) as tx:
        assert queries.order(tx, item(shop, number, "laptop").number)[1].price["once"] == "1199.00"


def test_one_item_refused_and_what_comes_after_it_goes_on_where_the_bundle_says_so(shop: Desk) -> None:
    number = order(shop, "ra1", "starter", PLAIN)[0].number
    by_desk(shop, item(shop, number, "badge").number, "reject")
    assert items(shop, number) == {"badge": "rejected", "extra": "skipped", "laptop": "approved"}
    finish(shop, item(shop, number, "laptop").number)
    work(shop, number, "Prepare the desk of Ada")
    work(shop, number, "Welcome Ada")
    assert (ticket(shop, number).state, ticket(shop, number).values["outcome"]) == ("fulfilled", "partly_fulfilled")
    (told,) = events(shop, number, "item_refused")
    assert (told["item"], told["state"], told["if_refused"]) == ("badge", "rejected", "go_on")


def test_otherwise_what_comes_after_it_is_dropped_and_the_others_go_on(desk: Desk) -> None:
    publish(desk, KITS.replace(", if_refused: go_on", ""))
    number = order(desk, "ra1", "starter", PLAIN)[0].number
    by_desk(desk, item(desk, number, "badge").number, "reject")
    assert items(desk, number)["laptop"] == "planned"
    assert ticket(desk, number).state == "approved"
    work(desk, number, "Prepare the desk of Ada")
    assert (ticket(desk, number).state, ticket(desk, number).values["outcome"]) == ("fulfilled", "partly_fulfilled")
    by_desk(desk, number, "close")
    assert items(desk, number)["laptop"] == "dropped"


def test_what_was_refused_is_asked_for_again_and_the_rest_follows_after_all(desk: Desk) -> None:
    publish(desk, KITS.replace(", if_refused: go_on", ""))
    number = order(desk, "ra1", "starter", PLAIN)[0].number
    badge = item(desk, number, "badge").number
    by_desk(desk, badge, "reject")
    with desk.transaction(actor(desk, "ra1"), Channel.API) as tx:
        commands.transition(tx, badge, "resubmit", {}, "My manager agrees now.", None)
        commands.transition(tx, badge, "submit", {}, None, None)
    finish_badge(desk, number)
    assert items(desk, number)["laptop"] == "approved"


def test_without_one_of_its_items_a_bundle_may_make_no_sense(desk: Desk) -> None:
    publish(desk, KITS.replace("if_refused: go_on", "if_refused: cancel_all"))
    number = order(desk, "ra1", "team", {"name": "Ada"})[0].number
    starter = item(desk, number, "starter").number
    assert items(desk, starter)["badge"] == "skipped"
    single = order(desk, "ra1", "starter", PLAIN)[0].number
    by_desk(desk, item(desk, single, "badge").number, "reject")
    assert ticket(desk, single).state == "cancelled"
    assert tasks(desk, single) == {"Prepare the desk of Ada": "cancelled"}
    assert items(desk, single)["laptop"] == "dropped"


def test_a_bundle_of_which_nothing_is_granted_ends_too(desk: Desk) -> None:
    only = KITS[: KITS.index("  team:")] + (
        "  pair:\n    title: Two badges\n    category: people\n    service: workplace\n    approval: none\n"
        "    form:\n      who: {type: text, require: true}\n"
        "    items:\n      one: {item: badge, answers: {name: = answers.who}}\n"
        "      two: {item: badge, answers: {name: Spare}}\n"
    )
    publish(desk, only)
    number = order(desk, "ra1", "pair", PLAIN)[0].number
    by_desk(desk, item(desk, number, "one").number, "reject")
    assert ticket(desk, number).state == "approved"
    by_desk(desk, item(desk, number, "two").number, "reject")
    assert (ticket(desk, number).state, ticket(desk, number).values["outcome"]) == ("fulfilled", "not_possible")


def test_a_bundle_within_a_bundle_rolls_up_to_the_top(shop: Desk) -> None:
    number = order(shop, "ra1", "team", {"name": "Ada"})[0].number
    starter = item(shop, number, "starter").number
    finish(shop, item(shop, starter, "laptop").number)
    work(shop, starter, "Prepare the desk of Ada")
    assert items(shop, number)["badge"] == "planned"
    work(shop, starter, "Welcome Ada")
    assert ticket(shop, starter).state == "fulfilled"
    finish_badge(shop, number)
    assert ticket(shop, number).state == "fulfilled"


def test_a_person_must_be_entitled_to_every_item_at_the_time_of_the_order(shop: Desk) -> None:
    assert faults(shop, "rb1", "starter", STRONG) == {"/items/extra": "not_offered"}
    assert faults(shop, "g1", "starter", STRONG, ("ra1", "rb1")) == {"/items/extra": "not_offered"}
    assert order(shop, "rb1", "starter", PLAIN)[0].state == "approved"


def test_faulty_answers_of_items_are_told_where_they_stand(desk: Desk) -> None:
    publish(desk, KITS.replace("'CAD' : ''", "'' : ''"))
    assert faults(desk, "ra1", "starter", {"strong": True}) == {"/answers/who": "required"}
    late = {**STRONG, "starts": "2026-02-01"}
    assert faults(desk, "ra1", "starter", late) == {
        "/items/laptop/answers/why": "invalid_value",
        "/items/laptop/answers/until": "invalid_value",
    }


def test_an_item_that_is_no_longer_offered_keeps_its_bundle_from_being_ordered(desk: Desk) -> None:
    publish(desk, KITS)
    catalog = read(KITS)
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, replace(catalog, items={key: it for key, it in catalog.items.items() if key != "acme-only"}))
    assert faults(desk, "ra1", "starter", STRONG) == {"/items/extra": "not_offered"}


def test_a_bundle_costs_one_statement_to_judge_however_many_items_it_has(shop: Desk) -> None:
    seen: list[str] = []
    with shop.transaction(actor(shop, "ra1"), Channel.API) as tx:
        version = shelf.current_of(tx, "team")
        assert version is not None
        who = queries.beneficiary(tx, None, "")
        filled = rules.fill(version.item, who, {"name": "Ada"}, tx.now)
        original = tx.session.all

        def counted(*arguments: Any, **more: Any) -> list[Any]:
            seen.append("all")
            return original(*arguments, **more)

        tx.session.all = counted  # type: ignore[method-assign]
        found, wrong = bundles.wanted(tx, version.item, who, filled.variables)
    assert (len(found), wrong) == (2, [])
    assert len(seen) <= 2


# On hold, and cancelled


def held(desk: Desk, policy: str) -> tuple[str, str]:
    """A bundle on hold, whose laptop is under way; with the laptop's number."""
    publish(desk, KITS.replace("    items:\n      badge:", f"    on_hold: {policy}\n    items:\n      badge:"))
    number = order(desk, "ra1", "starter", {**PLAIN, "badge": False})[0].number
    laptop = item(desk, number, "laptop").number
    fire(desk, number, "assign", {"group": "desktop"})
    fire(desk, number, "start", {})
    fire(desk, number, "hold", {"pending_reason": "user"})
    return number, laptop


def test_on_hold_pauses_what_is_under_way_where_the_item_says_so(desk: Desk) -> None:
    number, laptop = held(desk, "pause")
    assert (ticket(desk, laptop).state, ticket(desk, laptop).values["pending_reason"]) == ("on_hold", "bundle")
    assert tasks(desk, number) == {"Prepare the desk of Ada": "on_hold"}
    assert set(tasks(desk, laptop).values()) == {"open"}  # the laptop's own item does not say so
    with pytest.raises(DeskError):
        work(desk, number, "Prepare the desk of Ada", "resume")
    fire(desk, number, "resume", {})
    assert ticket(desk, laptop).state == "assigned"
    assert tasks(desk, number) == {"Prepare the desk of Ada": "open"}


def test_otherwise_what_is_under_way_goes_on(desk: Desk) -> None:
    number, laptop = held(desk, "go_on")
    assert ticket(desk, laptop).state == "approved"
    work(desk, number, "Prepare the desk of Ada")
    assert tasks(desk, number) == {"Prepare the desk of Ada": "done"}


def test_a_task_that_waits_for_something_else_goes_on_waiting(desk: Desk) -> None:
    publish(desk, KITS.replace("    items:\n      badge:", "    on_hold: pause\n    items:\n      badge:"))
    number = order(desk, "ra1", "starter", {**PLAIN, "badge": False})[0].number
    work(desk, number, "Prepare the desk of Ada", "start")
    work(desk, number, "Prepare the desk of Ada", "hold", pending_reason="vendor")
    fire(desk, number, "assign", {"group": "desktop"})
    fire(desk, number, "hold", {"pending_reason": "user"})
    fire(desk, number, "resume", {})
    assert tasks(desk, number) == {"Prepare the desk of Ada": "on_hold"}


def test_an_item_that_is_approved_while_its_bundle_is_on_hold_waits_as_well(desk: Desk) -> None:
    publish(desk, KITS.replace("    items:\n      badge:", "    on_hold: pause\n    items:\n      badge:"))
    number = order(desk, "ra1", "starter", PLAIN)[0].number
    badge = item(desk, number, "badge").number
    fire(desk, number, "assign", {"group": "desktop"})
    fire(desk, number, "hold", {"pending_reason": "user"})
    assert ticket(desk, badge).state == "awaiting_approval"
    by_desk(desk, badge, "approve")
    assert ticket(desk, badge).state == "on_hold"
    fire(desk, number, "resume", {})
    assert ticket(desk, badge).state == "assigned"


def test_cancelling_a_bundle_calls_off_what_is_not_fulfilled(shop: Desk) -> None:
    number = order(shop, "ra1", "starter", STRONG)[0].number
    finish_badge(shop, number)
    laptop = item(shop, number, "laptop").number
    with shop.transaction(actor(shop, "ra1"), Channel.API) as tx:
        commands.transition(tx, number, "cancel", {}, "No longer needed.", None)
    assert items(shop, number) == {"badge": "fulfilled", "laptop": "cancelled", "extra": "dropped"}
    assert set(tasks(shop, laptop).values()) == {"cancelled"}
    assert tasks(shop, number) == {"Prepare the desk of Ada": "cancelled"}


def test_items_may_be_kept_when_their_bundle_is_cancelled(desk: Desk) -> None:
    publish(desk, KITS.replace("    items:\n      badge:", "    on_cancel: go_on\n    items:\n      badge:"))
    number = order(desk, "ra1", "starter", PLAIN)[0].number
    with desk.transaction(actor(desk, "ra1"), Channel.API) as tx:
        commands.transition(tx, number, "cancel", {}, "No longer needed.", None)
    assert items(desk, number) == {"badge": "awaiting_approval", "laptop": "dropped", "extra": "skipped"}
