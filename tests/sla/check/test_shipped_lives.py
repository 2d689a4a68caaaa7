"""The promises that come with the desk, kept on the lives of tickets: what runs, what waits, what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from itsm.sla.judging import Judge
from itsm.sla.replay import LoggedEvent, derive
from itsm.sla.standing import Cycle, Status
from itsm.worktime.layout import to_micros
from tests.sla.check.test_shipped import around, shipped

BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday, ten o'clock in Berlin."""


class Life:
    """The events of one ticket, as the desk writes them."""

    def __init__(self, type_: str, **fields: object) -> None:
        workflows, _ = around()
        self.workflow = workflows[type_]
        self.state = self.workflow.initial
        self.values: dict[str, object] = {}
        self.at = BEGIN
        self.told: list[LoggedEvent] = []
        born = {"type": type_, "number": "X1", "sla": {"version": 1}}
        self._tell("created", "mara", {**born, **self._moved(self.state), "changes": self._changes(fields)})

    def wait(self, **by: float) -> Life:
        """Let time pass."""
        self.at += timedelta(**by)
        return self

    def move(self, state: str, trigger: str = "go", **fields: object) -> Life:
        """A transition by the agent."""
        self.state = state
        self._tell("moved", "ines", {"trigger": trigger, **self._moved(state), "changes": self._changes(fields)})
        return self

    def say(self, who: str) -> Life:
        """A public comment."""
        self._tell("commented", who, {"visibility": "public"})
        return self

    def cycles(self, clock: str) -> list[Cycle]:
        """The runs of a clock, in their order."""
        agreement, judge = replace(shipped(), id=1), Judge()
        found = derive(lambda _: (agreement, judge), self.told).cycles.values()
        return [cycle for cycle in found if cycle.clock == clock]

    def statuses(self, clock: str) -> list[Status]:
        """How they stand."""
        return [cycle.status for cycle in self.cycles(clock)]

    def _moved(self, state: str) -> dict[str, object]:
        return {"to": state, "category": self.workflow.category(state).value}

    def _changes(self, fields: Mapping[str, object]) -> dict[str, list[object]]:
        changes = {name: [self.values.get(name), value] for name, value in fields.items()}
        self.values.update(fields)
        return changes

    def _tell(self, kind: str, actor: str, payload: dict[str, Any]) -> None:
        self.told.append((to_micros(self.at), kind, actor, payload))


def incident(priority: str) -> Life:
    return Life("incident", requester="mara", priority=priority, service=None)


def test_a_response_is_a_name_on_the_ticket_and_not_a_group() -> None:
    life = incident("p3").wait(minutes=10).move("assigned", group="network")
    assert life.statuses("incident-response") == [Status.RUNNING]
    assert life.wait(minutes=10).move("in_progress", assignee="ines").statuses("incident-response") == [Status.MET]


def test_an_answer_is_a_response_too() -> None:
    assert incident("p3").wait(minutes=10).say("ines").statuses("incident-response") == [Status.MET]


def test_a_p1_runs_around_the_clock_and_is_missed_after_four_hours() -> None:
    life = incident("p1").move("in_progress", assignee="ines").wait(hours=4, microseconds=1)
    assert life.move("resolved").statuses("incident-resolution") == [Status.MISSED]
    kept = incident("p1").move("in_progress", assignee="ines").wait(hours=4)
    assert kept.move("resolved").statuses("incident-resolution") == [Status.MET]


def test_waiting_for_the_user_stops_the_promise_to_them_and_waiting_for_a_supplier_does_not() -> None:
    life = incident("p2").move("in_progress", assignee="ines", group="network").wait(hours=1)
    life.move("on_hold", pending_reason="user").wait(hours=1)
    assert life.statuses("incident-resolution") == [Status.PAUSED]
    life.move("in_progress", pending_reason=None).wait(hours=1).move("on_hold", pending_reason="vendor")
    assert life.statuses("incident-resolution") == [Status.RUNNING]
    assert life.statuses("incident-group") == [Status.PAUSED]
    assert life.statuses("incident-vendor") == [Status.RUNNING]
    life.wait(hours=1).move("in_progress", pending_reason=None)
    assert life.statuses("incident-vendor") == [Status.MET]


