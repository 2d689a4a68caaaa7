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

from itsm.people.access import SYSTEM, Channel
from itsm.sla.escalation import start as start_escalation
from itsm.tickets import loading, moves
from itsm.workflow.case import Effect
from tests.api.test_approvals import asked
from tests.api.world import INCIDENT, ROUTES, Api, Reply
from tests.assignment.desk import take_turns
from tests.catalog.world import LAPTOP, publish
from tests.service import PEOPLE

EVERYONE = frozenset(PEOPLE)
AGENTS = frozenset({"g1", "g2", "g3", "l1", "cm1", "cm2", "ad1"})
READERS_OF_ALL = AGENTS | {"po1", "au1", "int1"}
WORKERS = AGENTS | {"int1"}
KEEPERS = frozenset({"l1", "ad1"})
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


def acknowledge(api: Api, login: str, number: str, _: str) -> Reply:
    with api.desk.transaction(SYSTEM, Channel.TIMER) as tx:
        record = loading.load(tx, number)
        start_escalation(tx, record, Effect("escalate", {"ladder": "urgent"}))
        moves.settle(tx, record)
    return api(login).post(f"/tickets/{number}/escalation/acknowledgement", {})


def route(api: Api, login: str, number: str, _: str) -> Reply:
    take_turns(api)
    return api(login).post(f"/tickets/{number}/routing", {"keep": "group"})


PART_TAKERS = WORKERS - ONLY_LOOK
"""Who may add to tickets of others: those who work on tickets, where they may act."""

CORRECTORS = frozenset({"l1"})
CORRECTION = {
    "clock": "incident-resolution",
    "start": "2026-03-02T08:00:00Z",
    "end": "2026-03-02T08:30:00Z",
    "reason": "Fire drill.",
}

ON_TICKETS: dict[str, OnTicket] = {
    "tickets.read": OnTicket(get("")),
    "transitions.offers": OnTicket(get("/transitions")),
    "timeline.read": OnTicket(get("/timeline")),
    "approvals.course": OnTicket(get("/approvals")),
    "attachments.find": OnTicket(get("/attachments")),
    "attachments.fetch": OnTicket(fetch),
    "links.find": OnTicket(get("/links")),
    "tasks.find": OnTicket(get("/tasks")),
    "watchers.find": OnTicket(get("/watchers")),
    "sla.read": OnTicket(get("/sla")),
    "sla.take_out": OnTicket(post("/sla/corrections", CORRECTION), may=CORRECTORS, requester=False, needs=CORRECTORS),
    "tickets.edit": OnTicket(edit, may=AGENTS - ONLY_LOOK, requester=False),
    "transitions.fire": OnTicket(escalate, may=AGENTS - ONLY_LOOK),
    "comments.write": OnTicket(post("/comments", {"body": "A word.", "visibility": "public"}), may=PART_TAKERS),
    "attachments.attach": OnTicket(attach, may=PART_TAKERS, needs=EVERYONE - {"au1"}),
    "links.tie": OnTicket(tie, may=PART_TAKERS),
    "links.untie": OnTicket(untie, may=PART_TAKERS),
    "watchers.add": OnTicket(watch_oneself, may=PART_TAKERS),
    "watchers.remove": OnTicket(watch_no_longer, may=PART_TAKERS),
    "tasks.add": OnTicket(post("/tasks", {"title": "Cable"}), may=PART_TAKERS, requester=False, needs=WORKERS),
    "assignment.explain": OnTicket(get("/routing"), requester=False, needs=WORKERS),
    "assignment.route": OnTicket(route, may=PART_TAKERS, requester=False, needs=WORKERS),
    "escalation.read": OnTicket(get("/escalation"), requester=False, needs=AGENTS),
    "escalation.acknowledge": OnTicket(acknowledge, may=PART_TAKERS, requester=False),
    "work.book": OnTicket(post("/work", {"minutes": 5}), may=PART_TAKERS, requester=False, needs=WORKERS),
}

