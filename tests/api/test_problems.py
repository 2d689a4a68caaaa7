"""Refusals and surprises: one form, one table, nothing let out (attacks A-02, A-03, A-96)."""

from __future__ import annotations

import logging

import pytest

from itsm.api import create_api, problems
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.tickets.desk import Desk
from tests.api.world import INCIDENT, Api


def test_every_kind_of_refusal_has_a_status_of_its_own() -> None:
    assert set(problems.SORTS) == set(Kind)
    assert len({sort.status for sort in problems.SORTS.values()}) == len(Kind)


def test_an_unknown_address_is_a_problem_too(api: Api) -> None:
    for path in (
        "/nope",
        "/tickets/INC0000001/nope",
        "/catalogue",
        "/tickets/INC0000001/sla/nope",
        "/api/",
        "/api/v2/me",
        "/metrics/x",
    ):
        reply = api("g1").get(path)
        assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "OPTIONS", "CONNECT", "PROPFIND", "TRACK"])
def test_a_method_that_an_address_does_not_take_is_refused_and_changes_nothing(api: Api, method: str) -> None:
    number = api("ra1").opens()
    before = api("ra1").get(f"/tickets/{number}").json
    reply = api("ra1").call(method, f"/tickets/{number}")
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert {"GET", "HEAD", "PATCH"} == set(reply.headers["Allow"].split(", "))
    assert api("ra1").get(f"/tickets/{number}").json == before


@pytest.mark.parametrize("override", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_no_header_turns_one_method_into_another(api: Api, override: str) -> None:
    number = api("ra1").opens()
    reply = api("ra1").get(f"/tickets/{number}", **{override.replace("-", "_"): "DELETE"})
    assert reply.status == 200
    assert api("ra1").get(f"/tickets/{number}").status == 200


def test_a_head_request_has_the_head_of_its_get_and_no_body(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("ra1").call("HEAD", f"/tickets/{number}")
    assert (reply.status, reply.content) == (200, b"")
    assert reply.etag == api("ra1").get(f"/tickets/{number}").etag
    assert api("rb1").call("HEAD", f"/tickets/{number}").status == 404


VARIANTS = [
    "/tickets/{}/",
    "/tickets/{}.",
    "/tickets/{}.json",
    "/tickets/{};x",
    "/tickets/{};jsessionid=1",
    "/tickets/%2e/{}",
    "/tickets/../tickets/{}",
    "/tickets/%2e%2e/tickets/{}",
    "/tickets%2f{}",
    "/tickets//{}",
    "//tickets/{}",
    "/tickets/{}%00",
    "/tickets/{}%2500",
    "/tickets/{}%20",
    "/tickets/%20{}",
    "/tickets/{}%c0%af",
    "/tickets/{}%EF%BC%8F",
    "/TICKETS/{}",
    "/tickets/{}%2ftimeline",
    "/tickets/{}/timeline/",
    "/tickets/{}\\timeline",
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_way_of_writing_an_address_reaches_a_ticket_that_its_plain_form_does_not(api: Api, variant: str) -> None:
    number = api.confidential()
    reply = api("ra1").get(variant.format(number))
    assert reply.status in (404, 308)
    assert "Canary" not in reply.text


@pytest.mark.parametrize("number", ["inc0000001", "INC1", "INC0000001 ", "INC000000%", "INC_______", "1", "' OR 1=1--"])
def test_a_number_is_taken_as_it_is(api: Api, number: str) -> None:
    assert api("ra1").opens() == "INC0000001"
    assert api("ra1").get(f"/tickets/{number}").status == 404


def test_a_ticket_that_is_not_there_and_one_that_is_not_mine_are_answered_alike(api: Api) -> None:
    number = api.confidential()
    hidden, absent = api("ra1").get(f"/tickets/{number}"), api("ra1").get("/tickets/INC9999999")
    for reply, name in ((hidden, number), (absent, "INC9999999")):
        body = {**reply.json, "request_id": ""}
        assert body["detail"] == f"There is no ticket “{name}”."
        assert (reply.status, reply.code) == (404, "not_found")
    assert set(hidden.json) == set(absent.json)


def test_a_surprise_says_nothing_but_its_number(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    monkeypatch.setenv("WERKZEUG_DEBUG_PIN", "off")
    api = Api(desk)
    api.app.config.update(DEBUG=True, TESTING=True, PROPAGATE_EXCEPTIONS=True)

    def stumble(statement: str) -> None:
        raise ZeroDivisionError("canary secret")

    caller = api("ra1")
    desk.database.on_statement = stumble
    with caplog.at_level(logging.ERROR):
        reply = caller.get("/me")
    desk.database.on_statement = None
    assert (reply.status, reply.code) == (500, "internal_error")
    assert "canary" not in reply.text
    assert "Traceback" not in reply.text
    assert reply.json["request_id"] in caplog.text
    assert reply.headers["X-Request-ID"] == reply.json["request_id"]


def test_no_debugger_answers_anywhere(api: Api) -> None:
    for path in ("/api/console", "/api/v1/tickets?__debugger__=yes&cmd=resource&f=debugger.js"):
        reply = api("g1").get(path)
        assert reply.status in (404, 422)
        assert "debugger" not in reply.text or reply.type == problems.MEDIA_TYPE


def test_a_database_that_is_gone_is_try_again_later(desk: Desk) -> None:
    away = Database("sqlite:////nowhere/at/all/desk.db") if not desk.database.is_postgresql else None
    away = away or Database("postgresql://nobody@127.0.0.1:1/nowhere")
    api = Api(desk)
    caller = api("ra1")
    desk.database, kept = away, desk.database
    api = Api(desk)
    reply = api.holding(caller.token or "").get("/me")
    desk.database = kept
    away.dispose()
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


def test_a_fault_of_the_installation_is_not_told_to_callers(desk: Desk) -> None:
    app = create_api(desk)

    def fail(**_: object) -> None:
        raise DeskError(Kind.SETUP, "bad_settings", "canary: the secret is too weak")

    app.view_functions["me.read"] = fail
    reply = app.test_client().get("/api/v1/me")
    assert reply.status_code == 500
    assert b"canary" not in reply.data


def test_a_race_that_is_lost_is_run_again_as_a_whole(api: Api) -> None:
    api("ra1")
    seen: list[str] = []

    def lose_twice(statement: str) -> None:
        if "INSERT INTO tickets" in statement:
            seen.append(statement)
            if len(seen) < 3:
                raise DeskError(Kind.UNAVAILABLE, "busy", "Another change got in the way; try again.", retry_after=1)

    api.desk.database.on_statement = lose_twice
    reply = api("ra1").post("/tickets", INCIDENT)
    api.desk.database.on_statement = None
    assert (reply.status, len(seen)) == (201, 3)
    assert reply.json["number"] == "INC0000001"
