"""Orders that come again, by the API: what is sent, what comes back, and in which words it is refused."""

from __future__ import annotations

import pytest

from tests.api.world import Api
from tests.catalog.kits import KITS
from tests.catalog.world import LAPTOP, publish

WEEKLY = {
    "item": "laptop",
    "answers": LAPTOP,
    "rule": "FREQ=WEEKLY;BYDAY=TU",
    "starts": "2026-03-03T09:00",
    "zone": "Europe/Berlin",
}


@pytest.fixture
def shop(api: Api) -> Api:
    publish(api.desk, KITS)
    return api


def test_what_was_subscribed_is_told_with_what_comes(shop: Api) -> None:
    made = shop("ra1").post("/catalog/recurrences", WEEKLY)
    assert made.status == 201, made.text
    here = f"/api/v1/catalog/recurrences/{made.json['id']}"
    assert made.headers["Location"] == here
    assert (made.json["state"], made.json["next_at"], made.json["occurrences"]) == ("active", "2026-03-03T08:00:00Z", [])
    read = shop("ra1").get(f"/catalog/recurrences/{made.json['id']}").json
    assert (read["answers"], read["dates"][:2]) == (LAPTOP, ["2026-03-03T08:00:00Z", "2026-03-10T08:00:00Z"])
    dates = shop("ra1").get(f"/catalog/recurrences/{made.json['id']}/dates?count=6").json["items"]
    assert (len(dates), dates[-1]) == (6, "2026-04-07T07:00:00Z")


def test_it_is_paused_resumed_and_ended_by_address(shop: Api) -> None:
    number = shop("ra1").post("/catalog/recurrences", WEEKLY).json["id"]
    for deed, state in (("pause", "paused"), ("resume", "active"), ("end", "ended")):
        reply = shop("ra1").post(f"/catalog/recurrences/{number}/{deed}", {})
        assert (reply.status, reply.json["state"]) == (200, state), reply.text
    assert shop("ra1").get(f"/catalog/recurrences/{number}").json["dates"] == []
    assert shop("ra1").post(f"/catalog/recurrences/{number}/resume", {}).status == 409


def test_the_list_is_paged(shop: Api) -> None:
    numbers = [shop("ra1").post("/catalog/recurrences", WEEKLY).json["id"] for _ in range(3)]
    first = shop("ra1").get("/catalog/recurrences?limit=2").json
    second = shop("ra1").get(f"/catalog/recurrences?limit=2&cursor={first['next']}").json
    assert [each["id"] for each in (*first["items"], *second["items"])] == numbers
    assert second["next"] is None


def test_every_fault_is_told_by_its_pointer(shop: Api) -> None:
    wrong = {**WEEKLY, "rule": "FREQ=MINUTELY", "zone": "Nowhere", "on_closed": "skip"}
    reply = shop("ra1").post("/catalog/recurrences", wrong)
    assert (reply.status, set(reply.pointers)) == (422, {"/rule", "/zone", "/calendar"})
    assert set(shop("ra1").post("/catalog/recurrences", {**WEEKLY, "on_closed": "sometimes"}).pointers) == {"/on_closed"}
    assert set(shop("ra1").post("/catalog/recurrences", {**WEEKLY, "answers": {}}).pointers) >= {"/answers/kind"}


def test_a_bundle_shows_what_it_orders_and_for_how_much(shop: Api) -> None:
    offered = next(each for each in shop("ra1").get("/catalog?q=beginner").items if each["key"] == "starter")
    assert offered["price"] == {"currency": "EUR", "once": None, "monthly": None, "depends": True}
    form = shop("ra1").post("/catalog/starter/form", {"answers": {"who": "Ada"}}).json
    assert [(each["key"], each["item"], each["price"]["once"]) for each in form["items"]] == [
        ("badge", "badge", "12.50"),
        ("laptop", "laptop", "1199.00"),
    ]
    assert (form["price"]["once"], form["promise"]["words"]) == ("1211.50", "1 business day, then 3 business days")
    placed = shop("ra1").post("/catalog/starter/requests", {"answers": {"who": "Ada"}})
    number = placed.items[0]["number"]
    ordered = shop("ra1").get(f"/tickets/{number}/order").json
    assert [(each["key"], each["if_refused"]) for each in ordered["items"]] == [("badge", "go_on"), ("laptop", "drop_after")]
    assert ordered["price"]["once"] == "1211.50"
    refused = shop("rb1").post("/catalog/starter/requests", {"answers": {"who": "Ada", "strong": True}})
    assert (refused.status, set(refused.pointers)) == (422, {"/items/extra"})
