"""A log becomes tickets: each case whole or not at all, with its own times and people, every step asked of the workflow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from itsm.imports import mapping
from itsm.imports.mapping import LogMapping
from itsm.imports.models import ImportedCase
from itsm.people.access import SYSTEM, Channel
from itsm.people.models import Group, User
from itsm.platform.database import Database, Prepared
from itsm.platform.time import FrozenClock
from itsm.platform.work import OutboxMessage, Timer
from itsm.tickets import audit, projection, publishing
from itsm.tickets.desk import Desk
from itsm.tickets.models import Comment, NumberCounter, Ticket
from itsm.tickets.story import Refused
from itsm.workflow import language
from tests.imports.desk import (
    SAMPLES,
    a_mapping,
    count,
    events,
    import_log,
    import_sample,
    mapping_of,
    story,
)

BERLIN_WINTER = timedelta(hours=1)
HEADER = "ticket;changed;state;by;caller;team;owner;impact;urgency;priority;code;opened;opened by;what"


def a_log(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def a_row(ticket: str, changed: str, state: str, owner: str = "Anna", by: str = "Anna", more: str = "") -> str:
    date = f"02-03-2020 {changed}"
    return f"{ticket};{date};{state};{by};Bob;Team 1;{owner};2 - Medium;2 - Medium;3 - Moderate;?;?;?;Broken{more}"


def sample() -> LogMapping:
    return mapping_of(SAMPLES / "incidents.yaml")


def ticket_of(database: Database, case: str) -> str:
    statement = sa.select(Ticket.number).join(ImportedCase, ImportedCase.ticket_id == Ticket.id)
    with database.session(write=False) as session:
        return str(session.one(Prepared(statement.where(ImportedCase.case_id == sa.bindparam("case"))), case=case).number)


# What becomes of a case


def test_every_case_becomes_a_ticket_that_went_the_same_way(desk: Desk) -> None:
    report = import_sample(desk, "incidents.csv").report
    assert dict(report.cases) == {"read": 3, "imported": 3}
    assert story(desk.database, ticket_of(desk.database, "INC-1")) == [
        ("created", "new"),
        ("noted", None),
        ("moved", "in_progress"),
        ("moved", "on_hold"),
        ("moved", "in_progress"),
        ("moved", "resolved"),
        ("moved", "closed"),
    ]


def test_each_step_has_its_own_instant_and_the_present_as_the_moment_it_was_recorded(desk: Desk, clock: FrozenClock) -> None:
    import_sample(desk, "incidents.csv")
    told = events(desk.database, ticket_of(desk.database, "INC-1"))
    assert told[0].at == datetime(2020, 3, 2, 8, 55, tzinfo=UTC) - BERLIN_WINTER
    assert told[-1].at == datetime(2020, 3, 6, 18, 0, tzinfo=UTC) - BERLIN_WINTER
    assert {event.recorded_at for event in told} == {clock.now()}


def test_each_step_is_told_of_whoever_took_it(desk: Desk) -> None:
    import_sample(desk, "incidents.csv")
    told = events(desk.database, ticket_of(desk.database, "INC-1"))
    assert [event.actor for event in told] == [
        "sample-bob",
        "sample-anna",
        "sample-anna",
        "sample-anna",
        "sample-anna",
        "sample-carl",
        "sample-batch",
    ]


def test_events_of_one_instant_stay_in_the_order_of_the_file_and_others_are_put_into_that_of_time(
    desk: Desk, tmp_path: Path
) -> None:
    rows = [
        a_row("A", "10:00", "Resolved"),
        a_row("A", "09:00", "New"),
        a_row("A", "09:30", "Active"),
        a_row("A", "09:30", "Awaiting User Info"),
        a_row("A", "09:30", "Active"),
    ]
    report = import_log(desk, a_log(tmp_path / "a.csv", *rows), sample()).report
    assert not report.arrows
    assert [state for _, state in story(desk.database, "INC0000001")] == [
        "new",
        "in_progress",
        "on_hold",
        "in_progress",
        "resolved",
    ]


def test_the_ticket_row_its_events_and_their_seals_agree(desk: Desk) -> None:
    import_sample(desk, "incidents.csv")
    import_sample(desk, "problems.xes")
    with desk.database.session(write=False) as session:
        assert projection.differences(session) == []
    assert audit.verify(desk.database, desk.audit_key).findings == ()


def test_numbers_have_no_gaps_whatever_failed(desk: Desk, tmp_path: Path) -> None:
    rows = [a_row("A", "09:00", "New"), a_row("B", "09:00", "New", more=";too many"), a_row("C", "09:00", "New")]
    import_log(desk, a_log(tmp_path / "a.csv", *rows), sample())
    with desk.database.session(write=False) as session:
        last = session.one(Prepared(sa.select(NumberCounter.last).where(NumberCounter.type == "incident"))).last
    assert last == 2 == count(desk.database, Ticket)


# People and things


def test_people_who_come_with_a_log_cannot_sign_in_and_groups_are_made(desk: Desk) -> None:
    report = import_sample(desk, "incidents.csv").report
    assert report.made == {"organisation": 1, "group": 2, "user": 7}
    assert count(desk.database, User, User.login.like("sample-%"), User.active) == 0
    assert count(desk.database, Group, Group.key.like("sample-%")) == 2


def test_people_whose_names_differ_by_an_accent_are_not_taken_for_each_other(desk: Desk) -> None:
    import_sample(desk, "incidents.csv")
    told = events(desk.database, ticket_of(desk.database, "INC-2"))
    assert told[0].actor != told[-1].actor == "sample-goran"


def test_somebody_who_has_an_account_stays_as_he_is(desk: Desk, tmp_path: Path) -> None:
    text = (SAMPLES / "incidents.yaml").read_text().replace('login: "sample-{}"', 'login: "{}"')
    log = a_log(tmp_path / "a.csv", a_row("A", "09:00", "New"), a_row("A", "10:00", "Active", by="G1", owner="G1"))
    import_log(desk, log, a_mapping(tmp_path / "m.yaml", text))
    assert events(desk.database, "INC0000001")[-1].actor == "g1"
    assert count(desk.database, User, User.login == "g1", User.active) == 1


def test_whoever_took_a_step_of_which_the_log_does_not_say_who_is_unknown(desk: Desk, tmp_path: Path) -> None:
    import_log(desk, a_log(tmp_path / "a.csv", a_row("A", "09:00", "New", by="?")), sample())
    assert events(desk.database, "INC0000001")[0].actor == "sample-unknown"


def test_who_a_ticket_lies_with_is_as_the_source_says_even_if_the_transition_sets_it(desk: Desk) -> None:
    import_sample(desk, "incidents.csv")
    resumed = events(desk.database, ticket_of(desk.database, "INC-1"))[4]
    assert resumed.payload["changes"]["assignee"] == ["sample-anna", "sample-carl"]


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


# The past is told, not lived again


def test_nobody_is_notified_and_nothing_leaves_the_house(desk: Desk) -> None:
    import_sample(desk, "incidents.csv")
    import_sample(desk, "problems.xes")
    assert count(desk.database, OutboxMessage) == 0


def test_timers_are_armed_only_for_what_is_still_open_and_none_is_due_at_once(desk: Desk, clock: FrozenClock) -> None:
    import_sample(desk, "incidents.csv")
    with desk.database.session(write=False) as session:
        armed = session.all(
            Prepared(sa.select(Timer.name, Timer.due_at, Ticket.number).join(Ticket, Ticket.id == Timer.ticket_id))
        )
    assert [(timer.name, timer.number) for timer in armed] == [("auto_close", ticket_of(desk.database, "INC-2"))]
    assert all(timer.due_at > clock.now() for timer in armed)


def test_a_timer_that_has_not_run_out_yet_keeps_its_original_instant(desk: Desk, clock: FrozenClock, tmp_path: Path) -> None:
    rows = [a_row("A", "09:00", "New"), a_row("A", "09:05", "Active"), a_row("A", "09:30", "Resolved")]
    clock.set(datetime(2020, 3, 3, 9, 0, tzinfo=UTC))
    import_log(desk, a_log(tmp_path / "a.csv", *rows), sample())
    with desk.database.session(write=False) as session:
        (timer,) = session.all(Prepared(sa.select(Timer.due_at)))
    assert timer.due_at == datetime(2020, 3, 9, 11, 0, tzinfo=UTC)  # five working days of office hours


# All or nothing, and once


def test_doing_it_again_adds_nothing(desk: Desk) -> None:
    import_sample(desk, "incidents.csv")
    before = count(desk.database, Ticket)
    again = import_sample(desk, "incidents.csv").report
    assert dict(again.cases) == {"read": 3, "already_imported": 3}
    assert again.events == 0
    assert again.complete
    assert count(desk.database, Ticket) == before


def test_an_import_that_was_broken_off_goes_on_where_it_was(desk: Desk) -> None:
    import_log(desk, SAMPLES / "incidents.csv", sample(), limit=1)
    report = import_sample(desk, "incidents.csv").report
    assert dict(report.cases) == {"read": 3, "already_imported": 1, "imported": 2}


def test_two_imports_of_one_log_at_a_time_import_it_once(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as pool:
        reports = [done.report for done in pool.map(lambda name: import_sample(desk, name), ["incidents.csv"] * 2)]
    assert sum(report.cases["imported"] for report in reports) == 3
    assert sum(report.cases["already_imported"] for report in reports) == 3
    assert count(desk.database, Ticket) == 3
    with desk.database.session(write=False) as session:
        assert projection.differences(session) == []


def test_the_same_case_of_another_source_is_another_case(desk: Desk, tmp_path: Path) -> None:
    import_sample(desk, "incidents.csv")
    text = (SAMPLES / "incidents.yaml").read_text().replace("import: sample-desk", "import: other-desk")
    assert import_log(desk, SAMPLES / "incidents.csv", a_mapping(tmp_path / "m.yaml", text)).report.cases["imported"] == 3


def test_a_case_with_one_bad_row_fails_as_a_whole_and_the_others_are_imported(desk: Desk, tmp_path: Path) -> None:
    bad = a_row("B", "09:05", "Active").replace("02-03-2020 09:05", "31-02-2020 09:05")
    rows = [a_row("A", "09:00", "New"), a_row("B", "09:00", "New"), bad, a_row("C", "09:00", "New")]
    imported = import_log(desk, a_log(tmp_path / "a.csv", *rows), sample())
    assert dict(imported.report.cases) == {"read": 3, "imported": 2, "failed": 1}
    (fault,) = imported.faults
    assert (fault.line, fault.case, fault.code) == (4, "B", "bad_time")
    assert "31-02-2020" in fault.message
    assert isinstance(fault.raw, dict)
    assert not imported.report.complete


def test_each_thing_that_makes_a_row_bad_has_a_code(desk: Desk, tmp_path: Path) -> None:
    good = a_row("X", "09:00", "New")
    bad = {
        "missing_time": good.replace("02-03-2020 09:00", "?"),
        "missing_status": good.replace(";New;", ";?;"),
        "bad_value": good.replace("2 - Medium", "9 - Odd"),
        "in_the_future": good.replace("2020", "2999"),
        "wrong_columns": good + ";more",
    }
    for number, (code, row) in enumerate(bad.items()):
        (fault,) = import_log(desk, a_log(tmp_path / f"{number}.csv", row), sample()).faults
        assert fault.code == code
    assert count(desk.database, Ticket) == 0


def test_a_case_that_stands_twice_in_a_log_is_imported_once_and_told(desk: Desk, tmp_path: Path) -> None:
    log = tmp_path / "twice.xes"
    traces = (SAMPLES / "problems.xes").read_text()
    begin, end = traces.index("<trace>"), traces.rindex("</trace>") + len("</trace>")
    log.write_text(traces[:end] + traces[begin:end] + "</log>")
    imported = import_log(desk, log, SAMPLES / "problems.yaml")
    assert imported.report.cases["imported"] == 2
    assert [fault.code for fault in imported.faults] == ["double_case", "double_case"]


def test_where_a_log_breaks_off_what_came_before_is_imported(desk: Desk, tmp_path: Path) -> None:
    log = tmp_path / "cut.xes"
    text = (SAMPLES / "problems.xes").read_text()
    log.write_text(text[: text.rindex("<event>")])
    report = import_log(desk, log, SAMPLES / "problems.yaml").report
    assert report.cases["imported"] == 1
    assert report.stopped is not None
    assert report.stopped.startswith(f"{log}:")
    assert not report.complete


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


def test_the_limit_counts_cases(desk: Desk) -> None:
    report = import_log(desk, SAMPLES / "incidents.csv", sample(), limit=2).report
    assert report.cases["read"] == 2


def test_the_figures_add_up(desk: Desk) -> None:
    for name in ("incidents.csv", "problems.xes"):
        told = import_sample(desk, name).report.as_json()
        fates = told["events"]
        assert sum(count for fate, count in fates.items() if fate != "imported") == fates["imported"]
        refused = sum(arrow["count"] for arrow in told["refused"])
        assert refused == fates["overridden"] + fates["refused"]
        assert told["moves"]["allowed"] == fates["moved"]
