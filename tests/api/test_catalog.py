"""The catalogue over HTTP: what is offered, the form of it, and ordering by it."""

from __future__ import annotations

from io import BytesIO

import pytest
from jsonschema import Draft202012Validator

from itsm.catalog import publishing
from itsm.catalog.definition import Catalog, Item
from itsm.people.access import SYSTEM, Channel
from itsm.tickets.desk import Desk
from tests.api.test_statements import counted
from tests.api.world import Api
from tests.catalog.world import LAPTOP, SHOP, publish, read


@pytest.fixture
def api(desk: Desk) -> Api:
    publish(desk)
    return Api(desk)


def test_one_sees_what_one_may_order_with_price_and_promise(api: Api) -> None:
    items = {each["key"]: each for each in api("ra1").get("/catalog").items}
    assert list(items) == ["laptop", "fault", "acme-only"]
    laptop = items["laptop"]
    assert laptop["price"] == {"currency": "EUR", "once": None, "monthly": "10.00", "depends": True}
    assert laptop["promise"] == {"words": "3 business days", "due": "2026-03-05T09:00:00Z", "calendar": "office-hours"}
    assert (laptop["icon"], laptop["service_title"], laptop["makes"]) == ("laptop", "Computer workplace", "request")
    assert items["fault"]["promise"] is None


def test_it_is_found_by_its_words_and_by_what_else_it_is_called(api: Api) -> None:
    for words in ("lapt", "notebook", "PORTABLE", "computer workplace", "hardware"):
        assert api("ra1").get(f"/catalog?q={words}").items[0]["key"] == "laptop", words
    assert api("ra1").get("/catalog?q=notebook+fault").items == []
    assert [each["key"] for each in api("ra1").get("/catalog?category=help").items] == ["fault"]
    assert api("ra1").get("/catalog?service=erp").items == []


def test_a_list_is_cut_into_pages_that_hang_together(api: Api) -> None:
    first = api("ra1").get("/catalog?limit=2")
    assert [each["key"] for each in first.items] == ["laptop", "fault"]
    assert 'rel="next"' in first.headers["Link"]
    rest = api("ra1").get(f"/catalog?limit=2&cursor={first.json['next']}")
    assert ([each["key"] for each in rest.items], rest.json["next"]) == (["acme-only"], None)
    assert api("rb1").get(f"/catalog?limit=2&cursor={first.json['next']}").pointers == {"/cursor": "invalid_cursor"}


def test_an_item_comes_with_its_form(api: Api) -> None:
    reply = api("ra1").get("/catalog/laptop").json
    Draft202012Validator.check_schema(reply["schema"])
    assert reply["schema"]["required"] == ["kind", "model", "address"]
    assert set(reply["schema"]["properties"]) == {"kind", "model", "why", "until", "address"}
    form = {each["name"]: each for each in reply["form"]}
    assert list(form) == ["kind", "model", "price", "until", "address"]
    assert form["kind"]["value"] == "office"
    assert form["model"]["choices"] == [{"value": "light", "title": "Light, 13 inch"}]
    assert form["price"]["computed"] is True


def test_the_form_goes_on_with_the_answers(api: Api) -> None:
    reply = api("ra1").post("/catalog/laptop/form", {"answers": {"kind": "power", "model": "strong"}})
    form = {each["name"]: each for each in reply.json["form"]}
    assert form["model"]["choices"] == [{"value": "strong", "title": "Strong, 16 inch"}]
    assert form["why"]["required"] is True
    assert form["price"]["value"] == {"amount": "2890.50", "currency": "EUR"}
    assert reply.json["price"] == {"currency": "EUR", "once": "2890.50", "monthly": "10.00", "depends": False}


