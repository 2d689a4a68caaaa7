"""Publishing a workflow: proved, then kept as an immutable version that new tickets are born with.

A changed file takes effect by publishing, never by a restart; tickets stay on the version they were born with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind, not_found
from itsm.platform.schema import table
from itsm.tickets.desk import Tx
from itsm.tickets.models import NumberCounter, WorkflowVersion
from itsm.workflow import language
from itsm.workflow.check import check
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding, Severity

_VERSIONS, _COUNTERS = table(WorkflowVersion), table(NumberCounter)
_COLUMNS = (
    WorkflowVersion.id,
    WorkflowVersion.name,
    WorkflowVersion.digest,
    WorkflowVersion.title,
    WorkflowVersion.published_at,
    WorkflowVersion.published_by,
    WorkflowVersion.is_current,
)
_CURRENT = Prepared(
    sa.select(*_COLUMNS, WorkflowVersion.source).where(WorkflowVersion.is_current).order_by(WorkflowVersion.name)
)
_OF_NAME = Prepared(
    sa.select(*_COLUMNS, WorkflowVersion.source)
    .where(WorkflowVersion.name == sa.bindparam("name"))
    .order_by(WorkflowVersion.is_current.desc(), WorkflowVersion.id.desc())
)
_RETIRE = Prepared(
    sa.update(_VERSIONS).where(_VERSIONS.c.name == sa.bindparam("of"), _VERSIONS.c.is_current).values(is_current=False)
)
_REINSTATE = Prepared(sa.update(_VERSIONS).where(_VERSIONS.c.id == sa.bindparam("this")).values(is_current=True))
_INSERT = Prepared(
    sa.insert(_VERSIONS).values(
        {name: sa.bindparam(name) for name in ("name", "digest", "title", "source", "published_at", "published_by")}
        | {"is_current": True}
    )
)
_COUNTER = Prepared(sa.select(NumberCounter.last).where(NumberCounter.type == sa.bindparam("type")))
_NEW_COUNTER = Prepared(sa.insert(_COUNTERS).values(type=sa.bindparam("type"), last=0))


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a workflow."""

    id: int
    name: str
    digest: str
    title: str
    source: str
    published_at: datetime
    published_by: str
    is_current: bool


class Unsound(DeskError):
    """A definition with errors: `findings` say which and where."""

    def __init__(self, findings: list[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        words = "; ".join(f"{finding.at}: {finding.message}" for finding in errors[:5])
        super().__init__(Kind.INVALID, "workflow_unsound", f"The workflow has {len(errors)} error(s): {words}")
        self.findings = findings


def publish(tx: Tx, workflows: Mapping[str, Workflow]) -> list[str]:
    """Make these definitions current; the names of those whose content is new or different. Raises `Unsound`."""
    tx.session.take_time()
    findings = check(workflows, tx.desk.vocabulary)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Unsound(findings)
    return [workflow.name for workflow in workflows.values() if _make_current(tx, workflow)]


def publish_directory(tx: Tx, directory: Path) -> list[str]:
    """Publish every file of a directory, all or none. Raises `Unsound`."""
    tx.session.take_time()
    workflows, findings = language.load_directory(directory, tx.desk.vocabulary)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Unsound(findings)
    return publish(tx, workflows)


def current(tx: Tx) -> list[Version]:
    """The current version of every workflow, by name."""
    return [_version(row) for row in tx.session.all(_CURRENT)]


def current_workflows(tx: Tx) -> dict[str, Workflow]:
    """The definitions that are current, by name."""
    return {version.name: tx.desk.processes.definition(version.source) for version in current(tx)}


def versions(tx: Tx, name: str) -> list[Version]:
    """Every version of a workflow, the current one first, then the newest. Raises `not_found`."""
    found = [_version(row) for row in tx.session.all(_OF_NAME, name=name)]
    if not found:
        raise not_found("workflow", name)
    return found


def _make_current(tx: Tx, workflow: Workflow) -> bool:
    known = tx.session.all(_OF_NAME, name=workflow.name)
    same = next((row for row in known if row.digest == workflow.digest), None)
    if same is not None and same.is_current:
        return False
    tx.session.run(_RETIRE, of=workflow.name)
    if same is not None:
        tx.session.run(_REINSTATE, this=same.id)
    else:
        tx.session.run(
            _INSERT,
            name=workflow.name,
            digest=workflow.digest,
            title=workflow.title,
            source=workflow.source,
            published_at=tx.now,
            published_by=tx.actor.login,
        )
        tx.desk.processes.know(workflow)
    if tx.session.first(_COUNTER, type=workflow.name) is None:
        tx.session.run(_NEW_COUNTER, type=workflow.name)
    return True


def _version(row: Any) -> Version:
    return Version(row.id, row.name, row.digest, row.title, row.source, row.published_at, row.published_by, row.is_current)
