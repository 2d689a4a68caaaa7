"""Work tasks and watchers over HTTP."""

from __future__ import annotations

from tests.api.world import Api


def test_a_task_is_a_ticket_under_its_ticket(api: Api) -> None:
    number = api.in_progress()
    made = api("g1").post(f"/tickets/{number}/tasks", {"title": "Change the cable", "fields": {"group": "desktop"}})
    assert (made.status, made.json["type"], made.json["parent"], made.json["group"]) == (201, "task", number, "desktop")
    assert made.headers["Location"] == f"/api/v1/tickets/{made.json['number']}"
    assert [task["number"] for task in api("g1").get(f"/tickets/{number}/tasks").items] == [made.json["number"]]
    assert api("g1").get(f"/tickets?parent={number}").numbers == [made.json["number"]]


def test_an_open_task_keeps_its_ticket_from_being_resolved(api: Api) -> None:
    number = api.in_progress()
    task = api("g1").post(f"/tickets/{number}/tasks", {"title": "Cable", "fields": {"group": "network"}}).json["number"]
    inputs = {"resolution_code": "fixed", "resolution": "New cable."}
    refused = api("g1").fires(number, "resolve", **inputs)
    assert (refused.status, refused.code) == (409, "condition_failed")
    assert api("g1").fires(task, "complete").status == 200
    assert api("g1").fires(number, "resolve", **inputs).status == 200


def test_requesters_open_no_tasks(api: Api) -> None:
    number = api("ra1").opens()
    assert api("ra1").post(f"/tickets/{number}/tasks", {"title": "Work faster"}).status == 403


def test_anyone_watches_what_he_takes_part_in_and_staff_let_others_watch(api: Api) -> None:
    number = api("ra1").opens()
    assert api("ra1").post(f"/tickets/{number}/watchers", {"login": "ra1"}).status == 201
    assert api("ra1").post(f"/tickets/{number}/watchers", {"login": "ra2"}).status == 403
    reply = api("g1").post(f"/tickets/{number}/watchers", {"login": "ra2"})
    assert [person["login"] for person in reply.items] == ["ra1", "ra2"]
    assert api("g1").post(f"/tickets/{number}/watchers", {"login": "nobody"}).pointers == {"/login": "unknown_reference"}
    assert api("ra1").delete(f"/tickets/{number}/watchers/ra1").status == 204
    assert api("g1").get(f"/tickets/{number}/watchers").items == [{"login": "ra2", "name": "RA2"}]


def test_watching_gives_no_right_to_see(api: Api) -> None:
    number = api("ra1").opens()
    api("g1").post(f"/tickets/{number}/watchers", {"login": "rb1"})
    assert api("rb1").get(f"/tickets/{number}").status == 404
    assert api("rb1").get("/tickets").items == []
    assert api("rb1").delete(f"/tickets/{number}/watchers/rb1").status == 404


def test_tasks_and_watchers_are_told_by_pages(api: Api) -> None:
    number = api.in_progress()
    tasks = [api("g1").post(f"/tickets/{number}/tasks", {"title": f"Part {n}"}).json["number"] for n in range(3)]
    logins = ["ra1", "ra2", "rb1"]
    for login in reversed(logins):
        assert api("g1").post(f"/tickets/{number}/watchers", {"login": login}).status == 201
    for what, name, wanted in (("tasks", "number", tasks), ("watchers", "login", logins)):
        first = api("g1").get(f"/tickets/{number}/{what}?limit=2")
        rest = api("g1").get(f"/tickets/{number}/{what}?limit=2&cursor={first.json['next']}")
        assert [each[name] for each in first.items] == wanted[:2]
        assert ([each[name] for each in rest.items], rest.json["next"]) == (wanted[2:], None)
        assert "next" in first.headers["Link"]
    foreign = api("g1").get(f"/tickets/{number}/tasks?limit=2").json["next"]
    assert api("g1").get(f"/tickets/{number}/links?cursor={foreign}").pointers == {"/cursor": "invalid_cursor"}
