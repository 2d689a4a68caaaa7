"""The names an expression may use, and what each of them is.

Names are dotted variables (`ticket.priority`), not keys of maps: only so can the checker know every one of them before a
ticket exists. Whatever may be empty has a nullable type, so that `ticket.assignee != null` and type errors both are checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cel_expr_python import cel

from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import Category, Field, FieldType, Workflow
from itsm.workflow.values import exact_duration

if TYPE_CHECKING:
    from itsm.workflow.vocabulary import Vocabulary

LINK_KINDS: Final = (
    "parent", "child", "duplicate_of", "duplicated_by", "caused_by", "causes", "fixed_by", "fixes", "related_to", "blocks",
    "blocked_by",
)  # fmt: skip
"""How tickets are linked; `links.<kind>` counts them, seen from this ticket."""

TASK_COUNTS: Final = ("open", "total", "failed", "done", "refused")
APPROVAL_COUNTS: Final = ("pending", "approved", "rejected", "total")
DECIDERS: Final = "approvals.deciders"
"""Who approved the ticket, as far as their approval stands; `actor.id in approvals.deciders`."""

FUNCTIONS: Final = frozenset(
    ("size", "contains", "startsWith", "endsWith", "matches", "int", "double", "string", "timestamp", "duration", "exists",
     "exists_one", "all", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours",
     "getMinutes", "getSeconds")
)  # fmt: skip
"""What may be called, besides operators. Macros that collect (`map`, `filter`) and `dyn`, `type`, `bytes` are left out."""


class Kind(Enum):
    """What a variable is to an expression. Those marked nullable may be null."""

    TEXT = "text"
    NULLABLE_TEXT = "text or null"
    LIST = "list of texts"
    COUNT = "count"
    NULLABLE_WHOLE = "whole number or null"
    NULLABLE_DECIMAL = "decimal number or null"
    NULLABLE_TRUTH = "true, false or null"
    INSTANT = "instant"
    NULLABLE_INSTANT = "instant or null"
    NULLABLE_DURATION = "length of time or null"
    NULLABLE_MONEY = "money or null"


_CHECKED: Final[Mapping[Kind, cel.Type]] = {
    Kind.TEXT: cel.Type.STRING,
    Kind.NULLABLE_TEXT: cel.Type("google.protobuf.StringValue"),
    Kind.LIST: cel.Type.List(cel.Type.STRING),
    Kind.COUNT: cel.Type.INT,
    Kind.NULLABLE_WHOLE: cel.Type("google.protobuf.Int64Value"),
    Kind.NULLABLE_DECIMAL: cel.Type("google.protobuf.DoubleValue"),
    Kind.NULLABLE_TRUTH: cel.Type("google.protobuf.BoolValue"),
    Kind.INSTANT: cel.Type.TIMESTAMP,
    Kind.NULLABLE_INSTANT: cel.Type.TIMESTAMP,
    Kind.NULLABLE_DURATION: cel.Type.DURATION,
    Kind.NULLABLE_MONEY: cel.Type.AbstractType("money"),
}

_TIMED: Final[Mapping[Kind, cel.Type]] = {
    Kind.INSTANT: cel.Type.TIMESTAMP,
    Kind.NULLABLE_INSTANT: cel.Type.TIMESTAMP,
    Kind.NULLABLE_DURATION: cel.Type.DURATION,
}
"""The runtime takes instants and durations only for variables declared so; everything else evaluates untyped."""

_PLAIN: Final = frozenset(
    {Kind.TEXT, Kind.NULLABLE_TEXT, Kind.COUNT, Kind.NULLABLE_WHOLE, Kind.NULLABLE_DECIMAL, Kind.NULLABLE_TRUTH, Kind.INSTANT}
)

_FIELD_KINDS: Final[Mapping[FieldType, Kind]] = {
    FieldType.MULTI_CHOICE: Kind.LIST,
    FieldType.INTEGER: Kind.NULLABLE_WHOLE,
    FieldType.DECIMAL: Kind.NULLABLE_DECIMAL,
    FieldType.MONEY: Kind.NULLABLE_MONEY,
    FieldType.BOOLEAN: Kind.NULLABLE_TRUTH,
    FieldType.DATE: Kind.NULLABLE_INSTANT,
    FieldType.DATETIME: Kind.NULLABLE_INSTANT,
    FieldType.DURATION: Kind.NULLABLE_DURATION,
}


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """One name: its kind, the field behind it, the texts it can hold where they are known, and the type of that field."""

    name: str
    kind: Kind
    known: frozenset[str] | None = None
    field: Field | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the runtime takes the engine's values for it as they are."""
        return self.kind in _PLAIN and (self.field is None or self.field.type is not FieldType.MONEY)

    @property
    def may_vary(self) -> bool:
        """Whether it is an instant or a length of time that may be null: the runtime knows no type for both."""
        return self.kind in (Kind.NULLABLE_INSTANT, Kind.NULLABLE_DURATION)

    def admit(self, value: object) -> object:
        """A value of the engine as the CEL runtime takes it. Raises `ValueError` or `TypeError` where it is no such value."""
        if self.kind is Kind.LIST:
            return list(value) if isinstance(value, list | tuple | set | frozenset) else []
        if value is None:
            return None
        if self.kind in _TIMED:
            return _moment(value)
        if isinstance(value, Mapping):
            return _part_of_money(self.name, value)
        return value


