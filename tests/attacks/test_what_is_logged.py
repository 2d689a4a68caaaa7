"""What is left behind in logs, error pages, figures and queues: no secret, no word of a note, and no debugger (A-95, A-96)."""

from __future__ import annotations

import logging
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from itsm.api import create_api
from itsm.platform.schema import Base
from itsm.portal import create_portal
from tests.api.world import INCIDENT, ROUTES, Api, Reply
from tests.attacks.prey import BODIES, PERIOD, Place, Prey, canary, upload, where

DEBUG_SWITCHES = {
    "FLASK_DEBUG": "1",
    "FLASK_ENV": "development",
    "WERKZEUG_DEBUG_PIN": "off",
    "WERKZEUG_RUN_MAIN": "true",
    "PYTHONDEVMODE": "1",
    "DEBUG": "1",
}

FREE_TEXTS = ("title", "body", "comment", "note", "reason", "label")
"""The members of bodies that people write as they please."""


class Stumble:
    """Lets the n-th statement from now on fail, and those after it pass."""

    def __init__(self, api: Api) -> None:
        self._database = api.desk.database
        self.failed = False

    def at(self, nth: int) -> None:
        counter = count(1)
        self.failed = False

        def on_statement(_: str) -> None:
            if next(counter) == nth:
                self.failed = True
                raise ZeroDivisionError("stumbled on purpose")

        self._database.on_statement = on_statement

    def never(self) -> None:
        self._database.on_statement = None


