"""The starting set of `config/`: organisations, groups and services that a first start loads; kept in the database
afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from itsm.people import commands as people
from itsm.people import places
from itsm.people.roles import entries
from itsm.platform.database import Session
from itsm.platform.errors import DeskError, Kind
from itsm.services import commands as services
from itsm.services.rules import Criticality
from itsm.workflow import calendars


def load_starting_set(session: Session, config_dir: Path) -> None:
    """Make what `organisations.yaml` and `services.yaml` name and the database does not have yet.

    The plans of organisations and the calendars of groups follow the file each time. Raises `DeskError`: `bad_configuration`
    with each fault's place, `not_found` for a service's group that does not exist.
    """
    hours, _ = calendars.load_file(config_dir / "calendars.yaml")
    told = entries(config_dir / "organisations.yaml")
    offered = entries(config_dir / "services.yaml")
    _refuse_unknown({**told.get("groups", {}), **offered}, "calendar", hours)
    _refuse_unknown(offered, "criticality", list(Criticality))
    for key, says in told.get("organisations", {}).items():
        people.ensure_organisation(session, key, says.get("title") or key)
        if says.get("plan"):
            places.set_plan(session, key, says["plan"])
    for key, says in told.get("groups", {}).items():
        people.ensure_group(session, key, says.get("title") or key, restricted=bool(says.get("restricted")))
        if says.get("calendar"):
            places.set_calendar(session, key, says["calendar"])
    for key, says in offered.items():
        services.ensure_service(
            session, key, says.get("title") or key, says.get("group"), says.get("criticality"), says.get("calendar")
        )


def _refuse_unknown(told: Mapping[str, Mapping[str, Any]], word: str, known: Collection[str]) -> None:
    faults = [
        f"{key}: there is no {word} “{says[word]}”; there are {', '.join(known)}"
        for key, says in told.items()
        if says.get(word) and says[word] not in known
    ]
    if faults:
        raise DeskError(Kind.SETUP, "bad_configuration", "; ".join(faults))
