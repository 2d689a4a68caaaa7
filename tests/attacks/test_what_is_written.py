"""What an attacker writes beside what he may: columns of tables, other people's names, states, the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from itsm.people import commands as people
from itsm.platform.schema import Base
from itsm.tickets.models import Ticket
from tests.api.world import INCIDENT, ROUTES, Api
from tests.attacks.prey import BODIES, SIGNED, Place, able, upload, where

COLUMNS = sorted({column.name for each in Base.metadata.sorted_tables for column in each.columns})
"""The name of every column there is."""

MORE: tuple[str, ...] = (
    "is_admin",
    "admin",
    "role",
    "org",
    "owner",
    "on_behalf_of",
    "actor",
    "sla_due",
    "approved_by",
    "version",
    "number",
    "seq",
)
MORE += ("__class__", "constructor", "_id", "links", "self", "created", "events", "watchers", "internal", "opened_by", "parent")
WRITABLE = {
    "tickets.create": {"type", "title", "description", "fields", "service", "ci", "requester"},
    "tickets.edit": {"title", "description", "fields", "service", "ci", "requester"},
    "transitions.fire": {"trigger", "fields", "comment"},
    "comments.write": {"body", "visibility"},
    "links.tie": {"kind", "number"},
    "tasks.add": {"title", "description", "fields"},
    "watchers.add": {"login"},
    "work.book": {"minutes", "note"},
    "approvals.decide": {"decision", "comment"},
    "approvals.delegate": {"delegate", "starts_at", "ends_at", "note"},
    "workflows.examine": {"source"},
    "services.add": {"key", "name", "group", "owner", "criticality", "calendar"},
    "services.edit": {"name", "group", "owner", "criticality", "calendar"},
    "services.relate": {"kind", "target"},
    "configuration-items.add": {"key", "name", "type", "organisation", "group", "owner", "location", "criticality"},
    "configuration-items.edit": {"name", "type", "organisation", "group", "owner", "location", "criticality"},
    "configuration-items.relate": {"kind", "target"},
    "catalogue.preview": {"answers", "requested_for"},
    "catalogue.order": {"answers", "requested_for"},
    "catalogue.save_draft": {"answers"},
    "recurring-orders.subscribe": {"item", "answers", "requested_for", "rule", "starts", "zone", "calendar", "on_closed"},
    "assignment.route": {"keep"},
    "assignment.reject": {"reason"},
    "on-call.stand_in": {"group", "layer", "login", "starts_at", "ends_at", "note"},
    "on-call.be_away": {"login", "starts_at", "ends_at", "note"},
    "sla.take_out": {"clock", "part", "start", "end", "reason"},
    "sla.excuse": {"clock", "part", "cycle", "reason"},
    "escalation.acknowledge": {"comment"},
    "changes.freeze": {"reason", "starts_at", "ends_at", "services", "spares"},
    "changes.subscribe": {"label"},
    "changes.ask": {"change", "service", "ci"},
    "changes.assess": {"answers"},
    "changes.approve": {"version", "note"},
    "changes.make": {"title", "service", "ci"},
    "change-meetings.call": {"title", "starts_at", "ends_at", "chair", "members", "groups"},
    "change-meetings.revise": {"title", "starts_at", "ends_at", "chair", "members", "groups"},
    "change-meetings.gather": {"planned_from", "planned_to", "unplanned", "types", "risks", "services", "minutes"},
    "change-meetings.add": {"number", "minutes"},
    "change-meetings.arrange": {"position", "minutes"},
    "change-meetings.vote": {"vote", "comment"},
    "change-meetings.conclude": {"outcome", "words"},
    "change-meetings.attend": {"present"},
    "change-meetings.note": {"body"},
}
"""The members of each body, by hand: a new one must be entered here before it passes."""

INCIDENT_FIELDS = {"impact", "urgency", "pending_reason", "resolution_code", "resolution", "duplicate_of"}
"""What agents may write of an incident's own fields; all other names are refused in `fields`."""

KEPT: tuple[str, ...] = (
    "state",
    "category",
    "closed_at",
    "resolved_at",
    "entered_state_at",
    "created_at",
    "updated_at",
    "number",
    "priority",
)
KEPT += (
    "priority_rank",
    "work_minutes",
    "event_count",
    "version",
    "organisation",
    "organisation_id",
    "requester_id",
    "opened_by_id",
)
KEPT += (
    "parent",
    "parent_id",
    "workflow_version_id",
    "sla_due",
    "approved_at",
    "major_incident",
    "escalation_level",
    "chain",
    "seal",
)


def rows(api: Api) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every row of every table but the tokens'."""
    with api.desk.database.engine.connect() as connection:
        return {
            each.name: [tuple(row) for row in connection.execute(sa.select(each))]
            for each in Base.metadata.sorted_tables
            if each.name != "tokens"
        }


