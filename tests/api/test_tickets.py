"""Opening, reading and changing tickets (attacks A-14, A-74, A-75)."""

from __future__ import annotations

import pytest

from itsm.people.access import Permission
from itsm.tickets.models import Ticket
from tests.api.world import INCIDENT, Api


def test_who_opens_a_ticket_is_its_requester(api: Api) -> None:
    reply = api("ra1").post("/tickets", INCIDENT)
    ticket = reply.json
    assert (reply.status, reply.headers["Location"]) == (201, "/api/v1/tickets/INC0000001")
    assert (ticket["number"], ticket["state"], ticket["category"]) == ("INC0000001", "new", "new")
    assert ticket["requester"] == {"login": "ra1", "name": "RA1"}
    assert (ticket["organisation"], ticket["priority"]) == ("acme", "p4")
    assert reply.etag == f'"{ticket["version"]}"'


def test_what_is_answered_is_what_is_then_read(api: Api) -> None:
    reply = api("ra1").post("/tickets", {**INCIDENT, "fields": {"urgency": "high"}, "service": "workplace", "ci": "laptop-17"})
    assert reply.json["fields"]["urgency"] == "high"
    assert (reply.json["service"], reply.json["ci"], reply.json["group"]) == ("workplace", "laptop-17", "desktop")
    read = api("ra1").get(reply.headers["Location"])
    assert (read.json, read.etag) == (reply.json, reply.etag)
    assert api("ra1").get("/tickets").items == [reply.json]


def test_staff_open_tickets_for_others_and_are_told_as_who_did(api: Api) -> None:
    reply = api("g1").post("/tickets", {**INCIDENT, "requester": "rb1"})
    assert reply.json["requester"] == {"login": "rb1", "name": "RB1"}
    assert reply.json["organisation"] == "beta"
    born = api("g1").get(f"/tickets/{reply.json['number']}/timeline").items[0]
    assert (born["actor"], born["changes"]["requester"]) == ("g1", [None, "rb1"])


def test_nobody_else_opens_tickets_in_another_name(api: Api) -> None:
    for body in ({"requester": "rb1"}, {"requester": "ra2"}):
        reply = api("ra1").post("/tickets", {**INCIDENT, **body})
        assert (reply.status, reply.code) == (403, "forbidden")
    for header in ("X-On-Behalf-Of", "X-Remote-User", "X-Forwarded-User"):
        reply = api("ra1").post("/tickets", INCIDENT, **{header.replace("-", "_"): "rb1"})
        assert reply.json["requester"]["login"] == "ra1"


def test_an_unknown_type_service_item_or_requester_is_named(api: Api) -> None:
    assert api("ra1").post("/tickets", {**INCIDENT, "type": "riot"}).pointers == {"/type": "unknown_type"}
    assert api("g1").post("/tickets", {**INCIDENT, "requester": "nobody"}).pointers == {"/requester": "unknown_reference"}
    for member in ("service", "ci"):
        reply = api("ra1").post("/tickets", {**INCIDENT, member: "nothing"})
        assert (reply.status, set(reply.pointers.values())) == (422, {"unknown_reference"})


def test_fields_are_typed_by_the_workflow(api: Api) -> None:
    reply = api("g1").post("/tickets", {**INCIDENT, "fields": {"impact": "huge", "urgency": 3, "colour": "red"}})
    assert reply.status == 422
    assert reply.pointers == {
        "/fields/impact": "invalid_value",
        "/fields/urgency": "invalid_value",
        "/fields/colour": "unknown_field",
    }


def test_a_ticket_that_is_known_is_not_sent_again(api: Api) -> None:
    number = api("ra1").opens()
    etag = api("ra1").get(f"/tickets/{number}").etag
    again = api("ra1").get(f"/tickets/{number}", If_None_Match=etag)
    assert (again.status, again.content, again.etag) == (304, b"", etag)
    api("ra1").says(number, "Still black.")
    assert api("ra1").get(f"/tickets/{number}", If_None_Match=etag).status == 200


def test_an_edit_changes_what_it_names_and_nothing_else(api: Api) -> None:
    number = api("ra1").opens()
    before = api("g1").get(f"/tickets/{number}").json
    reply = api("g1").edits(number, {"title": "Screen black", "fields": {"impact": "extensive"}})
    assert reply.status == 200
    changed = {name for name, value in reply.json.items() if before[name] != value}
    assert changed == {"title", "fields", "priority", "version"} | ({"updated_at"} & changed)
    assert (reply.json["title"], reply.json["fields"]["impact"]) == ("Screen black", "extensive")
    assert reply.json == api("g1").get(f"/tickets/{number}").json


def test_null_empties_a_field(api: Api) -> None:
    number = api("ra1").opens(service="workplace")
    assert api("g1").edits(number, {"service": None, "description": None}).json["service"] is None


