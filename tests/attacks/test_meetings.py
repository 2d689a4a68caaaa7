"""What is tried with the advisory board: voting without a seat, for one's own change, past the approval, and after the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from itsm.platform.time import FrozenClock
from tests.api.test_approvals import asked
from tests.api.test_matrix import BOARD as A_BOARD
from tests.api.world import Api
from tests.attacks.prey import Prey
from tests.attacks.test_what_is_written import rows
from tests.changes.desk import at
from tests.changes.sitting import audited

MEMBERS: dict[str, Any] = {**A_BOARD, "chair": "cm1", "members": ["l1", "g1"], "groups": ["network"]}
"""cm1 in the chair, l1 and g1, and the group network, in which g3 may only read."""


def sits(api: Api, number: str, **more: Any) -> str:
    """The address of a meeting with a change on its agenda."""
    made = api("cm1").post("/changes/meetings", {**MEMBERS, **more}).json["id"]
    assert api("cm1").post(f"/changes/meetings/{made}/items", {"number": number}).status == 201
    return f"/changes/meetings/{made}"


def state(api: Api, number: str) -> str:
    found: str = api("cm1").get(f"/tickets/{number}").json["state"]
    return found


def test_who_has_no_seat_has_no_vote_and_each_try_is_told_to_the_auditor(api: Api) -> None:
    number, _ = asked(api)
    meeting = sits(api, number)
    before = rows(api)
    for login in ("ad1", "g2", "ap1", "ra1", "au1", "int1"):
        reply = api(login).post(f"{meeting}/items/{number}/votes", {"vote": "approve"})
        assert (reply.status, reply.code) == (404, "not_found"), login
    assert rows(api) == before
    for login in ("cm2", "g3"):
        reply = api(login).post(f"{meeting}/items/{number}/votes", {"vote": "approve"})
        assert (reply.status, reply.code) == (403, "not_a_member"), login
    assert [(who, deed["code"], deed["ticket"]) for who, deed in audited(api.desk, "refused")] == [
        ("cm2", "not_a_member", number),
        ("g3", "not_a_member", number),
    ]
    assert api("cm1").get(meeting).items[0]["votes"] == []


def test_an_answer_of_somebody_who_was_not_asked_is_told_to_the_auditor(api: Api) -> None:
    number, question = asked(api)
    for login in ("l1", "ad1"):
        assert api(login).post(f"/approvals/{question}/decision", {"decision": "approve"}).code == "not_asked"
    assert audited(api.desk, "refused") == [
        (login, {"code": "not_asked", "deed": "decide", "approval": question, "ticket": number}) for login in ("l1", "ad1")
    ]


def test_nobody_authorises_his_own_change_by_way_of_the_board(api: Api) -> None:
    """A-77 by another door: its opener takes the chair, votes, and says the outcome; nothing moves."""
    number, _ = asked(api)
    meeting = sits(api, number, chair="g1", members=[])
    vote = api("g1").post(f"{meeting}/items/{number}/votes", {"vote": "approve"})
    outcome = api("g1").call("PUT", f"{meeting}/items/{number}/outcome", body={"outcome": "authorised"})
    assert [(reply.status, reply.code) for reply in (vote, outcome)] == [(403, "own_ticket")] * 2
    assert state(api, number) == "authorisation"
    assert [deed["code"] for _, deed in audited(api.desk, "refused")] == ["own_ticket"] * 2


def test_no_majority_of_the_board_replaces_the_approval(api: Api) -> None:
    number, _ = asked(api)
    meeting = sits(api, number, members=["l1", "ap1", "g2", "ad1"])
    for login in ("l1", "g2", "ad1"):
        assert api(login).post(f"{meeting}/items/{number}/votes", {"vote": "approve"}).status == 201, login
    assert api("cm2").call("PUT", f"{meeting}/items/{number}/outcome", body={"outcome": "authorised"}).status == 200
    assert state(api, number) == "authorisation"
    assert api("g1").fires(number, "schedule", planned_start="2026-03-05T08:00:00Z").status == 409


def test_nobody_votes_in_anothers_name(api: Api) -> None:
    number, _ = asked(api)
    meeting = sits(api, number)
    for member in ("login", "user_id", "voter", "approval_id", "at"):
        reply = api("l1").post(f"{meeting}/items/{number}/votes", {"vote": "approve", member: "cm1"})
        assert reply.pointers == {f"/{member}": "unknown_member"}
    assert state(api, number) == "authorisation"


def test_a_vote_after_the_closing_and_a_meeting_that_ends_before_it_starts_are_refused(api: Api, clock: FrozenClock) -> None:
    number, _ = asked(api)
    meeting = sits(api, number)
    clock.set(at(2, 11))
    assert api("cm1").post(f"{meeting}/closing").status == 200
    late = api("cm1").post(f"{meeting}/items/{number}/votes", {"vote": "approve"})
    assert (late.status, late.code) == (409, "meeting_closed")
    for body in ({"ends_at": MEMBERS["starts_at"]}, {"ends_at": "2026-03-02T07:59:59Z"}):
        reply = api("cm1").post("/changes/meetings", {**MEMBERS, **body})
        assert (reply.status, reply.pointers) == (422, {"/ends_at": "reversed_period"})


def test_fifty_votes_of_one_person_at_once_count_once(api: Api) -> None:
    number, _ = asked(api)
    meeting = sits(api, number)
    token = api("cm1").token

    def vote(_: int) -> int:
        client = api.app.test_client()
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/api/v1{meeting}/items/{number}/votes"
        return client.post(path, json={"vote": "approve"}, headers=headers).status_code

    with ThreadPoolExecutor(5) as pool:
        said = list(pool.map(vote, range(50)))
    assert (said.count(201), said.count(409)) == (1, 49)
    item = api("cm1").get(meeting).items[0]
    assert (item["count"]["approve"], len(item["votes"]), item["state"]) == (1, 1, "authorised")


def test_no_member_learns_of_a_change_that_he_does_not_see(api: Api, prey: Prey) -> None:
    """A-05: a hidden change on the agenda: neither the meeting, nor its minutes, calendar or feed gives a word of it away."""
    meeting = f"/changes/meetings/{prey.meeting}"
    assert api("g2").patch(meeting, {"members": ["l1", "ra1"], "title": "Board"}).status == 200
    prey.canaries.pop("note of a meeting")  # a note is for every member
    for login in ("l1", "ra1", "cm2"):
        feed = api(None).get(api(login).post("/changes/feeds", {}).json["path"])
        for reply in (*(api(login).get(f"{meeting}{part}") for part in ("", "/minutes", "/calendar.ics")), feed):
            assert reply.status == 200
            assert prey.leaks(reply) == []
            assert prey.hidden_change not in reply.text
    shown = api("g2").get(f"{meeting}/minutes").text
    assert all(prey.canaries[what] in shown for what in ("title of a hidden change", "word of a vote")), "it is not there"