def test_every_json_route_refuses_every_column_as_a_member(api: Api) -> None:
    """A-75: each column of each table, and the usual others, as a member of each body: 422 at its pointer, no row changed."""
    files = {"attachments.attach", "catalogue.attach", "services.bring_in"}
    assert {name for name, route in ROUTES.items() if route.body is not None} == {*WRITABLE, *files, *SIGNED}
    place = Place(api)
    before = rows(api)
    for endpoint, members in WRITABLE.items():
        route, body, caller = ROUTES[endpoint], BODIES[endpoint], api(able(endpoint))
        path = where(endpoint, place, place.own, "x/1")
        foreign = [name for name in (*COLUMNS, *MORE) if name not in members]
        reply = caller.call(route.method, path, body={**body, **dict.fromkeys(foreign, 1)}, If_Match="*")
        assert reply.status == 422, endpoint
        assert reply.pointers == {f"/{name}": "unknown_member" for name in foreign}, endpoint
        for name in ("is_admin", "state", "organisation_id", "actor"):
            one = caller.call(route.method, path, body={**body, name: "ad1"}, If_Match="*")
            assert one.pointers == {f"/{name}": "unknown_member"}, (endpoint, name)
    for name in COLUMNS[::5]:
        if name in ("visibility", "file"):
            continue
        reply = api("g1").call("POST", f"/tickets/{place.own}/attachments", data={**upload(), name: "1"})
        assert reply.status in (400, 413, 422), name
    assert rows(api) == before


def test_no_column_goes_in_by_way_of_the_tickets_own_fields(api: Api) -> None:
    """A-74, A-75: state, instants, versions and every column in `fields` of create, edit and move: refused, unchanged."""
    number = api.in_progress()
    names = [name for name in dict.fromkeys((*KEPT, *COLUMNS, *MORE)) if name not in {*INCIDENT_FIELDS, "title", "description"}]
    handed = {"service", "ci", "requester", "group", "assignee"}
    before = rows(api)
    for name in names:
        for value in ("closed", 1) if name in KEPT else ("closed",):
            one = {"fields": {name: value}}
            edit = api("g1").patch(f"/tickets/{number}", one, If_Match="*")
            assert edit.status in (403, 422), (name, edit.text)
            if name in handed:
                continue
            assert api("g1").post("/tickets", {**INCIDENT, **one}).status in (403, 422), name
            move = {"trigger": "escalate", **one}
            assert api("g1").post(f"/tickets/{number}/transitions", move, If_Match="*").status in (403, 422), name
    assert rows(api) == before


def test_a_requester_hands_nothing_to_anybody_and_judges_no_impact(api: Api) -> None:
    """A-74: group, assignee, impact and all that agents keep, on each route that takes fields; refusals tell not who exists."""
    number = api("ra1").opens()
    before = rows(api)
    for name, known, unknown in (
        ("group", "security", "nothing"),
        ("assignee", "g1", "nobody"),
        ("impact", "extensive", "minor"),
        ("duplicate_of", number, "INC9999999"),
        ("requester", "rb1", "nobody"),
        ("major_incident", True, False),
        ("escalation_level", 9, 1),
        ("resolution_code", "fixed", "odd"),
    ):
        for value in (known, unknown):
            one = {"fields": {name: value}}
            for reply in (
                api("ra1").post("/tickets", {**INCIDENT, **one}),
                api("ra1").patch(f"/tickets/{number}", one, If_Match="*"),
                api("ra1").post(f"/tickets/{number}/transitions", {"trigger": "escalate", "comment": "x", **one}, If_Match="*"),
            ):
                assert (reply.status, reply.code) == (403, "not_editable"), (name, reply.text)
                assert str(value) not in reply.json["detail"] or name in ("impact",), reply.text
    for member in ("title", "description", "service", "ci", "requester"):
        assert api("ra1").patch(f"/tickets/{number}", {member: "workplace"}, If_Match="*").status == 403
    assert rows(api) == before


HEADERS: tuple[str, ...] = (
    "X-On-Behalf-Of",
    "On-Behalf-Of",
    "X-Remote-User",
    "Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-User",
)
HEADERS += (
    "X-Real-User",
    "From",
    "X-Actor",
    "X-Impersonate",
    "Impersonate-User",
    "Sudo",
    "X-Client-Cert",
    "X-SSL-Client-S-DN",
    "Cookie",
)


def test_nobody_acts_in_anothers_name(api: Api) -> None:
    """A-14: on-behalf headers and members do nothing; who opens for another is told as himself, with both names."""
    for header in HEADERS:
        named = {header.replace("-", "_"): "session=ad1" if header == "Cookie" else "ad1"}
        assert api("ra1").get("/me", **named).json["login"] == "ra1"
        assert api(None).get("/me", **named).status == 401
        assert api("ra1").get("/workflows", **named).status == 403
        assert api("ra1").post("/tickets", INCIDENT, **named).json["requester"]["login"] == "ra1"
    for member in ("on_behalf_of", "opened_by", "actor", "organisation", "org", "user_id"):
        assert api("ra1").post("/tickets", {**INCIDENT, member: "rb1"}).pointers == {f"/{member}": "unknown_member"}
    for other in ("rb1", "ra2", "ad1", "nobody", "system"):
        assert (reply := api("ra1").post("/tickets", {**INCIDENT, "requester": other})).code == "forbidden", reply.text
    number = api("int1").opens(requester="ra1")
    born = api("g1").get(f"/tickets/{number}/timeline").items[0]
    assert (born["actor"], born["details"]["opened_by"], born["changes"]["requester"]) == ("int1", "int1", [None, "ra1"])


