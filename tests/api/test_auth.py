"""Tokens, and what they open (attack A-70)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itsm.api.auth import NOBODY
from itsm.people import commands as people
from itsm.people.access import Permission, Scope
from itsm.platform.time import FrozenClock
from tests.api.world import INCIDENT, ROUTES, Api


def test_without_a_token_the_answer_asks_for_one(api: Api) -> None:
    reply = api(None).get("/me")
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Basic cmExOnNlY3JldA==",
        "Token abc",
        "Bearer itsm_0000000000000000000000000000000000",
        "Bearer é",
        "Bearer " + "a" * 10_000,
        "Bearer ' OR 1=1--",
    ],
)
def test_anything_but_a_token_of_ours_is_refused_in_the_same_words(api: Api, header: str) -> None:
    reply = api(None).get("/me", Authorization=header)
    assert (reply.status, reply.code) == (401, "unauthenticated")


def test_the_word_bearer_may_be_written_in_any_case(api: Api) -> None:
    assert api(None).get("/me", Authorization=f"bearer {api.token('ra1')}").status == 200


def test_a_token_in_the_address_is_not_looked_at(api: Api) -> None:
    token = api.token("ra1")
    for name in ("token", "access_token", "api_key"):
        assert api(None).get(f"/me?{name}={token}").status == 401


def test_an_expired_token_opens_nothing(api: Api, clock: FrozenClock) -> None:
    caller = api.holding(api.token("ra1", expires_at=clock.now() + timedelta(hours=1)))
    assert caller.get("/me").status == 200
    clock.advance(timedelta(hours=1))
    assert caller.get("/me").status == 401


def test_who_is_shut_out_is_out_with_his_next_request(api: Api) -> None:
    assert api("ra1").get("/me").status == 200
    with api.desk.database.session() as session:
        people.deactivate(session, "ra1", api.desk.clock.now(), "tests")
    assert api("ra1").get("/me").status == 401


@pytest.mark.parametrize("endpoint", [name for name, route in ROUTES.items() if route.policy.needs_token])
def test_a_token_for_reading_opens_reading_routes_only(api: Api, endpoint: str) -> None:
    route = ROUTES[endpoint]
    path = route.full_path
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", "1")
    reply = api("ad1", frozenset({Scope.READ})).call(route.method, path)
    refused = reply.status == 403 and reply.code == "insufficient_scope"
    assert refused is (route.method != "GET")
    if refused:
        assert reply.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'


def test_each_scope_includes_the_one_before_it(api: Api) -> None:
    assert api("ra1", frozenset({Scope.WRITE})).get("/me").status == 200
    assert api("ra1", frozenset({Scope.ADMIN})).post("/tickets", INCIDENT).status == 201


def test_a_token_without_any_scope_opens_nothing(api: Api) -> None:
    assert api("ra1", frozenset()).get("/me").code == "insufficient_scope"


def test_nobody_may_do_and_see_nothing(api: Api) -> None:
    api("ra1").opens()
    assert not any(NOBODY.may(permission) for permission in Permission)
    assert not NOBODY.is_system
    assert not NOBODY.scopes


def test_me_tells_who_i_am_and_what_i_may_do(api: Api) -> None:
    me = api("g3").get("/me").json
    assert (me["login"], me["name"], me["organisation"]) == ("g3", "G3", None)
    assert me["groups"] == [{"key": "network", "name": "Network", "access": "read"}]
    assert "agent" in me["roles"]
    assert "ticket.note" in me["permissions"]
    assert api("ra1").get("/me").json["organisation"] == "acme"
