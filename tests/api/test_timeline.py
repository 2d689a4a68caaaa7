"""The story of a ticket, and what is kept from whom (attacks A-05, A-93)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from itsm.app import Service
from itsm.people.access import SYSTEM, Channel
from itsm.platform.time import FrozenClock
from itsm.tickets import loading, moves, opening, records
from itsm.tickets.desk import Desk
from itsm.tickets.opening import NewTicket
from itsm.workflow.case import Change, Response
from tests.api.world import Api

CANARY = "canary-5f0c2a"


def test_the_story_is_told_in_order_the_newest_last(api: Api) -> None:
    number = api.in_progress()
    api("ra1").says(number, "Any news?")
    api("g1").fires(number, "resolve", "Done.", resolution_code="fixed", resolution="Cable was loose.")
    story = api("ra1").get(f"/tickets/{number}/timeline").items
    assert [item["seq"] for item in story] == sorted(item["seq"] for item in story)
    moves = [(item["from"], item["to"], item["trigger"]) for item in story if item["kind"] == "moved"]
    assert moves == [
        ("new", "assigned", "assign"),
        ("assigned", "in_progress", "start"),
        ("in_progress", "resolved", "resolve"),
    ]
    said = [(item["actor"], item["comment"]["body"]) for item in story if "comment" in item]
    assert said == [("ra1", "Any news?"), ("g1", "Done.")]
    assert story[1]["changes"]["group"] == [None, "network"]
    assert all(item["channel"] == "api" for item in story)


def test_internal_notes_reach_nobody_but_staff(api: Api) -> None:
    number = api.in_progress()
    assert api("g1").says(number, f"He is {CANARY}.", "internal").status == 201
    assert CANARY in api("g1").get(f"/tickets/{number}/timeline").text
    for login in ("ra1", "ma", "int1"):
        caller = api(login)
        for path in ("", "/timeline", "/transitions", "/links", "/tasks", "/watchers", "/attachments"):
            assert CANARY not in caller.get(f"/tickets/{number}{path}").text
        assert caller.get(f"/tickets?q={CANARY}").items == []


def test_what_goes_on_behind_the_scenes_is_told_to_staff_only(api: Api) -> None:
    number = api.in_progress()
    full = api("g1").get(f"/tickets/{number}/timeline").items
    shown = api("ra1").get(f"/tickets/{number}/timeline").items
    assert any(item.get("internal") for item in full)
    assert not any(item.get("internal") for item in shown)
    assert not any("effects" in item.get("details", {}) for item in shown)
    assert {item["seq"] for item in shown} < {item["seq"] for item in full}


def test_the_clocks_that_the_desk_keeps_for_itself_are_no_requesters_business(
    api: Api, service: Service, clock: FrozenClock
) -> None:
    number = api("ra1").opens("request")
    assert api("g1").get(f"/tickets/{number}").json["state"] == "awaiting_approval"
    clock.advance(timedelta(days=10))
    service.sweeper.sweep()

    def escalation(login: str) -> dict[str, Any]:
        (found,) = [one for one in api(login).get(f"/tickets/{number}/timeline").items if one.get("trigger") == "escalate"]
        return found["details"]  # type: ignore[no-any-return]

    assert (escalation("g1")["clock"], escalation("g1")["threshold"]) == ("approval-answer", "due")
    assert escalation("ra1") == {"category": "pending"}


@pytest.mark.parametrize("cause", ["clock", "threshold", "due", "timer", "reaction", "webhook", "what_comes_next_year"])
def test_what_set_the_desk_in_motion_is_told_to_staff_only(api: Api, desk: Desk, cause: str) -> None:
    number = api("ra1").opens()
    with desk.transaction(SYSTEM, Channel.TIMER) as tx:
        record = loading.load(tx, number)
        moves.respond(tx, record, Response(None, changes={"title": Change("It broke.", "It is broken.")}), {cause: CANARY})
        moves.settle(tx, record)
    assert CANARY in api("g1").get(f"/tickets/{number}/timeline").text
    assert CANARY not in api("ra1").get(f"/tickets/{number}/timeline").text
    assert "It is broken." in api("ra1").get(f"/tickets/{number}/timeline").text


@pytest.mark.parametrize("member", ["changes", "changed"])
def test_values_of_fields_that_the_reader_does_not_see_are_left_out(api: Api, desk: Desk, member: str) -> None:
    number = api("ra1").opens()
    with desk.transaction(SYSTEM, Channel.TIMER) as tx:
        task = opening.open_under(tx, NewTicket("task", "Look"), loading.load(tx, number))
        records.append(tx, task, "approval_voided", {member: {"automation_input": [None, CANARY], "title": ["Look", "Look!"]}})
        moves.settle(tx, task)
    assert CANARY not in api("ra1").get(f"/tickets/{task.number}/timeline").text
    assert "Look!" in api("ra1").get(f"/tickets/{task.number}/timeline").text


def test_a_requester_writes_no_internal_notes(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("ra1").says(number, "For you only.", "internal")
    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_comment_must_say_something_and_to_whom(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("ra1").post(f"/tickets/{number}/comments", {"body": "Hello?"})
    assert reply.pointers == {"/visibility": "required"}
    reply = api("ra1").post(f"/tickets/{number}/comments", {"body": " \n ", "visibility": "secret"})
    assert reply.pointers == {"/body": "invalid_value", "/visibility": "invalid_value"}


def test_the_story_comes_in_pages(api: Api) -> None:
    number = api("ra1").opens()
    for index in range(7):
        api("ra1").says(number, f"Word {index}")
    whole = api("ra1").get(f"/tickets/{number}/timeline").items
    walked, path = [], f"/tickets/{number}/timeline?limit=3"
    while path:
        page = api("ra1").get(path)
        assert len(page.items) <= 3
        walked += page.items
        link = page.headers.get("Link")
        assert (link is None) == (page.json["next"] is None)
        path = link[1 : link.index(">")] if link else ""
    assert walked == whole


def test_a_cursor_of_one_story_opens_no_other(api: Api) -> None:
    first, second = api("ra1").opens(), api("ra1").opens()
    for number in (first, second):
        api("ra1").says(number, "Hello?")
    cursor = api("ra1").get(f"/tickets/{first}/timeline?limit=1").json["next"]
    reply = api("ra1").get(f"/tickets/{second}/timeline?limit=1&cursor={cursor}")
    assert (reply.status, reply.pointers) == (422, {"/cursor": "invalid_cursor"})


def test_what_was_written_is_neither_changed_nor_taken_back(api: Api) -> None:
    number = api("ra1").opens()
    said = api("ra1").says(number, "I never said this.").json
    before = api("ad1").get(f"/tickets/{number}/timeline").json
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        for path in ("/timeline", "/timeline/1", f"/comments/{said['id']}", "/events", "/events/1"):
            assert api("ad1").call(method, f"/tickets/{number}{path}", body={"body": "x"}).status in (404, 405)
    assert api("ad1").get(f"/tickets/{number}/timeline").json == before
