"""Clocks over HTTP: explained to staff, promised to requesters, listed as they fall due, put right with a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from itsm.app import Service
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.platform.time import FrozenClock
from itsm.sla.models import SlaClock
from tests.api.test_statements import counted
from tests.api.world import Api, Reply

RESOLUTION = "incident-resolution"
_MOVE = Prepared(table(User).update().where(table(User).c.login == "ra1").values(location="new-york"))
_BEND = Prepared(table(SlaClock).update().where(table(SlaClock).c.clock == RESOLUTION).values(status="paused"))


def clock_of(reply: Reply, name: str = RESOLUTION) -> dict[str, Any]:
    """The latest run of a clock in an answer."""
    assert reply.status == 200, reply.text
    found: list[dict[str, Any]] = [one for one in reply.json["clocks"] if one["clock"] == name]
    return found[-1]


def on_hold(api: Api, clock: FrozenClock) -> str:
    """An incident of ra1 that was worked on for an hour, waited for ra1 for two, and goes on; its number."""
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    assert api("g1").fires(number, "hold", "Which screen?", pending_reason="user").status == 200
    clock.advance(timedelta(hours=2))
    assert api("g1").fires(number, "resume").status == 200
    return number


def missed(api: Api, clock: FrozenClock, login: str = "ra1") -> str:
    """An incident that was resolved a month late; its number."""
    number = api(login).opens()
    assert api("g1").fires(number, "assign", group="network").status == 200
    assert api("g1").fires(number, "start").status == 200
    clock.advance(timedelta(days=30))
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    return number


# One ticket


def test_staff_read_where_a_clock_stands_and_how_that_follows_from_the_events(api: Api, clock: FrozenClock) -> None:
    number = on_hold(api, clock)
    reply = api("g1").get(f"/tickets/{number}/sla")
    found = clock_of(reply)
    assert reply.json["consistent"] is True
    assert reply.json["differences"] == []
    assert {name: found[name] for name in ("state", "target", "elapsed", "remaining", "due", "breached")} == {
        "state": "running",
        "target": "5 business days",
        "elapsed": "PT1H",
        "remaining": "PT41H30M",
        "due": "2026-03-09T13:30:00Z",
        "breached": False,
    }
    derivation = found["derivation"]
    assert derivation["applies"] == {"condition": "ticket.type == 'incident'", "values": {"ticket.type": "incident"}}
    assert [(one["from"][11:16], one["to"][11:16], one["counted"], one["why"]) for one in derivation["intervals"]] == [
        ("09:00", "10:00", True, "working time"),
        ("10:00", "12:00", False, "paused: ticket.category == 'pending' && ticket.pending_reason == 'user'"),
    ]
    assert derivation["by_group"] == [{"group": "network", "working": "PT1H"}]
    assert derivation["by_assignee"] == [{"assignee": "g1", "working": "PT1H"}]
    assert [one["what"] for one in found["changes"]] == ["started", "paused", "resumed"]


def test_what_is_kept_otherwise_than_the_events_say_is_told_and_left_as_it_is(api: Api) -> None:
    number = api.in_progress()
    with api.desk.database.session() as session:
        session.run(_BEND)
    for _ in range(2):
        reply = api("g1").get(f"/tickets/{number}/sla")
        assert reply.json["consistent"] is False
        assert reply.json["differences"] == [f"clock {RESOLUTION}, cycle 1: status is 'paused', its events say 'running'"]
        assert clock_of(reply)["state"] == "running"


def test_requesters_read_their_promises_in_plain_words_and_nothing_else(api: Api, clock: FrozenClock) -> None:
    number = on_hold(api, clock)
    reply = api("ra1").get(f"/tickets/{number}/sla")
    assert {one["kind"] for one in reply.json["clocks"]} == {"sla"}
    assert clock_of(reply)["words"] == "We will have this working again by Monday 9 March 2026, 14:30 (Berlin time)."
    assert [one["words"] for one in clock_of(reply)["changes"]] == [
        "Monday 2 March 2026, 10:00 (Berlin time): it was promised, by Monday 9 March 2026, 13:00 (Berlin time).",
        "Monday 2 March 2026, 11:00 (Berlin time): the time stopped counting, because we are waiting for your answer.",
        "Monday 2 March 2026, 13:00 (Berlin time): the pause ended, because the ticket is now “In progress”. "
        "From then on: by Monday 9 March 2026, 14:30 (Berlin time).",
    ]
    words = ("network", "g1", "ticket.", "derivation", "incident-group", "consistent", "office-hours")
    assert not any(word in reply.text for word in words)


def test_a_requester_elsewhere_reads_the_time_of_his_place(api: Api) -> None:
    with api.desk.database.session() as session:
        session.run(_MOVE)
    number = api.in_progress()
    for login in ("ra1", "g1"):
        reply = api(login).get(f"/tickets/{number}/sla")
        assert reply.json["zone"] == "America/New_York"
        assert "Monday 9 March 2026, 08:00 (New York time)" in clock_of(reply)["words"]


def test_a_change_of_priority_is_told_as_a_change_of_the_promise(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    assert api("g1").edits(number, {"fields": {"impact": "extensive", "urgency": "critical"}}).status == 200
    *_, changed = clock_of(api("ra1").get(f"/tickets/{number}/sla"))["changes"]
    assert changed["what"] == "retargeted"
    assert (changed["due_before"], changed["due_after"]) == ("2026-03-09T12:00:00Z", "2026-03-02T13:00:00Z")
    assert "4 hours instead of 5 business days, because" in changed["words"]


def test_a_reopened_ticket_keeps_the_run_that_has_its_result(api: Api, clock: FrozenClock) -> None:
    number = missed(api, clock)
    assert api("ra1").fires(number, "reopen", "Black again.").status == 200
    runs = [one for one in api("g1").get(f"/tickets/{number}/sla").json["clocks"] if one["clock"] == RESOLUTION]
    assert [(one["cycle"], one["state"], one["breached"]) for one in runs] == [(1, "missed", True), (2, "running", False)]


@pytest.mark.parametrize("login", ["g1", "ra1"])
def test_reading_clocks_takes_six_statements_at_most_however_long_the_story(api: Api, clock: FrozenClock, login: str) -> None:
    number = on_hold(api, clock)
    for index in range(20):
        api("g1").says(number, f"Word {index}")
    with counted(api, 6):
        assert api(login).get(f"/tickets/{number}/sla").status == 200


# Putting right


def correction(**more: object) -> dict[str, object]:
    told = {"clock": RESOLUTION, "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:30:00Z", "reason": "Fire drill."}
    return {**told, **more}


def test_a_time_that_is_taken_out_moves_the_due_instant_and_says_by_whom_and_why(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    reply = api("l1").post(f"/tickets/{number}/sla/corrections", correction())
    assert reply.status == 201, reply.text
    assert reply.headers["Location"].endswith(f"/tickets/{number}/sla")
    told = api("g1").get(f"/tickets/{number}/sla")
    found = clock_of(told)
    assert told.json["consistent"] is True
    assert (found["elapsed"], found["due"]) == ("PT30M", "2026-03-09T12:30:00Z")
    assert [one["why"] for one in found["derivation"]["intervals"]] == ["taken out by l1: Fire drill.", "working time"]
    (made,) = found["derivation"]["corrections"]
    assert (made["by"], made["reason"]) == ("l1", "Fire drill.")
    assert "Fire drill" not in api("ra1").get(f"/tickets/{number}/sla").text
    assert "Fire drill" not in api("ra1").get(f"/tickets/{number}/timeline").text


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"end": "2026-03-02T08:00:00Z"}, "/end"),
        ({"end": "2030-03-02T08:00:00Z"}, "/end"),
        ({"end": "2026-03-02T09:30:00"}, "/end"),
        ({"start": "yesterday"}, "/start"),
        ({"start": 5}, "/start"),
        ({"reason": "   "}, "/reason"),
        ({"reason": "x" * 2001}, "/reason"),
        ({"state": "met"}, "/state"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused_at_its_place(
    api: Api, clock: FrozenClock, more: dict[str, object], pointer: str
) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    reply = api("l1").post(f"/tickets/{number}/sla/corrections", correction(**more))
    assert (reply.status, list(reply.pointers)) == (422, [pointer])


def test_a_result_is_excused_and_never_rewritten(api: Api, clock: FrozenClock) -> None:
    number = missed(api, clock)
    path = f"/tickets/{number}/sla"
    refused = api("l1").post(f"{path}/corrections", correction())
    assert (refused.status, refused.code) == (409, "clock_ended")
    body = {"clock": RESOLUTION, "cycle": 1, "reason": "The storm."}
    assert api("l1").post(f"{path}/excuses", body).status == 201
    found = clock_of(api("g1").get(path))
    assert (found["state"], found["breached"]) == ("missed", True)
    assert [(one["by"], one["reason"], one["start"]) for one in found["derivation"]["corrections"]] == [
        ("l1", "The storm.", None)
    ]
    again = api("l1").post(f"{path}/excuses", body)
    assert (again.status, again.code) == (409, "not_missed")


@pytest.mark.parametrize("nothing", [" ", "\u200b", "\u202e\u202c", "\u3164", "\u2800"])
def test_a_reason_in_which_nothing_can_be_read_is_none(api: Api, clock: FrozenClock, nothing: str) -> None:
    number, done = on_hold(api, clock), missed(api, clock)
    excuse = {"clock": RESOLUTION, "cycle": 1, "reason": nothing}
    for path, body in ((f"{number}/sla/corrections", {**correction(), "reason": nothing}), (f"{done}/sla/excuses", excuse)):
        assert api("l1").post(f"/tickets/{path}", body).pointers == {"/reason": "reason_required"}
    assert api("g1").post(f"/tickets/{number}/assignment/rejection", {"reason": nothing}).pointers == {
        "/reason": "reason_required"
    }
    assert api("g1").says(number, nothing).pointers == {"/body": "invalid_value"}


def test_what_is_met_or_unknown_cannot_be_excused(api: Api) -> None:
    number = api.in_progress()
    body = {"clock": "incident-response", "cycle": 1, "reason": "Why not."}
    assert api("l1").post(f"/tickets/{number}/sla/excuses", body).code == "not_missed"
    assert api("l1").post(f"/tickets/{number}/sla/excuses", {**body, "clock": "no-such"}).status == 404


def test_who_may_not_correct_clocks_is_turned_away(api: Api) -> None:
    number = api.in_progress()
    for login in ("ra1", "ma", "g1", "g3", "au1", "po1", "cm1"):
        for path, body in (("corrections", correction()), ("excuses", {"clock": RESOLUTION, "cycle": 1, "reason": "x"})):
            assert api(login).post(f"/tickets/{number}/sla/{path}", body).status == 403, login


def test_a_requester_has_no_way_to_stop_or_reset_his_clock(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    before = clock_of(api("g1").get(f"/tickets/{number}/sla"))
    for deed in (
        api("ra1").fires(number, "hold", "Wait.", pending_reason="user"),
        api("ra1").fires(number, "reopen", "Again."),
        api("ra1").edits(number, {"fields": {"pending_reason": "user"}}),
        api("ra1").edits(number, {"fields": {"impact": "extensive"}}),
    ):
        assert deed.status in (403, 409, 422)
    after = clock_of(api("g1").get(f"/tickets/{number}/sla"))
    assert (after["due"], after["cycle"], after["changes"]) == (before["due"], before["cycle"], before["changes"])


# Lists


def test_running_clocks_are_listed_the_earliest_due_first_with_the_time_left(api: Api, clock: FrozenClock) -> None:
    first = api.in_progress()
    clock.advance(timedelta(days=10))
    second = api.in_progress()
    found = api("g1").get("/sla/at-risk?within=P30D&kind=sla").items
    assert [(one["ticket"], one["clock"], one["breached"]) for one in found] == [
        (first, RESOLUTION, True),
        (second, RESOLUTION, False),
    ]
    assert (found[0]["left"], found[0]["due"]) == ("-P2DT21H", "2026-03-09T12:00:00Z")
    assert found[1]["remaining"] == "PT42H30M"
    assert [one["ticket"] for one in api("g1").get("/sla/at-risk?kind=sla").items] == [first]


def test_a_clock_that_waits_is_not_at_risk(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    assert api("g1").fires(number, "hold", "Which screen?", pending_reason="user").status == 200
    assert api("g1").get("/sla/at-risk?within=P90D").items == []


def test_the_list_is_filtered_by_group_clock_and_kind(api: Api) -> None:
    number = api.in_progress()
    api("ra1").opens()

    def found(query: str) -> set[tuple[str, str]]:
        return {(one["ticket"], one["clock"]) for one in api("l1").get(f"/sla/at-risk?within=P30D&{query}").items}

    assert found("group=network") == {(number, RESOLUTION), (number, "incident-group")}
    assert found("group=network&kind=ola") == {(number, "incident-group")}
    assert found(f"clock={RESOLUTION}&group=network") == {(number, RESOLUTION)}
    assert found("group=nobody") == set()


def test_pages_of_the_list_hold_every_clock_once_though_time_goes_on(api: Api, clock: FrozenClock) -> None:
    for _ in range(7):
        api("ra1").opens()
        clock.advance(timedelta(seconds=30))
    whole = [(one["ticket"], one["clock"]) for one in api("g1").get("/sla/at-risk?within=P30D&limit=100").items]
    paged: list[tuple[str, str]] = []
    path: str | None = "/sla/at-risk?within=P30D&limit=3"
    while path is not None:
        reply = api("g1").get(path)
        assert len(reply.items) <= 3
        paged += [(one["ticket"], one["clock"]) for one in reply.items]
        clock.advance(timedelta(minutes=5))
        path = f"/sla/at-risk?within=P30D&limit=3&cursor={reply.json['next']}" if reply.json["next"] else None
    assert paged == whole
    assert len(set(paged)) == 14


def test_clocks_of_tickets_that_one_does_not_see_are_neither_listed_nor_counted(api: Api, clock: FrozenClock) -> None:
    number = api.confidential()
    assert number in {one["ticket"] for one in api("g2").get("/sla/at-risk?within=P30D").items}
    assert number not in api("g1").get("/sla/at-risk?within=P30D").text
    clock.advance(timedelta(days=30))
    assert api("g2").fires(number, "resolve", resolution_code="fixed", resolution="So.").status == 200
    query = f"/sla/results?clock={RESOLUTION}"
    assert [one["missed"] for one in api("g2").get(query).items] == [1]
    assert api("g1").get(query).items == []


@pytest.mark.parametrize("month", ["0001-01", "1969-12", "2026-13", "10000-01"])
def test_a_month_that_no_clock_has_seen_is_refused(api: Api, month: str) -> None:
    assert api("g1").get(f"/sla/results?from={month}&to={month}").status == 422


def test_a_time_before_all_clocks_cannot_be_taken_out(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    reply = api("l1").post(f"/tickets/{number}/sla/corrections", {**correction(), "start": "0001-01-01T00:00:00+14:00"})
    assert reply.pointers == {"/start": "invalid_value"}
    assert api("l1").get(f"/tickets/{number}/sla").status == 200


@pytest.mark.parametrize("within", ["soon", "8 business hours", "P2Y", "-PT1H", "P3000D"])
def test_a_time_that_is_none_is_refused(api: Api, within: str) -> None:
    assert api("g1").get(f"/sla/at-risk?within={within}").pointers == {"/within": "invalid_value"}


def test_the_list_takes_four_statements_at_most_however_long(api: Api) -> None:
    for _ in range(12):
        api("ra1").opens()
    for query in ("", "&group=network&clock=x&kind=sla"):
        with counted(api, 4):
            assert api("g1").get(f"/sla/at-risk?within=P30D&limit=100{query}").status == 200


# Results


def test_results_are_counted_by_policy_and_month_with_every_correction_and_excuse(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    assert api("l1").post(f"/tickets/{number}/sla/corrections", correction()).status == 201
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    late = missed(api, clock)
    body = {"clock": RESOLUTION, "cycle": 1, "reason": "The storm."}
    assert api("l1").post(f"/tickets/{late}/sla/excuses", body).status == 201
    reply = api("l1").get(f"/sla/results?from=2026-03&to=2026-04&clock={RESOLUTION}")
    assert reply.json["zone"] == "Europe/Berlin"
    kinds = {"clock": RESOLUTION, "kind": "sla", "cancelled": 0, "of": None}
    assert reply.items == [
        {**kinds, "month": "2026-03", "met": 1, "missed": 0, "excused": 0, "corrected": 1},
        {**kinds, "month": "2026-04", "met": 0, "missed": 1, "excused": 1, "corrected": 0},
    ]
    noted = reply.json["corrections"]
    assert [(one["ticket"], one["by"], one["reason"]) for one in noted] == [
        (late, "l1", "The storm."),
        (number, "l1", "Fire drill."),
    ]
    assert "storm" not in api("au1").get("/sla/results").text


@pytest.mark.parametrize(
    ("by", "of"), [("priority", {"p4"}), ("group", {"network"}), ("organisation", {"acme"}), ("service", {None})]
)
def test_results_are_parted_by_whose_they_are(api: Api, clock: FrozenClock, by: str, of: set[str | None]) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    found = api("l1").get(f"/sla/results?clock={RESOLUTION}&by={by}").items
    assert ({one["of"] for one in found}, [one["met"] for one in found]) == (of, [1])


def test_a_clock_of_each_group_counts_for_its_group_wherever_the_ticket_is_by_now(api: Api, clock: FrozenClock) -> None:
    number = api.in_progress()
    clock.advance(timedelta(hours=1))
    assert api("g1").fires(number, "assign", group="desktop").status == 200
    clock.advance(timedelta(hours=1))
    assert api("l1").fires(number, "assign", group="network", assignee="g1").status == 200
    assert api("g1").fires(number, "start").status == 200
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    found = api("l1").get("/sla/results?clock=incident-group&by=group").items
    assert {one["of"]: one["met"] for one in found} == {"network": 1, "desktop": 1}


def test_results_are_not_parted_by_what_they_cannot_be(api: Api) -> None:
    assert api("l1").get("/sla/results?by=colour").pointers == {"/by": "invalid_value"}


def test_a_month_begins_at_midnight_of_the_desk_and_an_ended_clock_is_in_one_month_only(
    api: Api, service: Service, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=29, hours=13))  # 31 March, 22:00 UTC: 1 April in Berlin
    number = api.in_progress()
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    found = api("l1").get("/sla/results?from=2026-03&to=2026-04").items
    assert {one["month"] for one in found} == {"2026-04"}
    assert api("l1").get("/sla/results?from=2026-03&to=2026-03").items == []


@pytest.mark.parametrize(
    "query", ["from=2026-13", "from=March", "to=2026-3", "from=2026-04&to=2026-03", "from=2020-01&to=2026-03"]
)
def test_months_that_are_none_or_too_many_are_refused(api: Api, query: str) -> None:
    assert api("l1").get(f"/sla/results?{query}").status == 422


# What is agreed


def test_what_is_promised_can_be_read_in_sentences(api: Api) -> None:
    reply = api("g1").get("/sla/policies")
    found = next(one for one in reply.items if one["name"] == RESOLUTION)
    assert reply.json["version"] == 1
    assert found["promise"] == "will have this working again"
    assert "If ticket.priority == 'p1': 4 hours." in found["words"]
    assert "It begins anew when it is reopened." in found["words"]
