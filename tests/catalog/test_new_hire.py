"""The shipped new hire: a bundle from the order to the first day, on a desk as it is shipped."""

from __future__ import annotations

from typing import Any

import pytest

from itsm.catalog import publishing, queries
from itsm.cli.starting import load_starting_set
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel
from itsm.platform.settings import PROJECT_ROOT
from itsm.tickets.desk import Desk
from tests.catalog.test_bundles import by_desk, finish, item, items
from tests.catalog.test_orders import tasks, ticket, work
from tests.catalog.world import order

HIRE: dict[str, Any] = {
    "name": "Ada Sommer",
    "private_mail": "ada@home.example",
    "starts": "2026-04-01",
    "manager": "l1",
    "department": "Sales",
    "model": "light",
    "phone": True,
    "applications": ["crm", "erp"],
    "cost_centre": "acme-sales",
}


@pytest.fixture
def shop(desk: Desk) -> Desk:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        load_starting_set(tx.session, PROJECT_ROOT / "config")
        publishing.publish_directory(tx, PROJECT_ROOT / "config" / publishing.DIRECTORY)
        people.join(tx.session, "g1", "identity", tx.now, "tests")
    return desk


def hire(desk: Desk, **other: Any) -> str:
    answers = {name: value for name, value in {**HIRE, **other}.items() if value is not None}
    number = order(desk, "l1", "new-hire", answers)[0].number
    by_desk(desk, number, "approve")
    return number


def test_somebody_begins_and_finds_everything_there(shop: Desk) -> None:
    number = hire(shop)
    assert items(shop, number) == {"account": "approved", "laptop": "planned", "phone": "planned", "access": "planned"}
    assert ticket(shop, number).values["cost"] == {"amount": "1917.20", "currency": "EUR"}
    finish(shop, item(shop, number, "account").number)
    assert items(shop, number) == {
        "account": "fulfilled",
        "laptop": "approved",
        "phone": "approved",
        "access": "awaiting_approval",
    }
    with shop.reading(SYSTEM) as tx:
        laptop = queries.order(tx, item(shop, number, "laptop").number)[1]
    told = {name: laptop.answers[name] for name in ("use", "model", "newcomer", "delivered_to", "cost_centre")}
    assert told == {
        "use": "travel",
        "model": "light",
        "newcomer": "Ada Sommer",
        "delivered_to": "pick_up",
        "cost_centre": "acme-sales",
    }
    assert "Set up and hand over the phone of Ada Sommer" not in tasks(shop, item(shop, number, "phone").number)
    for key in ("laptop", "phone"):
        finish(shop, item(shop, number, key).number)
    by_desk(shop, item(shop, number, "access").number, "reject")
    work(shop, number, "Welcome Ada Sommer at the desk")
    assert (ticket(shop, number).state, ticket(shop, number).values["outcome"]) == ("fulfilled", "partly_fulfilled")


def test_without_an_account_nobody_begins(shop: Desk) -> None:
    number = hire(shop, phone=False, applications=None)
    assert items(shop, number)["phone"] == "skipped"
    by_desk(shop, item(shop, number, "account").number, "withdraw")
    assert ticket(shop, number).state == "cancelled"
