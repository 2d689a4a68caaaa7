"""What an attacker tries with the catalogue: items, forms and answers that are not for him, orders in another's name."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa

from itsm.people import ties
from itsm.people.access import SYSTEM, Channel
from itsm.tickets.desk import Desk
from tests.api.world import INCIDENT, Api, Reply
from tests.attacks.prey import canary
from tests.attacks.test_what_is_written import COLUMNS, MORE, rows
from tests.catalog.world import LAPTOP, publish

SECRET, DEFAULT, WORD = canary(), canary(), canary()
HIDDEN = f"""
services:
  workplace: {{title: Workplace}}
items:
  open-thing:
    title: Open thing
    category: things
    service: workplace
    form:
      kind: {{type: choice, choices: [a, b], require: true}}
      inner: {{type: text, title: {SECRET}, prefill: {DEFAULT}, show: "'agent' in requester.roles"}}
      below: {{type: text, title: "{SECRET}", prefill: {DEFAULT}, show: "answers.inner == 'x'"}}
      later: {{type: text, title: Later, prefill: {DEFAULT}, show: "answers.kind == 'b'"}}
  hidden-{WORD}:
    title: Hidden {SECRET}
    description: "{SECRET}"
    category: things
    service: workplace
    keywords: [{SECRET}]
    offered_to: {{roles: [agent]}}
    denied_to: {{if: "requester.login == 'g3'"}}
    form:
      kind: {{type: text, title: "{SECRET}", prefill: {DEFAULT}}}
