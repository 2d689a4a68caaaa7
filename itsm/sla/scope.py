"""What a policy may look at: the fields of all workflows together, and what the directory says of those near a ticket.

A clock can be made anew from its ticket's event log alone, so its conditions see what that log says and nothing else: neither
the present time nor whoever acts, and no tasks, approvals or links.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from itsm.services.rules import Criticality
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import Category, Field, FieldType, Workflow
from itsm.workflow.scope import Kind, Scope, Variable, variables_of
from itsm.workflow.vocabulary import Vocabulary

NOT_IN_THE_LOG: Final = "updated_at"
"""The one field that every ticket has and no event tells."""

PLACES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **{f"service.{name}": Kind.NULLABLE_TEXT for name in ("key", "criticality", "owner", "calendar")},
        **{f"group.{name}": Kind.NULLABLE_TEXT for name in ("key", "calendar")},
        **{f"requester.{name}": Kind.NULLABLE_TEXT for name in ("login", "location", "department")},
        "requester.roles": Kind.LIST,
        **{f"organisation.{name}": Kind.NULLABLE_TEXT for name in ("key", "plan")},
        **{f"ci.{name}": Kind.NULLABLE_TEXT for name in ("key", "criticality", "location", "kind")},
    }
)
"""What the directory said when it was noted into the events, by name."""

_CRITICALITIES: Final = frozenset(Criticality)

_CHOSEN: Final = frozenset({FieldType.CHOICE, FieldType.MULTI_CHOICE})


@dataclass(frozen=True, slots=True)
class Together:
    """The fields of several workflows by name.

    `fields` has one definition of each, with the choices of all. `mixed` says of those which an expression cannot take for one
    thing in which workflow they are what; `unlike` names those of different types, whose values no form can judge.
    """

    fields: Mapping[str, Field]
    mixed: Mapping[str, str]
    unlike: frozenset[str]


def together(workflows: Iterable[Workflow]) -> Together:
    """The fields of these workflows, with those that every ticket has."""
    declared: dict[str, list[tuple[str, Field]]] = {}
    for workflow in workflows:
        for name, field in workflow.fields.items():
            declared.setdefault(name, []).append((workflow.name, field))
    fields = {name: field for name, field in BUILTIN_FIELDS.items() if name != NOT_IN_THE_LOG}
    mixed, unlike = {}, set()
    for name, several in declared.items():
        fields[name] = _joined([field for _, field in several])
        if len({field.type for _, field in several}) > 1:
            unlike.add(name)
        if len({variables_of(field)[0].kind for _, field in several}) > 1:
            mixed[name] = " and ".join(f"{field.type} in {workflow}" for workflow, field in several)
    return Together(fields, mixed, frozenset(unlike))


def _joined(several: list[Field]) -> Field:
    """One field for several of a name: with the choices of all, or as text where not all are chosen from a list."""
    first = several[0]
    if all(field.type in _CHOSEN for field in several):
        return replace(first, choices=tuple(dict.fromkeys(choice for field in several for choice in field.choices)))
    if first.type is FieldType.CHOICE:
        return replace(first, type=FieldType.TEXT, choices=())
    return first


def scope_of(
    fields: Mapping[str, Field],
    workflows: Mapping[str, Workflow],
    vocabulary: Vocabulary,
    calendars: Collection[str],
    locations: Collection[str],
    source: str,
) -> Scope:
    """The names that the expressions of a file may use; `source` is its text, for the places of faults."""
    roles = frozenset(vocabulary.roles) | {"agent", "requester"} if vocabulary.roles else None
    words = {
        "service.criticality": _CRITICALITIES,
        "service.calendar": frozenset(calendars),
        "group.key": vocabulary.groups,
        "group.calendar": frozenset(calendars),
        "requester.location": frozenset(locations) if locations else None,
        "requester.roles": roles,
        "ci.criticality": _CRITICALITIES,
        "ci.location": frozenset(locations) if locations else None,
    }
    states = frozenset(state for workflow in workflows.values() for state in workflow.states)
    variables = [
        Variable("ticket.type", Kind.TEXT, frozenset(workflows)),
        Variable("ticket.state", Kind.TEXT, states),
        Variable("ticket.category", Kind.TEXT, frozenset(Category)),
        Variable("ticket.number", Kind.TEXT),
        *_of_fields(fields.values()),
        *(Variable(name, kind, words.get(name)) for name, kind in PLACES.items()),
    ]
    return Scope(MappingProxyType({variable.name: variable for variable in variables}), source)


def _of_fields(fields: Iterable[Field]) -> Iterator[Variable]:
    for field in fields:
        yield from variables_of(field)