def test_every_wait_for_a_supplier_is_a_run_of_its_own() -> None:
    life = incident("p2").move("in_progress", assignee="ines", group="network")
    for _ in range(2):
        life.move("on_hold", pending_reason="vendor").wait(hours=1).move("in_progress", pending_reason=None)
    assert life.statuses("incident-vendor") == [Status.MET, Status.MET]


def test_a_reopening_begins_a_new_run_and_leaves_the_old_result() -> None:
    life = incident("p2").move("in_progress", assignee="ines").wait(days=7).move("resolved").wait(hours=1)
    assert life.move("in_progress", "reopen").statuses("incident-resolution") == [Status.MISSED, Status.RUNNING]


def test_an_incident_that_is_merged_or_cancelled_keeps_and_breaks_nothing() -> None:
    assert incident("p2").move("closed", resolution_code="duplicate").statuses("incident-resolution") == [Status.CANCELLED]
    assert incident("p2").move("cancelled").statuses("incident-resolution") == [Status.CANCELLED]


def test_a_message_on_a_ticket_that_is_cancelled_or_merged_is_neither_answered_nor_left_unanswered() -> None:
    for end, fields in (("cancelled", {}), ("closed", {"resolution_code": "duplicate"})):
        life = incident("p2").move("in_progress", assignee="ines").say("mara").wait(days=3)
        assert life.move(end, **fields).statuses("incident-update") == [Status.CANCELLED]


def test_each_message_of_the_user_is_to_be_answered() -> None:
    life = incident("p2").move("in_progress", assignee="ines").say("mara").wait(hours=1).say("ines").say("mara")
    assert life.statuses("incident-update") == [Status.MET, Status.RUNNING]


def test_each_group_answers_for_the_time_that_it_had() -> None:
    life = incident("p2").move("assigned", group="network").wait(hours=1).move("assigned", group="desktop")
    parts = {cycle.part: cycle.status for cycle in life.cycles("incident-group")}
    assert parts == {"network": Status.PAUSED, "desktop": Status.RUNNING}


def test_a_request_waits_for_its_approvers_on_their_time() -> None:
    life = Life("request", requester="mara", fulfilment_model="goods").move("awaiting_approval").wait(days=1)
    assert life.statuses("approval-answer") == [Status.RUNNING]
    assert life.statuses("request-fulfilment") == [Status.PAUSED]
    life.move("approved")
    assert life.statuses("approval-answer") == [Status.MET]
    assert life.statuses("request-fulfilment") == [Status.RUNNING]


def test_a_rejected_request_is_no_broken_promise() -> None:
    life = Life("request", requester="mara", fulfilment_model="goods").move("awaiting_approval").move("rejected")
    assert life.statuses("request-fulfilment") == [Status.CANCELLED]


def test_an_emergency_change_is_decided_on_within_half_an_hour() -> None:
    life = Life("change", requester="ines", change_type="emergency").move("authorisation").wait(minutes=31)
    assert life.move("authorised").statuses("approval-answer") == [Status.MISSED]
    assert life.statuses("change-implementation") == [Status.RUNNING]


def test_a_change_with_a_window_far_ahead_is_no_broken_promise() -> None:
    life = Life("change", requester="ines", change_type="normal").move("assessment").move("authorisation").move("authorised")
    assert life.move("scheduled").wait(days=90).statuses("change-implementation") == [Status.PAUSED]


def test_a_known_error_that_turns_out_to_be_another_is_not_counted_as_forgotten() -> None:
    life = Life("problem", requester="ines", priority="p2").move("investigation", assignee="ines")
    life.move("known_error", root_cause="x", workaround="y", known_error=True).wait(days=1)
    assert life.statuses("problem-removal") == [Status.RUNNING]
    assert life.statuses("problem-cause") == [Status.MET]
    assert life.move("investigation", known_error=False).statuses("problem-removal") == [Status.CANCELLED]
    assert life.move("known_error", known_error=True).statuses("problem-removal") == [Status.CANCELLED, Status.RUNNING]


def test_a_task_is_taken_and_done() -> None:
    life = Life("task", requester="ines").wait(hours=1).move("in_progress", group="network", assignee="ines")
    assert life.statuses("task-start") == [Status.MET]
    assert life.wait(hours=1).move("done").statuses("task-completion") == [Status.MET]
