"""Each step is asked of the workflow; what it refuses is counted, and recorded as an override or left out, as one chooses."""

from __future__ import annotations

from pathlib import Path

from itsm.imports import mapping
from itsm.people.access import SYSTEM, Channel
from itsm.tickets import audit, projection, publishing
from itsm.tickets.desk import Desk
from itsm.tickets.models import Comment, Ticket
from itsm.tickets.story import Refused
from itsm.workflow import language
from tests.imports.desk import (
    SAMPLES,
    a_log,
    a_mapping,
    a_row,
    count,
    events,
    import_log,
    import_sample,
    sample,
    story,
    ticket_of,
)

# What the workflow says


def test_a_step_that_keeps_its_state_is_an_update_and_no_transition(desk: Desk, tmp_path: Path) -> None:
    log = a_log(
        tmp_path / "a.csv",
        a_row("A", "09:00", "New"),
        a_row("A", "09:05", "Active"),
        a_row("A", "09:10", "Active", owner="Carl"),
    )
    report = import_log(desk, log, sample()).report
    assert dict(report.fates) == {"created": 1, "moved": 1, "updated": 1}
    last = events(desk.database, "INC0000001")[-1]
    assert (last.kind, last.payload["changes"]) == ("edited", {"assignee": ["sample-anna", "sample-carl"]})


def test_a_step_that_the_workflow_refuses_is_recorded_as_an_override(desk: Desk) -> None:
    report = import_sample(desk, "incidents.csv").report
    (arrow,) = [one for one in report.refused_arrows() if one.code != "no_meaning"]
    assert (arrow.source, arrow.target, arrow.code, arrow.trigger, arrow.count) == (
        "new",
        "resolved",
        "wrong_state",
        "resolve",
        1,
    )
    assert (arrow.case, arrow.line) == ("INC-2", 7)
    moved = events(desk.database, ticket_of(desk.database, "INC-2"))[-1]
    assert moved.payload["to"] == "resolved"
    assert moved.payload["override"] is True
    assert moved.payload["code"] == "wrong_state"
    assert moved.payload["reasons"]


def test_or_it_is_left_out_and_the_ticket_stays_where_it_is(desk: Desk) -> None:
    report = import_sample(desk, "incidents.csv", Refused.REFUSE).report
    assert report.fates["overridden"] == 0
    assert report.fates["refused"] == 2
    told = events(desk.database, ticket_of(desk.database, "INC-2"))
    assert told[-1].kind == "refused"
    assert told[-1].internal
    assert told[-1].payload["asked"] == {"status": "Resolved", "target": "resolved"}
    with desk.database.session(write=False) as session:
        assert projection.differences(session) == []


def test_a_status_without_meaning_is_refused_and_counted_either_way(desk: Desk) -> None:
    for refused in Refused:
        report = import_log(desk, SAMPLES / "problems.xes", SAMPLES / "problems.yaml", refused).report
        if report.cases["imported"]:
            (arrow,) = [one for one in report.refused_arrows() if one.code == "no_meaning"]
            assert (arrow.source, arrow.target, arrow.message) == ("new", "Unmatched/Unmatched", "No state of a problem.")


def test_a_status_that_the_mapping_does_not_know_is_refused_in_other_words(desk: Desk, tmp_path: Path) -> None:
    log = a_log(tmp_path / "a.csv", a_row("A", "09:00", "New"), a_row("A", "09:05", "Vanished"))
    (arrow,) = import_log(desk, log, sample()).report.refused_arrows()
    assert (arrow.target, arrow.code, arrow.message) == ("Vanished", "no_meaning", "The mapping knows no status “Vanished”.")


def test_a_transition_that_would_lead_elsewhere_is_a_refusal_of_its_own(desk: Desk, tmp_path: Path) -> None:
    text = (SAMPLES / "incidents.yaml").read_text().replace("  New: {to: new}", "  New: {to: new}\n  Given: {to: assigned}")
    rows = [
        a_row("A", "09:00", "New"),
        a_row("A", "09:05", "Active"),
        a_row("A", "09:10", "Resolved"),
        a_row("A", "09:15", "Given"),
    ]
    (arrow,) = import_log(desk, a_log(tmp_path / "a.csv", *rows), a_mapping(tmp_path / "m.yaml", text)).report.refused_arrows()
    assert (arrow.source, arrow.target, arrow.code) == ("resolved", "assigned", "lands_elsewhere")


def test_what_the_log_cannot_give_is_filled_by_the_mapping_and_said_to_be(desk: Desk) -> None:
    report = import_sample(desk, "incidents.csv").report
    assert report.filled == {"resolution": 2, "pending_reason": 1}
    told = events(desk.database, ticket_of(desk.database, "INC-1"))
    assert told[3].payload["imported"]["filled"] == ["pending_reason"]
    assert told[5].payload["imported"]["filled"] == ["resolution"]


def test_words_that_a_transition_asks_for_are_not_put_into_anybodys_mouth(desk: Desk) -> None:
    report = import_sample(desk, "problems.xes").report
    assert report.filled["comment"] == 0  # the close was refused: pending problems cannot be closed
    assert count(desk.database, Comment) == 0


