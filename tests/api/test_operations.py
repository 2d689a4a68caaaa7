"""What those ask who run the desk (attack A-98)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itsm.platform import migrate, outbox
from itsm.platform.migrate import Revision
from itsm.platform.outbox import Message
from tests.api.world import INCIDENT, Api

HOUR = timedelta(hours=1)


def test_alive_and_ready_are_told_to_anybody_and_nothing_else_is(api: Api) -> None:
    for path in ("/healthz", "/readyz"):
        reply = api(None).get(path)
        assert (reply.status, reply.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("state", [Revision.BEHIND, Revision.AHEAD, Revision.EMPTY])
def test_a_desk_over_another_schema_is_not_ready(api: Api, monkeypatch: pytest.MonkeyPatch, state: Revision) -> None:
    monkeypatch.setattr(migrate, "revision_state", lambda _database: state)
    reply = api(None).get("/readyz")
    assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "not_ready", "5")
    assert api(None).get("/healthz").status == 200


def test_figures_are_for_staff_wherever_they_call_from(api: Api) -> None:
    assert api(None).get("/metrics").status == 401
    assert api("ra1").get("/metrics").status == 403
    assert api("au1").get("/metrics").status == 200


def test_figures_count_requests_by_route_and_status_and_tell_what_waits(api: Api) -> None:
    number = api("ra1").opens()
    api("rb1").get(f"/tickets/{number}")
    api("g1").get("/no/such/place")
    figures = api("g1").get("/metrics").text
    for line in (
        'itsm_requests_total{method="POST",route="/api/v1/tickets",status="201"} 1.0',
        'itsm_requests_total{method="GET",route="/api/v1/tickets/{number}",status="404"} 1.0',
        'itsm_requests_total{method="none",route="none",status="404"} 1.0',
        'itsm_request_seconds_count{route="/api/v1/tickets"} 1.0',
        "itsm_timers_due 0.0",
        "itsm_timers_parked 0.0",
        "itsm_outbox_pending 0.0",
        "itsm_outbox_parked 0.0",
    ):
        assert line in figures
    assert number not in figures


def test_messages_are_waited_for_where_somebody_delivers_them_and_told_apart_when_given_up(api: Api) -> None:
    now = api.desk.clock.now()
    with api.desk.database.session() as session:
        for destination, keys in (("crm", "abcd"), (None, "ef")):
            outbox.put_all(session, [Message(key, "webhook", None, {}, destination) for key in keys], now)
        arrives, fails = (outbox.claim(session, "crm", now, HOUR) for _ in range(2))
        assert arrives is not None
        assert fails is not None
        outbox.arrived(session, arrives, now)
        outbox.park(session, fails, now, "404")
    figures = api("g1").get("/metrics").text
    assert "itsm_outbox_pending 2.0" in figures
    assert "itsm_outbox_parked 1.0" in figures


def test_two_desks_in_one_process_are_counted_apart(api: Api) -> None:
    api("ra1").post("/tickets", INCIDENT)
    assert 'route="/api/v1/tickets"' not in Api(api.desk)("g1").get("/metrics").text
