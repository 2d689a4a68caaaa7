"""The same request under the same key is carried out once, whoever loses which answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.world import INCIDENT, Api, Caller, Reply


def everything(reply: Reply) -> tuple[int, bytes, str | None, str | None]:
    return reply.status, reply.content, reply.headers.get("Location"), reply.headers.get("ETag")


def test_the_first_answer_is_given_again_with_its_headers(api: Api) -> None:
    first = api("ra1").post("/tickets", INCIDENT, Idempotency_Key="k")
    again = api("ra1").post("/tickets", INCIDENT, Idempotency_Key="k")
    assert everything(again) == everything(first)
    assert (first.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert "Idempotency-Replayed" not in first.headers
    assert len(api("ra1").get("/tickets").items) == 1


def test_the_order_of_members_is_no_difference(api: Api) -> None:
    first = api("ra1").post("/tickets", INCIDENT, Idempotency_Key="k")
    again = api("ra1").post("/tickets", dict(reversed(INCIDENT.items())), Idempotency_Key="k")
    assert everything(again) == everything(first)


def test_another_body_or_another_address_under_the_key_is_refused(api: Api) -> None:
    number = api("ra1").post("/tickets", INCIDENT, Idempotency_Key="k").json["number"]
    for reply in (
        api("ra1").post("/tickets", {**INCIDENT, "title": "Other"}, Idempotency_Key="k"),
        api("ra1").post(f"/tickets/{number}/comments", {"body": "x", "visibility": "public"}, Idempotency_Key="k"),
    ):
        assert (reply.status, reply.code) == (422, "idempotency_key_reused")


def test_a_key_is_its_callers_own(api: Api) -> None:
    mine = api("ra1").post("/tickets", INCIDENT, Idempotency_Key="k")
    theirs = api("rb1").post("/tickets", INCIDENT, Idempotency_Key="k")
    assert theirs.status == 201
    assert theirs.json["number"] != mine.json["number"]


def test_a_refusal_uses_up_no_key(api: Api) -> None:
    refused = api("ra1").post("/tickets", {**INCIDENT, "type": "riot"}, Idempotency_Key="k")
    assert refused.status == 422
    assert api("ra1").post("/tickets", INCIDENT, Idempotency_Key="k").status == 201


def test_without_a_key_each_request_counts(api: Api) -> None:
    assert api("ra1").opens() != api("ra1").opens()


def test_a_move_that_is_repeated_is_no_conflict(api: Api) -> None:
    number = api("ra1").opens()
    etag = api("g1").get(f"/tickets/{number}").etag
    move = {"trigger": "start"}
    first = api("g1").post(f"/tickets/{number}/transitions", move, If_Match=etag, Idempotency_Key="k")
    again = api("g1").post(f"/tickets/{number}/transitions", move, If_Match=etag, Idempotency_Key="k")
    assert first.status == 200
    assert everything(again) == everything(first)


def test_every_post_is_idempotent(api: Api) -> None:
    number, other = api("ra1").opens(), api("ra1").opens()
    agent = api("g1")
    for path, body in (
        (f"/tickets/{number}/comments", {"body": "x", "visibility": "public"}),
        (f"/tickets/{number}/links", {"kind": "related_to", "number": other}),
        (f"/tickets/{number}/tasks", {"title": "Cable", "fields": {"group": "network"}}),
        (f"/tickets/{number}/watchers", {"login": "l1"}),
        (f"/tickets/{number}/work", {"minutes": 5}),
        ("/workflows/check", {"source": "workflow: x"}),
    ):
        first, again = (agent.post(path, body, Idempotency_Key=path) for _ in range(2))
        assert first.status in (200, 201), first.text
        assert everything(again) == everything(first)
        assert again.headers["Idempotency-Replayed"] == "true"
    assert agent.post("/workflows/check", {"source": "y"}, Idempotency_Key="/workflows/check").code == "idempotency_key_reused"


def test_a_file_that_is_sent_again_is_kept_once(api: Api) -> None:
    number = api("ra1").opens()

    def send(caller: Caller, content: bytes) -> Reply:
        from io import BytesIO

        data = {"file": (BytesIO(content), "log.txt"), "visibility": "public"}
        return caller.call("POST", f"/tickets/{number}/attachments", data=data, Content_Type=None, Idempotency_Key="k")

    first, again = send(api("ra1"), b"lines"), send(api("ra1"), b"lines")
    assert first.status == 201, first.text
    assert everything(again) == everything(first)
    assert send(api("ra1"), b"other lines").code == "idempotency_key_reused"
    assert len(api("ra1").get(f"/tickets/{number}/attachments").items) == 1


@pytest.mark.parametrize("times", [16])
def test_many_at_once_under_one_key_make_one_ticket(api: Api, times: int) -> None:
    caller = api("ra1")

    def post(_: int) -> tuple[int, str]:
        client = api.app.test_client()
        headers = {"Authorization": f"Bearer {caller.token}", "Idempotency-Key": "k"}
        response = client.post("/api/v1/tickets", json=INCIDENT, headers=headers)
        return response.status_code, response.get_json().get("number", "")

    with ThreadPoolExecutor(times) as pool:
        answers = list(pool.map(post, range(times)))
    assert {status for status, _ in answers} <= {201, 409, 503}
    assert {number for status, number in answers if status == 201} == {"INC0000001"}
    assert len(caller.get("/tickets").items) == 1