def test_no_secret_and_no_confidence_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A-95: every flow at log level DEBUG, each once with every statement failing: logs and error pages without any canary."""
    caplog.set_level(logging.DEBUG)
    prey = Prey(api)
    for login in ("rb1", "g2", "ra1", "g1", "cm1"):
        prey.canaries[f"token of {login}"] = api(login).token or ""
    prey.canaries["key of a feed"] = prey.key
    prey.canaries["secret"] = api.desk.settings.secret.decode()
    prey.canaries["a token that is none"] = "itsm_" + canary()
    for number, login, file in ((prey.hidden, "g2", prey.hidden_file), (prey.own, "g1", prey.file)):
        for endpoint, route in ROUTES.items():
            path = where(endpoint, prey, number, file)
            body = dict(BODIES.get(endpoint, {}))
            body.update({name: prey.canaries["note"] for name in FREE_TEXTS if name in body})
            send: dict[str, Any] = {"body": body or None}
            if route.upload:
                send = {"data": upload(endpoint)}
            api(login).call(route.method, path, If_Match="*", **send)
    stumble = Stumble(api)
    fresh = api("rb1").opens(title=prey.canaries["hidden title"])
    flows = [
        ("rb1", "POST", "/tickets", {**INCIDENT, "title": prey.canaries["hidden title"], "description": prey.canaries["note"]}),
        ("rb1", "POST", f"/tickets/{fresh}/comments", {"body": prey.canaries["hidden word"], "visibility": "public"}),
        ("g2", "POST", f"/tickets/{fresh}/comments", {"body": prey.canaries["hidden note"], "visibility": "internal"}),
        ("g2", "POST", f"/tickets/{fresh}/transitions", {"trigger": "start", "comment": prey.canaries["hidden move"]}),
        ("g2", "PATCH", f"/tickets/{fresh}", {"title": prey.canaries["hidden title"]}),
        ("cm1", "POST", f"/approvals/{prey.question}/decision", {"decision": "reject", "comment": prey.canaries["note"]}),
        ("g2", "GET", f"/tickets?q={prey.canaries['hidden note']}", None),
        ("g1", "POST", "/absences", {**PERIOD, "note": prey.canaries["why g1 is away"]}),
        ("rb1", "POST", "/changes/feeds", {"label": prey.canaries["label of a feed"]}),
        ("rb1", "GET", f"/changes/calendar.ics?key={prey.key}", None),
    ]
    failures = 0
    for login, method, path, body in flows:
        for nth in count(1):
            stumble.at(nth)
            key: dict[str, Any] = {"Idempotency_Key": prey.canaries["note"]} if method == "POST" else {}
            reply = api(login).call(method, path, body=body, If_Match="*", **key)
            stumble.never()
            if not stumble.failed:
                break
            failures += 1
            if reply.status >= 500:
                assert "stumbled" not in reply.text
                assert prey.leaks(reply) == []
    assert failures > 30
    for token in (prey.canaries["a token that is none"], prey.canaries["token of rb1"][:-1]):
        assert api.holding(token).get("/me").status == 401
    assert "stumbled on purpose" in caplog.text, "the log was not looked at"
    logged = caplog.text.lower() + api("g1").get("/metrics").text.lower()
    assert [what for what, word in prey.canaries.items() if word.lower() in logged] == []


def test_no_token_and_no_note_lies_in_queues_or_in_the_audit_log(api: Api, prey: Prey) -> None:
    """A-95: events, timers and outgoing messages hold digests and numbers, not what was said in confidence, and no token."""
    secrets = {
        what: word
        for what, word in prey.canaries.items()
        if what in ("note", "hidden note", "hidden word", "hidden move", "why g1 is away")
    }
    secrets |= {login: api(login).token or "" for login in ("rb1", "g2", "g1", "ra1")}
    everywhere = {login: api(login).token or "" for login in ("rb1", "g2", "g1", "ra1")} | {
        "secret": api.desk.settings.secret.decode(),
        "key of a feed": prey.key,
    }
    with api.desk.database.engine.connect() as connection:
        for each in Base.metadata.sorted_tables:
            told = "\n".join(str(tuple(row)) for row in connection.execute(sa.select(each)))
            assert [what for what, word in everywhere.items() if word in told] == [], each.name
            if each.name in ("ticket_events", "people_events", "timers", "outbox", "audit_checkpoints"):
                assert [what for what, word in secrets.items() if word in told] == [], each.name


@pytest.fixture
def debugging(api: Api, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """API and portal with every switch on that would open a debugger elsewhere."""
    for name, value in DEBUG_SWITCHES.items():
        monkeypatch.setenv(name, value)
    app = create_api(api.desk)
    create_portal(app, api.desk)
    app.config.update(DEBUG=True, TESTING=True, PROPAGATE_EXCEPTIONS=True, TRAP_HTTP_EXCEPTIONS=False)
    app.debug = True
    return app.test_client()


def test_a_forced_fault_is_told_by_its_number_alone_on_every_route(api: Api, debugging: FlaskClient) -> None:
    """A-96: with debugging switched on everywhere, each route that fails says a sentence and a number; so does the portal."""
    token = api("ad1").token
    place = Place(api)

    def stumble(_: str) -> None:
        raise ZeroDivisionError("canary: at /srv/secret.py")

    failed = 0
    for endpoint, route in ROUTES.items():
        path = where(endpoint, place, place.own, "x/1")
        sent = {"json": BODIES[endpoint]} if endpoint in BODIES else {}
        send: dict[str, Any] = {"data": upload(endpoint)} if route.upload else sent
        api.desk.database.on_statement = stumble
        signature = {"webhook-id": "msg_0", "webhook-timestamp": "1772442000", "webhook-signature": "v1,bm9uZQ=="}
        headers = {"Authorization": f"Bearer {token}", "If-Match": "*", **signature}
        response = debugging.open(path, method=route.method, headers=headers, **send)
        api.desk.database.on_statement = None
        reply = Reply(response)
        if not route.policy.needs_token and reply.status == 200:
            continue
        failed += 1
        assert reply.status == 500, endpoint
        assert (reply.type, reply.code) == ("application/problem+json", "internal_error"), endpoint
        assert reply.headers["X-Request-ID"] == reply.json["request_id"]
        assert set(reply.json) == {"type", "title", "status", "code", "detail", "request_id"}
        assert not any(word in reply.text for word in ("canary", "Traceback", "ZeroDivision", ".py", "SELECT")), endpoint
    assert failed >= len([route for route in ROUTES.values() if route.policy.needs_token])
    for path in ("/", "/diagrams/incident.svg"):
        api.desk.database.on_statement = stumble
        response = debugging.get(path)
        api.desk.database.on_statement = None
        assert response.status_code == 500
        text = response.get_data(as_text=True)
        assert response.headers["X-Request-ID"] in text
        assert len(text) < 200
        assert "canary" not in text


UNKNOWN = (
    "/console",
    "/__debugger__",
    "/api/v1/console",
    "/debug",
    "/api/debug/pprof",
    "/.env",
    "/.git/config",
    "/server-status",
    "/nope",
)
DEBUGGER = ("?__debugger__=yes&cmd=resource&f=debugger.js", "?__debugger__=yes&cmd=pinauth&pin=000-000-000&s=x", "?debug=1", "")


def test_unknown_routes_lead_to_no_debugger(api: Api, debugging: FlaskClient) -> None:
    """A-96: consoles, debuggers and dot files are not there, with every switch on; answers echo nothing."""
    for path in (*UNKNOWN, "/api/v1/tickets", "/"):
        for query in DEBUGGER:
            response = debugging.get(path + query + ("&" if query else "?") + "x=%3Cscript%3Ecanary%3C/script%3E")
            text = response.get_data(as_text=True)
            assert response.status_code in ((200,) if path == "/" else (401, 404)), path
            assert "canary" not in text
            assert "debugger" not in text.lower() or path == "/"
            assert "Traceback" not in text
    for path in ("/%3Cscript%3Ecanary", "/api/v1/%3Cscript%3Ecanary", "/api/v1/tickets/canary%22%3E"):
        assert "canary" not in debugging.get(path).get_data(as_text=True)
