"""Items that make a problem or a change instead of a request: from the form to the end of the ticket's own way."""

from __future__ import annotations

from typing import Any

import pytest

from itsm.catalog import queries
from itsm.changes import standard
from itsm.changes.rules import Book
from itsm.people.access import Channel
from itsm.platform.errors import DeskError
from itsm.tickets.desk import Desk
from tests.catalog.test_orders import fire, tasks, ticket
from tests.catalog.world import SHOP, codes, order, publish
from tests.service import actor

MODEL = "renew-certificate"
MADE = (
    SHOP
    + """\
  known-fault:
    title: Something that comes back
    category: help
    service: workplace
    makes: problem
    group: desktop
    ticket_title: = answers.what
    form:
      what: {type: text, require: true}
  certificate:
    title: A new certificate
    category: hosting
    service: workplace
    makes: change
    ticket_title: "= 'Certificate of ' + answers.host"
    group: desktop
    fields:
      change_type: standard
      standard_model: renew-certificate
      risk: low
      impact: minor
      implementation_plan: Make key and request on the server, have it signed, install it, reload the service.
      test_plan: The new expiry date is seen from outside.
      backout_plan: Install the old certificate, which is still valid.
    form:
      host: {type: hostname, require: true}
"""
)


@pytest.fixture
def shop(desk: Desk) -> Desk:
    publish(desk, MADE)
    return desk


def ordered(desk: Desk, key: str, answers: dict[str, Any]) -> str:
    record = order(desk, "ra1", key, answers)[0]
    with desk.reading(actor(desk, "ra1")) as tx:
        kept = queries.order(tx, record.number)[1]
    assert (kept.version.item.key, kept.answers, kept.requested_for) == (key, answers, "ra1")
    return record.number


def test_a_problem_is_made_with_its_group_and_goes_its_own_way(shop: Desk) -> None:
    number = ordered(shop, "known-fault", {"what": "Screens flicker each Monday"})
    made = ticket(shop, number)
    assert (made.type, made.state, made.values["group"]) == ("problem", "new", "desktop")
    assert made.values["title"] == "Screens flicker each Monday"
    fire(shop, number, "assign", {"group": "desktop"})
    fire(shop, number, "investigate", {})
    assert ticket(shop, number).category == "open"
    assert tasks(shop, number) == {}


def test_a_standard_change_is_made_from_the_model_that_was_authorised(shop: Desk) -> None:
    number = ordered(shop, "certificate", {"host": "db1.example.org"})
    made = ticket(shop, number)
    assert (made.type, made.state, made.values["change_type"], made.values["standard_model"]) == (
        *("change", "new"),
        *("standard", MODEL),
    )
    with pytest.raises(DeskError) as refusal:
        fire(shop, number, "submit", {})
    assert "not approved" in refusal.value.detail + " ".join(error.message for error in refusal.value.errors)
    with shop.transaction(actor(shop, "cm1"), Channel.API) as tx:
        standard.approve(tx, MODEL, tx.desk.part(Book).models[MODEL].version, "As usual.")
    fire(shop, number, "submit", {})
    assert ticket(shop, number).state == "authorised"


def test_a_change_that_says_otherwise_than_its_model_is_none_of_it(desk: Desk) -> None:
    publish(desk, MADE.replace("      risk: low\n", "      risk: high\n"))
    number = ordered(desk, "certificate", {"host": "db1.example.org"})
    with desk.transaction(actor(desk, "cm1"), Channel.API) as tx:
        standard.approve(tx, MODEL, tx.desk.part(Book).models[MODEL].version, "As usual.")
    with pytest.raises(DeskError):
        fire(desk, number, "submit", {})
    assert ticket(desk, number).state == "new"


def test_a_bundle_consists_of_requests_alone_and_what_else_is_made_has_no_items(shop: Desk) -> None:
    inner = "    items:\n      fault: {answers: {what: x}}\n    form:\n      what: {type: text, require: true}\n  certificate:"
    text = MADE.replace("    form:\n      what: {type: text, require: true}\n  certificate:", inner)
    assert text != MADE
    assert set(codes(text)) == {"misplaced-key"}
