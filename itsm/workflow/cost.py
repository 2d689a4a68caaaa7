"""How long an expression may take, and how much memory, on the largest ticket that there can be.

CEL ends always, but not always soon: `a.contains(b)` over two long texts takes 40 ms, a hundred `size(…)` of a long text 20 ms.
So each accepted expression is walked once with the largest values its variables can have, and what might go beyond
`TIME_MAX` or `MEMORY_MAX` is refused when it is loaded. The figures were measured on one 2020s server core and rounded up;
`tests/workflow/test_expression.py` runs the worst that is let through against the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from itsm.workflow.definition import FieldType
from itsm.workflow.scope import Kind, Variable
from itsm.workflow.tree import Call, Const, Items, Loop, Name, Select, Tree
from itsm.workflow.values import KEY_MAX, MARKDOWN_MAX, longest

TIME_MAX: Final = 5_000_000
"""Nanoseconds that one evaluation may take."""

MEMORY_MAX: Final = 1_000_000
"""Bytes that one evaluation may ask for, besides the values themselves."""

_ROLES: Final = 50
_GROUPS: Final = 200
_WIDEST: Final = 4  # bytes of a character in UTF-8
_STEP: Final = 200
_BIND: Final = 400
_ROUND: Final = 500
_SEARCH: Final = 9
_BACKTRACK: Final = 64  # characters of a needle that cost as much as a nanosecond
_COMPARE: Final = 8  # characters that are compared in a nanosecond
_MATCH: Final = 1_200
_PARSE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a value can be: the characters of a text (or of one element), and the number of elements."""

    characters: int = 8
    elements: int = 1
    plain: bool = False
    """Whether it is known to hold characters of one byte only."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an evaluation costs at worst, in nanoseconds and bytes, and how large its result can be."""

    time: int
    memory: int
    result: Extent


def estimate(tree: Tree, variables: Mapping[str, Variable]) -> Estimate:
    """The worst case of a whole expression."""
    return _Estimator(variables).of(tree, {})


def extent(variable: Variable) -> Extent:
    """How large the value of a variable can be."""
    if variable.kind is Kind.LIST:
        if variable.field is not None:
            choices = variable.field.choices
            return Extent(max(map(len, choices), default=0), len(choices))
        return Extent(KEY_MAX, _ROLES if variable.name == "actor.roles" else _GROUPS)
    if variable.kind not in (Kind.TEXT, Kind.NULLABLE_TEXT):
        return Extent()
    if variable.name == "comment":
        return Extent(MARKDOWN_MAX)
    if variable.known:
        return Extent(max(map(len, variable.known)))
    is_text = variable.field is not None and variable.field.type is not FieldType.MONEY
    return Extent(longest(variable.field) if is_text and variable.field is not None else KEY_MAX)


class _Estimator:
    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.variables = variables

    def of(self, tree: Tree, bound: Mapping[str, Extent]) -> Estimate:
        match tree:
            case Const(value=str(text)):
                return Estimate(_STEP, 0, Extent(len(text), plain=text.isascii()))
            case Const():
                return Estimate(_STEP, 0, Extent())
            case Name(name=name):
                known = bound.get(name) or (extent(self.variables[name]) if name in self.variables else Extent())
                return Estimate(_BIND, 0, known)
            case Select(operand=operand):
                return self.of(operand, bound)
            case Items(elements=elements):
                parts = [self.of(element, bound) for element in elements]
                widest = max((part.result.characters for part in parts), default=0)
                return _sum(parts, _STEP * len(parts), 0, Extent(widest, len(parts)))
            case Loop():
                return self._loop(tree, bound)
            case Call():
                return self._call(tree, bound)

    def _loop(self, loop: Loop, bound: Mapping[str, Extent]) -> Estimate:
        over = self.of(loop.over, bound)
        element = Extent(over.result.characters)
        body = self.of(loop.step, {**bound, loop.variable: element})
        rounds = over.result.elements
        return Estimate(over.time + rounds * (body.time + _ROUND), over.memory + rounds * body.memory, Extent())

    def _call(self, call: Call, bound: Mapping[str, Extent]) -> Estimate:
        parts = [self.of(argument, bound) for argument in call.arguments]
        sizes = [part.result for part in parts]
        first = sizes[0] if sizes else Extent()
        last = sizes[-1] if sizes else Extent()
        match call.function:
            case "contains":
                haystack = first.characters * (1 if last.plain else _WIDEST)
                return _sum(parts, haystack * (_SEARCH + last.characters * _WIDEST // _BACKTRACK), 0, Extent())
            case "matches":
                return _sum(parts, first.characters * _MATCH, 0, Extent())
            case "size":
                return _sum(parts, first.characters * _WIDEST * 2, 0, Extent())
            case "@in":
                return _sum(parts, last.elements * (50 + last.characters // _COMPARE), 0, Extent())
            case "_+_":
                both = Extent(first.characters + last.characters, first.elements + last.elements)
                return _sum(parts, both.characters * _WIDEST, both.characters * _WIDEST * both.elements, both)
            case "string":
                return _sum(parts, first.characters * _WIDEST, first.characters * _WIDEST, first)
            case "timestamp" | "duration" | "int" | "double":
                return _sum(parts, _PARSE, 0, Extent())
            case "_?_:_":
                return _sum(parts, _STEP, 0, max(sizes[1:], key=lambda size: size.characters))
            case _:
                return _sum(parts, _STEP + min(first.characters, last.characters) * _WIDEST // _COMPARE, 0, Extent())


def _sum(parts: list[Estimate], time: int, memory: int, result: Extent) -> Estimate:
    return Estimate(sum(part.time for part in parts) + time, sum(part.memory for part in parts) + memory, result)