def test_an_order_becomes_a_ticket_that_keeps_its_form(api: Api) -> None:
    reply = api("ra1").post("/catalog/laptop/requests", {"answers": LAPTOP})
    assert reply.status == 201, reply.text
    (placed,) = reply.items
    assert reply.headers["Location"] == placed["links"]["ticket"]
    number = placed["number"]
    ticket = api("ra1").get(f"/tickets/{number}").json
    assert (ticket["type"], ticket["title"], ticket["service"], ticket["group"]) == (
        *("request", "Laptop for RA1", "workplace", "desktop"),
    )
    assert ticket["fields"]["cost"] == {"amount": "1319.00", "currency": "EUR"}
    assert "- Model: Light, 13 inch" in ticket["description"]
    publish(api.desk, SHOP.replace("title: Where to", "title: Whither"))
    order = api("ra1").get(f"/tickets/{number}/order").json
    assert {each["title"]: each["answer"] for each in order["answers"]}["Where to"] == "Room 3"
    assert (order["requested_for"], order["ordered_by"], order["promised_at"]) == ("ra1", "ra1", "2026-03-05T09:00:00Z")
    assert order["version"] != api("ra1").get("/catalog/laptop").json["version"]
    (said,) = [each for each in api("ra1").get(f"/tickets/{number}/timeline").items if each["kind"] == "ordered"]
    assert said["details"]["item"] == "laptop"
    assert api("rb1").get(f"/tickets/{number}/order").status == 404
    assert api("g1").get(f"/tickets/{api('ra1').opens()}/order").status == 404


def test_every_faulty_answer_is_told_at_once(api: Api) -> None:
    answers = {"kind": "power", "model": "light", "price": 1, "discount": 5, "until": "2026-02-01", "wood": True}
    reply = api("ra1").post("/catalog/laptop/requests", {"answers": answers})
    assert reply.status == 422
    assert reply.pointers == {
        "/answers/model": "invalid_value",
        "/answers/price": "computed",
        "/answers/discount": "unknown_answer",
        "/answers/until": "invalid_value",
        "/answers/wood": "unknown_answer",
        "/answers/why": "required",
        "/answers/address": "required",
    }
    assert api("ra1").get("/tickets?type=request").items == []


def test_the_same_order_is_carried_out_once(api: Api) -> None:
    said = [api("ra1").post("/catalog/laptop/requests", {"answers": LAPTOP}, Idempotency_Key="k") for _ in range(2)]
    assert said[0].json == said[1].json
    assert len(api("ra1").get("/tickets?type=request").items) == 1


def test_a_draft_is_kept_until_it_is_ordered(api: Api) -> None:
    draft = {"answers": {"kind": "power", "model": "nonsense"}}
    assert api("ra1").get("/catalog/laptop/draft").status == 404
    assert api("ra1").call("PUT", "/catalog/laptop/draft", body=draft).json["answers"] == draft["answers"]
    assert api("ra1").call("PUT", "/catalog/laptop/draft", body={"answers": {}}).json["answers"] == {}
    assert api("ra2").get("/catalog/laptop/draft").status == 404
    wrong = api("ra1").call("PUT", "/catalog/laptop/draft", body={"answers": {"wood": 1, "discount": 1, "price": 1}})
    assert set(wrong.pointers) == {"/answers/wood", "/answers/discount", "/answers/price"}
    assert api("ra1").post("/catalog/laptop/requests", {"answers": LAPTOP}).status == 201
    assert api("ra1").get("/catalog/laptop/draft").status == 404
    assert api("ra1").call("PUT", "/catalog/laptop/draft", body=draft).status == 200
    assert api("ra1").delete("/catalog/laptop/draft").status == 204
    assert api("ra1").get("/catalog/laptop/draft").status == 404


def test_a_former_request_can_be_copied_as_far_as_the_form_still_takes_it(api: Api) -> None:
    number = api("ra1").post("/catalog/laptop/requests", {"answers": LAPTOP}).items[0]["number"]
    publish(
        api.desk, SHOP.replace("{office: For the office, power: For heavy work}, require: true, prefill: office", "[power]")
    )
    reply = api("ra1").get(f"/catalog/laptop?copy_of={number}").json
    values = {each["name"]: each["value"] for each in reply["form"]}
    assert (values["address"], values["kind"], values["model"]) == ("Room 3", None, None)
    assert api("rb1").get(f"/catalog/laptop?copy_of={number}").status == 404
    assert api("ra1").get(f"/catalog/fault?copy_of={number}").pointers == {"/copy_of": "other_item"}


