"""What is looked at of a ticket, and how coarsely: the fields of interest with the values that conditions tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from itsm.workflow.check.domains import values_of_count, values_of_field
from itsm.workflow.check.logic import ANYTHING, FILLED, Value
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Expression, FieldType
from itsm.workflow.vocabulary import Matrix

_PATH: Final = re.compile(r"\s*([a-z]+)\.([A-Za-z_][A-Za-z0-9_]*)\s*")
_ALWAYS_THERE: Final = frozenset({"now", "actor.id", "ticket.title", "ticket.requester", "ticket.number"})
_BY_VALUE: Final = frozenset({FieldType.CHOICE, FieldType.BOOLEAN})


class Sight:
    """The fields looked at, those that a matrix derives them from among them, and what each can be."""

    def __init__(self, subject: Subject, names: Iterable[str]) -> None:
        self._subject = subject
        self._matrices: dict[str, Matrix] = {}
        self.names: tuple[str, ...] = tuple(sorted(self._with_sources(names)))
        self._derived = tuple(name for name in self.names if subject.fields[name].derive is not None)
        self.domains: Mapping[str, Sequence[Value]] = {name: self._domain(name) for name in self.names}

    def _with_sources(self, names: Iterable[str]) -> list[str]:
        found = [name for name in names if name in self._subject.fields]
        for name in found:
            derive = self._subject.fields[name].derive
            matrix = self._subject.vocabulary.matrices.get(derive.matrix or "") if derive else None
            if matrix is not None:
                self._matrices[name] = matrix
                found.extend(axis for axis in matrix.axes if axis in self._subject.fields and axis not in found)
        return found

    def _domain(self, name: str) -> Sequence[Value]:
        field = self._subject.fields[name]
        if field.derive is not None:
            return (ANYTHING,)  # it follows from others, and adds no station of its own
        looked_up = any(name in matrix.axes for matrix in self._matrices.values())
        return (*field.choices, None) if looked_up else values_of_field(field, self._literals(f"ticket.{name}"))

    def _literals(self, name: str) -> frozenset[Value]:
        """What conditions that name it compare things with."""
        return frozenset[Value]().union(*(each.literals for each in self._subject.all_conditions if name in each.names))

    def values_of_count(self, name: str) -> Sequence[Value]:
        """What a count can be."""
        return values_of_count(self._literals(name))

    def derive(self, values: dict[str, Value]) -> dict[str, Value]:
        """Computes the derived values among these, in place."""
        for name in self._derived:
            values[name] = self._looked_up(name, values)
        return values

    def _looked_up(self, name: str, values: Mapping[str, Value]) -> Value:
        """What a matrix says; a derivation by expression can be anything here."""
        matrix = self._matrices.get(name)
        if matrix is None:
            return ANYTHING
        row, column = (values.get(axis, ANYTHING) for axis in matrix.axes)
        if row is None or column is None:
            return None
        return matrix.cells.get((row, column)) if isinstance(row, str) and isinstance(column, str) else ANYTHING

    def written(self, name: str, raw: object, values: Mapping[str, Value]) -> Value:
        """What a field is, as far as it is looked at, when `raw` is written into it: a literal, an `Expression`, or None."""
        type_ = self._subject.fields[name].type
        if isinstance(raw, Expression):
            return _computed(raw.text.strip(), values, by_value=type_ in _BY_VALUE)
        if raw is None or raw == "":
            return None
        if type_ in _BY_VALUE and isinstance(raw, str | bool):
            return raw
        return ANYTHING if type_ is FieldType.MULTI_CHOICE else FILLED


def _computed(text: str, values: Mapping[str, Value], *, by_value: bool) -> Value:
    """A name standing alone is copied; what is computed from several is filled, or the engine refuses the action."""
    path = _PATH.fullmatch(text)
    if path and path[1] == "ticket" and path[2] in values:
        return values[path[2]]
    if by_value:
        return ANYTHING
    return ANYTHING if (path or text == "comment") and text not in _ALWAYS_THERE else FILLED
