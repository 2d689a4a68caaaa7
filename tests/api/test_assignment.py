"""Routing, turning down, absences and rotas over HTTP."""

from __future__ import annotations

from tests.api.world import Api
from tests.assignment.desk import take_turns


def test_a_routing_is_explained_and_then_made(api: Api) -> None:
    number = api.in_progress()
    take_turns(api)
    told = api("l1").get(f"/tickets/{number}/routing?keep=group").json
    assert (told["group"], told["strategy"], told["assignee"], told["eligible"]) == ("network", "round_robin", "g1", 2)
    reply = api("l1").post(f"/tickets/{number}/routing", {"keep": "group"})
    assert (reply.status, reply.json["assignee"]) == (200, "g1")
    assert reply.etag == f'"{reply.json["version"]}"'


def test_a_routing_that_adds_nothing_is_a_conflict(api: Api) -> None:
    number = api.in_progress()
    reply = api("l1").post(f"/tickets/{number}/routing", {})
    assert (reply.status, reply.code) == (409, "not_routed")
    assert api("l1").post(f"/tickets/{number}/routing", {"keep": "all"}).pointers == {"/keep": "invalid_value"}


def test_turning_down_needs_a_reason_and_passes_on(api: Api) -> None:
    number = api.in_progress()
    take_turns(api)
    assert api("g1").post(f"/tickets/{number}/assignment/rejection", {}).pointers == {"/reason": "required"}
    reply = api("g1").post(f"/tickets/{number}/assignment/rejection", {"reason": "On leave."})
    assert (reply.status, reply.json["assignee"]) == (200, "l1")
    story = api("l1").get(f"/tickets/{number}/timeline").items
    assert [entry["kind"] for entry in story][-1] == "passed_on"


def test_the_requester_reads_who_has_his_ticket_and_not_why_others_have_not(api: Api) -> None:
    number = api.in_progress()
    take_turns(api)
    api("g1").post(f"/tickets/{number}/assignment/rejection", {"reason": "Private matters."})
    assert "passed_on" in [entry["kind"] for entry in api("ra1").get(f"/tickets/{number}/timeline").items]
    assert "Private matters." not in api("ra1").get(f"/tickets/{number}/timeline").text


def test_a_rota_is_told_with_its_gaps(api: Api) -> None:
    take_turns(api)
    period = {"starts_at": "2026-03-03T09:00:00Z", "ends_at": "2026-03-04T09:00:00Z"}
    made = api("l1").post("/absences", period)
    assert (made.status, made.json["login"], made.json["entered_by"]) == (201, "l1", "l1")
    told = api("g1").get("/on-call?group=network&from=2026-03-02T09:00:00Z&to=2026-03-10T09:00:00Z").json
    assert told["now"] == [{"layer": "primary", "login": "l1", "gap": None}]
    assert [(item["login"], item["gap"]) for item in told["items"]] == [
        ("l1", None),
        (None, "l1 is absent"),
        ("l1", None),
        ("g1", None),
    ]
    stand_in = {"group": "network", "layer": "primary", "login": "g1", "note": "Swap", **period}
    assert api("l1").post("/on-call/overrides", stand_in).status == 201
    covered = api("g1").get("/on-call?group=network&from=2026-03-02T09:00:00Z&to=2026-03-10T09:00:00Z").items
    assert [(item["login"], item["override"]) for item in covered] == [("l1", None), ("g1", 1), ("l1", None), ("g1", None)]


def test_a_stretch_that_is_none_or_too_long_is_refused(api: Api) -> None:
    take_turns(api)
    for stretch in ("from=2026-03-02T09:00:00Z&to=2026-03-02T09:00:00Z", "to=2027-03-02T09:00:00Z"):
        assert api("g1").get(f"/on-call?group=network&{stretch}").pointers == {"/to": "invalid_value"}
    assert api("g1").get("/on-call?group=desktop").status == 404
    assert api("g1").get("/on-call?group=network&from=soon").pointers == {"/from": "wrong_type"}
