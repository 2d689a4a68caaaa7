"""What the rules of the table may look at: the ticket's own fields, and what the directory says of those near it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from itsm.workflow.definition import Workflow
from itsm.workflow.scope import Kind, Scope, Variable
from itsm.workflow.vocabulary import Vocabulary

NEAR: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "requester": ("login", "location", "department", "cost_centre", "roles"),
        "organisation": ("key", "plan"),
        "service": ("key", "criticality", "calendar", "owner", "group"),
        "ci": ("key", "kind", "location", "criticality", "group"),
    }
)
"""What is known of whom a ticket refers to, by the ticket's field."""

_CRITICALITIES: Final = frozenset({"critical", "high", "medium", "low"})


def scope_of(workflow: Workflow, vocabulary: Vocabulary) -> Scope:
    """The names that a rule may use about tickets of a workflow."""
    own = Scope.of(workflow, vocabulary).variables
    variables = {name: variable for name, variable in own.items() if name.startswith("ticket.")}
    for root, names in NEAR.items():
        for name in names:
            path = f"{root}.{name}"
            variables[path] = Variable(path, Kind.LIST if name == "roles" else Kind.NULLABLE_TEXT, _known(name, vocabulary))
    return Scope(MappingProxyType(variables))


def _known(name: str, vocabulary: Vocabulary) -> frozenset[str] | None:
    return {
        "criticality": _CRITICALITIES,
        "calendar": frozenset(vocabulary.calendars) or None,
        "roles": frozenset(vocabulary.roles) or None,
    }.get(name)
