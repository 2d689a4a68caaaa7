"""Fields whose value follows from others: by a matrix of the configuration, or by an expression.

They are computed in an order in which each comes after those it follows from, whenever a ticket is created, moved or edited.
What cannot be computed (a part of it is empty, a cell is missing, the result is no value of the field) is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsm.workflow import values
from itsm.workflow.case import Value
from itsm.workflow.definition import Field
from itsm.workflow.expression import Compiled, EvaluationError, Lookup, compile_value
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.scope import Scope

if TYPE_CHECKING:
    from itsm.workflow.vocabulary import Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A field and the way to its value: exactly one of `matrix` and `expression` is set."""

    field: Field
    matrix: Matrix | None
    expression: Compiled | None

    @property
    def sources(self) -> tuple[str, ...]:
        """The fields it follows from."""
        if self.matrix is not None:
            return self.matrix.axes
        names = sorted(self.expression.names) if self.expression is not None else []
        return tuple(dict.fromkeys(name.split(".")[1] for name in names if name.startswith("ticket.")))

    def value(self, facts: Lookup) -> Value:
        """What the field is, given what else is known."""
        if self.matrix is not None:
            row, column = (facts[f"ticket.{axis}"] for axis in self.matrix.axes)
            return self.matrix.cells.get((row, column)) if isinstance(row, str) and isinstance(column, str) else None
        result = None if self.expression is None else self.expression.value(facts)
        if isinstance(result, EvaluationError):
            return None
        value = values.accept(self.field, values.from_expression(self.field, result))
        return None if isinstance(value, values.Fault) else value


def derivations(
    fields: Mapping[str, Field], scope: Scope, matrices: Mapping[str, Matrix]
) -> tuple[tuple[Derived, ...], list[Finding]]:
    """The derived fields in the order in which to compute them, and what is wrong with them."""
    found: dict[str, Derived] = {}
    faults: list[Finding] = []
    for field in fields.values():
        derived = _derived(field, scope, matrices)
        if isinstance(derived, Derived):
            found[field.name] = derived
        else:
            faults += derived
    ordered, circle = _ordered(found)
    if circle:
        names = " and ".join(sorted(circle))
        at = found[min(circle)].field.at
        faults.append(Finding("derivation-circle", Severity.ERROR, f"{names} are derived from each other.", at))
    return ordered, faults


def _derived(field: Field, scope: Scope, matrices: Mapping[str, Matrix]) -> Derived | list[Finding]:
    if field.derive is None:
        return []
    if field.derive.expression is not None:
        compiled = compile_value(field.derive.expression, scope, field)
        return list(compiled) if isinstance(compiled, tuple) else Derived(field, None, compiled)
    matrix = matrices.get(field.derive.matrix or "")
    if matrix is None:
        message = f"There is no matrix “{field.derive.matrix}”."
        return [Finding("unknown-matrix", Severity.ERROR, message, field.at)]
    return Derived(field, matrix, None)


def _ordered(found: Mapping[str, Derived]) -> tuple[tuple[Derived, ...], frozenset[str]]:
    """Sources first; whatever is left over follows from itself."""
    ordered: list[Derived] = []
    waiting = dict(found)
    while ready := [name for name, derived in waiting.items() if waiting.keys().isdisjoint(derived.sources)]:
        ordered += [waiting.pop(name) for name in ready]
    return tuple(ordered), frozenset(waiting)
