"""Reading `config/roles.yaml`: which permissions each role gives, those of the roles it includes among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from itsm.people.access import Permission, Roles
from itsm.platform.errors import DeskError, Kind
from itsm.workflow import source


def entries(path: Path) -> dict[str, dict[str, Any]]:
    """What a file of `config/` says under each key, which may be nothing.

    Raises `DeskError` (`bad_configuration`) with each fault's place.
    """
    node, findings = source.parse_file(path)
    if not findings and not isinstance(node, source.Mapping):
        raise DeskError(Kind.SETUP, "bad_configuration", f"{path}: {path.stem} are expected")
    if findings:
        words = "; ".join(f"{finding.at}: {finding.message}" for finding in findings)
        raise DeskError(Kind.SETUP, "bad_configuration", words)
    said: dict[str, Any] = source.plain(node)  # type: ignore[assignment, arg-type]  # a Mapping node gives a dict
    told = {key: {} if says is None else says for key, says in said.items()}
    faults = [f"{path}: {key}: a mapping is expected" for key, says in told.items() if not isinstance(says, dict)]
    if faults:
        raise DeskError(Kind.SETUP, "bad_configuration", "; ".join(faults))
    return told


def load(path: Path) -> Roles:
    """The roles of an installation.

    Raises `DeskError` (`bad_configuration`) naming every fault: text that is no YAML, an unknown permission or included role,
    roles that include each other.
    """
    told = entries(path)
    faults = [
        f"{path}: {role}: there is no permission {word}"
        for role, says in told.items()
        for word in says.get("may") or ()
        if word not in set(Permission)
    ]
    faults += [
        f"{path}: {role}: there is no role {other}"
        for role, says in told.items()
        for other in says.get("includes") or ()
        if other not in told
    ]
    if faults:
        raise DeskError(Kind.SETUP, "bad_configuration", "; ".join(faults))
    included = {role: _included(told, role, ()) for role in told}
    permissions = {
        role: frozenset(word for each in (role, *included[role]) for word in told[each].get("may") or ()) for role in told
    }
    return Roles(permissions, included)


def _included(told: Mapping[str, Any], role: str, above: tuple[str, ...]) -> frozenset[str]:
    if role in above:
        raise DeskError(Kind.SETUP, "bad_configuration", f"The roles {', '.join(above)} include each other.")
    own = frozenset(told[role].get("includes") or ())
    return own.union(*(_included(told, other, (*above, role)) for other in own))
