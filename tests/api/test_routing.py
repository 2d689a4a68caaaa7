"""A route that does not say who may use it never answers anybody (attack A-01)."""

from __future__ import annotations

import pytest

from itsm.api import create_api, refuse_undeclared, routes
from itsm.api.auth import PUBLIC, SIGNED_IN
from itsm.api.routing import Answer, Resource
from itsm.people.access import Scope
from itsm.tickets.desk import Desk, Tx


@pytest.mark.parametrize("terms", [{}, {"policy": None}, {"policy": "everybody"}])
def test_a_route_without_a_policy_is_refused_where_it_is_declared(terms: dict[str, object]) -> None:
    with pytest.raises(RuntimeError, match="GET /things has no policy"):

        @Resource("Things", "Things.").get("/things", answers={}, **terms)
        def find(tx: Tx) -> Answer:
            """List things."""
            return Answer()


def test_a_route_without_a_word_about_itself_is_refused() -> None:
    with pytest.raises(RuntimeError, match="has no docstring"):

        @Resource("Things", "Things.").get("/things", policy=SIGNED_IN, answers={})
        def find(tx: Tx) -> Answer:
            return Answer()


def test_an_address_of_ours_that_was_never_declared_keeps_the_desk_from_starting(desk: Desk) -> None:
    app = create_api(desk)
    app.add_url_rule("/api/v1/backdoor", "backdoor", lambda: "come in")
    with pytest.raises(RuntimeError, match="/api/v1/backdoor is served without a declared policy"):
        refuse_undeclared(app, routes())


def test_the_portal_declares_its_own_policies(desk: Desk) -> None:
    app = create_api(desk)
    app.add_url_rule("/", "home", lambda: "a page")
    refuse_undeclared(app, routes())


def test_only_what_tells_nothing_is_public() -> None:
    public = {route.full_path for route in routes() if route.policy is PUBLIC}
    assert public == {"/healthz", "/readyz", "/api/v1/openapi.json", "/api/reference"}


def test_reading_takes_the_scope_to_read_and_everything_else_the_scope_to_write() -> None:
    assert all(route.scope is (Scope.READ if route.method == "GET" else Scope.WRITE) for route in routes())


def test_every_route_has_a_name_and_an_address_of_its_own() -> None:
    assert len({route.endpoint for route in routes()}) == len(routes())
    assert len({(route.method, route.full_path) for route in routes()}) == len(routes())
