"""The registry of actions: what a `do:` may ask for, built in or added by other packages.

An action is a name, a marshmallow schema for its arguments, and a text that says what it does. What carries it out lives
elsewhere: the engine itself does those that decide about the ticket (`set`, `clear`, `assign`); all others become effects for
whichever capability handles them. A package adds an action by the entry point group `itsm.actions`, each entry point naming an
`ActionSpec`; in every file it is then checked like the built-in ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from itsm.platform.errors import DeskError, Kind
from itsm.workflow.action_spec import ActionSpec
from itsm.workflow.builtin_actions import BUILTIN_ACTIONS

__all__ = ["BUILTIN_ACTIONS", "ENTRY_POINTS", "ActionSpec", "combined", "registry"]

ENTRY_POINTS: Final = "itsm.actions"


@cache
def registry() -> Mapping[str, ActionSpec]:
    """The built-in actions and those of installed packages. Raises `DeskError` for a double or for what is no `ActionSpec`."""
    added = []
    for point in entry_points(group=ENTRY_POINTS):
        spec = point.load()
        if not isinstance(spec, ActionSpec):
            raise DeskError(Kind.SETUP, "bad_action", f"The entry point “{point.name}” of {ENTRY_POINTS} is no ActionSpec.")
        added.append(spec)
    return combined(BUILTIN_ACTIONS.values(), added)


def combined(*groups: Iterable[ActionSpec]) -> Mapping[str, ActionSpec]:
    """All these actions by name. Raises `DeskError` if two bear the same."""
    found: dict[str, ActionSpec] = {}
    for spec in (spec for group in groups for spec in group):
        if spec.name in found:
            raise DeskError(Kind.SETUP, "double_action", f"The action “{spec.name}” is registered twice.")
        found[spec.name] = spec
    return MappingProxyType(found)
