"""Who gets what from which route: every route, every kind of person, tickets of one's own, of others, and confidential ones.

The tables below are what the desk promises, written by hand and not taken from the code: a route that is not in them fails,
and so does any answer that differs (attacks A-01, A-70, A-83).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest

from tests.api.test_approvals import asked
from tests.api.world import INCIDENT, ROUTES, Api, Reply
from tests.service import PEOPLE

EVERYONE = frozenset(PEOPLE)
AGENTS = frozenset({"g1", "g2", "g3", "l1", "cm1", "cm2", "ad1"})
READERS_OF_ALL = AGENTS | {"po1", "au1", "int1"}
WORKERS = AGENTS | {"int1"}
PROCESS_READERS = AGENTS | {"po1", "au1"}
ONLY_LOOK = frozenset({"g3", "au1"})
"""g3 has read-only access to the group that the tickets are with; au1 is an auditor."""

SEES = {
    "of ra1": READERS_OF_ALL | {"ra1", "ma"},
    "of rb1": READERS_OF_ALL | {"rb1"},
    "confidential, of rb1": frozenset({"g2", "rb1"}),
}
"""Who sees which ticket. The first two are with the group network, the third with the restricted group security."""

REQUESTER = {"of ra1": "ra1", "of rb1": "rb1", "confidential, of rb1": "rb1"}

Act = Callable[[Api, str, str, str], Reply]


@dataclass(frozen=True)
class OnTicket:
    """A route on a ticket. Who lacks the permission `needs` is turned away whatever the ticket; who does not see it finds
    nothing; of those who see it, `may` may, and its requester if `requester` says so."""

    act: Act
    may: frozenset[str] = EVERYONE
    requester: bool = True
    needs: frozenset[str] = EVERYONE

    def expected(self, login: str, ticket: str) -> int:
        if login not in self.needs:
            return 403
        if login not in SEES[ticket]:
            return 404
        return 200 if login in self.may or (self.requester and login == REQUESTER[ticket]) else 403


def get(path: str) -> Act:
    return lambda api, login, number, _: api(login).get(f"/tickets/{number}{path}")


def post(path: str, body: dict[str, Any]) -> Act:
    return lambda api, login, number, _: api(login).post(f"/tickets/{number}{path}", body)


def attach(api: Api, login: str, number: str, _: str = "") -> Reply:
    data = {"file": (BytesIO(b"bytes"), "a.txt"), "visibility": "public"}
    return api(login).call("POST", f"/tickets/{number}/attachments", data=data)


def fetch(api: Api, login: str, number: str, owner: str) -> Reply:
    return api(login).get(attach(api, owner, number).json["href"])


def edit(api: Api, login: str, number: str, _: str) -> Reply:
    return api(login).patch(f"/tickets/{number}", {"title": "Other"}, If_Match="*")


def escalate(api: Api, login: str, number: str, _: str) -> Reply:
    return api(login).post(f"/tickets/{number}/transitions", {"trigger": "escalate", "comment": "Please."}, If_Match="*")


def watch_oneself(api: Api, login: str, number: str, _: str) -> Reply:
    return api(login).post(f"/tickets/{number}/watchers", {"login": login})


def watch_no_longer(api: Api, login: str, number: str, _: str) -> Reply:
    return api(login).delete(f"/tickets/{number}/watchers/{login}")


def tie(api: Api, login: str, number: str, owner: str) -> Reply:
    return api(login).post(f"/tickets/{number}/links", {"kind": "related_to", "number": api(owner).opens()})


def untie(api: Api, login: str, number: str, owner: str) -> Reply:
    made = tie(api, owner, number, owner).json["id"]
    return api(login).delete(f"/tickets/{number}/links/{made}")


PART_TAKERS = WORKERS - ONLY_LOOK
"""Who may add to tickets of others: those who work on tickets, where they may act."""

ON_TICKETS: dict[str, OnTicket] = {
    "tickets.read": OnTicket(get("")),
    "transitions.offers": OnTicket(get("/transitions")),
    "timeline.read": OnTicket(get("/timeline")),
    "attachments.find": OnTicket(get("/attachments")),
    "attachments.fetch": OnTicket(fetch),
    "links.find": OnTicket(get("/links")),
    "tasks.find": OnTicket(get("/tasks")),
    "watchers.find": OnTicket(get("/watchers")),
    "tickets.edit": OnTicket(edit, may=AGENTS - ONLY_LOOK, requester=False),
    "transitions.fire": OnTicket(escalate, may=AGENTS - ONLY_LOOK),
    "comments.write": OnTicket(post("/comments", {"body": "A word.", "visibility": "public"}), may=PART_TAKERS),
    "attachments.attach": OnTicket(attach, may=PART_TAKERS, needs=EVERYONE - {"au1"}),
    "links.tie": OnTicket(tie, may=PART_TAKERS),
    "links.untie": OnTicket(untie, may=PART_TAKERS),
    "watchers.add": OnTicket(watch_oneself, may=PART_TAKERS),
    "watchers.remove": OnTicket(watch_no_longer, may=PART_TAKERS),
    "tasks.add": OnTicket(post("/tasks", {"title": "Cable"}), may=PART_TAKERS, requester=False, needs=WORKERS),
    "work.book": OnTicket(post("/work", {"minutes": 5}), may=PART_TAKERS, requester=False, needs=WORKERS),
}

ELSEWHERE: dict[str, tuple[str, object, frozenset[str]]] = {
    "me.read": ("/me", None, EVERYONE),
    "tickets.find": ("/tickets", None, EVERYONE),
    "tickets.create": ("/tickets", INCIDENT, EVERYONE - {"au1"}),
    "approvals.find": ("/approvals", None, EVERYONE),
    "workflows.find": ("/workflows", None, PROCESS_READERS),
    "workflows.read": ("/workflows/incident", None, PROCESS_READERS),
    "workflows.picture": ("/workflows/incident/diagram.svg", None, PROCESS_READERS),
    "workflows.find_versions": ("/workflows/incident/versions", None, PROCESS_READERS),
    "workflows.read_version": ("/workflows/incident/versions/{digest}", None, PROCESS_READERS),
    "workflows.picture_version": ("/workflows/incident/versions/{digest}/diagram.svg", None, PROCESS_READERS),
    "workflows.examine": ("/workflows/check", {"source": "workflow: x"}, AGENTS | {"po1"}),
    "operations.figures": ("/metrics", None, READERS_OF_ALL),
}
"""Routes on nothing in particular: path, body, and who may use them."""

PUBLIC = {
    "operations.alive": "/healthz",
    "operations.ready": "/readyz",
    "documents.openapi": "/openapi.json",
    "documents.reference": "/api/reference",
}

OF_ITS_OWN = {"approvals.decide"}


def test_the_tables_have_every_route() -> None:
    assert {*ON_TICKETS, *ELSEWHERE, *PUBLIC, *OF_ITS_OWN} == set(ROUTES)


@pytest.mark.parametrize("endpoint", ON_TICKETS)
def test_what_may_be_done_with_tickets(api: Api, endpoint: str) -> None:
    row = ON_TICKETS[endpoint]
    numbers = {"of ra1": api.in_progress(), "of rb1": api("rb1").opens(), "confidential, of rb1": api.confidential()}
    assert api("g1").fires(numbers["of rb1"], "assign", group="network").status == 200
    wrong = []
    for ticket, number in numbers.items():
        for login in PEOPLE:
            reply = row.act(api, login, number, REQUESTER[ticket])
            seen = 200 if reply.status < 300 else reply.status
            if seen != row.expected(login, ticket):
                wrong.append(
                    f"{login} on the ticket {ticket}: {reply.status} instead of {row.expected(login, ticket)}: {reply.text}"
                )
            if reply.status == 404:
                assert "Canary" not in reply.text
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("endpoint", ELSEWHERE)
def test_what_may_be_done_elsewhere(api: Api, endpoint: str) -> None:
    path, body, may = ELSEWHERE[endpoint]
    if "{digest}" in path:
        path = path.format(digest=api("po1").get("/workflows/incident").json["version"])
    seen = {login: api(login).call(ROUTES[endpoint].method, path, body=body).status for login in PEOPLE}
    assert {login for login, status in seen.items() if status < 300} == may
    assert {status for login, status in seen.items() if login not in may} <= {403}


def test_whose_a_question_is(api: Api) -> None:
    _, question = asked(api)
    for login in EVERYONE - {"cm1"}:
        reply = api(login).post(f"/approvals/{question}/decision", {"decision": "approve"})
        assert reply.status == (403 if login in READERS_OF_ALL else 404), login
    assert api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve"}).status == 200


@pytest.mark.parametrize("endpoint", [name for name in ROUTES if name not in PUBLIC])
def test_a_stranger_gets_nothing_anywhere(api: Api, endpoint: str) -> None:
    number = api("ra1").opens()
    route = ROUTES[endpoint]
    path = route.full_path.replace("{number}", number)
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", "1")
    reply = api(None).call(route.method, path, body=INCIDENT if route.body else None)
    assert (reply.status, reply.code) == (401, "unauthenticated")


@pytest.mark.parametrize("path", PUBLIC.values())
def test_what_is_public_tells_strangers_nothing_of_the_desk(api: Api, path: str) -> None:
    number = api("ra1").opens(title="Canary")
    reply = api(None).get(path)
    assert reply.status == 200
    assert not any(word in reply.text for word in ("Canary", number, "ra1@", "sqlite", "postgresql:"))
