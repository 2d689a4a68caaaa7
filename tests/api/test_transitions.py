"""Moving tickets over HTTP: what is offered, what is refused and why (attack A-78 in small)."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from itsm.tickets.desk import Desk
from tests.api.world import Api


def offered(api: Api, login: str, number: str) -> dict[str, dict[str, Any]]:
    return {offer["trigger"]: offer for offer in api(login).get(f"/tickets/{number}/transitions").items}


def test_what_may_be_done_now_is_told_with_the_inputs_it_needs(api: Api) -> None:
    number = api("ra1").opens()
    assign = offered(api, "g1", number)["assign"]
    assert (assign["possible"], assign["to"], assign["comment_required"]) == (True, "assigned", False)
    assert assign["inputs"]["required"] == ["group"]
    Draft202012Validator.check_schema(assign["inputs"])
    Draft202012Validator(assign["inputs"]).validate({"group": "network"})


def test_what_may_not_be_done_is_told_with_every_reason(api: Api) -> None:
    number = api.in_progress()
    resolve = offered(api, "ra1", number)["resolve"]
    assert resolve["possible"] is False
    assert [reason["code"] for reason in resolve["blocked"]] == ["not_allowed"]
    assert all(reason["message"] for reason in resolve["blocked"])


def test_who_may_only_look_is_offered_nothing(api: Api) -> None:
    number = api.in_progress()
    for login in ("au1", "g3"):
        offers = offered(api, login, number)
        assert offers
        assert not any(offer["possible"] for offer in offers.values())
        assert all(offer["blocked"][0]["code"] == "read_only" for offer in offers.values())


def test_every_offer_agrees_with_what_then_happens(api: Api, desk: Desk) -> None:
    for login in ("ra1", "g1", "g2", "l1"):
        number = api.in_progress()
        for trigger, offer in offered(api, login, number).items():
            if offer["possible"]:
                continue
            reply = api(login).fires(number, trigger)
            assert reply.status in (403, 409), (login, trigger)
            assert reply.code == offer["blocked"][0]["code"]


def test_a_move_answers_with_the_ticket_as_it_is_now(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("g1").fires(number, "assign", group="network")
    assert (reply.status, reply.json["state"], reply.json["category"]) == (200, "assigned", "open")
    assert reply.json["group"] == "network"
    assert reply.json == api("g1").get(f"/tickets/{number}").json
    assert reply.etag == api("g1").get(f"/tickets/{number}").etag


def test_missing_inputs_are_named_at_once(api: Api) -> None:
    number = api.in_progress()
    reply = api("g1").fires(number, "resolve")
    assert (reply.status, reply.pointers) == (422, {"/fields/resolution_code": "required", "/fields/resolution": "required"})


def test_a_move_may_need_words(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("ra1").fires(number, "cancel")
    assert (reply.status, reply.pointers) == (422, {"/comment": "comment_required"})
    assert api("ra1").fires(number, "cancel", "It was the cable.").json["state"] == "cancelled"


def test_an_unknown_trigger_is_wrong_and_a_wrong_moment_a_conflict(api: Api) -> None:
    number = api("ra1").opens()
    assert api("g1").fires(number, "teleport").status == 422
    assert api("g1").fires(number, "to_closed").status == 422
    reply = api("g1").fires(number, "resume")
    assert (reply.status, reply.code) == (409, "wrong_state")
    reply = api("ra1").fires(number, "start")
    assert (reply.status, reply.code) == (403, "not_allowed")


def test_a_move_needs_the_version_it_was_made_on(api: Api) -> None:
    number = api("ra1").opens()
    move = {"trigger": "start"}
    etag = api("g1").get(f"/tickets/{number}").etag
    assert api("g1").post(f"/tickets/{number}/transitions", move).status == 428
    api("ra1").says(number, "Hello?")
    reply = api("g1").post(f"/tickets/{number}/transitions", move, If_Match=etag)
    assert (reply.status, reply.code) == (412, "stale")
    assert api("g1").get(f"/tickets/{number}").json["state"] == "new"


def test_who_hands_a_ticket_on_out_of_his_sight_still_has_his_answer(api: Api) -> None:
    number = api("rb1").opens()
    reply = api("g1").fires(number, "assign", group="security")
    assert (reply.status, reply.json["group"]) == (200, "security")
    assert api("g1").get(f"/tickets/{number}").status == 404