"""
ITEM = f"hidden-{WORD}"


@pytest.fixture
def api(desk: Desk) -> Api:
    publish(desk, HIDDEN)
    return Api(desk)


def every_way(api: Api, login: str, key: str, **more: Any) -> dict[str, Reply]:
    """The answer of every route on an item."""
    caller, body = api(login), {"answers": {"kind": "a"}}
    return {
        "read": caller.get(f"/catalog/{key}"),
        "read for": caller.get(f"/catalog/{key}?for={login}"),
        "copy": caller.get(f"/catalog/{key}?copy_of=REQ0000001"),
        "form": caller.post(f"/catalog/{key}/form", body),
        "order": caller.post(f"/catalog/{key}/requests", body),
        "order for himself": caller.post(f"/catalog/{key}/requests", {**body, "requested_for": login}),
        "file": caller.call("POST", f"/catalog/{key}/files", data={"file": (BytesIO(b"b"), "a.txt")}),
        "draft": caller.get(f"/catalog/{key}/draft"),
        "save": caller.call("PUT", f"/catalog/{key}/draft", body=body),
        "discard": caller.delete(f"/catalog/{key}/draft"),
    }


def plain(reply: Reply, key: str) -> str:
    """An answer without what differs in any two."""
    told = {name: value for name, value in reply.json.items() if name != "request_id"}
    return str(told).replace(key, "KEY")


def test_an_item_that_is_not_for_one_is_like_one_that_is_not_there(api: Api) -> None:
    """A-16: by key, by any route, by any way of asking: 404 in the same words."""
    for login in ("ra1", "ma", "ap1", "g3"):
        absent = every_way(api, login, "no-such-item")
        for way, reply in every_way(api, login, ITEM).items():
            assert reply.status == 404, (login, way, reply.text)
            assert plain(reply, ITEM) == plain(absent[way], "no-such-item"), (login, way)
            assert SECRET not in reply.text
            assert DEFAULT not in reply.text
    assert {way: reply.status for way, reply in every_way(api, "g1", ITEM).items() if reply.status >= 400} == {
        "copy": 404,  # there is no such ticket
        "draft": 404,  # and no draft yet
    }


def test_neither_list_nor_search_gives_an_item_away(api: Api) -> None:
    """A-16: not by its words, its synonyms, its category, its service, nor by the number of pages."""
    for question in ("", f"?q={SECRET}", f"?q={SECRET[:9]}", "?q=hidden", f"?q={WORD}", "?category=things", "?limit=1"):
        for login in ("ra1", "g3"):
            reply = api(login).get(f"/catalog{question}")
            assert SECRET not in reply.text
            assert WORD not in reply.text
            assert reply.json["next"] is None
    assert ITEM in {each["key"] for each in api("g1").get(f"/catalog?q={SECRET}").items}


def test_nothing_of_a_question_that_one_is_never_asked_is_sent_or_taken(api: Api) -> None:
    """A-16: neither its title nor its default reach the browser; nor is it told apart from one that does not exist."""
    caller = api("ra1")
    for answers in ({}, {"kind": "a"}, {"kind": "a", "inner": "x"}, {"kind": "a", "inner": "x", "below": "y"}):
        for reply in (
            caller.get("/catalog/open-thing"),
            caller.post("/catalog/open-thing/form", {"answers": answers}),
        ):
            assert SECRET not in reply.text
            assert DEFAULT not in reply.text
    for path, method in (("requests", "POST"), ("draft", "PUT")):
        told = [
            caller.call(method, f"/catalog/open-thing/{path}", body={"answers": {"kind": "a", name: "x"}})
            for name in ("inner", "nosuch")
        ]
        assert plain(told[0], "inner") == plain(told[1], "nosuch")
        assert told[0].status == 422
    assert DEFAULT in caller.post("/catalog/open-thing/form", {"answers": {"kind": "b"}}).text
    assert DEFAULT in api("g1").get("/catalog/open-thing").text


def test_nobody_orders_in_anothers_name_without_the_right(api: Api) -> None:
    """A-14: 403, the same for a login that exists and one that does not; nothing is changed."""
    publish(api.desk)
    before = rows(api)
    for login in ("ra1", "ma", "ap1", "po1"):
        for other in ("ra2", "rb1", "g1", "ad1", "nobody"):
            tries = (
                api(login).post("/catalog/laptop/requests", {"answers": LAPTOP, "requested_for": other}),
                api(login).post("/catalog/laptop/requests", {"answers": LAPTOP, "requested_for": [login, other]}),
                api(login).post("/catalog/laptop/form", {"answers": LAPTOP, "requested_for": other}),
                api(login).get(f"/catalog?for={other}"),
                api(login).get(f"/catalog/laptop?for={other}"),
            )
            assert {(reply.status, reply.code) for reply in tries} == {(403, "forbidden")}, (login, other)
    headers = {"X_On_Behalf_Of": "rb1", "On_Behalf_Of": "rb1", "X_Remote_User": "rb1"}
    (placed,) = api("ra1").post("/catalog/laptop/requests", {"answers": LAPTOP}, **headers).items
    assert placed["requested_for"] == "ra1"
    assert {name for name in before if rows(api)[name] != before[name]} >= {"catalog_orders", "tickets"}


def test_a_manager_orders_for_those_below_him_and_for_nobody_else(api: Api) -> None:
    """A-14: down the line, never up or aside; the log has both names, and he sees what he ordered."""
    publish(api.desk)
    with api.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for below, above in (("ra1", "ap1"), ("ap1", "ra2"), ("rb1", "ma")):
            ties.set_manager(tx.session, below, above, tx.now, "tests")

    def order(login: str, *others: str) -> Reply:
        return api(login).post("/catalog/laptop/requests", {"answers": LAPTOP, "requested_for": list(others)})

    for login, other in (("ra1", "ap1"), ("ra1", "ra2"), ("ap1", "ra2"), ("ap1", "rb1"), ("ma", "ra1"), ("po1", "ra1")):
        assert (order(login, other).status, order(login, login, other).code) == (403, "forbidden"), (login, other)
    assert order("ra2", "ap1").status == 201
    (placed,) = order("ra2", "ra1").items
    story = api("ra2").get(f"/tickets/{placed['number']}/timeline").items
    created = next(one for one in story if one["kind"] == "created")
    assert (created["actor"], created["changes"]["requester"]) == ("ra2", [None, "ra1"])
    assert api("ra1").get(f"/tickets/{placed['number']}").status == 200
    assert api("ap1").get(f"/tickets/{placed['number']}").status == 404
    number = api("ra2").opens(requester="ra1")
    assert api("ra2").get(f"/tickets/{number}").json["requester"]["login"] == "ra1"
    assert api("ap1").post("/tickets", {**INCIDENT, "requester": "ra2"}).code == "forbidden"


def test_two_who_manage_each_other_act_for_each_other_and_nobody_waits_for_ever(api: Api) -> None:
    with api.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for below, above in (("ra1", "ra2"), ("ra2", "ra1")):
            ties.set_manager(tx.session, below, above, tx.now, "tests")
    assert api("ra1").post("/tickets", {**INCIDENT, "requester": "ra2"}).status == 201
    assert api("ma").post("/tickets", {**INCIDENT, "requester": "ra2"}).status == 403


def test_what_another_may_not_order_is_not_ordered_for_him(api: Api) -> None:
    """A-14: the right to act for others lends nobody what is not offered to him."""
    publish(api.desk)
    for login in ("g1", "ad1", "int1"):
        for other in ("ra2", "rb1", ["ra1", "rb1"]):
            reply = api(login).post("/catalog/acme-only/requests", {"answers": {}, "requested_for": other})
            assert (reply.status, reply.code) == (404, "not_found"), (login, other)
    assert api("g1").post("/catalog/acme-only/requests", {"answers": {}, "requested_for": "ra1"}).status == 201
    (placed,) = api("g1").get("/tickets?type=request").items
    said = api("ra1").get(f"/tickets/{placed['number']}/timeline").items
    (ordered,) = [each for each in said if each["kind"] == "ordered"]
    assert (ordered["actor"], ordered["details"]["requested_for"]) == ("g1", "ra1")


EQUIPPED = """
services: {workplace: {title: Workplace}}
items:
  seat:
    title: A seat
    category: people
    service: workplace
    approval: none
    items:
      kit: {answers: {}}
  kit:
    title: A kit
    category: people
    service: workplace
    approval: none
    items:
      chair: {answers: {}}
  chair:
    title: A chair
    category: furniture
    service: workplace
    approval: equipment
