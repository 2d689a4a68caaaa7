"""Being asked, and answering (attacks A-76, A-77 over HTTP)."""

from __future__ import annotations

from tests.api.test_statements import counted
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
    assert api("cm1").post(path, {"decision": "reject", "comment": "\u200b"}).pointers == {"/comment": "comment_required"}
    assert api("cm1").post("/approvals/999999/decision", {"decision": "approve"}).status == 404


def test_whoever_sees_a_ticket_sees_what_was_asked_about_it(api: Api) -> None:
    number, _ = asked(api)
    assert {each["approver"] for each in api("g1").get(f"/approvals?mine=false&ticket={number}").items} == {"cm1", "cm2"}
    assert api("rb1").get(f"/approvals?mine=false&ticket={number}").items == []


def test_how_the_approvals_of_a_ticket_stand_is_told_with_what_is_awaited_and_why(api: Api) -> None:
    number, question = asked(api)
    (round_,) = api("g1").get(f"/tickets/{number}/approvals").items
    assert (round_["round"], round_["policy"], round_["outcome"]) == (1, "change-authority", "open")
    assert round_["awaited"] == ["cm1", "cm2"]
    assert round_["why"] == "“change manager” awaits cm1, cm2: any of 2."
    (stage,) = round_["stages"]
    assert (stage["standing"], stage["asks"]) == ("open", ["role change_manager"])
    assert [member["approver"] for member in stage["tree"]["members"]] == ["cm1", "cm2"]
    api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve", "comment": "Fine."})
    (round_,) = api("g1").get(f"/tickets/{number}/approvals").items
    assert (round_["outcome"], round_["awaited"], round_["why"]) == ("approved", [], "It is approved.")
    assert [member["decision"] for member in round_["stages"][0]["tree"]["members"]] == ["approve", "void"]
    assert api("rb1").get(f"/tickets/{number}/approvals").status == 404


def test_a_question_can_be_read_by_whoever_sees_its_ticket(api: Api) -> None:
    number, question = asked(api)
    assert api("g1").get(f"/approvals/{question}").json["ticket"] == number
    assert api("rb1").get(f"/approvals/{question}").status == 404


PERIOD = {"starts_at": "2026-03-02T08:00:00Z", "ends_at": "2026-03-06T18:00:00Z"}


def test_a_delegate_finds_the_questions_of_whoever_let_him_decide_and_answers_once(api: Api) -> None:
    number, question = asked(api)
    api("cm2").post(f"/approvals/{question}/decision", {"decision": "approve"})
    given = api("cm1").post("/approvals/delegations", {"delegate": "cm2", "note": "Away.", **PERIOD})
    assert (given.status, given.json["principal"], given.json["delegate"]) == (201, "cm1", "cm2")
    assert question in {each["id"] for each in api("cm2").get("/approvals").items}
    answer = api("cm2").post(f"/approvals/{question}/decision", {"decision": "approve"})
    assert (answer.status, answer.json["approver"], answer.json["decided_by"]) == (200, "cm1", "cm2")
    assert api("g1").get(f"/tickets/{number}").json["state"] == "authorised"
    assert [each["id"] for each in api("cm2").get("/approvals/delegations").items] == [given.json["id"]]
    assert api("cm1").delete(f"/approvals/delegations/{given.json['id']}").status == 204
    assert api("cm2").get("/approvals/delegations").items == []


def test_every_fault_of_a_delegation_is_told_at_its_place(api: Api) -> None:
    late = {"starts_at": "2026-03-01T08:00:00Z", "ends_at": "2026-02-01T18:00:00Z"}
    path = "/approvals/delegations"
    assert api("cm1").post(path, {"delegate": "cm1", **late}).pointers == {
        "/delegate": "oneself",
        "/ends_at": "ends_before_it_starts",
    }
    assert api("cm1").post(path, {"delegate": "g1", "starts_at": "2026-03-02", "ends_at": 7}).pointers == {
        "/starts_at": "invalid_value",
        "/ends_at": "wrong_type",
    }
    assert api("g1").post(path, {"delegate": "cm1", **PERIOD}).code == "forbidden"


def test_who_authorised_a_change_is_offered_no_part_in_carrying_it_out(api: Api) -> None:
    number, question = asked(api)
    api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve"})
    reply = api("g1").fires(number, "assign", assignee="cm1")
    assert (reply.status, reply.code, reply.pointers) == (
        403,
        "separation_of_duties",
        {"/fields/assignee": "separation_of_duties"},
    )
    assert "cm1 approved it" in reply.json["detail"]


def test_a_question_and_the_whole_course_cost_a_bounded_number_of_statements(api: Api) -> None:
    number, question = asked(api)
    with counted(api, 5):
        assert api("g1").get(f"/tickets/{number}/approvals").status == 200
    with counted(api, 3):
        assert api("cm1").get("/approvals?mine=true").status == 200
    with counted(api, 3):
        assert api("cm1").get(f"/approvals/{question}").status == 200
    with counted(api, 32):
        assert api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve"}).status == 200
