"""The starting set of `config/`: organisations, groups and services that a first start loads; kept in the database
afterwards.
"""

from __future__ import annotations

from pathlib import Path

from itsm.people import commands as people
from itsm.people.roles import entries
from itsm.platform.database import Session
from itsm.services import commands as services


def load_starting_set(session: Session, config_dir: Path) -> None:
    """Make what `organisations.yaml` and `services.yaml` name and the database does not have yet.

    Raises `DeskError`: `bad_configuration` with each fault's place, `not_found` for a service's group that does not exist.
    """
    told = entries(config_dir / "organisations.yaml")
    for key, says in told.get("organisations", {}).items():
        people.ensure_organisation(session, key, says.get("title") or key)
    for key, says in told.get("groups", {}).items():
        people.ensure_group(session, key, says.get("title") or key, restricted=bool(says.get("restricted")))
    for key, says in entries(config_dir / "services.yaml").items():
        services.ensure_service(session, key, says.get("title") or key, says.get("group"))
