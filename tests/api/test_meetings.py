"""Meetings of the change advisory board over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from icalendar import Calendar

from itsm.platform.time import FrozenClock
from tests.api.test_approvals import asked
from tests.api.test_statements import counted
from tests.api.world import Api
from tests.changes.desk import at

BOARD: dict[str, Any] = {
    "title": "Board, week 10",
    "starts_at": "2026-03-03T09:00:00Z",
    "ends_at": "2026-03-03T10:00:00Z",
    "members": ["cm2", "l1"],
    "groups": ["security"],
}


def called(api: Api, **more: Any) -> str:
    """The address of a meeting that cm1 calls."""
    reply = api("cm1").post("/changes/meetings", {**BOARD, **more})
    assert reply.status == 201, reply.text
    return reply.headers["Location"].removeprefix("/api/v1")


def test_a_board_meets_from_the_invitation_to_the_minutes(api: Api, clock: FrozenClock) -> None:
    number, _ = asked(api)
    meeting = called(api)
    (item,) = api("cm1").post(f"{meeting}/agenda", {}).items
    assert (item["number"], item["position"], item["starts_at"]) == (number, 1, "2026-03-03T09:00:00Z")
    clock.set(at(3, 9))
    assert api("cm1").call("PUT", f"{meeting}/attendance", body={"present": ["cm1", "l1"]}).status == 200
    assert api("l1").post(f"{meeting}/items/{number}/votes", {"vote": "approve"}).status == 201
    voted = api("cm2").post(f"{meeting}/items/{number}/votes", {"vote": "approve", "comment": "Well prepared."})
    assert [each["answered"] for each in voted.items[0]["votes"]] == [False, True]
    assert voted.items[0]["count"] == {"approve": 2, "reject": 0, "abstain": 0}
    assert voted.items[0]["state"] == "authorised"
    outcome = api("cm1").call("PUT", f"{meeting}/items/{number}/outcome", body={"outcome": "authorised"})
    assert outcome.items[0]["outcome"] == "authorised"
    api("cm1").post(f"{meeting}/notes", {"body": "Short and good."})
    closed = api("cm1").post(f"{meeting}/closing")
    assert (closed.status, closed.json["status"], closed.json["closed_by"]) == (200, "held", "cm1")
    text = api("l1").get(f"{meeting}/minutes")
    assert (text.status, text.type) == (200, "text/markdown")
    for words in ("# Board, week 10", "2 approve, 0 reject, 0 abstain", "> Short and good.", closed.json["digest"]):
        assert words in text.text
    told = api("g1").get(f"/tickets/{number}/timeline").items
    assert [each["details"] for each in told if each["kind"] == "discussed"] == [
        {"meeting": closed.json["id"], "outcome": "authorised"}
    ]


def test_a_meeting_that_ends_before_it_starts_is_refused(api: Api) -> None:
    reply = api("cm1").post("/changes/meetings", {**BOARD, "ends_at": BOARD["starts_at"]})
    assert (reply.status, reply.pointers) == (422, {"/ends_at": "reversed_period"})
    meeting = called(api)
    reply = api("cm1").patch(meeting, {"starts_at": "2026-03-04T09:00:00Z"})
    assert (reply.status, reply.pointers) == (422, {"/ends_at": "reversed_period"})
    period = {"planned_from": "2026-03-04T09:00:00Z", "planned_to": "2026-03-04T09:00:00Z"}
    assert api("cm1").post(f"{meeting}/agenda", period).pointers == {"/planned_to": "reversed_period"}


@pytest.mark.parametrize("member", ["title", "starts_at", "ends_at", "chair", "members", "groups"])
def test_nothing_of_a_meeting_can_be_emptied(api: Api, member: str) -> None:
    assert api("cm1").patch(called(api), {member: None}).pointers == {f"/{member}": "wrong_type"}


def test_a_vote_after_the_closing_is_refused(api: Api, clock: FrozenClock) -> None:
    number, _ = asked(api)
    meeting = called(api)
    api("cm1").post(f"{meeting}/agenda", {})
    early = api("cm1").post(f"{meeting}/closing")
    assert (early.status, early.code) == (409, "not_begun")
    clock.set(at(3, 10))
    assert api("cm1").post(f"{meeting}/closing").status == 200
    late = api("cm2").post(f"{meeting}/items/{number}/votes", {"vote": "approve"})
    assert (late.status, late.code) == (409, "meeting_closed")
    assert api("g1").get(f"/tickets/{number}").json["state"] == "authorisation"


def test_a_question_is_kept_and_asked_again(api: Api) -> None:
    meeting = called(api)
    question = {"planned_to": "2026-03-20T00:00:00Z", "unplanned": False, "risks": ["high"], "minutes": 5}
    assert api("cm1").post(f"{meeting}/agenda", question).items == []
    number, _ = asked(api)
    again = api("cm1").post(f"{meeting}/agenda", {})
    assert again.items == []
    assert again.json["question"] == {**question, "planned_from": None, "types": [], "services": []}
    (item,) = api("cm1").post(f"{meeting}/agenda", {"risks": ["low"]}).items
    assert (item["number"], item["minutes"]) == (number, 10)


def test_an_agenda_that_does_not_fit_is_told_to(api: Api) -> None:
    number, _ = asked(api)
    meeting = called(api)
    assert api("cm1").post(f"{meeting}/items", {"number": number, "minutes": 60}).json["overruns"] is False
    body = api("cm1").patch(f"{meeting}/items/{number}", {"minutes": 61}).json
    assert (body["overruns"], body["through_at"]) == (True, "2026-03-03T10:01:00Z")


def test_meetings_are_listed_by_page_the_latest_first(api: Api) -> None:
    ids = [int(called(api, starts_at=f"2026-03-0{day}T09:00:00Z", ends_at="2026-03-09T10:00:00Z").rsplit("/", 1)[1])
           for day in (3, 5, 4)]  # fmt: skip
    api("cm1").post(f"/changes/meetings/{ids[0]}/cancellation")
    first = api("l1").get("/changes/meetings?limit=2")
    assert [each["id"] for each in first.items] == [ids[1], ids[2]]
    assert 'rel="next"' in first.headers["Link"]
    second = api("l1").get(f"/changes/meetings?limit=2&cursor={first.json['next']}")
    assert ([each["id"] for each in second.items], second.json["next"]) == ([ids[0]], None)
    assert [each["id"] for each in api("l1").get("/changes/meetings?status=cancelled").items] == [ids[0]]
    assert api("l1").get(f"/changes/meetings?status=held&cursor={first.json['next']}").pointers == {"/cursor": "invalid_cursor"}
    assert api("g1").get("/changes/meetings").items == []


def test_a_meeting_is_in_the_calendars_of_those_who_see_it(api: Api) -> None:
    number, _ = asked(api)
    meeting = called(api, title="Board, with; signs")
    api("cm1").post(f"{meeting}/agenda", {})
    reply = api("l1").get(f"{meeting}/calendar.ics")
    assert (reply.status, reply.type) == (200, "text/calendar")
    (event,) = Calendar.from_ical(reply.content).walk("VEVENT")
    assert (event["SUMMARY"], event["UID"], event["STATUS"]) == ("Board, with; signs", "meeting-1@itsm", "CONFIRMED")
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (at(3, 9), at(3, 10))
    assert str(event["DESCRIPTION"]).startswith(f"09:00 UTC {number} ")
    for login, there in (("l1", True), ("g2", True), ("g1", False)):
        feed = api(None).get(api(login).post("/changes/feeds", {}).json["path"])
        assert (b"meeting-1@itsm" in feed.content) is there, login
    api("cm1").post(f"{meeting}/cancellation")
    assert b"STATUS:CANCELLED" in api("l1").get(f"{meeting}/calendar.ics").content


def test_however_long_the_agenda_reading_a_meeting_takes_eight_statements(api: Api) -> None:
    meeting = called(api)
    for _ in range(6):
        number, _ = asked(api)
        api("cm1").post(f"{meeting}/items", {"number": number})
        api("l1").post(f"{meeting}/items/{number}/votes", {"vote": "abstain"})
    caller = api("l1")
    with counted(api, 8):
        assert len(caller.get(meeting).items) == 6
    with counted(api, 3):
        assert caller.get("/changes/meetings").status == 200


def test_the_agenda_is_made_with_the_same_statements_however_much_is_on_it(api: Api) -> None:
    meeting = called(api)
    caller = api("cm1")
    for _ in range(3):
        asked(api)
        with counted(api, 18):
            assert caller.post(f"{meeting}/agenda", {}).status == 200
    numbers = [each["number"] for each in caller.get(meeting).items]
    with counted(api, 16):
        caller.patch(f"{meeting}/items/{numbers[2]}", {"position": 1})