PLAN = {"risk": "low", "implementation_plan": "Swap.", "test_plan": "Ping.", "backout_plan": "Swap back."}


def wants_authorisation(api: Api, login: str, **more: str) -> str:
    number = api(login).opens("change", fields={"group": "network", "justification": "Old."}, **more)
    assert api(login).fires(number, "submit").status == 200
    assert api(login).fires(number, "request_authorisation", **PLAN).status == 200
    return number


def test_who_opens_a_change_in_anothers_name_does_not_approve_it(api: Api) -> None:
    """A-76: neither by opening it for somebody else nor by handing it over afterwards."""
    opened_for_another = wants_authorisation(api, "cm1", requester="ra1")
    handed_over = api("cm1").opens("change", fields={"group": "network", "justification": "Old."})
    assert api("cm1").edits(handed_over, {"requester": "ra1"}).status == 200
    assert api("cm1").fires(handed_over, "submit").status == 200
    assert api("cm1").fires(handed_over, "request_authorisation", **PLAN).status == 200
    assert api("cm1").get("/approvals").items == []
    for number in (opened_for_another, handed_over):
        assert {each["approver"] for each in api("cm1").get(f"/approvals?mine=false&ticket={number}").items} == {"cm2"}


def test_who_has_lost_the_role_that_lets_him_approve_approves_nothing(api: Api) -> None:
    """A-82: a question that was put to him before is not his to answer any more, nor is he asked again."""
    number = wants_authorisation(api, "g1")
    question = api("cm2").get("/approvals").items[0]["id"]
    with api.desk.database.session() as session:
        people.set_roles(session, api.desk.roles, "cm2", frozenset({"admin"}), api.desk.clock.now(), "tests")
    reply = api("cm2").post(f"/approvals/{question}/decision", {"decision": "approve"})
    assert (reply.status, reply.code) == (403, "forbidden")
    assert api("g1").get(f"/tickets/{number}").json["state"] == "authorisation"
    again = wants_authorisation(api, "g1")
    assert {each["approver"] for each in api("g1").get(f"/approvals?mine=false&ticket={again}").items} == {"cm1"}


def test_the_log_is_not_rewritten_by_any_route(api: Api) -> None:
    """A-93: no method on anything about a ticket makes an event, a note or a file other than it was."""
    number = api.in_progress()
    note = api("g1").says(number, "As it was.", "internal").json["id"]
    api("g1").call("POST", f"/tickets/{number}/attachments", data=upload())
    before = rows(api)
    kept = ("ticket_events", "comments", "attachments", "people_events", "audit_checkpoints", "work_entries")
    places = ("timeline", "timeline/1", "comments", f"comments/{note}", "events/1", "attachments/1", "work", "work/1", "audit")
    for place in places:
        for method in ("PUT", "PATCH", "DELETE", "POST"):
            for login in ("ad1", "g1", "au1"):
                body = {"body": "Otherwise.", "id": note, "seq": 1}
                assert api(login).call(method, f"/tickets/{number}/{place}", body=body, If_Match="*").status >= 400
    for path in ("/events/1", "/audit", "/audit/1", "/comments/1", "/people/events/1"):
        assert api("ad1").delete(path).status in (404, 405)
    assert {name: rows(api)[name] for name in kept} == {name: before[name] for name in kept}


def run(api: Api, deed: str) -> None:
    with api.desk.database.engine.begin() as connection:
        connection.exec_driver_sql(deed)


@pytest.mark.parametrize("table", ["ticket_events", "people_events", "audit_checkpoints"])
def test_the_log_is_not_rewritten_by_sql(api: Api, table: str) -> None:
    """A-93: the database itself refuses UPDATE and DELETE of events and checkpoints, and TRUNCATE where there is one."""
    from itsm.tickets import audit

    api("ra1").opens()
    audit.checkpoint(api.desk.database, api.desk.audit_key, api.desk.clock)
    before = rows(api)[table]
    assert before
    deeds = [f"UPDATE {table} SET id = id + 1", f"UPDATE {table} SET id = id", f"DELETE FROM {table}"]
    if api.desk.database.is_postgresql:
        deeds.append(f"TRUNCATE {table} CASCADE")
    for deed in deeds:
        with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"):
            run(api, deed)
    assert rows(api)[table] == before


def test_every_ticket_column_is_among_those_tried() -> None:
    """A-75: the corpus is read from the models, so that a column added later is tried as well."""
    assert {column.name for column in Ticket.__table__.columns} <= set(COLUMNS)
