"""Services and configuration items over HTTP: who keeps them, who sees which, versions, relations, impact, history, pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_statements import counted
from tests.api.world import Api, Reply

ITEMS = "/configuration-items"


@pytest.fixture
def plant(api: Api) -> Api:
    """A small plant: erp is made of erp-app, which runs on srv-1; cpu-1 is a part of srv-1; mes needs erp; and two laptops."""
    for key in ("erp", "mes"):
        made(api, "/services", {"key": key, "name": key.upper(), "group": "applications", "criticality": "high"})
    for key, type_ in (("erp-app", "application"), ("srv-1", "server"), ("cpu-1", "part")):
        made(api, ITEMS, {"key": key, "name": f"The {key}", "type": type_, "location": "frankfurt"})
    made(api, ITEMS, {"key": "lt-1", "name": "Laptop of RA1", "type": "laptop", "owner": "ra1"})
    made(api, ITEMS, {"key": "lt-2", "name": "Laptop of Beta", "type": "laptop", "organisation": "beta"})
    relate(api, "/services/erp", "made_of", "erp-app")
    relate(api, "/services/mes", "depends_on", "erp")
    relate(api, f"{ITEMS}/erp-app", "runs_on", "srv-1")
    relate(api, f"{ITEMS}/cpu-1", "part_of", "srv-1")
    return api


def made(api: Api, path: str, body: dict[str, Any], login: str = "l1") -> Reply:
    reply = api(login).post(path, body)
    assert reply.status == 201, reply.text
    return reply


def relate(api: Api, path: str, kind: str, target: str) -> Reply:
    reply = api("l1").post(f"{path}/relations", {"kind": kind, "target": target})
    assert reply.status == 201, reply.text
    return reply


def keys(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.text
    return [item["key"] for item in reply.items]


def test_a_service_is_added_read_and_changed(api: Api) -> None:
    body = {"key": "erp", "name": "ERP", "group": "applications", "owner": "l1", "criticality": "critical"}
    added = made(api, "/services", {**body, "calendar": "always"})
    assert added.headers["Location"] == "/api/v1/services/erp"
    read = api("ra1").get("/services/erp")
    assert read.json == {**body, "calendar": "always", "version": 1}
    changed = api("l1").patch("/services/erp", {"owner": "g1", "calendar": None}, If_Match=read.etag)
    assert changed.json == {**body, "owner": "g1", "calendar": None, "version": 2}


def test_nobody_overwrites_a_change_unseen(plant: Api) -> None:
    etag = plant("l1").get(f"{ITEMS}/srv-1").etag
    assert plant("ad1").patch(f"{ITEMS}/srv-1", {"location": "dublin"}, If_Match=etag).status == 200
    assert plant("l1").patch(f"{ITEMS}/srv-1", {"name": "Mine"}, If_Match=etag).status == 412
    assert plant("l1").patch(f"{ITEMS}/srv-1", {"name": "Mine"}).status == 428
    assert plant("l1").get(f"{ITEMS}/srv-1", If_None_Match='"2"').status == 304


def test_every_fault_of_a_new_item_is_told_at_once(api: Api) -> None:
    body = {"name": "X", "location": "atlantis", "group": "nobody", "owner": "nemo", "organisation": "none", "type": "A b"}
    reply = api("l1").post(ITEMS, {"key": "-x", **body})
    assert reply.status == 422
    assert reply.pointers == {
        "/key": "invalid_value",
        "/type": "invalid_value",
        "/location": "unknown_reference",
        "/group": "unknown_reference",
        "/owner": "unknown_reference",
        "/organisation": "unknown_reference",
    }


def test_a_key_is_taken_once(plant: Api) -> None:
    reply = plant("l1").post("/services", {"key": "erp", "name": "Another"})
    assert (reply.status, reply.code) == (409, "key_taken")


def test_an_owner_who_left_stays_until_another_is_named(plant: Api) -> None:
    from itsm.people import commands as people

    with plant.desk.database.session() as session:
        people.deactivate(session, "ra1", plant.desk.clock.now(), "tests")
    reply = plant("l1").patch(f"{ITEMS}/lt-1", {"location": "berlin"}, If_Match="*")
    assert reply.json["owner"] == "ra1"
    assert plant("l1").patch(f"{ITEMS}/lt-2", {"owner": "ra1"}, If_Match="*").pointers == {"/owner": "unknown_reference"}


def test_requesters_see_what_is_theirs_or_their_organisations(plant: Api) -> None:
    assert keys(plant("ra1").get(ITEMS)) == ["lt-1"]
    assert keys(plant("ra2").get(ITEMS)) == []
    assert keys(plant("rb1").get(ITEMS)) == ["lt-2"]
    assert plant("rb1").get(f"{ITEMS}/lt-1").status == 404
    assert keys(plant("g1").get(ITEMS)) == ["cpu-1", "erp-app", "laptop-17", "lt-1", "lt-2", "srv-1"]
    assert keys(plant("rb1").get("/services")) == ["erp", "mes", "workplace"]


def test_nobody_learns_of_an_item_through_relations_or_impact(plant: Api) -> None:
    assert keys(plant("ra1").get("/services/erp/relations")) == ["mes"]
    assert keys(plant("ra1").get("/services/mes/impact?direction=rests_on")) == ["erp"]
    for path in ("", "/relations", "/impact"):
        assert plant("ra1").get(f"{ITEMS}/srv-1{path}").status == 404


def test_relations_read_from_both_ends(plant: Api) -> None:
    read = plant("g1").get(f"{ITEMS}/srv-1/relations").items
    assert [(each["relation"], each["key"]) for each in read] == [("contains", "cpu-1"), ("runs", "erp-app")]
    read = plant("g1").get("/services/erp/relations").items
    assert [(each["relation"], each["sort"], each["key"]) for each in read] == [
        ("made_of", "item", "erp-app"),
        ("needed_by", "service", "mes"),
    ]


def test_a_relation_said_twice_is_kept_once_and_can_be_taken_back(plant: Api) -> None:
    relate(plant, f"{ITEMS}/erp-app", "runs_on", "srv-1")
    path = f"{ITEMS}/erp-app/relations/runs_on/srv-1"
    assert [plant("l1").delete(path).status for _ in range(2)] == [204, 404]
    assert plant("l1").delete(f"{ITEMS}/erp-app/relations/made_of/srv-1").status == 404
    assert keys(plant("g1").get(f"{ITEMS}/erp-app/relations")) == ["erp"]


def test_a_connection_is_taken_back_from_either_end(plant: Api) -> None:
    relate(plant, f"{ITEMS}/srv-1", "connected_to", "lt-1")
    assert plant("l1").delete(f"{ITEMS}/lt-1/relations/connected_to/srv-1").status == 204


@pytest.mark.parametrize(
    ("path", "kind", "target", "circle"),
    [
        (f"{ITEMS}/srv-1", "depends_on", "erp-app", "srv-1 → erp-app → srv-1"),
        (f"{ITEMS}/cpu-1", "depends_on", "erp-app", "cpu-1 → erp-app → srv-1 → cpu-1"),
        ("/services/erp", "depends_on", "mes", "erp → mes → erp"),
    ],
)
def test_a_circle_is_refused_and_named(plant: Api, path: str, kind: str, target: str, circle: str) -> None:
    reply = plant("l1").post(f"{path}/relations", {"kind": kind, "target": target})
    assert (reply.status, reply.code) == (409, "cyclic_relation")
    assert circle in reply.json["detail"]


def test_nothing_is_related_to_itself_or_to_what_is_not_there(plant: Api) -> None:
    reply = plant("l1").post(f"{ITEMS}/srv-1/relations", {"kind": "connected_to", "target": "srv-1"})
    assert (reply.status, reply.code) == (409, "self_relation")
    assert plant("l1").post(f"{ITEMS}/srv-1/relations", {"kind": "runs_on", "target": "cloud"}).status == 404
    assert plant("l1").post("/services/erp/relations", {"kind": "runs_on", "target": "srv-1"}).status == 422


def test_impact_tells_what_is_touched_and_by_which_way(plant: Api) -> None:
    reply = plant("g1").get(f"{ITEMS}/cpu-1/impact")
    assert [(each["key"], each["distance"]) for each in reply.items] == [("srv-1", 1), ("erp-app", 2), ("erp", 3), ("mes", 4)]
    assert reply.items[-1]["path"] == [
        {"relation": "part_of", "sort": "item", "key": "srv-1"},
        {"relation": "runs", "sort": "item", "key": "erp-app"},
        {"relation": "makes_up", "sort": "service", "key": "erp"},
        {"relation": "needed_by", "sort": "service", "key": "mes"},
    ]
    assert keys(plant("g1").get(f"{ITEMS}/cpu-1/impact?depth=2")) == ["srv-1", "erp-app"]
    assert keys(plant("g1").get("/services/mes/impact?direction=rests_on")) == ["erp", "erp-app", "srv-1", "cpu-1"]
    assert plant("g1").get("/services/mes/impact?depth=21").status == 422


def test_every_change_is_recorded_with_who_when_old_and_new(plant: Api) -> None:
    plant("l1").patch(f"{ITEMS}/srv-1", {"location": "dublin"}, If_Match="*")
    plant("l1").delete(f"{ITEMS}/cpu-1/relations/part_of/srv-1")
    told = plant("au1").get(f"{ITEMS}/srv-1/history").items
    assert [(each["kind"], each["old"], each["new"]) for each in told[:2]] == [
        ("unrelated", None, {"relation": "contains", "other": "item:cpu-1"}),
        ("changed", {"location": "frankfurt"}, {"location": "dublin"}),
    ]
    assert [each["kind"] for each in told] == ["unrelated", "changed", "related", "related", "added"]
    assert {(each["actor"], each["at"]) for each in told} == {("l1", "2026-03-02T09:00:00Z")}
    assert plant("ra1").get("/services/erp/history").status == 403


def test_a_change_that_changes_nothing_is_none(plant: Api) -> None:
    before = plant("l1").get("/services/erp")
    assert plant("l1").patch("/services/erp", {"name": "ERP"}, If_Match=before.etag).etag == before.etag
    assert len(plant("au1").get("/services/erp/history").items) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=SRV", ["srv-1"]),
        ("q=the+erp", ["erp-app"]),
        ("q=%25", []),
        ("q=_", []),
        ("type=laptop", ["laptop-17", "lt-1", "lt-2"]),
        ("owner=ra1", ["lt-1"]),
        ("organisation=beta&type=laptop", ["lt-2"]),
        ("location=frankfurt", ["cpu-1", "erp-app", "srv-1"]),
        ("service=erp", ["erp-app"]),
        ("criticality=low", []),
    ],
)
def test_items_are_found_by_what_they_are(plant: Api, query: str, found: list[str]) -> None:
    assert keys(plant("g1").get(f"{ITEMS}?{query}")) == found


def test_letters_beyond_ascii_are_found_in_either_case(plant: Api) -> None:
    made(plant, ITEMS, {"key": "prn-1", "name": "Drucker Übergabe"})
    assert keys(plant("g1").get(f"{ITEMS}?q=übergabe")) == keys(plant("g1").get(f"{ITEMS}?q=ÜBERGABE")) == ["prn-1"]


def test_me_is_the_caller(plant: Api) -> None:
    assert keys(plant("ra1").get(f"{ITEMS}?owner=me")) == ["lt-1"]


def test_pages_follow_one_another(plant: Api) -> None:
    first = plant("g1").get(f"{ITEMS}?limit=4")
    second = plant("g1").get(f"{ITEMS}?limit=4&cursor={first.json['next']}")
    assert keys(first) + keys(second) == ["cpu-1", "erp-app", "laptop-17", "lt-1", "lt-2", "srv-1"]
    assert second.json["next"] is None
    assert plant("l1").get(f"{ITEMS}?limit=4&cursor={first.json['next']}").pointers == {"/cursor": "invalid_cursor"}


@pytest.mark.parametrize("login", ["ra1", "g1"])
def test_lists_relations_and_impact_take_few_statements(plant: Api, login: str) -> None:
    for number in range(30):
        made(plant, ITEMS, {"key": f"n{number}", "name": "N", "owner": "ra1"})
        relate(plant, f"{ITEMS}/n{number}", "runs_on", "lt-1")
    caller = plant(login)
    for path, most in (
        (f"{ITEMS}?limit=100&q=n&owner=ra1", 3),
        ("/services?limit=100", 3),
        (f"{ITEMS}/lt-1/relations", 6),
        (f"{ITEMS}/lt-1/impact?depth=5", 8),
    ):
        with counted(plant, most):
            assert caller.get(path).status == 200


@pytest.mark.parametrize("login", ["ra1", "g1", "cm1", "po1", "au1", "int1", "ap1"])
def test_only_those_who_keep_them_change_them(plant: Api, login: str) -> None:
    caller = plant(login)
    assert caller.post("/services", {"key": "x", "name": "X"}).status == 403
    assert caller.patch(f"{ITEMS}/srv-1", {"name": "X"}, If_Match="*").status == 403
    assert caller.post("/services/erp/relations", {"kind": "made_of", "target": "srv-1"}).status == 403
    assert caller.delete("/services/erp/relations/made_of/erp-app").status == 403


def test_a_ticket_is_about_a_service_and_an_item(plant: Api) -> None:
    number = plant("ra1").opens(service="erp", ci="lt-1")
    read = plant("g1").get(f"/tickets/{number}").json
    assert (read["service"], read["ci"], read["group"]) == ("erp", "lt-1", "applications")