def test_words_that_the_source_has_are_kept_as_comments(desk: Desk, tmp_path: Path) -> None:
    text = (SAMPLES / "incidents.yaml").read_text()
    text = text.replace("{to: on_hold, trigger: hold", "{to: on_hold, trigger: hold, comment: {from: what}")
    text = text.replace("New: {to: new}", "New: {to: new, comment: {from: what}}")
    rows = [
        a_row("A", "09:00", "New"),
        a_row("A", "09:05", "New"),
        a_row("A", "09:10", "Active"),
        a_row("A", "09:15", "Awaiting User Info"),
    ]
    import_log(desk, a_log(tmp_path / "a.csv", *rows), a_mapping(tmp_path / "m.yaml", text))
    assert count(desk.database, Comment, Comment.body == "Broken") == 2
    assert audit.verify(desk.database, desk.audit_key).findings == ()


def test_values_that_may_not_be_written_are_dropped_and_counted_but_recorded_if_so_chosen(desk: Desk, tmp_path: Path) -> None:
    late = a_row("A", "11:00", "Resolved").replace("2 - Medium;2 - Medium", "1 - High;2 - Medium")
    rows = [a_row("A", "09:00", "New"), a_row("A", "09:05", "Active"), a_row("A", "10:00", "Resolved"), late]
    log = a_log(tmp_path / "a.csv", *rows)
    text = (SAMPLES / "incidents.yaml").read_text()
    strict = import_log(desk, log, a_mapping(tmp_path / "m.yaml", text.replace("sample-desk", "strict")), Refused.REFUSE).report
    assert [(one.field, one.there, one.count) for one in strict.dropped.values()] == [("impact", "not_editable", 1)]
    assert dict(strict.fates) == {"created": 1, "moved": 2, "updated": 1}
    loose = import_log(desk, log, a_mapping(tmp_path / "m.yaml", text)).report
    assert dict(loose.fates) == {"created": 1, "moved": 2, "overridden": 1}
    assert events(desk.database, "INC0000002")[-1].payload["changes"]["impact"] == ["significant", "extensive"]


def test_derived_values_are_compared_with_those_of_the_source(desk: Desk) -> None:
    report = import_sample(desk, "incidents.csv").report
    assert report.compared == {"priority": 9}
    (difference,) = report.differs.values()
    assert (difference.field, difference.there, difference.here, difference.case) == ("priority", "p3", "p4", "INC-3")
    assert difference.count == 1


def test_a_status_can_open_a_linked_ticket_once(desk: Desk, tmp_path: Path) -> None:
    opens = '{to: =, opens: {workflow: problem, title: "Cause of {what}", link: caused_by}}'
    text = (SAMPLES / "incidents.yaml").read_text().replace("Active: {", f"Anomaly: {opens}\n  Active: {{")
    rows = [
        a_row("A", "09:00", "New"),
        *[a_row("A", "09:05", "Anomaly")] * 2,
        a_row("B", "09:00", "New"),
        a_row("B", "10:00", "Anomaly"),
    ]
    report = import_log(desk, a_log(tmp_path / "a.csv", *rows), a_mapping(tmp_path / "m.yaml", text)).report
    assert report.opened == 2
    assert story(desk.database, "PRB0000001") == [("created", "new"), ("linked", None)]
    assert [kind for kind, _ in story(desk.database, "INC0000001")] == ["created", "noted", "linked", "noted"]
    assert count(desk.database, Ticket) == 4
    with desk.database.session(write=False) as session:
        assert projection.differences(session) == []


VISIT = """
workflow: visit
title: Visit
number: VIS{:04d}
fields: {badge: {type: text}}
states: {new: {category: new, require: [badge]}, done: {category: closed}}
initial: new
transitions: {finish: [{from: new, to: done, by: [agent]}]}
"""
VISITS = """
import: visits
workflow: visit
read: {format: csv}
case: case
at: at
status: state
by: by
people: {login: "guest-{}", roles: agent}
fields: {badge: {from: badge}}
statuses: {came: {to: new}, left: {to: done}}
"""


def test_a_case_that_the_workflow_does_not_take_at_all_leaves_nothing_behind(desk: Desk, tmp_path: Path) -> None:
    visit, _ = language.load(VISIT, "visit.yaml", desk.vocabulary)
    assert visit is not None
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, {"visit": visit})
    found, findings = mapping.load(VISITS, "visits.yaml", {"visit": visit}, desk.vocabulary)
    assert found is not None, findings
    rows = [
        f"{case},2020-03-0{day}T10:00:00Z,{state},Kim,{badge}"
        for case, badge in (("A", "7"), ("B", ""), ("C", "8"))
        for day, state in ((1, "came"), (2, "left"))
    ]
    log = tmp_path / "visits.csv"
    log.write_text("case,at,state,by,badge\n" + "\n".join(rows) + "\n")
    strict = import_log(desk, log, found, Refused.REFUSE)
    assert dict(strict.report.cases) == {"read": 3, "imported": 2, "failed": 1}
    assert [(fault.case, fault.code) for fault in strict.faults] == [("B", "not_created")]
    assert [state for _, state in story(desk.database, "VIS0002")] == ["new", "done"]
    loose = import_log(desk, log, found)
    assert dict(loose.report.cases) == {"read": 3, "imported": 1, "already_imported": 2}
    assert events(desk.database, "VIS0003")[0].payload["override"] is True
    assert events(desk.database, "VIS0003")[0].payload["code"] == "required"


def test_the_figures_add_up(desk: Desk) -> None:
    for name in ("incidents.csv", "problems.xes"):
        told = import_sample(desk, name).report.as_json()
        fates = told["events"]
        assert sum(count for fate, count in fates.items() if fate != "imported") == fates["imported"]
        refused = sum(arrow["count"] for arrow in told["refused"])
        assert refused == fates["overridden"] + fates["refused"]
        assert told["moves"]["allowed"] == fates["moved"]
