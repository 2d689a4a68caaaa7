"""The starting set of `config/`: organisations, groups and services that a first start loads; kept in the database
afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from itsm.people import commands as people
from itsm.platform.database import Session
from itsm.platform.errors import DeskError, Kind
from itsm.services import commands as services
from itsm.workflow import source


def load_starting_set(session: Session, config_dir: Path) -> None:
    """Make what `organisations.yaml` and `services.yaml` name and the database does not have yet."""
    told = read(config_dir / "organisations.yaml")
    for key, says in (told.get("organisations") or {}).items():
        people.ensure_organisation(session, key, says.get("title") or key)
    for key, says in (told.get("groups") or {}).items():
        people.ensure_group(session, key, says.get("title") or key, restricted=bool(says.get("restricted")))
    for key, says in read(config_dir / "services.yaml").items():
        services.ensure_service(session, key, says.get("title") or key, says.get("group"))


def read(path: Path) -> dict[str, Any]:
    """A configuration file as plain values. Raises `DeskError` (`bad_configuration`) with each fault's place."""
    text, findings = source.read(path)
    node = None
    if text is not None:
        node, findings = source.parse(text, str(path))
    if findings or not isinstance(node, source.Mapping):
        words = "; ".join(f"{finding.at}: {finding.message}" for finding in findings) or f"{path}: a mapping is expected"
        raise DeskError(Kind.SETUP, "bad_configuration", words)
    plain: dict[str, Any] = source.plain(node)  # type: ignore[assignment]  # a Mapping node gives a dict
    return plain
