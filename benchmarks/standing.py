"""What the desk does besides answering: looking whether anything is due, importing a log, proving the event log."""

from __future__ import annotations

import csv
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.fill import run_scripts
from itsm.imports.commands import Import
from itsm.imports.opening import opened_log, read_mapping
from itsm.platform.database import Database
from itsm.platform.settings import PROJECT_ROOT
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import SystemClock
from itsm.tickets import audit
from itsm.tickets.story import Refused
from tests import service as people
from tests.tickets.corpus import KEY, Log

LOOKS = 300
CASES = 1000
TICKETS, EVENTS_EACH = 2000, 20
MAPPING = PROJECT_ROOT / "config/imports/servicenow_incidents_890.yaml"
_STORY = ("New", "Active", "Awaiting User Info", "Active", "Resolved", "Closed")
_COLUMNS = (
    *("number", "incident_state", "sys_updated_at", "sys_updated_by", "opened_at", "opened_by", "caller_id", "assigned_to"),
    *("assignment_group", "cmdb_ci", "category", "subcategory", "u_symptom", "impact", "urgency", "priority", "location"),
    *("contact_type", "made_sla", "reassignment_count", "reopen_count", "problem_id", "rfc"),
)


def idle_sweep(database: Database, armed: int) -> float:
    """Milliseconds (median) to find that nothing is due, with so many timers armed."""
    clock = SystemClock()
    later = int((clock.now() + timedelta(days=1)).timestamp() * 1_000_000)
    series = f"generate_series(1, {armed}) AS s(n)"
    if not database.is_postgresql:
        series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {armed}) SELECT n FROM s) AS s"
    columns = "ticket_id, kind, name, cycle, due_at, payload, fence, attempts"
    values = f"n, 'workflow', 'chase', 0, {later} + n, '{{}}', 0, 0"
    run_scripts(database, [f"INSERT INTO timers ({columns}) SELECT {values} FROM {series}", "ANALYZE"])
    sweeper = Sweeper(database, clock, {})
    taken = []
    for _ in range(LOOKS):
        begun = time.perf_counter()
        sweeper.sweep()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def imported_per_second(database: Database, home: Path) -> float:
    """Events of a generated log that `itsm import` makes tickets of, each second."""
    desk = people.a_service(database, SystemClock(), home).desk
    mapping = read_mapping(MAPPING, people.practices(), desk.vocabulary)
    log = home / "log.csv"
    _write_log(log)
    faults: list[object] = []
    begun = time.perf_counter()
    with opened_log(log, mapping) as stream:
        report = Import(desk, mapping, Refused.RECORD, str(log), faults.append).run(stream)
    elapsed = time.perf_counter() - begun
    assert not faults, faults[:3]
    return report.events / elapsed


def proved_per_second(database: Database) -> float:
    """Events whose links, seals and marks are proved, each second."""
    log = Log(database, SystemClock())
    for _ in range(TICKETS):
        log.open(EVENTS_EACH)
    audit.checkpoint(database, KEY, SystemClock())
    begun = time.perf_counter()
    report = audit.verify(database, KEY)
    elapsed = time.perf_counter() - begun
    assert (report.rows, report.findings) == (TICKETS * EVENTS_EACH, ()), report
    return report.rows / elapsed


def _write_log(path: Path) -> None:
    """Incidents as ServiceNow exports them: a row for each update, with all that the incident was after it."""
    start = datetime(2020, 1, 6, 8, 0, tzinfo=UTC)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        for case in range(CASES):
            opened = start + timedelta(minutes=11 * case)
            for step, state in enumerate(_STORY):
                at, by = opened + timedelta(hours=5 * step), f"Resolver {case % 40}"
                head = (f"INC{case:07d}", state, _minute(at), by, _minute(opened), by, f"Caller {case % 300}", by)
                middle = (f"Group {case % 12}", "?", f"Category {case % 9}", f"Subcategory {case % 50}", "Symptom 1")
                rows.writerow(
                    (*head, *middle, "2 - Medium", "2 - Medium", "3 - Moderate", "?", "Phone", "true", 0, 0, "?", "?")
                )


def _minute(at: datetime) -> str:
    return at.strftime("%d-%m-%Y %H:%M")
