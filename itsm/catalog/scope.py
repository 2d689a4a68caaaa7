"""The names that expressions of the catalogue may use: `answers.*` of one form, `requester.*`, and `now`.

The requester is whom a request is for. Everything is typed, so that a question that does not exist and a date compared with a
number are found when the file is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from itsm.catalog.definition import CHOSEN, Question
from itsm.workflow.definition import FieldType
from itsm.workflow.scope import Kind, Scope, Variable

REQUESTER: Final[Mapping[str, Kind]] = {
    "login": Kind.TEXT,
    "name": Kind.TEXT,
    "email": Kind.NULLABLE_TEXT,
    "organisation": Kind.NULLABLE_TEXT,
    "department": Kind.NULLABLE_TEXT,
    "location": Kind.NULLABLE_TEXT,
    "cost_centre": Kind.NULLABLE_TEXT,
    "manager": Kind.NULLABLE_TEXT,
    "roles": Kind.LIST,
}
"""What is known of the requester: logins, keys and texts; `roles` includes those that his roles include."""

_KINDS: Final[Mapping[FieldType, Kind]] = {
    FieldType.MULTI_CHOICE: Kind.LIST,
    FieldType.INTEGER: Kind.NULLABLE_WHOLE,
    FieldType.DECIMAL: Kind.NULLABLE_DECIMAL,
    FieldType.MONEY: Kind.NULLABLE_MONEY,
    FieldType.BOOLEAN: Kind.NULLABLE_TRUTH,
    FieldType.DATE: Kind.NULLABLE_INSTANT,
    FieldType.DATETIME: Kind.NULLABLE_INSTANT,
    FieldType.DURATION: Kind.NULLABLE_DURATION,
}


def scope_of(questions: Iterable[Question], roles: frozenset[str] | None, source: str = "") -> Scope:
    """The scope of a form; that of entitlements has no questions. `source` is the text that positions are told in."""
    variables = [Variable(f"requester.{name}", kind, roles if name == "roles" else None) for name, kind in REQUESTER.items()]
    variables.append(Variable("now", Kind.INSTANT))
    for question in questions:
        variables.extend(_of_question(question))
    return Scope(MappingProxyType({variable.name: variable for variable in variables}), source)


def _of_question(question: Question) -> list[Variable]:
    name, field = f"answers.{question.name}", question.field
    known = frozenset(field.choices) if question.type in CHOSEN else None
    found = [Variable(name, _KINDS.get(field.type, Kind.NULLABLE_TEXT), known, field)]
    if field.type is FieldType.MONEY:
        found.append(Variable(f"{name}.amount", Kind.NULLABLE_DECIMAL, field=field))
        found.append(Variable(f"{name}.currency", Kind.NULLABLE_TEXT, field=field))
    return found
