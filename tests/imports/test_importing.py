"""A log becomes tickets: each case whole or not at all, with its own times and people, every step asked of the workflow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from itsm.people.models import Group, User
from itsm.platform.database import Prepared
from itsm.platform.time import FrozenClock
from itsm.platform.work import OutboxMessage, Timer
from itsm.tickets import audit, projection
from itsm.tickets.desk import Desk
from itsm.tickets.models import NumberCounter, Ticket
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

BERLIN_WINTER = timedelta(hours=1)

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


def test_the_limit_counts_cases(desk: Desk) -> None:
    report = import_log(desk, SAMPLES / "incidents.csv", sample(), limit=2).report
    assert report.cases["read"] == 2