def test_an_edit_of_nothing_is_no_edit(api: Api) -> None:
    number = api("ra1").opens()
    etag = api("g1").get(f"/tickets/{number}").etag
    reply = api("g1").patch(f"/tickets/{number}", {}, If_Match=etag)
    assert (reply.status, reply.etag) == (200, etag)


def test_a_field_is_given_once(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("g1").edits(number, {"title": "a", "fields": {"title": "b"}})
    assert (reply.status, reply.pointers) == (422, {"/fields/title": "repeated"})


def test_an_edit_needs_the_version_it_was_made_on(api: Api) -> None:
    number = api("ra1").opens()
    etag = api("g1").get(f"/tickets/{number}").etag
    assert api("g1").patch(f"/tickets/{number}", {"title": "a"}).status == 428
    assert api("g1").patch(f"/tickets/{number}", {"title": "a"}, If_Match="yesterday").status == 400
    assert api("g1").patch(f"/tickets/{number}", {"title": "a"}, If_Match=f"W/{etag}").status == 412
    assert api("g1").patch(f"/tickets/{number}", {"title": "a"}, If_Match='"0", "abc"').status == 412
    assert api("g1").patch(f"/tickets/{number}", {"title": "a"}, If_Match=f'"0", {etag}').status == 200
    stale = api("g1").patch(f"/tickets/{number}", {"title": "b"}, If_Match=etag)
    assert (stale.status, stale.code) == (412, "stale")
    assert api("g1").patch(f"/tickets/{number}", {"title": "c"}, If_Match="*").json["title"] == "c"


def test_what_the_desk_keeps_nobody_writes(api: Api) -> None:
    """Every column of the table, and what else one might try: only fields that are meant to be written are taken."""
    number = api("ra1").opens()
    before = api("ad1").get(f"/tickets/{number}").json
    written = {"title", "description", "requester", "service", "ci", "fields"}
    tried = {column.name for column in Ticket.__table__.columns} | {
        "role",
        "is_admin",
        "owner",
        "links",
        "sla_due",
        "approved_by",
    }
    for member in sorted((tried | set(before)) - written):
        reply = api("ad1").edits(number, {member: before.get(member) or 1})
        assert (reply.status, reply.pointers) == (422, {f"/{member}": "unknown_member"}), member
        reply = api("ad1").post("/tickets", {**INCIDENT, member: 1}) if member != "type" else None
        assert reply is None or f"/{member}" in reply.pointers, member
    for field in (
        "state",
        "category",
        "number",
        "created_at",
        "organisation",
        "parent",
        "closed_at",
        "version",
        "major_incident",
    ):
        reply = api("ad1").edits(number, {"fields": {field: before.get(field) or "x"}})
        assert reply.status in (403, 422), field
    assert api("ad1").get(f"/tickets/{number}").json == before


def test_a_requester_does_not_edit_what_is_the_desks(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("ra1").edits(number, {"fields": {"impact": "extensive"}})
    assert (reply.status, reply.pointers) == (403, {"/fields/impact": "not_editable"})
    assert api("ra1").edits(number, {"fields": {"urgency": "high"}}).status == 200


def test_work_that_moves_leaves_a_trail_so_no_edit_hands_it_over(api: Api) -> None:
    number = api.in_progress()
    reply = api("g1").edits(number, {"fields": {"assignee": "l1", "group": "desktop"}})
    assert reply.status == 403
    assert set(reply.pointers) == {"/fields/assignee", "/fields/group"}


@pytest.mark.parametrize("login", ["au1", "g3"])
def test_who_may_only_look_changes_nothing(api: Api, login: str) -> None:
    number = api.in_progress()
    for reply in (api(login).edits(number, {"title": "x"}), api(login).fires(number, "resolve"), api(login).says(number, "x")):
        assert (reply.status, reply.code) == (403, "read_only")


def test_an_auditor_opens_no_tickets(api: Api) -> None:
    reply = api("au1").post("/tickets", INCIDENT)
    assert (reply.status, reply.code) == (403, "forbidden")
    assert Permission.CREATE.value in reply.json["detail"]


def test_booked_minutes_are_for_staff_to_see(api: Api) -> None:
    number = api("ra1").opens()
    reply = api("g1").post(f"/tickets/{number}/work", {"minutes": 30, "note": "Cabling"})
    assert (reply.status, reply.json["work_minutes"]) == (201, 30)
    assert "work_minutes" not in api("ra1").get(f"/tickets/{number}").json
    assert "Cabling" not in api("ra1").get(f"/tickets/{number}/timeline").text
    assert api("ra1").post(f"/tickets/{number}/work", {"minutes": 30}).status == 403
