"""What a request must look like before anybody thinks about it (attacks A-43, A-44, A-92)."""

from __future__ import annotations

import pytest

from itsm.api.strict_json import MOST_VALUES
from tests.api.test_strict_json import HOSTILE
from tests.api.world import INCIDENT, Api


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_json_is_a_bad_request(api: Api, raw: bytes) -> None:
    reply = api("ra1").call("POST", "/tickets", raw=raw)
    assert (reply.status, reply.code) == (400, "malformed_json")


def test_all_mistakes_are_told_at_once_each_at_its_place(api: Api) -> None:
    reply = api("ra1").post("/tickets", {"type": 1, "title": 5, "surprise": 1, "fields": [], "a/b~c": None})
    assert reply.status == 422
    assert reply.pointers == {
        "/type": "wrong_type",
        "/title": "wrong_type",
        "/fields": "wrong_type",
        "/surprise": "unknown_member",
        "/a~1b~0c": "unknown_member",
    }


@pytest.mark.parametrize("body", [[], "text", 1, None, True, [INCIDENT]])
def test_a_body_must_be_an_object(api: Api, body: object) -> None:
    import orjson

    reply = api("ra1").call("POST", "/tickets", raw=orjson.dumps(body))
    assert (reply.status, reply.pointers) == (422, {"": "wrong_type"})


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}, ["a"]])
def test_nothing_is_bent_into_a_text(api: Api, value: object) -> None:
    reply = api("ra1").post("/tickets", {**INCIDENT, "title": value})
    assert (reply.status, reply.pointers) == (422, {"/title": "wrong_type"})


@pytest.mark.parametrize("value", ["5", 5.0, True, None, []])
def test_nothing_is_bent_into_a_number(api: Api, value: object) -> None:
    number = api("g1").opens()
    reply = api("g1").post(f"/tickets/{number}/work", {"minutes": value})
    assert (reply.status, reply.pointers) == (422, {"/minutes": "wrong_type"})


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/jsonp",
        "",
    ],
)
def test_only_json_in_utf_8_is_taken(api: Api, media_type: str) -> None:
    reply = api("ra1").post("/tickets", INCIDENT, Content_Type=media_type)
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


def test_the_charset_of_json_may_be_named(api: Api) -> None:
    assert api("ra1").post("/tickets", INCIDENT, Content_Type="application/json; charset=UTF-8").status == 201


def test_a_compressed_body_is_not_unpacked(api: Api) -> None:
    reply = api("ra1").post("/tickets", INCIDENT, Content_Encoding="gzip")
    assert reply.status == 415


def test_a_body_over_a_mebibyte_is_too_large(api: Api) -> None:
    reply = api("ra1").post("/tickets", {**INCIDENT, "description": "x" * (1 << 20)})
    assert (reply.status, reply.code) == (413, "too_large")


def test_a_body_of_more_values_than_anybody_needs_is_refused(api: Api) -> None:
    reply = api("ra1").post("/tickets", {**INCIDENT, "fields": {"impact": list(range(MOST_VALUES + 1))}})
    assert reply.status == 400


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "a" * 201, "a\tb"])
def test_an_idempotency_key_is_200_visible_characters_at_most(api: Api, key: str) -> None:
    reply = api("ra1").post("/tickets", INCIDENT, Idempotency_Key=key)
    assert (reply.status, reply.code) == (400, "malformed_idempotency_key")


def test_parameters_that_a_route_does_not_take_are_refused(api: Api) -> None:
    number = api("ra1").opens()
    for path in ("/me", f"/tickets/{number}", f"/tickets/{number}/transitions", "/workflows"):
        reply = api("g1").get(f"{path}?full=1")
        assert (reply.status, reply.pointers) == (422, {"/full": "unknown_parameter"})
    assert api("ra1").post("/tickets?on_behalf_of=rb1", INCIDENT).pointers == {"/on_behalf_of": "unknown_parameter"}


def test_a_parameter_is_given_once(api: Api) -> None:
    assert api("g1").get("/tickets?state=new&state=closed").pointers == {"/state": "repeated"}


def test_a_parameter_without_a_value_counts_as_not_given(api: Api) -> None:
    number = api("ra1").opens()
    assert api("g1").get("/tickets?type=&state=&q=&sort=&limit=&cursor=").numbers == [number]


def test_nul_in_a_parameter_is_refused(api: Api) -> None:
    assert api("g1").get("/tickets?q=a%00b").pointers == {"/q": "invalid_value"}


def test_who_is_not_known_learns_nothing_about_his_mistakes(api: Api) -> None:
    for reply in (
        api(None).call("POST", "/tickets", raw=b"{"),
        api(None).post("/tickets", {"title": 5}),
        api(None).get("/tickets?limit=0"),
        api(None).patch("/tickets/INC0000001", {}),
        api(None).get("/tickets/INC0000001"),
    ):
        assert (reply.status, reply.code, reply.pointers) == (401, "unauthenticated", {})
