"""The change calendar over HTTP: schedule, conflicts, slots, freezes, the feed and the gate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from icalendar import Calendar, Component

from itsm.changes.models import CalendarFeed
from itsm.people.access import Scope
from itsm.platform.database import Database, Prepared
from itsm.platform.time import FrozenClock
from tests.api.world import Api
from tests.changes.desk import Planning, at, period, planning

TUESDAY = period(3, 8, 10)
_DIGEST = Prepared(sa.select(CalendarFeed.digest))


@pytest.fixture
def plan(database: Database, clock: FrozenClock) -> Planning:
    return planning(database, clock)


@pytest.fixture
def api(plan: Planning) -> Api:
    return Api(plan.desk)


def events(text: bytes, category: str) -> Iterator[Component]:
    for event in Calendar.from_ical(text).walk("VEVENT"):
        if f"CATEGORIES:{category}".encode() in event.to_ical():
            yield event


def test_the_forward_schedule_shows_changes_and_freezes(api: Api, plan: Planning) -> None:
    record = plan.scheduled(TUESDAY, service="crm")
    body = api("g1").get("/changes/schedule?from=2026-03-03T00:00:00Z&to=2026-03-06T00:00:00Z").json
    (item,) = body["items"]
    assert (item["number"], item["starts_at"], item["standing"]) == (record.number, "2026-03-03T08:00:00Z", "scheduled")
    assert [each["key"] for each in body["freezes"]] == ["accounts"]
    assert api("g1").get("/changes/schedule?service=erp").items == []
    assert api("rb1").get("/changes/schedule").items == []


def test_a_period_that_is_reversed_or_without_offset_is_refused(api: Api) -> None:
    reply = api("g1").get("/changes/schedule?from=2026-03-03T00:00:00Z&to=2026-03-02T00:00:00Z")
    assert (reply.status, reply.pointers) == (422, {"/to": "reversed_period"})
    assert api("g1").get("/changes/schedule?from=2026-03-03T00:00:00").pointers == {"/from": "invalid_value"}


def test_conflicts_of_a_change_are_told_with_their_causes(api: Api, plan: Planning) -> None:
    first = plan.scheduled(TUESDAY, service="crm")
    second = plan.scheduled(TUESDAY, service="crm", by="l1")
    body = api("g1").get(f"/changes/{second.number}/conflicts").json
    assert [(each["number"], each["causes"]) for each in body["conflicts"]] == [(first.number, ["same_service"])]
    assert not body["clear"]


def test_a_change_without_a_window_has_no_conflicts_to_tell_and_an_incident_is_no_change(api: Api, plan: Planning) -> None:
    reply = api("g1").get(f"/changes/{plan.authorised().number}/conflicts")
    assert (reply.status, reply.code) == (409, "no_window")
    assert api("g1").get(f"/changes/{api('g1').opens()}/conflicts").status == 404


def test_slots_are_proposed_for_a_length(api: Api, plan: Planning) -> None:
    number = plan.authorised(service="crm").number
    (slot,) = api("g1").get(f"/changes/{number}/slots?duration=PT2H&limit=1").items
    assert slot == {"starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-02T11:00:00Z"}
    for wrong in ("2 business days", "PT0S", "P60D", "soon"):
        assert api("g1").get(f"/changes/{number}/slots?duration={wrong}").pointers == {"/duration": "invalid_value"}


def test_a_freeze_is_declared_shown_and_lifted(api: Api, plan: Planning) -> None:
    body = {"reason": "Election", "starts_at": "2026-03-03T00:00:00Z", "ends_at": "2026-03-04T00:00:00Z", "services": ["crm"]}
    assert api("cm1").post("/changes/freezes", {**body, "reason": "\u200b"}).pointers == {"/reason": "reason_required"}
    made = api("cm1").post("/changes/freezes", body)
    assert (made.status, made.json["declared_by"], made.json["services"]) == (201, "cm1", ["crm"])
    number = plan.authorised(service="crm").number
    window = {"planned_start": "2026-03-03T08:00:00Z", "planned_end": "2026-03-03T10:00:00Z"}
    refused = api("g1").fires(number, "schedule", **window)
    assert (refused.status, refused.code, refused.pointers) == (409, "frozen", {"/fields/planned_start": "frozen"})
    assert api("cm1").delete(f"/changes/freezes/{made.json['key']}").status == 204
    assert api("g1").fires(number, "schedule", **window).status == 200


def test_the_list_of_moves_says_that_a_freeze_is_in_the_way(api: Api, plan: Planning) -> None:
    number = plan.scheduled(TUESDAY).number
    body = {"reason": "Election", "starts_at": "2026-03-03T00:00:00Z", "ends_at": "2026-03-04T00:00:00Z"}
    api("cm1").post("/changes/freezes", body)
    plan.clock.set(at(3, 9))
    offers = {each["trigger"]: each for each in api("g1").get(f"/tickets/{number}/transitions").items}
    assert [each["code"] for each in offers["implement"]["blocked"]] == ["frozen"]
    (freeze,) = api("g1").get(f"/changes/{number}/conflicts").json["freezes"]
    assert (freeze["reason"], freeze["declared_by"], freeze["declared_at"] is None) == ("Election", "cm1", False)


def test_a_feed_is_a_calendar_that_other_programs_read(api: Api, plan: Planning) -> None:
    record = plan.scheduled(TUESDAY, service="crm", title="Swap, the; switch")
    given = api("g1").post("/changes/feeds", {"label": "My phone"})
    assert given.status == 201
    reply = api(None).get(given.json["path"])
    assert (reply.status, reply.type) == (200, "text/calendar")
    (event,) = events(reply.content, "CHANGE")
    assert (event["UID"], event["SUMMARY"]) == (f"{record.number}@itsm", f"{record.number} Swap, the; switch")
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (TUESDAY.start, TUESDAY.end)
    assert [str(each["UID"]) for each in events(reply.content, "FREEZE")] == ["freeze-accounts@itsm", "freeze-crm-fair@itsm"]
    assert all(len(line) <= 75 for line in reply.content.split(b"\r\n"))


def test_a_feed_shows_what_its_owner_sees_and_nothing_once_it_is_revoked(api: Api, plan: Planning) -> None:
    plan.scheduled(TUESDAY)
    path = api("rb1").post("/changes/feeds", {}).json["path"]
    assert list(events(api(None).get(path).content, "CHANGE")) == []
    (mine,) = api("rb1").get("/changes/feeds").items
    assert "key" not in str(mine)
    assert api("g1").delete(f"/changes/feeds/{mine['id']}").status == 404
    assert api("rb1").delete(f"/changes/feeds/{mine['id']}").status == 204
    assert api(None).get(path).status == 401
    assert api("rb1").get("/changes/feeds").items == []


@pytest.mark.parametrize("query", ["", "?key=", "?key=wrong", "?key=%00", "?key=ü", "?other=1"])
def test_without_the_right_key_there_is_no_calendar(api: Api, query: str) -> None:
    api("g1").post("/changes/feeds", {})
    assert api(None).get(f"/changes/calendar.ics{query}").code == "unauthenticated"


def test_the_key_of_a_feed_opens_nothing_else_and_is_not_kept(api: Api, plan: Planning) -> None:
    key = api("g1").post("/changes/feeds", {}).json["path"].partition("key=")[2]
    assert api.holding(key).get("/me").status == 401
    with plan.desk.database.session(write=False) as session:
        assert key.encode() not in bytes(session.one(_DIGEST).digest)


def test_nobody_has_feeds_without_end(api: Api) -> None:
    for _ in range(20):
        assert api("g1").post("/changes/feeds", {}).status == 201
    assert api("g1").post("/changes/feeds", {}).code == "too_many_feeds"


def test_a_pipeline_asks_the_gate(api: Api, plan: Planning) -> None:
    record = plan.scheduled(TUESDAY, service="crm")
    pipeline = api("int1", frozenset({Scope.WRITE}))
    assert pipeline.post("/changes/gate", {"change": record.number}).json["verdict"] == "wait"
    plan.clock.set(at(3, 9))
    assert pipeline.post("/changes/gate", {"service": "crm"}).json == {
        "verdict": "approved",
        "change": record.number,
        "reasons": ["It is scheduled, and this is its window."],
        "waiting_for": [],
    }
    assert pipeline.post("/changes/gate", {"service": "erp"}).json["verdict"] == "refused"
    assert pipeline.post("/changes/gate", {}).pointers == {"/change": "required"}
    assert pipeline.post("/changes/gate", {"service": "nowhere"}).status == 404
    assert api("rb1").post("/changes/gate", {"change": record.number}).status == 404


CALM = {"tested": "fully", "back_out": "minutes", "outage": "nobody", "experience": "often"}


def test_a_change_is_assessed_and_its_risk_is_told_with_the_reasons(api: Api) -> None:
    number = api("g1").opens("change")
    before = api("g1").get(f"/changes/{number}/risk").json
    assert (before["level"], set(before["questions"])) == (None, set(CALM))
    assert api("g1").post(f"/changes/{number}/risk", {"answers": {**CALM, "tested": "not_at_all"}}).json["level"] == "moderate"
    told = api("g1").get(f"/changes/{number}/risk").json
    assert (told["level"], told["score"], told["assessed_by"]) == ("moderate", 6, "g1")
    assert api("g1").get(f"/tickets/{number}").json["fields"]["risk"] == "moderate"
    wrong = api("g1").post(f"/changes/{number}/risk", {"answers": {**CALM, "tested": "perhaps", "else": "1"}})
    assert wrong.pointers == {"/answers/tested": "invalid_value", "/answers/else": "unknown_member"}


def test_a_model_is_approved_used_and_counted(api: Api, plan: Planning) -> None:
    models = {each["name"]: each for each in api("g1").get("/changes/models").items}
    assert (models["routine"]["approved_by"], models["unproved"]["approved_by"]) == ("cm1", None)
    assert api("g1").post("/changes/models/unproved/changes", {}).code == "not_approved"
    word = {"version": models["unproved"]["version"], "note": "Fine."}
    assert api("cm2").post("/changes/models/unproved/approval", word).status == 204
    made = api("g1").post("/changes/models/unproved/changes", {"title": "Once more", "service": "crm"})
    assert (made.status, made.json["title"], made.json["fields"]["change_type"]) == (201, "Once more", "standard")
    assert api("cm2").delete("/changes/models/unproved/approval").status == 204
    assert api("g1").post("/changes/models/unproved/changes", {}).status == 409


def test_the_change_failure_rate_counts_incidents_that_a_change_caused(api: Api, plan: Planning) -> None:
    number = plan.scheduled(TUESDAY, service="crm").number
    plan.clock.set(at(3, 9))
    assert api("g1").fires(number, "implement").status == 200
    assert api("g1").fires(number, "complete", outcome="successful").status == 200
    plan.clock.set(at(3, 10))
    incident = api("g1").opens()
    assert api("g1").post(f"/tickets/{incident}/links", {"kind": "caused_by", "number": number}).status == 201
    (figure,) = api("g1").get("/changes/figures?by=service&from=2026-03-01T00:00:00Z").items
    assert (figure["key"], figure["successful"], figure["incidents"], figure["failure_rate"]) == ("crm", 1, 1, 1.0)
    assert api("rb1").get("/changes/figures").items == []
    assert api("g1").get("/changes/figures?by=weather").pointers == {"/by": "invalid_value"}
