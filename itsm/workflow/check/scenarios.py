"""The rule about scenarios: what a process owner wrote down as an example must be what happens."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.findings import Severity
from itsm.workflow.scenario import run


@rule("scenario-failed", Severity.ERROR)
def scenario_failed(subject: Subject) -> Iterator[Fault]:
    """A scenario goes otherwise than it is written. It is played without a database; the finding is at the step that fails."""
    if subject.process is not None:
        for scenario in subject.workflow.scenarios:
            for failure in run(subject.process, scenario).failures:
                yield Fault(failure.at, f"Scenario “{scenario.name}”: {failure.message}", failure.hint)
