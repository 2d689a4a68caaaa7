"""Risk is judged by rules, answers and the past, the gravest judge counting; how changes ended is counted truthfully."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.changes import assessing, figures, reading, risk
from itsm.changes.figures import By, Figure
from itsm.changes.risk import Assessment, Guide, History, Level, Past, Question
from itsm.changes.rules import Period
from itsm.people.access import Channel
from itsm.platform.errors import DeskError
from itsm.tickets.records import Record
from tests.changes.desk import CALENDAR, Planning, at
from tests.service import actor, configuration
from tests.tickets.doing import Doing

GUIDE = Guide(
    questions=(Question("tested", "Tested?", {"yes": 0, "no": 3}, 2), Question("seen", "Seen?", {"yes": 2, "no": 0})),
    moderate=4,
    high=8,
)
CALM = {"tested": "fully", "back_out": "minutes", "outage": "nobody", "experience": "often"}
WILD = {"tested": "not_at_all", "back_out": "impossible", "outage": "everybody", "experience": "never"}


def draft(plan: Planning, **more: str) -> Record:
    return Doing(plan.desk, "g1").create("change", "Swap the switch", **more)


def assess(plan: Planning, record: Record, answers: dict[str, str], by: str = "g1") -> assessing.Kept:
    with plan.desk.transaction(actor(plan.desk, by), Channel.API) as tx:
        return assessing.assess(tx, record.number, answers)


def carried_out(plan: Planning, outcome: str) -> Record:
    """A standard change of crm that has ended."""
    now = plan.clock.now()
    record = plan.scheduled(Period(now, now + timedelta(hours=1)), service="crm")
    Doing(plan.desk, "g1").fire(record, "implement")
    if outcome == "backed_out":
        return Doing(plan.desk, "g1").fire(record, "back_out", "It did not work.")
    return Doing(plan.desk, "g1").fire(record, "complete", "Done.", outcome=outcome)


def counted(plan: Planning, by: By, login: str = "g1") -> list[Figure]:
    with plan.desk.reading(actor(plan.desk, login)) as tx:
        return figures.figures(tx, Period(at(1), at(31)), by)


# The judges


def test_the_answers_are_weighed() -> None:
    assert risk.score(GUIDE, {"tested": "no", "seen": "yes"}) == 8
    assert risk.assess(GUIDE, None, {"tested": "no", "seen": "no"}, Past(0, 0)).level is Level.MODERATE
    assert risk.assess(GUIDE, None, {"tested": "no", "seen": "yes"}, Past(0, 0)).level is Level.HIGH


def test_a_past_too_short_to_learn_from_is_no_judge() -> None:
    assert risk.assess(GUIDE, None, {}, Past(4, 4)) == Assessment(Level.LOW, 0, ())
    assert risk.assess(GUIDE, None, {}, Past(5, 5)).level is Level.HIGH


@given(st.integers(0, 50), st.integers(0, 50), st.sampled_from(["yes", "no"]), st.sampled_from(["yes", "no"]))
def test_no_judge_makes_a_change_less_risky_than_another_found_it(ended: int, failed: int, tested: str, seen: str) -> None:
    answers, past = {"tested": tested, "seen": seen}, Past(max(ended, failed), failed)
    together = risk.assess(GUIDE, None, answers, past)
    alone = [risk.assess(GUIDE, None, answers, Past(0, 0)), risk.assess(GUIDE, None, {}, past)]
    assert together.level == risk.gravest(each.level for each in alone)


def test_every_fault_of_answers_is_told_at_once() -> None:
    found = risk.faults(GUIDE, {"tested": "perhaps", "other": "yes"})
    assert {fault.pointer: fault.code for fault in found} == {
        "/answers/other": "unknown_member",
        "/answers/tested": "invalid_value",
        "/answers/seen": "required",
    }


# At the desk


def test_an_assessment_is_written_into_the_change_and_kept_with_its_reasons(plan: Planning) -> None:
    record = draft(plan)
    kept = assess(plan, record, WILD)
    assert (kept.level, kept.by) == (Level.HIGH, "g1")
    assert Doing(plan.desk, "g1").read(record).values["risk"] == "high"
    assert [kind for kind, _ in plan.told(record)][-2:] == ["edited", "risk_assessed"]
    with plan.desk.reading(actor(plan.desk, "g1")) as tx:
        assert assessing.latest(tx, record.number) == kept


def test_a_rule_outweighs_harmless_answers(plan: Planning) -> None:
    record = draft(plan)
    Doing(plan.desk, "g1").edit(record, impact="extensive")
    kept = assess(plan, record, CALM)
    assert [(each.judge, each.level) for each in kept.reasons] == [("rule", Level.HIGH), ("answers", Level.LOW)]
    assert kept.level is Level.HIGH


def test_what_was_authorised_is_not_assessed_again(plan: Planning) -> None:
    with pytest.raises(DeskError) as refused:
        assess(plan, plan.authorised(), CALM)
    assert refused.value.code == "not_editable"


def test_missing_answers_are_refused_and_nothing_is_kept(plan: Planning) -> None:
    record = draft(plan)
    with pytest.raises(DeskError) as refused:
        assess(plan, record, {"tested": "fully"})
    assert len(refused.value.errors) == 3
    with plan.desk.reading(actor(plan.desk, "g1")) as tx:
        assert assessing.latest(tx, record.number) is None


def test_changes_that_failed_before_make_the_next_one_of_the_service_risky(plan: Planning) -> None:
    for outcome in ("successful", "successful", "successful", "failed", "backed_out"):
        carried_out(plan, outcome)
    elsewhere, here = draft(plan, service="workplace"), draft(plan, service="crm")
    for record in (elsewhere, here):
        Doing(plan.desk, "g1").edit(record, change_type="emergency")
    assert assess(plan, elsewhere, CALM).level is Level.LOW
    kept = assess(plan, here, CALM)
    assert kept.level is Level.HIGH
    assert "Of 5 changes like it, 2 failed" in kept.reasons[-1].why


# Figures


def test_how_changes_ended_is_counted_each_failure_once(plan: Planning) -> None:
    good, bad = carried_out(plan, "successful"), carried_out(plan, "failed")
    carried_out(plan, "successful")
    for change in (good, bad, bad):
        incident = Doing(plan.desk, "g1").create()
        Doing(plan.desk, "g1").link(incident, "caused_by", change)
    (crm,) = counted(plan, By.SERVICE)
    assert crm == Figure("crm", ended=3, successful=2, failed=1, causing=2, incidents=3, failures=2)
    assert crm.rate == pytest.approx(2 / 3)
    assert [each.key for each in counted(plan, By.MONTH)] == ["2026-03"]
    assert [each.key for each in counted(plan, By.MODEL)] == ["routine"]


def test_figures_count_what_one_sees(plan: Planning) -> None:
    carried_out(plan, "successful")
    assert counted(plan, By.SERVICE, "rb1") == []


# The file


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("windows: {x: {calendar: always}}", "window-of-nothing"),
        ("windows: {x: {services: erp, calendar: nowhere}}", "unknown-calendar"),
        ("freezes: {x: {reason: X, services: all, from: soon, to: 2026-01-01 00:00}}", "bad-moment"),
        ("freezes: {x: {reason: X, services: all, from: 2026-01-02 00:00, to: 2026-01-01 00:00}}", "reversed-period"),
        ("depth: 11", "too-deep"),
        ("slots: {step: 1 business day}", "bad-duration"),
        ("risk: {rules: [{name: X, if: 'true', risk: huge}]}", "unknown-level"),
        ("frezes: {}", "unknown-key"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_place(wrong: str, code: str) -> None:
    _, _, findings = reading.load_text(wrong, "changes.yaml", configuration().calendars)
    assert [(finding.code, finding.at.line) for finding in findings] == [(code, 1)]


def test_the_calendar_of_these_tests_and_an_absent_file_are_sound() -> None:
    assert reading.load_text(CALENDAR, "changes.yaml", configuration().calendars)[2] == []
    assert reading.load_text("{}", "changes.yaml", {})[1].history == History()
