"""Publishing the catalogue: proved, then each item kept as an immutable version that new orders are filled under.

A changed file takes effect by publishing, never by a restart. What is no longer in the files is no longer offered; requests
that were filled under it keep their form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from itsm.catalog import reading
from itsm.catalog.definition import Catalog, Item
from itsm.catalog.models import CatalogVersion
from itsm.people.models import Group
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import table
from itsm.services.models import Service
from itsm.tickets import publishing
from itsm.tickets.desk import Tx
from itsm.workflow.definition import Position
from itsm.workflow.findings import Finding, Severity

DIRECTORY = "catalog"
"""Where the catalogue lies in the directory of the configuration."""

_VERSIONS = table(CatalogVersion)
_ALL = Prepared(sa.select(CatalogVersion.id, CatalogVersion.item, CatalogVersion.digest, CatalogVersion.is_current))
_RETIRE = Prepared(
    sa.update(_VERSIONS).where(_VERSIONS.c.item == sa.bindparam("of"), _VERSIONS.c.is_current).values(is_current=False)
)
_REINSTATE = Prepared(sa.update(_VERSIONS).where(_VERSIONS.c.id == sa.bindparam("this")).values(is_current=True))
_INSERT = Prepared(
    sa.insert(_VERSIONS).values(
        {name: sa.bindparam(name) for name in ("item", "digest", "title", "source", "published_at", "published_by")}
        | {"is_current": True}
    )
)
_GROUPS, _SERVICES = Prepared(sa.select(Group.key)), Prepared(sa.select(Service.key))


class Unsound(DeskError):
    """A catalogue with errors: `findings` say which and where."""

    def __init__(self, findings: list[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        words = "; ".join(f"{finding.at}: {finding.message}" for finding in errors[:5])
        super().__init__(Kind.INVALID, "catalog_unsound", f"The catalogue has {len(errors)} error(s): {words}")
        self.findings = findings


def publish_directory(tx: Tx, directory: Path) -> list[str]:
    """Publish what a directory offers, all or nothing; the keys of items that are new, different or gone. Raises `Unsound`.

    Items are checked against the workflows that are published at that moment.
    """
    tx.session.take_time()
    catalog, findings = reading.load_directory(directory, tx.desk.vocabulary, publishing.current_workflows(tx))
    if not any(finding.severity is Severity.ERROR for finding in findings):
        findings += unknown_here(tx, catalog)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Unsound(findings)
    return publish(tx, catalog)


def publish(tx: Tx, catalog: Catalog) -> list[str]:
    """Make this the catalogue that is offered; the keys of items that are new, different or gone."""
    known: dict[str, list[Any]] = {}
    for row in tx.session.all(_ALL):
        known.setdefault(row.item, []).append(row)
    changed = [item.key for item in catalog.items.values() if _make_current(tx, item, known.get(item.key, []))]
    for key, versions in known.items():
        if key not in catalog.items and any(row.is_current for row in versions):
            tx.session.run(_RETIRE, of=key)
            changed.append(key)
    return changed


def unknown_here(tx: Tx, catalog: Catalog) -> list[Finding]:
    """Groups and services that items name and this desk does not have."""
    groups = {row.key for row in tx.session.all(_GROUPS)}
    services = {row.key for row in tx.session.all(_SERVICES)}
    found = []
    for item in catalog.items.values():
        if item.service.key not in services:
            found.append(_unknown("service", item.service.key, item.at))
        named = [(item.group, item.at), *((task.group, task.at) for task in item.tasks.values())]
        found += [_unknown("group", group, at) for group, at in named if isinstance(group, str) and group not in groups]
    return found


def _unknown(noun: str, key: str, at: Position) -> Finding:
    return Finding(f"unknown-{noun}", Severity.ERROR, f"This desk has no {noun} “{key}”.", at)


def _make_current(tx: Tx, item: Item, known: list[Any]) -> bool:
    same = next((row for row in known if row.digest == item.digest), None)
    if same is not None and same.is_current:
        return False
    tx.session.run(_RETIRE, of=item.key)
    if same is not None:
        tx.session.run(_REINSTATE, this=same.id)
        return True
    tx.session.run(
        _INSERT,
        item=item.key,
        digest=item.digest,
        title=item.title,
        source=item.source,
        published_at=tx.now,
        published_by=tx.actor.login,
    )
    return True
