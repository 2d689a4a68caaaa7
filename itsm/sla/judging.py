"""Asking the conditions of a promise about a ticket, and remembering the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from itsm.sla.moments import Facts
from itsm.workflow.expression import Compiled

_MOST_REMEMBERED: Final = 20_000


class Subject:
    """What a policy's expressions see: the ticket, and what the directory says of those near it."""

    __slots__ = ("facts", "places")

    def __init__(self, facts: Facts, places: Mapping[str, Any]) -> None:
        self.facts = facts
        self.places = places

    def __getitem__(self, name: str) -> object:
        root, _, rest = name.partition(".")
        if root != "ticket":
            return self.places.get(name)
        match rest:
            case "type" | "number" | "state" | "category":
                return getattr(self.facts, rest)
            case _:
                return self.facts.values.get(rest.partition(".")[0])


class Judge:
    """Asks expressions, and remembers: the same values give the same answer. One per agreement; safe to share among threads."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[Compiled, tuple[object, ...]], bool] = {}

    def holds(self, condition: Compiled | None, subject: Subject) -> bool:
        """Whether a condition is true; one that cannot be answered is not."""
        if condition is None:
            return True
        key = condition, tuple([_hashable(subject[name]) for name in condition.names])
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[key] = condition.evaluate(subject) is True
        return known


def _hashable(value: object) -> object:
    if isinstance(value, (list, set, frozenset)):
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, Mapping) else value
