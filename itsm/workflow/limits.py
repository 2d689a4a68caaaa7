"""What an expression that CEL accepts still may not do: call what we left out, take long, or compare with what never is.

`cost.py` says how long it may take. Regular expressions are literals, and short: a counted one such as `\\pL{60}` takes 100 ms
to prepare alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from math import prod
from typing import Final

from itsm.workflow.complaints import OPERATORS, Complaint
from itsm.workflow.cost import MEMORY_MAX, TIME_MAX, estimate
from itsm.workflow.definition import Field
from itsm.workflow.scope import FUNCTIONS, Kind, Variable
from itsm.workflow.tree import Call, Const, Items, Loop, Name, Tree, walk
from itsm.workflow.values import choice_list

TEXT_MAX: Final = 2_000
PATTERN_MAX: Final = 60
PATTERN_COUNT_MAX: Final = 20
MOMENTS_MAX: Final = 8
"""Each instant or length of time that may be null asks for a program of its own while it is."""

_OPERATORS: Final = frozenset(OPERATORS) | {"@not_strictly_false"}
_ACCUMULATOR: Final = "@result"
"""The name under which a loop keeps what it has found."""


def objections(tree: Tree, variables: Mapping[str, Variable]) -> list[Complaint]:
    """Everything that speaks against an expression which the checker has accepted, each once, in the order of its place."""
    nodes = list(walk(tree))
    found = [
        *_unknown_parts(nodes, variables),
        *_loops(nodes),
        *_moments(nodes, variables),
        *_patterns(nodes),
        *(complaint for node in nodes for complaint in _misspelt(node, variables)),
    ]
    return sorted(dict.fromkeys(found or _cost(tree, variables)), key=lambda complaint: complaint.offset)


def _costly(node: Tree, message: str, hint: str | None = None) -> Complaint:
    return Complaint("expression-too-costly", node.offset, message, hint)


def _unknown_parts(nodes: list[Tree], variables: Mapping[str, Variable]) -> Iterator[Complaint]:
    """Functions and type names that CEL knows and the workflow language leaves out."""
    loops = {node.variable for node in nodes if isinstance(node, Loop)} | {_ACCUMULATOR}
    for node in nodes:
        if isinstance(node, Call) and node.function not in FUNCTIONS | _OPERATORS:
            message = f"There is no function “{node.function}”."
            yield Complaint("expression-unknown-name", node.offset, message, f"There are: {', '.join(sorted(FUNCTIONS))}.")
        elif isinstance(node, Name) and node.name not in variables and node.name not in loops:
            yield Complaint("expression-unknown-name", node.offset, f"There is no name “{node.name}”.")


def _loops(nodes: list[Tree]) -> Iterator[Complaint]:
    """`map` and `filter` copy their list in each round: 5,000 elements take them more than a second."""
    for loop in nodes:
        if isinstance(loop, Loop) and not isinstance(loop.start, Const):
            yield _costly(loop, "“map” and “filter” are not part of the language.", "Use exists, all or exists_one.")


def _moments(nodes: list[Tree], variables: Mapping[str, Variable]) -> Iterator[Complaint]:
    named = {node.name for node in nodes if isinstance(node, Name) and node.name in variables}
    moments = sum(variables[name].may_vary for name in named)
    if moments > MOMENTS_MAX:
        yield _costly(nodes[0], f"An expression may name {MOMENTS_MAX} dates and lengths of time; this names {moments}.")


def _cost(tree: Tree, variables: Mapping[str, Variable]) -> Iterator[Complaint]:
    worst = estimate(tree, variables)
    hint = "Look at shorter fields, or at fewer of them."
    if worst.time > TIME_MAX:
        took, limit = worst.time / 1e6, TIME_MAX / 1e6
        yield _costly(tree, f"On a large ticket this could take {took:,.1f} ms; the limit is {limit:.0f} ms.", hint)
    elif worst.memory > MEMORY_MAX:
        yield _costly(tree, "On a large ticket this could need more than 1 MB of memory.", hint)


def _patterns(nodes: list[Tree]) -> Iterator[Complaint]:
    for call in nodes:
        if isinstance(call, Call) and call.function == "matches":
            pattern = call.arguments[1]
            if not (isinstance(pattern, Const) and isinstance(pattern.value, str)):
                yield _costly(pattern, "The pattern of “matches” must be a literal.")
            elif fault := _pattern_fault(pattern.value):
                yield _costly(pattern, fault)


def _pattern_fault(pattern: str) -> str | None:
    """Counted repetitions multiply a pattern, and Unicode classes blow it up; RE2 then needs milliseconds to compile it."""
    counts = [int(most or least) for least, most in re.findall(r"\{(\d{1,9})(?:,(\d{0,9}))?\}", pattern)]
    if len(pattern) > PATTERN_MAX:
        return f"A pattern may have {PATTERN_MAX} characters; this has {len(pattern)}."
    if prod(max(count, 1) for count in counts) > PATTERN_COUNT_MAX:
        return f"The counted repetitions of a pattern may multiply to {PATTERN_COUNT_MAX} at most."
    if re.search(r"\\[pP]", pattern):
        return "A pattern cannot name Unicode classes."
    return None


def _misspelt(node: Tree, variables: Mapping[str, Variable]) -> Iterator[Complaint]:
    """Texts that a choice, a state, a role … is compared with and never is."""
    if not isinstance(node, Call) or len(node.arguments) != 2:
        return
    left, right = node.arguments
    if node.function in ("_==_", "_!=_"):
        for name, text in ((left, right), (right, left)):
            yield from _unknown_value(name, [text], variables)
    elif node.function == "@in":
        if isinstance(right, Items):
            yield from _unknown_value(left, list(right.elements), variables)
        elif isinstance(right, Name):
            yield from _unknown_value(right, [left], variables)


def _unknown_value(name: Tree, texts: list[Tree], variables: Mapping[str, Variable]) -> Iterator[Complaint]:
    variable = variables.get(name.name) if isinstance(name, Name) else None
    if variable is None or variable.known is None:
        return
    for text in texts:
        if isinstance(text, Const) and isinstance(text.value, str) and text.value not in variable.known:
            close = get_close_matches(text.value, sorted(variable.known), n=1)
            hint = f"Did you mean “{close[0]}”?" if close else f"It can be {choice_list(sorted(variable.known))}."
            holds = "contains" if variable.kind is Kind.LIST else "is"
            message = f"{variable.name} never {holds} “{text.value}”."
            yield Complaint("expression-unknown-value", text.offset, message, hint if variable.known else None)


def foreign_results(tree: Tree, target: Field) -> Iterator[Complaint]:
    """Literals that an expression may yield and that are no choices of the field it is for."""
    if isinstance(tree, Call) and tree.function == "_?_:_":
        for branch in tree.arguments[1:]:
            yield from foreign_results(branch, target)
    elif isinstance(tree, Const) and isinstance(tree.value, str) and tree.value not in target.choices:
        hint = f"It can be {choice_list(target.choices)}."
        yield Complaint("expression-unknown-value", tree.offset, f"{target.name} cannot be “{tree.value}”.", hint)
