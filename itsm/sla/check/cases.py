"""The ways for a ticket to be, as far as the conditions of a policy can tell them apart: states by values of fields.

Fields that are chosen from a list have the values that conditions name, one of the others, and nothing. Texts have those they
are compared with, something else, and nothing. What the workflow rules out is left out: a field that a state requires is
filled, and an invariant holds. Too many ways are not tried at all, and the checker is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Final

from itsm.sla.scope import PLACES
from itsm.workflow.check.domains import values_of_field
from itsm.workflow.check.effort import Effort
from itsm.workflow.check.logic import ANYTHING, FILLED, HOLDS, Value, Values
from itsm.workflow.check.people import some_person_may_write
from itsm.workflow.check.subject import Subject as Practice
from itsm.workflow.definition import Field, FieldType
from itsm.workflow.expression import Compiled
from itsm.workflow.scope import Kind
from itsm.workflow.tree import Call, Const, Items, Name, Tree, walk
from itsm.workflow.vocabulary import Matrix

CASES_MAX: Final = 4_000
"""Ways of one workflow that are tried for one policy."""

OTHER: Final = "\0something else"
"""A text that no condition names."""

_GIVEN: Final = frozenset({"ticket.type", "ticket.state", "ticket.category"})
_ALWAYS_FILLED: Final = frozenset({"ticket.number", "ticket.title", "ticket.requester", "ticket.created_at", "requester.login"})
_TEXTS: Final = frozenset(
    {FieldType.TEXT, FieldType.USER, FieldType.GROUP, FieldType.SERVICE, FieldType.CI, FieldType.TICKET, FieldType.MARKDOWN}
)
_BEHIND: Final = ("service", "group", "ci")
"""What a ticket may lack; then the directory says nothing of it either."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way for a ticket of a workflow to be."""

    workflow: str
    state: str
    values: Values


@dataclass(slots=True)
class _Compared:
    """The texts and choices that each name is compared with; `loose` are names that are compared with what is not written."""

    literals: dict[str, set[Value]] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)

    def look_at(self, tree: Tree) -> None:
        match tree:
            case Call("_==_" | "_!=_", (Name(name), Const(value))) | Call("_==_" | "_!=_", (Const(value), Name(name))):
                self.literals.setdefault(name, set()).add(value)
            case Call("@in", (Name(name), Items(elements))) if all(isinstance(each, Const) for each in elements):
                self.literals.setdefault(name, set()).update(each.value for each in elements if isinstance(each, Const))
            case Call(_, parts):
                self.loose.update(part.name for part in parts if isinstance(part, Name))


def cases(practice: Practice, conditions: Sequence[Compiled], effort: Effort, weight: int) -> tuple[Case, ...] | None:
    """Every way for a ticket of a practice to be that these conditions tell apart; None if there are too many.

    `weight` is how many questions each of them will be asked: so much is spent of the `effort` that may be made.
    """
    compared = _Compared()
    for condition in conditions:
        for node in walk(condition.tree):
            compared.look_at(node)
    wanted = frozenset[str]().union(*(condition.names for condition in conditions)) - _GIVEN
    matrices = _matrices(practice, wanted)
    names = sorted((wanted | {f"ticket.{axis}" for matrix in matrices.values() for axis in matrix.axes}) - matrices.keys())
    ranges = [_values(practice, name, compared, matrices.values()) for name in names]
    states = [state for state in practice.workflow.states if state in practice.reachable]
    trials = prod(map(len, ranges)) * len(states)
    if trials > CASES_MAX or not effort.spend(trials * weight):
        return None
    return tuple(
        Case(practice.workflow.name, state, values)
        for state in states
        for chosen in product(*ranges)
        if _can_be(practice, state, values := _values_in(practice, state, dict(zip(names, chosen, strict=True)), matrices))
    )


def _matrices(practice: Practice, wanted: Iterable[str]) -> dict[str, Matrix]:
    """The wanted fields that are looked up by others which are wanted too, with the matrix of each."""
    found = {}
    for name in wanted:
        derive = derived.derive if (derived := practice.fields.get(name.removeprefix("ticket."))) else None
        matrix = practice.vocabulary.matrices.get(derive.matrix or "") if derive else None
        if matrix is not None and not {f"ticket.{axis}" for axis in matrix.axes}.isdisjoint(wanted):
            found[name] = matrix
    return found


def _values(practice: Practice, name: str, compared: _Compared, matrices: Iterable[Matrix]) -> Sequence[Value]:
    root, _, rest = name.partition(".")
    literals = compared.literals.get(name, set())
    if root != "ticket":
        return (ANYTHING,) if PLACES.get(name) is Kind.LIST else _texts(name, literals, compared)
    own = practice.fields.get(rest.partition(".")[0])
    if own is None:
        return (None,)
    if "." in rest:
        return (None, FILLED)
    if own.type in _TEXTS:
        return _texts(name, literals, compared)
    if any(rest in matrix.axes for matrix in matrices) or name in compared.loose:
        literals = {*own.choices}
    return _of_field(practice, own, literals)


def _texts(name: str, literals: set[Value], compared: _Compared) -> Sequence[Value]:
    nothing: tuple[Value, ...] = () if name in _ALWAYS_FILLED else (None,)
    if name in compared.loose:
        return (FILLED, *nothing)
    return (*sorted(value for value in literals if isinstance(value, str)), OTHER, *nothing)


def _of_field(practice: Practice, own: Field, literals: set[Value]) -> Sequence[Value]:
    values = values_of_field(own, literals)
    matrix = practice.vocabulary.matrices.get(own.derive.matrix or "") if own.derive else None
    if matrix is not None:
        yielded = frozenset(matrix.cells.values())
        values = [value for value in values if value is None or value in yielded]
    stays = own.default is not None and own.derive is None and not some_person_may_write(own)
    if stays or f"ticket.{own.name}" in _ALWAYS_FILLED:
        values = [value for value in values if value is not None]
    return values


def _values_in(practice: Practice, state: str, values: dict[str, Value], matrices: Mapping[str, Matrix]) -> Values:
    for name, matrix in matrices.items():
        row, column = (values[f"ticket.{axis}"] for axis in matrix.axes)
        values[name] = matrix.cells.get((row, column)) if isinstance(row, str) and isinstance(column, str) else None
    workflow = practice.workflow
    category = workflow.category(state).value
    return {**values, "ticket.type": workflow.name, "ticket.state": state, "ticket.category": category}


def _can_be(practice: Practice, state: str, values: Values) -> bool:
    required = practice.workflow.states[state].require
    if any(values.get(f"ticket.{name}", FILLED) is None for name in required):
        return False
    if any(contradicts(root, values) for root in _BEHIND):
        return False
    return all(judged is None or judged & HOLDS for judged in _invariants(practice, state, values))


def contradicts(root: str, values: Values) -> bool:
    """Whether the directory is said to know something of what the ticket does not have."""
    keys = [values[name] for name in (f"ticket.{root}", f"{root}.key") if name in values]
    if any(one is not other and one != other for one in keys for other in keys):
        return True
    return None in keys and any(value is not None for name, value in values.items() if name.startswith(f"{root}."))


def _invariants(practice: Practice, state: str, values: Values) -> Iterator[int | None]:
    for invariant in practice.workflow.invariants:
        if invariant.states is None or state in invariant.states:
            judged = practice.judged(invariant.holds)
            yield None if judged is None else judged.judge(values)
