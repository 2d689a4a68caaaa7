"""Three logs of real desks, which nobody here wrote: their first cases, by the mappings that are shipped.

They are not part of the project; where they are not at hand, these tests are skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.imports.report import Report
from itsm.platform.database import Database
from itsm.platform.settings import PROJECT_ROOT
from itsm.tickets import audit, projection
from itsm.tickets.desk import Desk
from itsm.tickets.models import Ticket
from tests.imports.desk import count, import_log

LOGS = PROJECT_ROOT.parent / "shared" / "data" / "logs"
MAPPINGS = PROJECT_ROOT / "config" / "imports"
CASES = 60

FILES = {
    "bpi2013_closed_problems": "bpi2013_closed_problems.xes.gz",
    "helpdesk_it": "helpdesk_it.xes.gz",
    "servicenow_incidents_890": "servicenow_incidents_890.csv",
}


def log_of(name: str) -> Path:
    path = LOGS / FILES[name]
    if not path.exists():
        pytest.skip(f"{path} is not at hand: the logs of real desks are not part of the project")
    return path


def first_cases(desk: Desk, name: str) -> Report:
    imported = import_log(desk, log_of(name), MAPPINGS / f"{name}.yaml", limit=CASES)
    assert imported.faults == []
    return imported.report


def sound(database: Database, key: bytes) -> bool:
    with database.session(write=False) as session:
        return projection.differences(session) == [] and not audit.verify(database, key).findings


@pytest.mark.parametrize("name", FILES)
def test_the_first_cases_of_a_real_log_become_sound_tickets(desk: Desk, name: str) -> None:
    report = first_cases(desk, name)
    assert report.cases["imported"] == CASES
    assert report.accepted > 0.75
    assert sound(desk.database, desk.audit_key)
    assert first_cases(desk, name).cases["already_imported"] == CASES


def test_problems_come_to_lie_where_they_lay_and_all_are_closed(desk: Desk) -> None:
    first_cases(desk, "bpi2013_closed_problems")
    assert count(desk.database, Ticket, Ticket.state == "closed") == CASES


def test_an_anomaly_of_the_software_opens_a_linked_problem(desk: Desk) -> None:
    report = import_log(desk, log_of("helpdesk_it"), MAPPINGS / "helpdesk_it.yaml", limit=200).report
    assert report.opened > 0
    assert count(desk.database, Ticket, Ticket.type == "problem") == report.opened


def test_priorities_are_derived_just_as_the_real_desk_derived_them(desk: Desk) -> None:
    report = first_cases(desk, "servicenow_incidents_890")
    assert report.compared["priority"] == report.events
    assert report.differs == {}
