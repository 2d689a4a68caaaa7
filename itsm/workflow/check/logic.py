"""What can be said about a condition without a ticket: CEL over values of which some are not known.

A value is known (a choice, a count, null), or known only to be `FILLED`, or not known at all (`ANYTHING`). A verdict is the set
of what may come out: that the condition holds, that it fails, that it ends in an error, as `null < 3` does. What is open can
be assumed to be true or false by the key of its part, so that the same part is never taken for both at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Final, TypeAlias

from itsm.workflow.tree import Call, Const, Items, Loop, Name, Select, Tree, walk


class Mark(Enum):
    """What is known of a value that is not known."""

    FILLED = "some value"
    ANYTHING = "any value or none"
    UNKNOWN = "any value, none, or an error"
    ERROR = "an error"


FILLED: Final = Mark.FILLED
ANYTHING: Final = Mark.ANYTHING

Value: TypeAlias = str | int | float | bool | bytes | Mark | None
Values: TypeAlias = Mapping[str, Value]
"""What is known, by dotted name; a name that is absent can be anything."""

Assumed: TypeAlias = Mapping[str, bool]
"""What is taken for true or false of the parts that are open, by key."""

Verdict: TypeAlias = int
"""What may come out of a condition: a sum of the three below. (Not an enum: millions of them are made.)"""

HOLDS: Final = 1
FAILS: Final = 2
ERROR: Final = 4
OPEN: Final = HOLDS | FAILS

_Judge: TypeAlias = Callable[[Values, Assumed], Verdict]
_NOTHING_ASSUMED: Final[Assumed] = {}


class Condition:
    """A condition that can be judged. `names` are its variables, `literals` what it compares them with."""

    __slots__ = ("_atoms", "_judge", "literals", "names")

    def __init__(self, tree: Tree) -> None:
        self._atoms: dict[str, _Judge] = {}
        self._judge = self._built(_normal(tree))
        self.names = frozenset(node.name for node in walk(tree) if isinstance(node, Name))
        self.literals: frozenset[Value] = frozenset(node.value for node in walk(tree) if isinstance(node, Const))

    def judge(self, values: Values, assumed: Assumed = _NOTHING_ASSUMED) -> Verdict:
        """What may come out of it where these values are known."""
        return self._judge(values, assumed)

    def open_parts(self, values: Values) -> Iterable[str]:
        """The keys of the parts that these values leave open."""
        return [key for key, judge in self._atoms.items() if judge(values, _NOTHING_ASSUMED) & OPEN == OPEN]

    def _built(self, tree: Tree) -> _Judge:
        """The judge of a part: combinations are judged by their parts, all else is an atom."""
        match tree:
            case Call("_&&_", (left, right)):
                return _conjunction(self._built(left), self._built(right))
            case Call("_||_", (left, right)):
                return _negation(_conjunction(_negation(self._built(left)), _negation(self._built(right))))
            case Call("!_", (part,)):
                return _negation(self._built(part))
            case Call("_?_:_", (condition, then, otherwise)):
                return _choice(self._built(condition), self._built(then), self._built(otherwise))
            case _:
                return self._atom(tree)

    def _atom(self, tree: Tree) -> _Judge:
        key, plain = _key(tree), _plain(tree)

        def judge(values: Values, assumed: Assumed) -> Verdict:
            verdict = plain(values)
            if verdict & OPEN == OPEN and (truth := assumed.get(key)) is not None:
                return HOLDS if truth else FAILS
            return verdict

        return self._atoms.setdefault(key, judge)


# Combinations, as CEL has them: a false part decides `&&`, whatever the others are.


def _conjunction(left: _Judge, right: _Judge) -> _Judge:
    def judge(values: Values, assumed: Assumed) -> Verdict:
        first = left(values, assumed)
        if first == FAILS:
            return FAILS
        second = right(values, assumed)
        return _BOTH[first][second]

    return judge


def _both(first: Verdict, second: Verdict) -> Verdict:
    verdict = (first | second) & FAILS | first & second & HOLDS
    errs = (first & ERROR and second & (HOLDS | ERROR)) or (second & ERROR and first & HOLDS)
    return verdict | ERROR if errs else verdict


_BOTH: Final = [[_both(first, second) for second in range(8)] for first in range(8)]
_NEGATED: Final = [(verdict & HOLDS) << 1 | (verdict & FAILS) >> 1 | verdict & ERROR for verdict in range(8)]


def _negation(part: _Judge) -> _Judge:
    def judge(values: Values, assumed: Assumed) -> Verdict:
        return _NEGATED[part(values, assumed)]

    return judge


def _choice(condition: _Judge, then: _Judge, otherwise: _Judge) -> _Judge:
    def judge(values: Values, assumed: Assumed) -> Verdict:
        chosen = condition(values, assumed)
        verdict = chosen & ERROR
        if chosen & HOLDS:
            verdict |= then(values, assumed)
        return verdict | otherwise(values, assumed) if chosen & FAILS else verdict

    return judge


# Atoms


def _plain(tree: Tree) -> Callable[[Values], Verdict]:
    match tree:
        case Call("_==_", (left, right)):
            one, other = _value(left), _value(right)
            return lambda values: _equal(one(values), other(values))
        case Call("_<_", (left, right)):
            one, other = _value(left), _value(right)
            return lambda values: _less(one(values), other(values))
        case Call("@in", (part, Items(elements))):
            sought, among = _value(part), [_value(element) for element in elements]
            return lambda values: _among(sought(values), [each(values) for each in among])
        case Name() | Const():
            truth = _value(tree)
            return lambda values: _true(truth(values))
        case _:
            return lambda _: OPEN | ERROR


def _value(tree: Tree) -> Callable[[Values], Value]:
    """What a part that is no condition yields."""
    match tree:
        case Const(value):
            return lambda _: value
        case Name(name):
            return lambda values: values.get(name, ANYTHING)
        case Call("_+_" | "_-_" | "_*_" | "_/_" | "_%_" | "-_", parts):
            terms = [_value(part) for part in parts]
            return lambda values: _computed([term(values) for term in terms])
        case _:
            return lambda _: Mark.UNKNOWN


def _computed(terms: list[Value]) -> Value:
    """What comes of arithmetic: nothing can be reckoned from null, and what else comes out is not looked at."""
    return Mark.ERROR if None in terms or Mark.ERROR in terms else Mark.UNKNOWN


def _true(value: Value) -> Verdict:
    if value is True or value is False:
        return HOLDS if value else FAILS
    return ERROR if value is None else OPEN if value is FILLED else OPEN | ERROR


def _equal(one: Value, other: Value) -> Verdict:
    if one is Mark.ERROR or other is Mark.ERROR:
        return ERROR
    if one is Mark.UNKNOWN or other is Mark.UNKNOWN:
        return OPEN | ERROR
    if one is ANYTHING or other is ANYTHING:
        return OPEN
    if one is None or other is None:
        return HOLDS if one is other else FAILS
    if one is FILLED or other is FILLED:
        return OPEN
    return HOLDS if one == other and isinstance(one, bool) is isinstance(other, bool) else FAILS


def _less(one: Value, other: Value) -> Verdict:
    if one is None or other is None or one is Mark.ERROR or other is Mark.ERROR:
        return ERROR
    if isinstance(one, Mark) or isinstance(other, Mark):
        return OPEN if {one, other}.isdisjoint((ANYTHING, Mark.UNKNOWN)) else OPEN | ERROR
    if isinstance(one, str) and isinstance(other, str):
        return HOLDS if one < other else FAILS
    if isinstance(one, int | float) and isinstance(other, int | float):
        return HOLDS if one < other else FAILS
    return OPEN | ERROR


def _among(value: Value, elements: list[Value]) -> Verdict:
    verdicts = [_equal(value, element) for element in elements]
    if HOLDS in verdicts:
        return HOLDS
    return next((verdict for verdict in verdicts if verdict != FAILS), FAILS)


# Forms: one way of saying each thing, and a text that is equal for equal parts


def _normal(tree: Tree) -> Tree:
    """The same condition with `==` and `<` as the only comparisons."""
    match tree:
        case Call("_!=_", (left, right), offset):
            return _not(Call("_==_", (left, right), offset))
        case Call("_>_", (left, right), offset):
            return Call("_<_", (right, left), offset)
        case Call("_>=_", (left, right), offset):
            return _not(Call("_<_", (left, right), offset))
        case Call("_<=_", (left, right), offset):
            return _not(Call("_<_", (right, left), offset))
        case Call("_&&_" | "_||_" | "!_" | "_?_:_" as function, parts, offset):
            return Call(function, tuple(_normal(part) for part in parts), offset)
        case _:
            return tree


def _not(tree: Tree) -> Tree:
    return Call("!_", (tree,), tree.offset)


def _key(tree: Tree) -> str:
    """What a part says, wherever it stands; `a == b` is `b == a`."""
    match tree:
        case Const(value):
            return repr(value)
        case Name(name):
            return name
        case Select(operand, part):
            return f"{_key(operand)}.{part}"
        case Call("_==_", parts):
            return f"({' == '.join(sorted(_key(part) for part in parts))})"
        case Call(function, parts):
            return f"{function}({', '.join(_key(part) for part in parts)})"
        case Items(elements):
            return f"[{', '.join(_key(element) for element in elements)}]"
        case Loop(variable, over, start, step):
            return f"loop({variable}, {_key(over)}, {_key(start)}, {_key(step)})"
