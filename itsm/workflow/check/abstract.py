"""What is looked at of a ticket, and how coarsely: the fields of interest with the values that conditions tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from itsm.workflow.check.domains import count_values, literals_in, names_in, values_of_field
from itsm.workflow.check.logic import ANYTHING, FILLED, Value, World
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Expression, FieldType
from itsm.workflow.tree import Tree
from itsm.workflow.vocabulary import Matrix

Values = dict[str, Value]

_PATH: Final = re.compile(r"\s*([a-z]+)\.([A-Za-z_][A-Za-z0-9_]*)\s*")
_ALWAYS_THERE: Final = frozenset({"now", "actor.id", "ticket.title", "ticket.requester", "ticket.number"})


class Sight:
    """The fields looked at, those they are derived from among them, and what each can be."""

    def __init__(self, subject: Subject, names: Iterable[str]) -> None:
        self._subject = subject
        self._matrices: dict[str, Matrix] = {}
        self.names: tuple[str, ...] = tuple(sorted(self._with_sources(names)))
        self._literals = literals_in(subject.all_trees)
        self.domains: Mapping[str, Sequence[Value]] = {name: self._domain(name) for name in self.names}

    def _with_sources(self, names: Iterable[str]) -> set[str]:
        """These fields, and those that a matrix derives them from."""
        found: set[str] = set()
        waiting = [name for name in names if name in self._subject.fields]
        for name in waiting:
            found.add(name)
            derive = self._subject.fields[name].derive
            matrix = self._subject.vocabulary.matrices.get(derive.matrix or "") if derive else None
            if matrix is not None:
                self._matrices[name] = matrix
                waiting.extend(axis for axis in matrix.axes if axis in self._subject.fields and axis not in found)
        return found

    def _domain(self, name: str) -> Sequence[Value]:
        field = self._subject.fields[name]
        if field.derive is not None:
            return (ANYTHING,)  # it follows from others, and adds no station of its own
        looked_up = any(name in matrix.axes for matrix in self._matrices.values())
        return (*field.choices, None) if looked_up else values_of_field(field, self._literals)

    def counts(self, name: str) -> Sequence[Value]:
        """What a count can be."""
        return count_values(literals_in(tree for tree in self._subject.all_trees if name in names_in([tree])))

    def derived(self, values: Values) -> Values:
        """The values with the derived ones computed."""
        after = dict(values)
        for name in self.names:
            if self._subject.fields[name].derive is not None:
                after[name] = self._looked_up(name, after)
        return after

    def _looked_up(self, name: str, values: Values) -> Value:
        """What a matrix says; a derivation by expression can be anything here."""
        matrix = self._matrices.get(name)
        if matrix is None:
            return ANYTHING
        row, column = (values.get(axis, ANYTHING) for axis in matrix.axes)
        if row is None or column is None:
            return None
        return matrix.cells.get((row, column)) if isinstance(row, str) and isinstance(column, str) else ANYTHING

    def abstract(self, name: str, raw: object, values: Values | None = None) -> Value:
        """What a field is, as far as it is looked at, after `raw` was written into it."""
        field = self._subject.fields[name]
        if isinstance(raw, Expression):
            return self._computed(raw, values or {}, by_value=field.type in _BY_VALUE)
        if raw is None or raw == "":
            return None
        if field.type in _BY_VALUE and isinstance(raw, str | bool):
            return raw
        return ANYTHING if field.type is FieldType.MULTI_CHOICE else FILLED

    @staticmethod
    def _computed(expression: Expression, values: Values, *, by_value: bool) -> Value:
        """A name standing alone is copied; anything computed is filled, or the action is refused."""
        text = expression.text.strip()
        if (path := _PATH.fullmatch(text)) or text == "comment":
            if path and path[1] == "ticket" and path[2] in values:
                return values[path[2]]
            return FILLED if text in _ALWAYS_THERE and not by_value else ANYTHING
        return FILLED if text == "now" else ANYTHING if by_value else FILLED

    def world(self, state: str, values: Values, others: Mapping[str, Value]) -> World:
        """What is known in a state with these values."""
        workflow = self._subject.workflow
        known: Values = {f"ticket.{name}": value for name, value in values.items()}
        here: Values = {"ticket.state": state, "ticket.category": workflow.category(state).value, "ticket.type": workflow.name}
        return World({**known, **here, **others})

    @staticmethod
    def names_root(trees: Iterable[Tree], roots: set[str]) -> bool:
        """Whether conditions look at counts of these kinds (`tasks`, `links`)."""
        return any(name.partition(".")[0] in roots for name in names_in(trees))


_BY_VALUE: Final = frozenset({FieldType.CHOICE, FieldType.BOOLEAN})