def _moment(value: object) -> datetime | timedelta:
    if isinstance(value, datetime | timedelta):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(tzinfo=UTC))
    text = str(value)
    if text.startswith(("P", "-P")):
        return exact_duration(text)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _part_of_money(name: str, value: Mapping[str, str]) -> str | float:
    if name.endswith(".amount"):
        return float(value["amount"])
    return value["currency"] if name.endswith(".currency") else f"{value['amount']} {value['currency']}"


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """All the names of one workflow, with the two CEL environments over them; build it with `Scope.of`."""

    variables: Mapping[str, Variable]
    source: str = ""
    checking: cel.Env = field(init=False)
    _running: dict[frozenset[str], cel.Env] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        declared = {variable.name: _CHECKED[variable.kind] for variable in self.variables.values()}
        object.__setattr__(self, "checking", cel.NewEnv(variables=declared))

    @classmethod
    def of(cls, workflow: Workflow, vocabulary: Vocabulary | None = None) -> Scope:
        """The scope of a workflow; with a vocabulary, roles and ticket types are known by name too."""
        roles = None if vocabulary is None else frozenset(vocabulary.roles) | {"system", "agent", "requester"}
        types = None if vocabulary is None else frozenset(vocabulary.workflows) | {workflow.name}
        variables = [
            Variable("ticket.type", Kind.TEXT, types),
            Variable("ticket.state", Kind.TEXT, frozenset(workflow.states)),
            Variable("ticket.category", Kind.TEXT, frozenset(Category)),
            Variable("ticket.number", Kind.NULLABLE_TEXT),
            Variable("actor.id", Kind.TEXT),
            Variable("actor.roles", Kind.LIST, roles),
            Variable("actor.groups", Kind.LIST, None if vocabulary is None else vocabulary.groups),
            Variable("actor.organisation", Kind.NULLABLE_TEXT),
            Variable("now", Kind.INSTANT),
            Variable("comment", Kind.NULLABLE_TEXT),
            *(Variable(f"tasks.{name}", Kind.COUNT) for name in TASK_COUNTS),
            *(Variable(f"approvals.{name}", Kind.COUNT) for name in APPROVAL_COUNTS),
            Variable(DECIDERS, Kind.LIST),
            *(Variable(f"links.{kind}", Kind.COUNT) for kind in LINK_KINDS),
        ]
        for each in {**BUILTIN_FIELDS, **workflow.fields}.values():
            variables.extend(variables_of(each))
        return cls(MappingProxyType({variable.name: variable for variable in variables}), workflow.source)

    def running(self, nulls: frozenset[str]) -> cel.Env:
        """The environment that evaluates while these instants and durations are null."""
        env = self._running.get(nulls)
        if env is None:
            declared = {
                variable.name: cel.Type.DYN if variable.name in nulls else _TIMED.get(variable.kind, cel.Type.DYN)
                for variable in self.variables.values()
            }
            env = self._running[nulls] = cel.NewEnv(variables=declared)
        return env


def variables_of(each: Field) -> list[Variable]:
    """The names by which expressions see a field: itself, and the parts of an amount of money."""
    name = f"ticket.{each.name}"
    known = frozenset(each.choices) if each.type in (FieldType.CHOICE, FieldType.MULTI_CHOICE) else None
    variables = [Variable(name, _FIELD_KINDS.get(each.type, Kind.NULLABLE_TEXT), known, each)]
    if each.type is FieldType.MONEY:
        variables.append(Variable(f"{name}.amount", Kind.NULLABLE_DECIMAL, field=each))
        variables.append(Variable(f"{name}.currency", Kind.NULLABLE_TEXT, field=each))
    return variables
