"""What an attacker tries with clocks and with the desk's own rules: to win time by going to and fro (A-84), to change what
everybody is bound by (A-85), to close an emergency change unexamined.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from itsm.api.routing import Route
from itsm.platform.time import FrozenClock
from tests.api.world import ROUTES, Api, Reply
from tests.attacks.prey import BODIES, Place, where
from tests.attacks.test_what_is_written import rows

RULES = {
    "changes.freeze": {"cm1", "cm2"},
    "changes.lift": {"cm1", "cm2"},
    "changes.approve": {"cm1", "cm2"},
    "changes.revoke": {"cm1", "cm2"},
    "sla.take_out": {"l1"},
    "sla.excuse": {"l1"},
    "services.add": {"l1", "ad1"},
    "services.edit": {"l1", "ad1"},
    "configuration-items.add": {"l1", "ad1"},
    "configuration-items.edit": {"l1", "ad1"},
}
"""The routes by which a rule that binds others is changed, and whose roles open them."""

EVERYBODY = ("ra1", "ma", "rb1", "g1", "g2", "g3", "l1", "ap1", "cm1", "cm2", "po1", "au1", "ad1", "int1")


# going to and fro wins no time


def clocks(api: Api, number: str) -> list[dict[str, Any]]:
    """How the clocks of a ticket stand; the desk must agree with what the events say."""
    reply = api("g1").get(f"/tickets/{number}/sla")
    assert reply.json["consistent"] is True, reply.json["differences"]
    told = ("clock", "cycle", "state", "target", "elapsed", "remaining", "due", "breached")
    return [{name: one[name] for name in told} for one in reply.json["clocks"]]


def begun(api: Api) -> str:
    number = api("ra1").opens(fields={"urgency": "medium"})
    assert api("g1").fires(number, "assign", group="network").status == 200
    assert api("g1").fires(number, "start").status == 200
    return number


def goes_to_and_fro(api: Api, number: str) -> list[int]:
    """Whatever a requester can do to his ticket; the answers to what he may not."""
    me = api("ra1")
    refused = [
        me.fires(number, "hold", "Wait.", pending_reason="user"),
        me.fires(number, "resume"),
        me.fires(number, "resolve", resolution_code="fixed", resolution="So."),
        me.fires(number, "reopen"),
        me.edits(number, {"fields": {"impact": "minor"}}),
        me.edits(number, {"fields": {"priority": "p4"}}),
        me.edits(number, {"fields": {"pending_reason": "user"}}),
        me.post(f"/tickets/{number}/sla/corrections", BODIES["sla.take_out"]),
        me.post(f"/tickets/{number}/sla/excuses", BODIES["sla.excuse"]),
    ]
    for urgency in ("low", "critical", "high", "medium"):
        assert me.edits(number, {"fields": {"urgency": urgency}}).status == 200
    assert me.says(number, "Is there any news?").status == 201
    return [reply.status for reply in refused]


def test_a_requester_who_goes_to_and_fro_has_the_clocks_of_one_who_waits(api: Api, clock: FrozenClock) -> None:
    busy, calm = begun(api), begun(api)
    for hours in (2, 30, 24 * 30):
        clock.advance(timedelta(hours=hours))
        assert set(goes_to_and_fro(api, busy)) <= {403, 409, 422}
        found = clocks(api, busy)  # one more, by which he is to be told of an urgent incident, wins him nothing
        assert [one for one in clocks(api, calm) if one not in found] == [], f"after {hours} more hours"
    assert any(one["breached"] for one in clocks(api, busy))


def test_reopening_brings_no_missed_promise_back(api: Api, clock: FrozenClock) -> None:
    number = begun(api)
    clock.advance(timedelta(days=30))
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    before = [one for one in clocks(api, number) if one["breached"]]
    assert before
    assert api("ra1").fires(number, "reopen", "Black again.").status == 200
    assert api("ra1").fires(number, "reopen", "Black again.").status == 409
    after = clocks(api, number)
    assert [one for one in after if (one["clock"], one["cycle"]) in {(old["clock"], old["cycle"]) for old in before}] == before


# the rules that bind everybody


@pytest.mark.parametrize("endpoint", sorted(RULES))
def test_a_rule_is_changed_by_those_whose_roles_say_so_and_by_nobody_else(api: Api, endpoint: str) -> None:
    place, route = Place(api), ROUTES[endpoint]
    address = where(endpoint, place, place.own, "/x/1")
    before = rows(api)
    for login in (each for each in EVERYBODY if each not in RULES[endpoint]):
        reply = api(login).call(route.method, address, body=BODIES.get(endpoint))
        unseen = reply.status == 404 and endpoint.startswith("sla.")
        assert reply.status == 403 or unseen, (login, reply.status, reply.text)
    assert rows(api) == before


def test_no_route_writes_what_only_files_say(api: Api) -> None:
    """Calendars, promises, approval policies, roles, the catalogue and workflows have no route that changes them."""
    unsafe = [route for route in ROUTES.values() if route.method not in {"GET", "HEAD"}]
    written = {_collection(route) for route in unsafe}
    assert not written & {"calendars", "roles", "policies", "escalation", "templates", "users", "groups", "organisations"}
    assert {route.endpoint for route in unsafe if _collection(route) == "workflows"} == {"workflows.examine"}
    for path in ("/workflows/incident", "/sla/policies", "/catalog/laptop", "/changes/models/renew-certificate"):
        for method in ("PUT", "POST", "PATCH", "DELETE"):
            reply: Reply = api("ad1").call(method, path, body={"title": "Mine"})
            assert reply.status in {404, 405}, (method, path, reply.status)


def _collection(route: Route) -> str:
    return route.path.split("/")[1]


# An emergency is examined before it is closed


def test_an_emergency_change_closes_only_after_its_review_whoever_asks(api: Api) -> None:
    number = api("g1").opens("change", title="Block the attacker", fields={"change_type": "emergency", "group": "network"})
    moves: tuple[tuple[str, str, str | None, dict[str, Any]], ...] = (
        ("g1", "submit", None, {"justification": "An attack is running.", "backout_plan": "Remove the rule."}),
        ("cm1", "authorise", "By telephone.", {}),
        ("g1", "implement", None, {}),
    )
    for login, trigger, comment, fields in moves:
        reply = api(login).fires(number, trigger, comment, **fields)
        assert reply.status == 200, (trigger, reply.text)
    for login in ("g1", "l1", "cm1", "cm2", "ad1"):
        assert api(login).fires(number, "close", "Done.", review_notes="Fine.").status in {403, 409}, login
    assert api("g1").fires(number, "complete", outcome="successful").status == 200
    for login in ("g1", "l1", "ra1", "ad1", "ap1"):
        assert api(login).fires(number, "close", "Done.", review_notes="Fine.").status in {403, 404, 409, 422}, login
    assert api("cm2").fires(number, "close").status == 422
    assert api("g1").get(f"/tickets/{number}").json["state"] == "review"
    assert api("cm2").fires(number, "close", review_notes="The rule is made permanent.").json["state"] == "closed"