"""
"""A bundle in a bundle; its chair is approved by the manager of whom it is for."""


@pytest.mark.parametrize("item", ["chair", "kit", "seat"])
def test_a_manager_does_not_approve_what_he_ordered_by_itself_or_within_a_bundle(api: Api, item: str) -> None:
    """A-76: the desk orders the items of a bundle, and whoever ordered the bundle has ordered each of them."""
    publish(api.desk, EQUIPPED)
    with api.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for below, above in (("ra1", "ma"), ("ma", "ap1")):
            ties.set_manager(tx.session, below, above, tx.now, "tests")
    assert api("ma").post(f"/catalog/{item}/requests", {"answers": {}, "requested_for": ["ra1"]}).status == 201
    assert api("ma").get("/approvals").items == []
    (asked,) = api("ap1").get("/approvals").items  # his manager, in his place
    assert asked["title"] == "A chair"
    assert api("ma").post(f"/approvals/{asked['id']}/decision", {"decision": "approve"}).status in (403, 404)
    assert api("ap1").post(f"/approvals/{asked['id']}/decision", {"decision": "approve"}).status == 200


def test_no_column_is_an_answer(api: Api) -> None:
    """A-75: columns, states, prices and other people's fields as answers: each refused at its pointer, nothing changed."""
    publish(api.desk)
    fields = ("approval_required", "approval_policy", "cost", "urgency", "requested_for")
    foreign = [name for name in dict.fromkeys((*fields, *COLUMNS, *MORE)) if name not in {"price", *LAPTOP}]
    before = rows(api)
    for names in (foreign[start : start + 150] for start in range(0, len(foreign), 150)):
        reply = api("ra1").post("/catalog/laptop/requests", {"answers": {**LAPTOP, **dict.fromkeys(names, 1)}})
        assert reply.pointers == {f"/answers/{name}": "unknown_answer" for name in names}
    reply = api("ra1").post("/catalog/laptop/requests", {"answers": {**LAPTOP, "price": {"amount": "0.01", "currency": "EUR"}}})
    assert reply.pointers == {"/answers/price": "computed"}
    assert rows(api) == before


def test_hostile_answers_are_kept_as_the_words_they_are(api: Api) -> None:
    """A-75, A-32: markup, expressions and formats in answers come back as they were, in order, description and title."""
    publish(api.desk)
    for hostile in (
        "<script>alert(1)</script>",
        "= requester.login",
        "{ticket.number}",
        "'; DROP TABLE users; --",
        "%s{}${7*7}",
    ):
        (placed,) = api("ra1").post("/catalog/laptop/requests", {"answers": {**LAPTOP, "address": hostile}}).items
        order = api("ra1").get(f"/tickets/{placed['number']}/order").json
        assert [each["answer"] for each in order["answers"] if each["name"] == "address"] == [hostile]
        assert hostile in api("ra1").get(f"/tickets/{placed['number']}").json["description"]
    with api.desk.database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM users")).scalar()


def test_a_file_of_another_goes_with_no_order(api: Api) -> None:
    """A-14: somebody else's upload, one for another item, and one that was used are not there."""
    publish(api.desk, HIDDEN.replace("      later:", "      file: {type: file}\n      later:"))
    mine = api("ra2").call("POST", "/catalog/open-thing/files", data={"file": (BytesIO(b"b"), "a.txt")}).json["id"]
    for number in (mine, mine + 1, 2**40):
        reply = api("ra1").post("/catalog/open-thing/requests", {"answers": {"kind": "a", "file": number}})
        assert reply.pointers == {"/answers/file": "unknown_reference"}
