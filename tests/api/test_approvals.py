"""Being asked, and answering (attacks A-76, A-77 over HTTP)."""

from __future__ import annotations

from tests.api.world import Api

PLAN = {"risk": "low", "implementation_plan": "Swap.", "test_plan": "Ping.", "backout_plan": "Swap back."}


def asked(api: Api) -> tuple[str, int]:
    """A change that waits for a change manager; its number, and the question put to cm1."""
    number = api("g1").opens("change", fields={"group": "network", "justification": "It is old."})
    assert api("g1").fires(number, "submit").status == 200
    assert api("g1").fires(number, "request_authorisation", **PLAN).status == 200
    (question,) = [each for each in api("cm1").get("/approvals?mine=true").items if each["ticket"] == number]
    return number, question["id"]


def test_who_is_asked_finds_the_question_and_answers_it(api: Api) -> None:
    number, question = asked(api)
    reply = api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve", "comment": "Fine."})
    assert (reply.status, reply.json["decision"], reply.json["comment"]) == (200, "approve", "Fine.")
    assert api("cm1").get("/approvals").items == []
    assert api("g1").get(f"/tickets/{number}").json["state"] == "authorised"
    said = api("g1").get(f"/tickets/{number}/timeline").items
    assert [each["comment"]["body"] for each in said if each["kind"] == "approval_decided"] == ["Fine."]


def test_nobody_answers_for_another(api: Api) -> None:
    number, question = asked(api)
    for login in ("ad1", "g1", "l1", "cm2"):
        mine = {each["id"] for each in api(login).get("/approvals?mine=true").items}
        assert question not in mine
        reply = api(login).post(f"/approvals/{question}/decision", {"decision": "approve"})
        assert (reply.status, reply.code) == (403, "not_asked"), login
    for login in ("ra1", "rb1"):
        assert api(login).post(f"/approvals/{question}/decision", {"decision": "approve"}).status == 404
    assert api("g1").get(f"/tickets/{number}").json["state"] == "authorisation"


def test_a_question_is_answered_once(api: Api) -> None:
    _, question = asked(api)
    assert api("cm1").post(f"/approvals/{question}/decision", {"decision": "reject", "comment": "Not now."}).status == 200
    again = api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve"})
    assert (again.status, again.code) == (409, "already_decided")


def test_an_answer_is_approve_or_reject_and_a_rejection_has_its_reason(api: Api) -> None:
    _, question = asked(api)
    path = f"/approvals/{question}/decision"
    assert api("cm1").post(path, {"decision": "void"}).pointers == {"/decision": "invalid_value"}
    assert api("cm1").post(path, {"decision": "approve", "approver_id": 1}).pointers == {"/approver_id": "unknown_member"}
    assert api("cm1").post(path, {"decision": "reject"}).pointers == {"/comment": "comment_required"}
    assert api("cm1").post("/approvals/999999/decision", {"decision": "approve"}).status == 404


def test_whoever_sees_a_ticket_sees_what_was_asked_about_it(api: Api) -> None:
    number, _ = asked(api)
    assert {each["approver"] for each in api("g1").get(f"/approvals?mine=false&ticket={number}").items} == {"cm1", "cm2"}
    assert api("rb1").get(f"/approvals?mine=false&ticket={number}").items == []
