"""A process is ready before it takes its turn."""

from __future__ import annotations

from collections.abc import Callable

from itsm.app import assemble
from itsm.platform.database import Database
from itsm.platform.time import FrozenClock
from itsm.sla.agreements import Source
from itsm.sla.policy import Agreement
from itsm.tickets.desk import Processes
from itsm.workflow.definition import Workflow
from tests.service import a_service, configuration, read_agreement, settings
from tests.tickets.doing import an_incident_in_progress


class Reading(Processes):
    """Notes which definitions it had to read."""

    read: list[str]

    def definition(self, text: str) -> Workflow:
        self.read.append(text)
        return super().definition(text)


def noting(read: Callable[[Source], Agreement], noted: list[str]) -> Callable[[Source], Agreement]:
    def reads(source: Source) -> Agreement:
        noted.append(source.digest)
        return read(source)

    return reads


def test_a_warm_desk_reads_no_definition_and_no_promise_for_its_first_ticket(database: Database, clock: FrozenClock) -> None:
    a_service(database, clock)
    processes = Reading(configuration().vocabulary)
    processes.read = []
    agreements: list[str] = []
    service = assemble(
        settings(database.url, None), configuration(), clock, database, processes, noting(read_agreement(), agreements)
    )
    service.warm_up()
    assert (len(processes.read) > 1, len(agreements)) == (True, 1)
    processes.read.clear()
    agreements.clear()
    an_incident_in_progress(service.desk)
    assert (processes.read, agreements) == ([], [])
