"""Reading `config/roles.yaml`: which permissions each role gives, those of the roles it includes among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from itsm.people.access import Permission, Roles
from itsm.platform.errors import DeskError, Kind
from itsm.workflow import source


def load(path: Path) -> Roles:
    """The roles of an installation.

    Raises `DeskError` (`bad_configuration`) naming every fault: text that is no YAML, an unknown permission or included role,
    roles that include each other.
    """
    text, findings = source.read(path)
    node = None
    if text is not None:
        node, findings = source.parse(text, str(path))
    if findings or not isinstance(node, source.Mapping):
        words = "; ".join(f"{finding.at}: {finding.message}" for finding in findings) or f"{path}: roles are expected"
        raise DeskError(Kind.SETUP, "bad_configuration", words)
    told: dict[str, Any] = source.plain(node)  # type: ignore[assignment]  # a Mapping node gives a dict
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