def test_staff_order_for_others_and_for_several(api: Api) -> None:
    body = {"answers": LAPTOP, "requested_for": ["ra1", "rb1"]}
    reply = api("g1").post("/catalog/laptop/requests", body)
    assert [(each["requested_for"], each["title"]) for each in reply.items] == [
        ("ra1", "Laptop for RA1"),
        ("rb1", "Laptop for RB1"),
    ]
    order = api("rb1").get(f"/tickets/{reply.items[1]['number']}/order").json
    assert (order["requested_for"], order["ordered_by"]) == ("rb1", "g1")
    unknown = api("g1").post("/catalog/laptop/requests", {**body, "requested_for": ["ra1", "nobody"]})
    assert unknown.pointers == {"/requested_for/1": "unknown_reference"}
    assert [each["key"] for each in api("g1").get("/catalog?for=rb1").items] == ["laptop", "fault"]


def test_a_file_goes_with_the_order(api: Api) -> None:
    publish(api.desk, SHOP.replace("      urgent: {type: boolean}", "      urgent: {type: boolean}\n      shot: {type: file}"))
    upload = {"file": (BytesIO(b"bytes"), "a.txt")}
    made = api("ra1").call("POST", "/catalog/fault/files", data=upload)
    assert made.status == 201, made.text
    answers = {"what": "It smokes", "shot": made.json["id"]}
    assert api("ra2").post("/catalog/fault/requests", {"answers": answers}).pointers == {"/answers/shot": "unknown_reference"}
    number = api("ra1").post("/catalog/fault/requests", {"answers": answers}).items[0]["number"]
    (file,) = api("ra1").get(f"/tickets/{number}/attachments").items
    assert api("ra1").get(file["href"]).content == b"bytes"
    again = api("ra1").post("/catalog/fault/requests", {"answers": answers})
    assert again.pointers == {"/answers/shot": "unknown_reference"}


def test_an_item_may_make_an_incident(api: Api) -> None:
    (placed,) = api("ra1").post("/catalog/fault/requests", {"answers": {"what": "It smokes", "urgent": True}}).items
    ticket = api("ra1").get(f"/tickets/{placed['number']}").json
    assert (ticket["type"], ticket["fields"]["urgency"], ticket["title"]) == ("incident", "high", "Report a fault")


def many_items(numbers: range) -> str:
    """A catalogue of so many items, each with an entitlement of its own."""
    items = "".join(
        f"  item-{number}:\n    title: Item number {number}\n    category: c{number % 7}\n    service: workplace\n"
        f"    deliver: {number % 9 + 1} business days\n    price: {{once: {number}}}\n"
        f"    offered_to: [{{organisations: [acme], roles: [requester]}}, {{if: requester.login == 'x{number}'}}]\n"
        f"    denied_to: {{departments: [d{number}]}}\n"
        f"    form: {{why: {{type: text, require: true}}}}\n"
        for number in numbers
    )
    return f"services: {{workplace: {{title: Workplace}}}}\nitems:\n{items}"


def test_a_page_of_five_hundred_items_with_entitlements_costs_five_statements(desk: Desk) -> None:
    items: dict[str, Item] = {}
    for begin in range(0, 500, 100):  # a file has 10,000 values at most
        items |= read(many_items(range(begin, begin + 100))).items
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, Catalog(items))
    api = Api(desk)
    caller = api("ra1")
    for _ in range(2):
        with counted(api, 5):
            assert len(caller.get("/catalog?limit=500").items) == 500
    assert api("rb1").get("/catalog?limit=500").items == []
    with counted(api, 5):
        assert caller.get("/catalog?q=number+77").items[0]["key"] == "item-77"
    with counted(api, 5):
        assert caller.get("/catalog/item-77").status == 200


def test_ordering_costs_a_bounded_number_of_statements(api: Api) -> None:
    caller = api("ra1")
    caller.get("/catalog")
    with counted(api, 31):  # with two tasks begun; each further one costs none
        assert caller.post("/catalog/laptop/requests", {"answers": LAPTOP}).status == 201