FREEZE = {"reason": "X", "starts_at": "2026-03-03T09:00:00Z", "ends_at": "2026-03-03T10:00:00Z"}

MEETING = {"title": "Board", "starts_at": "2026-03-02T08:00:00Z", "ends_at": "2026-03-02T10:00:00Z"}

WEEK = {"starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-09T09:00:00Z"}

ELSEWHERE: dict[str, tuple[str, object, frozenset[str]]] = {
    "me.read": ("/me", None, EVERYONE),
    "tickets.find": ("/tickets", None, EVERYONE),
    "tickets.create": ("/tickets", INCIDENT, EVERYONE - {"au1"}),
    "approvals.find": ("/approvals", None, EVERYONE),
    "approvals.find_delegations": ("/approvals/delegations", None, EVERYONE),
    "catalogue.find": ("/catalog", None, EVERYONE),
    "recurring-orders.find": ("/catalog/recurrences", None, EVERYONE),
    "on-call.absences": ("/absences", None, EVERYONE),
    "on-call.be_away": ("/absences", WEEK, WORKERS),
    "changes.schedule": ("/changes/schedule", None, EVERYONE),
    "changes.freeze": ("/changes/freezes", FREEZE, frozenset({"cm1", "cm2"})),
    "changes.models": ("/changes/models", None, EVERYONE),
    "changes.figures": ("/changes/figures", None, EVERYONE),
    "changes.feeds": ("/changes/feeds", None, EVERYONE),
    "changes.subscribe": ("/changes/feeds", {"label": "X"}, EVERYONE),
    "change-meetings.find": ("/changes/meetings", None, EVERYONE),
    "change-meetings.call": ("/changes/meetings", MEETING, frozenset({"cm1", "cm2"})),
    "sla.at_risk": ("/sla/at-risk", None, READERS_OF_ALL),
    "sla.results": ("/sla/results", None, READERS_OF_ALL),
    "sla.policies": ("/sla/policies", None, PROCESS_READERS),
    "services.find": ("/services", None, EVERYONE),
    "services.add": ("/services", {"key": "{login}", "name": "X"}, KEEPERS),
    "services.read": ("/services/workplace", None, EVERYONE),
    "services.edit": ("/services/workplace", {"name": "X"}, KEEPERS),
    "services.relations": ("/services/workplace/relations", None, EVERYONE),
    "services.relate": ("/services/workplace/relations", {"kind": "made_of", "target": "laptop-17"}, KEEPERS),
    "services.impact": ("/services/workplace/impact", None, EVERYONE),
    "services.history": ("/services/workplace/history", None, READERS_OF_ALL),
    "configuration-items.find": ("/configuration-items", None, EVERYONE),
    "configuration-items.add": ("/configuration-items", {"key": "{login}", "name": "X"}, KEEPERS),
    "configuration-items.edit": ("/configuration-items/laptop-17", {"name": "X"}, KEEPERS),
    "configuration-items.history": ("/configuration-items/laptop-17/history", None, READERS_OF_ALL),
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

CATALOGUE: dict[str, tuple[str, dict[str, Any]]] = {
    "catalogue.read": ("/catalog/acme-only", {}),
    "catalogue.preview": ("/catalog/acme-only/form", {"body": {"answers": {}}}),
    "catalogue.order": ("/catalog/acme-only/requests", {"body": {"answers": {}}}),
    "catalogue.attach": ("/catalog/acme-only/files", {}),
    "catalogue.save_draft": ("/catalog/acme-only/draft", {"body": {"answers": {}}}),
    "catalogue.discard_draft": ("/catalog/acme-only/draft", {}),
}
"""Routes on an item that is offered to the organisation acme without ra2: path, and what is sent."""

ON_CHANGES: dict[str, Callable[[Api, str, str], Reply]] = {
    "changes.conflicts": lambda api, login, number: api(login).get(f"/changes/{number}/conflicts"),
    "changes.slots": lambda api, login, number: api(login).get(f"/changes/{number}/slots?duration=PT1H"),
    "changes.risk": lambda api, login, number: api(login).get(f"/changes/{number}/risk"),
    "changes.ask": lambda api, login, number: api(login).post("/changes/gate", {"change": number}),
}
"""Reading what the calendar says of a change."""

BOARD = {**MEETING, "chair": "l1", "members": ["g1", "ra1"], "groups": ["security"]}
SEE_THE_BOARD = frozenset({"cm1", "cm2", "l1", "g1", "ra1", "g2"})
LEAD_THE_BOARD = frozenset({"cm1", "cm2", "l1"})
ON_MEETINGS: dict[str, tuple[str, dict[str, Any] | None, frozenset[str]]] = {
    "change-meetings.read": ("", None, SEE_THE_BOARD),
    "change-meetings.put_down": ("/minutes", None, SEE_THE_BOARD),
    "change-meetings.invitation": ("/calendar.ics", None, SEE_THE_BOARD),
    "change-meetings.revise": ("", {"title": "X"}, LEAD_THE_BOARD),
    "change-meetings.cancel": ("/cancellation", None, LEAD_THE_BOARD),
    "change-meetings.gather": ("/agenda", {}, LEAD_THE_BOARD),
    "change-meetings.add": ("/items", {"number": "{other}"}, LEAD_THE_BOARD),
    "change-meetings.arrange": ("/items/{number}", {"position": 1}, LEAD_THE_BOARD),
    "change-meetings.take_out": ("/items/{number}", None, LEAD_THE_BOARD),
    "change-meetings.conclude": ("/items/{number}/outcome", {"outcome": "deferred", "words": "X"}, LEAD_THE_BOARD),
    "change-meetings.attend": ("/attendance", {"present": ["g1"]}, LEAD_THE_BOARD),
    "change-meetings.note": ("/notes", {"body": "X"}, LEAD_THE_BOARD),
    "change-meetings.close": ("/closing", None, LEAD_THE_BOARD),
    "change-meetings.vote": ("/items/{number}/votes", {"vote": "approve"}, frozenset({"l1", "g1", "g2"})),
}
"""Routes on a meeting that l1 chairs: path, body, and who may; members are g1, ra1 and the group security."""

COMING = {"item": "laptop", "answers": LAPTOP, "rule": "FREQ=WEEKLY", "starts": "2026-03-03T09:00", "zone": "UTC"}
ON_RECURRENCES: dict[str, tuple[str, str, frozenset[str]]] = {
    "recurring-orders.read": ("GET", "", frozenset({"g1", "ra2"})),
    "recurring-orders.dates": ("GET", "/dates", frozenset({"g1", "ra2"})),
    "recurring-orders.pause": ("POST", "/pause", frozenset({"g1"})),
    "recurring-orders.resume": ("POST", "/resume", frozenset({"g1"})),
    "recurring-orders.end": ("POST", "/end", frozenset({"g1"})),
}
"""Routes on an order of g1 for ra2 that comes again: method, path, and who may; the others know of none."""

NEEDS_CREATE = frozenset({"catalogue.order", "catalogue.attach"})

OF_ITS_OWN = {
    "approvals.decide",
    "approvals.read",
    "approvals.delegate",
    "approvals.revoke",
    "sla.excuse",
    "assignment.reject",
    "on-call.rota",
    "on-call.stand_in",
    "on-call.stand_down",
    "on-call.be_back",
    "catalogue.read_draft",
    "catalogue.ordered",
    *CATALOGUE,
    *ON_CHANGES,
    *ON_MEETINGS,
    *ON_RECURRENCES,
    "recurring-orders.subscribe",
    "changes.lift",
    "changes.approve",
    "changes.revoke",
    "changes.make",
    "changes.assess",
    "changes.unsubscribe",
    "changes.subscribed",
    "callbacks.answer",
}


def test_the_tables_have_every_route() -> None:
    assert {*ON_TICKETS, *ELSEWHERE, *PUBLIC, *OF_ITS_OWN, *KEEPING, *ON_ITEMS} == set(ROUTES)


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
    versions = {"If_Match": "*"} if ROUTES[endpoint].if_match else {}
    seen = {
        login: api(login).call(ROUTES[endpoint].method, path, body=_own(body, login), **versions).status for login in PEOPLE
    }
    assert {login for login, status in seen.items() if status < 300} == may
    assert {status for login, status in seen.items() if login not in may} <= {403}


def _own(body: object, login: str) -> object:
    """The body, with `{login}` read as the caller: for what can be added once only."""
    if not isinstance(body, dict):
        return body
    return {name: value.replace("{login}", login) if isinstance(value, str) else value for name, value in body.items()}


def import_items(api: Api, login: str) -> Reply:
    return api(login).call("POST", "/services/import", data={"file": (BytesIO(b"key,name\nnew-1,New\n"), "items.csv")})


def take_apart(path: str, kind: str, other: str) -> Callable[[Api, str], Reply]:
    def act(api: Api, login: str) -> Reply:
        assert api("l1").post(f"{path}/relations", {"kind": kind, "target": other}).status == 201
        return api(login).delete(f"{path}/relations/{kind}/{other}")

    return act


KEEPING: dict[str, Callable[[Api, str], Reply]] = {
    "services.bring_in": import_items,
    "services.unrelate": take_apart("/services/workplace", "made_of", "laptop-17"),
    "configuration-items.unrelate": take_apart("/configuration-items/laptop-17", "runs_on", "rack-1"),
    "configuration-items.relate": lambda api, login: api(login).post(
        "/configuration-items/laptop-17/relations", {"kind": "runs_on", "target": "rack-1"}
    ),
}
"""What only those who keep services and items may do."""

ON_ITEMS = {
    "configuration-items.read": "/configuration-items/of-beta",
    "configuration-items.relations": "/configuration-items/of-beta/relations",
    "configuration-items.impact": "/configuration-items/of-beta/impact",
}
"""Reading an item of the organisation beta."""


@pytest.mark.parametrize("endpoint", KEEPING)
def test_who_keeps_services_and_items(api: Api, endpoint: str) -> None:
    assert api("l1").post("/configuration-items", {"key": "rack-1", "name": "Rack"}).status == 201
    seen = {login: KEEPING[endpoint](api, login).status for login in PEOPLE}
    assert {login for login, status in seen.items() if status < 300} == KEEPERS
    assert {status for login, status in seen.items() if login not in KEEPERS} == {403}


@pytest.mark.parametrize("endpoint", ON_ITEMS)
def test_who_sees_an_item(api: Api, endpoint: str) -> None:
    assert api("l1").post("/configuration-items", {"key": "of-beta", "name": "X", "organisation": "beta"}).status == 201
    seen = {login: api(login).get(ON_ITEMS[endpoint]).status for login in PEOPLE}
    assert {login for login, status in seen.items() if status == 200} == READERS_OF_ALL | {"rb1"}
    assert {status for login, status in seen.items() if login not in READERS_OF_ALL | {"rb1"}} == {404}


def test_whose_a_question_is(api: Api) -> None:
    _, question = asked(api)
    for login in EVERYONE - {"cm1"}:
        reply = api(login).post(f"/approvals/{question}/decision", {"decision": "approve"})
        assert reply.status == (403 if login in READERS_OF_ALL else 404), login
    assert api("cm1").post(f"/approvals/{question}/decision", {"decision": "approve"}).status == 200


def test_who_reads_a_question_sees_its_ticket(api: Api) -> None:
    _, question = asked(api)
    seen = {login for login in EVERYONE if api(login).get(f"/approvals/{question}").status == 200}
    assert seen == READERS_OF_ALL


def test_whose_a_delegation_is(api: Api) -> None:
    period = {"starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-09T09:00:00Z"}
    for login in EVERYONE:
        reply = api(login).post("/approvals/delegations", {"delegate": "cm2", **period})
        assert reply.status == {"cm1": 201, "cm2": 422, "ap1": 422}.get(login, 403), login
    (given,) = api("cm1").get("/approvals/delegations").items
    for login in EVERYONE - {"cm1"}:
        assert api(login).delete(f"/approvals/delegations/{given['id']}").status == 404, login
    assert api("cm1").delete(f"/approvals/delegations/{given['id']}").status == 204


@pytest.mark.parametrize("endpoint", ON_CHANGES)
def test_the_calendar_tells_of_a_change_to_those_who_see_it(api: Api, endpoint: str) -> None:
    window = {"planned_start": "2026-03-03T08:00:00Z", "planned_end": "2026-03-03T10:00:00Z"}
    number = api("g1").opens("change", fields=window)
    assert api("g1").fires(number, "assign", group="network").status == 200
    secret = api("g2").opens("change", fields=window)
    assert api("g2").fires(secret, "assign", group="security").status == 200
    for login in PEOPLE:
        assert (ON_CHANGES[endpoint](api, login, number).status == 200) == (login in READERS_OF_ALL), login
        assert (ON_CHANGES[endpoint](api, login, secret).status == 200) == (login == "g2"), login


@pytest.mark.parametrize("endpoint", ON_MEETINGS)
def test_what_may_be_done_in_a_meeting(api: Api, endpoint: str) -> None:
    path, body, may = ON_MEETINGS[endpoint]
    number, other = (api("ad1").opens("change") for _ in range(2))
    if body and body.get("number"):
        body = {"number": other}
    for login in PEOPLE:
        at = f"/changes/meetings/{api('cm1').post('/changes/meetings', BOARD).json['id']}"
        assert api("cm1").post(f"{at}/items", {"number": number}).status == 201
        reply = api(login).call(ROUTES[endpoint].method, at + path.format(number=number), body=body)
        if login in may:
            assert reply.status < 300, (login, reply.text)
        else:
            unseen = login not in SEE_THE_BOARD or (login == "ra1" and endpoint.endswith(".vote"))
            assert reply.status == (404 if unseen else 403), (login, reply.text)


def test_who_assesses_and_who_uses_and_approves_models(api: Api) -> None:
    questions = {"tested": "fully", "back_out": "minutes", "outage": "nobody", "experience": "often"}
    number = api("ra1").opens("change")
    version = next(each["version"] for each in api("ra1").get("/changes/models").items if each["name"] == "renew-certificate")
    path = "/changes/models/renew-certificate"
    for login in EVERYONE - {"cm1"}:
        assert api(login).post(f"{path}/approval", {"version": version}).status == (204 if login == "cm2" else 403), login
        assert api(login).delete(f"{path}/approval").status == (204 if login == "cm2" else 403), login
    assert api("cm1").post(f"{path}/approval", {"version": version}).status == 204
    for login in EVERYONE:
        assert (api(login).post(f"{path}/changes", {}).status == 201) == (login in WORKERS), login
        reply = api(login).post(f"/changes/{number}/risk", {"answers": questions})
        assert (reply.status == 403) == (login not in WORKERS - {"int1"}), (login, reply.text)


def test_whose_a_feed_and_a_freeze_are(api: Api) -> None:
    feed = api("ra1").post("/changes/feeds", {}).json
    for login in EVERYONE - {"ra1"}:
        assert api(login).delete(f"/changes/feeds/{feed['id']}").status == 404, login
    assert api(None).get(feed["path"]).status == 200
    freeze = api("cm1").post("/changes/freezes", FREEZE).json["key"]
    for login in EVERYONE - {"cm1", "cm2"}:
        assert api(login).delete(f"/changes/freezes/{freeze}").status == 403, login
    assert api("cm2").delete(f"/changes/freezes/{freeze}").status == 204


def test_only_whose_an_assignment_is_turns_it_down(api: Api) -> None:
    number = api.in_progress()
    take_turns(api)
    for login in EVERYONE - {"g1"}:
        reply = api(login).post(f"/tickets/{number}/assignment/rejection", {"reason": "No time."})
        assert reply.status == (403 if login in SEES["of ra1"] else 404), login
    assert api("g1").post(f"/tickets/{number}/assignment/rejection", {"reason": "No time."}).status == 200


def test_who_reads_a_rota_and_who_says_who_stands_in(api: Api) -> None:
    take_turns(api)
    seen = {login for login in EVERYONE if api(login).get("/on-call?group=network").status == 200}
    assert seen == READERS_OF_ALL
    assert all(api(login).get("/on-call?group=network").status == 403 for login in EVERYONE - seen)
    for login in EVERYONE:
        reply = api(login).post("/on-call/overrides", {"group": "network", "layer": "primary", "login": "g1", **WEEK})
        assert reply.status == (201 if login in ("l1", "ad1") else 403), login
    for login in EVERYONE - {"l1", "ad1"}:
        assert api(login).delete("/on-call/overrides/1").status == (404 if login in WORKERS else 403), login
    assert api("l1").delete("/on-call/overrides/1").status == 204


def test_who_may_have_an_item_ordered_again_and_again(api: Api) -> None:
    publish(api.desk)
    for login in EVERYONE:
        for_himself = api(login).post("/catalog/recurrences", COMING).status
        assert for_himself == {"au1": 403, "int1": 404}.get(login, 201), login
    for login in ("ra1", "ma"):
        assert api(login).post("/catalog/recurrences", {**COMING, "requested_for": "rb1"}).status == 403, login


@pytest.mark.parametrize("endpoint", ON_RECURRENCES)
def test_whose_an_order_that_comes_again_is(api: Api, endpoint: str) -> None:
    publish(api.desk)
    number = api("g1").post("/catalog/recurrences", {**COMING, "requested_for": "ra2"}).json["id"]
    method, path, allowed = ON_RECURRENCES[endpoint]
    for login in PEOPLE:
        reply = api(login).call(method, f"/catalog/recurrences/{number}{path}", body=None if method == "GET" else {})
        if login in allowed:
            assert reply.status == 200, (login, reply.text)
        else:
            assert reply.status == (403 if login == "ra2" or (login == "au1" and method == "POST") else 404), login


def test_whose_an_absence_is(api: Api) -> None:
    for login in EVERYONE:
        reply = api(login).post("/absences", {"login": "g1", **WEEK})
        assert reply.status == (201 if login in ("g1", "l1", "ad1") else 403), login
    for login in EVERYONE - {"g1", "l1", "ad1"}:
        assert api(login).delete("/absences/1").status == (404 if login in WORKERS else 403), login
        assert api(login).get("/absences").items == []
    assert len(api("l1").get("/absences").items) == 3
    assert api("l1").delete("/absences/1").status == 204


@pytest.mark.parametrize("endpoint", CATALOGUE)
def test_what_is_offered_is_there_for_those_it_is_offered_to(api: Api, endpoint: str) -> None:
    publish(api.desk)
    path, sent = CATALOGUE[endpoint]
    for login in PEOPLE:
        parts = {"data": {"file": (BytesIO(b"bytes"), "a.txt")}} if ROUTES[endpoint].upload else {}
        reply = api(login).call(ROUTES[endpoint].method, path, **sent, **parts)
        offered = login in {"ra1", "ma", "ap1"}
        expected = 403 if login == "au1" and endpoint in NEEDS_CREATE else 404
        assert (reply.status < 300) if offered else (reply.status == expected), (login, reply.text)


def test_an_order_and_a_draft_are_read_by_those_whose_they_are(api: Api) -> None:
    publish(api.desk)
    number = api("ra1").post("/catalog/acme-only/requests", {"answers": {}}).items[0]["number"]
    assert api("ma").call("PUT", "/catalog/acme-only/draft", body={"answers": {}}).status == 200
    for login in PEOPLE:
        assert api(login).get(f"/tickets/{number}/order").status == (200 if login in SEES["of ra1"] | {"ap1"} else 404), login
        assert api(login).get("/catalog/acme-only/draft").status == (200 if login == "ma" else 404), login


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
